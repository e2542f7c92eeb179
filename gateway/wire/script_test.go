package wire

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The scripts in testdata hold bytes as hexadecimal, with comments behind '#'.

func scriptBytes(t testing.TB, text string) []byte {
	t.Helper()
	var out []byte
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		b, err := hex.DecodeString(strings.Join(strings.Fields(line), ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, b...)
	}
	return out
}

var capabilityNames = map[string]Capability{
	"deprecate_eof": ClientDeprecateEOF, "session_track": ClientSessionTrack, "plugin_auth": ClientPluginAuth,
	"secure": ClientSecureConnection, "attributes": ClientConnectAttrs, "query_attributes": ClientQueryAttributes,
	"optional_metadata": ClientOptionalResultsetMetadata, "41": ClientProtocol41, "with_db": ClientConnectWithDB,
	"multi": ClientMultiStatements | ClientMultiResults | ClientPSMultiResults, "ssl": ClientSSL,
	"lenenc": ClientPluginAuthLenencClientData, "zstd": ClientZstdCompression,
}

var extNames = map[string]ExtCapability{
	"progress": ExtProgress, "extended_metadata": ExtExtendedMetadata, "cache_metadata": ExtCacheMetadata,
	"bulk": ExtStmtBulk,
}

func scriptCaps(t testing.TB, d *datadriven.TestData) (caps Capability, ext ExtCapability) {
	t.Helper()
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "caps":
			for _, v := range a.Vals {
				caps |= named(t, capabilityNames, v)
			}
		case "ext":
			for _, v := range a.Vals {
				ext |= named(t, extNames, v)
			}
		}
	}
	return caps, ext
}

func named[T any](t testing.TB, names map[string]T, name string) T {
	t.Helper()
	v, ok := names[name]
	if !ok {
		t.Fatalf("no flag %q", name)
	}
	return v
}

func scriptCommand(t testing.TB, name string) Command {
	t.Helper()
	for c := range 256 {
		if Command(c).String() == name {
			return Command(c)
		}
	}
	t.Fatalf("no command %q", name)
	return 0
}

// step is one event of a walk as the tests compare them.
type stepSeen struct {
	kind    EventKind
	payload string
	status  bool
	rows    int64
}

// walked is all that a walk shows.
type walked struct {
	steps    []stepSeen
	out      []byte // what a relay would have written
	outcomes []Outcome
	sequence uint8
	done     bool
	rest     int // bytes behind the answer
	err      string
}

// walk feeds stream to a walker in pieces that cut gives, as a relay would.
func walk(w *Walker, stream []byte, cut func(left int) int) walked {
	var r walked
	var window []byte
	for !w.Done() && r.err == "" {
		if len(stream) > 0 {
			n := cut(len(stream))
			window = append(window, stream[:n]...)
			stream = stream[n:]
		} else if len(window) == 0 || !walkOnce(w, &window, &r) {
			break
		}
		for walkOnce(w, &window, &r) {
		}
	}
	r.done, r.sequence, r.rest = w.Done(), w.Sequence(), len(stream)+len(window)
	return r
}

// walkOnce takes one event, and reports whether it was one that moved the walk on.
func walkOnce(w *Walker, window *[]byte, r *walked) bool {
	if w.Done() || r.err != "" {
		return false
	}
	e, err := w.Next(*window)
	buf := *window
	r.out = append(r.out, buf[:e.End]...)
	if err != nil {
		r.err = err.Error()
		return false
	}
	*window = append([]byte(nil), buf[e.End:]...)
	switch e.Kind {
	case NeedMore:
		return false
	case RowLimitReached:
		r.steps = append(r.steps, stepSeen{kind: e.Kind, rows: w.Rows()})
		w.RowLimit = -1
		return true
	case ResponseEnd:
		o := *w.Outcome()
		o.Changes = append([]byte(nil), o.Changes...)
		r.outcomes = append(r.outcomes, o)
	}
	r.steps = append(r.steps, stepSeen{kind: e.Kind, payload: string(e.Payload(buf)), status: e.Status != 0, rows: w.Rows()})
	return true
}

func whole(left int) int { return left }

// describe prints a walk for the golden files.
func (r walked) describe(ext ExtCapability) string {
	var b strings.Builder
	rows, outcome := int64(0), 0
	for _, s := range r.steps {
		if s.rows < rows || s.kind == ResultSetStart {
			rows = 0
		}
		if s.rows > rows {
			fmt.Fprintf(&b, "  %d rows\n", s.rows-rows)
			rows = s.rows
		}
		switch s.kind {
		case ResultSetStart:
			fmt.Fprintf(&b, "result set: % x\n", s.payload)
		case ColumnDefinition:
			c, err := ParseColumn([]byte(s.payload), ext)
			if err != nil {
				fmt.Fprintf(&b, "  column: %v\n", err)
				continue
			}
			fmt.Fprintf(&b, "  column %s.%s.%s as %s type %#02x\n", c.Schema, c.OrgTable, c.OrgName, c.Name, uint8(c.Type))
		case ColumnsEnd:
			fmt.Fprintf(&b, "  end of columns\n")
		case RowLimitReached:
			fmt.Fprintf(&b, "  limit\n")
		case Prepared:
			fmt.Fprintf(&b, "prepared: % x\n", s.payload)
		case LocalInfile:
			fmt.Fprintf(&b, "file %q\n", s.payload[1:])
		case ResponseEnd:
			o := r.outcomes[outcome]
			outcome++
			describeOutcome(&b, &o, s.payload)
		}
	}
	switch {
	case r.err != "":
		fmt.Fprintf(&b, "error: %s\n", r.err)
	case !r.done:
		fmt.Fprintf(&b, "waits\n")
	default:
		fmt.Fprintf(&b, "done, last packet %d\n", r.sequence)
	}
	if r.rest > 0 {
		fmt.Fprintf(&b, "%d bytes behind it\n", r.rest)
	}
	return b.String()
}

func describeOutcome(b *strings.Builder, o *Outcome, payload string) {
	switch {
	case o.Raw:
		fmt.Fprintf(b, "text of %d bytes\n", len(payload))
	case o.Failed():
		p, err := ParseERR([]byte(payload))
		if err != nil {
			fmt.Fprintf(b, "%v\n", err)
			return
		}
		fmt.Fprintf(b, "%v\n", p)
	default:
		name := map[byte]string{HeaderOK: "OK", HeaderEOF: "end"}[o.Header]
		fmt.Fprintf(b, "%s affected %d id %d status %#04x warnings %d\n", name, o.AffectedRows, o.InsertID, o.Status, o.Warnings)
		changes, err := ParseStateChanges(o.Changes)
		if err != nil {
			fmt.Fprintf(b, "  %v\n", err)
		}
		for _, c := range changes {
			fmt.Fprintf(b, "  changed: kind %d %s %q\n", c.Kind, c.Name, c.Value)
		}
	}
}
