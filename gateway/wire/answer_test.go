package wire

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// Our own answers are followed by our own walker under every framing.
func TestAnswersAreWalked(t *testing.T) {
	for _, caps := range []Capability{0, ClientDeprecateEOF, ClientDeprecateEOF | ClientSessionTrack} {
		for _, ext := range []ExtCapability{0, ExtExtendedMetadata, ExtCacheMetadata, ExtExtendedMetadata | ExtCacheMetadata} {
			for _, o := range []ResultOptions{
				{Capabilities: caps, Extended: ext},
				{Capabilities: caps, Extended: ext, Binary: true},
				{Capabilities: caps, Extended: ext, More: true},
			} {
				walkAnswer(t, o)
			}
		}
	}
}

func walkAnswer(t *testing.T, o ResultOptions) {
	t.Helper()
	name := fmt.Sprintf("%#x %#x binary %v more %v", o.Capabilities, o.Extended, o.Binary, o.More)
	stream, next, err := things.Append([]byte("kept"), 1, o)
	if err != nil || string(stream[:4]) != "kept" {
		t.Fatal(name, err)
	}
	stream = stream[4:]
	if o.More {
		stream, next = AppendPacket(stream, next, okPart)
	}
	command := ComQuery
	if o.Binary {
		command = ComStmtExecute
	}
	start := func() *Walker {
		w := &Walker{RowLimit: -1}
		w.Reset(command, o.Capabilities, o.Extended)
		return w
	}
	w := start()
	got := walk(w, stream, whole)
	if !got.done || got.err != "" || got.rest != 0 || w.Sequence()+1 != next || w.Columns() != 2 {
		t.Errorf("%s: done %v %s, %d behind it, last packet %d", name, got.done, got.err, got.rest, w.Sequence())
	}
	if more := got.outcomes[0].Status&StatusMoreResults != 0; more != o.More || w.Rows() != 3 {
		t.Errorf("%s: more %v, %d rows", name, more, w.Rows())
	}
	everySplit(t, start, stream, got)
}

func TestPreparedAnswersAreWalked(t *testing.T) {
	columns := things.Columns
	for _, caps := range []Capability{0, ClientDeprecateEOF} {
		for _, n := range [][2]int{{0, 0}, {1, 0}, {0, 2}, {2, 1}} {
			stream, next := AppendPrepared(nil, 1, 77, columns[:n[0]], columns[:n[1]], StatusAutocommit, ResultOptions{Capabilities: caps})
			w := &Walker{}
			w.Reset(ComStmtPrepare, caps, 0)
			got := walk(w, stream, whole)
			want := PrepareOK{StatementID: 77, Params: uint16(n[0]), Columns: uint16(n[1])}
			if diff := cmp.Diff(want, w.PrepareOK()); diff != "" || !got.done || got.rest != 0 || w.Sequence()+1 != next {
				t.Errorf("caps %#x %v: done %v, %d behind it, last packet %d\n%s", caps, n, got.done, got.rest, w.Sequence(), diff)
			}
		}
	}
}

func TestRowsThatDoNotFitTheirColumns(t *testing.T) {
	for name, rs := range map[string]*ResultSet{
		"too few cells": {Columns: things.Columns, Rows: [][]Value{{Text("a")}}},
		"no number":     {Columns: []Column{IntColumn("n")}, Rows: [][]Value{{Text("five")}}},
		"a column type": {Columns: []Column{{Type: TypeDate}}, Rows: [][]Value{{Text("2020-01-01")}}},
	} {
		b, next, err := rs.Append([]byte("kept"), 3, ResultOptions{Binary: true})
		if err == nil || string(b) != "kept" || next != 3 {
			t.Errorf("%s: %q, %d, %v", name, b, next, err)
		}
	}
}

func TestMessagesAreCutBetweenCharacters(t *testing.T) {
	for _, tt := range []struct {
		message string
		want    int
	}{
		{strings.Repeat("a", 512), 512}, {strings.Repeat("a", 513), 512},
		{strings.Repeat("ß", 300), 512}, {"a" + strings.Repeat("ß", 300), 511},
		{strings.Repeat("漢", 300), 510}, {strings.Repeat("🚀", 300), 512}, {"abc" + strings.Repeat("🚀", 300), 511},
		{strings.Repeat("\x80", 600), 0},
	} {
		e, err := ParseERR(EncodeERR(1, "42000", tt.message, ClientProtocol41))
		if err != nil || len(e.Message) != tt.want || !strings.HasPrefix(tt.message, e.Message) {
			t.Errorf("%.8q of %d bytes: cut to %d, %v", tt.message, len(tt.message), len(e.Message), err)
		}
		if utf8.ValidString(tt.message) && !utf8.ValidString(e.Message) {
			t.Errorf("%.8q: cut inside a character", tt.message)
		}
	}
}

func TestErrorsWithoutAState(t *testing.T) {
	e, err := ParseERR((&ERR{Code: 1040, Message: "Too many connections"}).Encode(ClientProtocol41))
	if err != nil || e.State != "HY000" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestCommandNames(t *testing.T) {
	for c, want := range map[Command]string{ComQuery: "COM_QUERY", ComStmtBulkExecute: "COM_STMT_BULK_EXECUTE", 0x99: "COM_0x99"} {
		if c.String() != want {
			t.Errorf("%#x is %s", uint8(c), c)
		}
	}
}
