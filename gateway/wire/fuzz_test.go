package wire

import (
	"bytes"
	"io"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
)

// seeds adds the messages of the golden files to a fuzz target.
func seeds(f *testing.F, use func(d *datadriven.TestData, input []byte), files ...string) {
	f.Helper()
	for _, file := range files {
		datadriven.RunTestAny(f, "testdata/"+file, func(_ testing.TB, d *datadriven.TestData) string {
			use(d, scriptBytes(f, d.Input))
			return d.Expected
		})
	}
}

func seedPayloads(f *testing.F, files ...string) {
	f.Helper()
	seeds(f, func(_ *datadriven.TestData, input []byte) { f.Add(input) }, files...)
}

// FuzzGreeting: reading never panics, editing changes nothing but capabilities, and what is
// written reads as it was.
func FuzzGreeting(f *testing.F) {
	seedPayloads(f, "message/greeting.txt")
	f.Fuzz(func(t *testing.T, payload []byte) {
		g, err := ParseGreeting(payload)
		edited := EditGreeting(bytes.Clone(payload), ^ClientSSL, ClientDeprecateEOF, ExtExtendedMetadata)
		if err != nil {
			if !bytes.Equal(edited, payload) {
				t.Error("a greeting that cannot be read was edited")
			}
			return
		}
		e, err := ParseGreeting(edited)
		if err != nil {
			t.Fatalf("edited: %v", err)
		}
		if len(g.AuthData) == 8 && g.Collation == 0 && e.Capabilities&0xffff == (g.Capabilities&^ClientSSL)&0xffff {
			return // a greeting of an old server has no upper half
		}
		if e.Capabilities != g.Capabilities&^ClientSSL|ClientDeprecateEOF {
			t.Errorf("capabilities %#x of %#x", e.Capabilities, g.Capabilities)
		}
		if e.Extended&^ExtExtendedMetadata != 0 {
			t.Errorf("extended %#x", e.Extended)
		}
		e.Capabilities, e.Extended = g.Capabilities, g.Extended
		if diff := cmp.Diff(g, e); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzHandshakeResponse: what was read and not changed is written byte for byte.
func FuzzHandshakeResponse(f *testing.F) {
	seedPayloads(f, "message/response.txt")
	f.Fuzz(func(t *testing.T, payload []byte) {
		IsSSLRequest(payload)
		r, err := ParseHandshakeResponse(payload)
		if err != nil || !r.Capabilities.Has(ClientProtocol41) {
			return
		}
		if again := r.Encode(); !bytes.Equal(again, payload) {
			t.Errorf("written again:\n% x\n% x", again, payload)
		}
		if len(r.SSLRequest()) != sslRequestSize || !IsSSLRequest(r.SSLRequest()) {
			t.Errorf("SSLRequest % x", r.SSLRequest())
		}
		for _, masked := range []Capability{ClientConnectWithDB, ClientPluginAuth, ClientConnectAttrs, ClientPluginAuthLenencClientData} {
			m := *r
			m.Capabilities &^= masked
			again, err := ParseHandshakeResponse(m.Encode())
			if err != nil {
				t.Fatalf("without %#x: %v", masked, err)
			}
			if again.User != r.User || again.Capabilities != m.Capabilities || again.MaxPacket != r.MaxPacket {
				t.Errorf("without %#x: %+v", masked, again)
			}
		}
	})
}

// FuzzChangeUser: the same for COM_CHANGE_USER.
func FuzzChangeUser(f *testing.F) {
	caps := ClientProtocol41 | ClientSecureConnection | ClientPluginAuth | ClientConnectAttrs
	seeds(f, func(_ *datadriven.TestData, input []byte) { f.Add(uint32(caps), input) }, "message/changeuser.txt")
	f.Fuzz(func(t *testing.T, caps uint32, payload []byte) {
		u, err := ParseChangeUser(payload, Capability(caps))
		if err != nil {
			return
		}
		if again := u.Encode(Capability(caps)); !bytes.Equal(again, payload) {
			t.Errorf("written again:\n% x\n% x", again, payload)
		}
		if _, err := ParseChangeUser(u.Encode(Capability(caps)&^ClientConnectAttrs), Capability(caps)&^ClientConnectAttrs); err != nil {
			t.Errorf("without attributes: %v", err)
		}
	})
}

// FuzzOK: what is written reads as it was.
func FuzzOK(f *testing.F) {
	seeds(f, func(_ *datadriven.TestData, input []byte) { f.Add(uint32(ClientSessionTrack), input) }, "message/answer.txt")
	f.Fuzz(func(t *testing.T, caps uint32, payload []byte) {
		ok, err := ParseOK(payload, Capability(caps))
		if err != nil {
			return
		}
		again, err := ParseOK(ok.Encode(Capability(caps)), Capability(caps))
		if err != nil {
			t.Fatal(err)
		}
		ok.statusAt, again.statusAt = 0, 0
		ok.Info, again.Info = append([]byte{}, ok.Info...), append([]byte{}, again.Info...)
		ok.Changes, again.Changes = append([]byte{}, ok.Changes...), append([]byte{}, again.Changes...)
		if diff := cmp.Diff(ok, again, cmp.AllowUnexported(OK{})); diff != "" {
			t.Error(diff)
		}
		changes, err := ParseStateChanges(ok.Changes)
		if err != nil {
			return
		}
		twice, err := ParseStateChanges(EncodeStateChanges(changes))
		if diff := cmp.Diff(changes, twice); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// FuzzErr: what is written reads as it was, but for the length of the message.
func FuzzErr(f *testing.F) {
	seedPayloads(f, "message/answer.txt")
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := ParseERR(payload)
		if err != nil {
			return
		}
		again, err := ParseERR(e.Encode(ClientProtocol41))
		if err != nil {
			t.Fatal(err)
		}
		if again.Code != e.Code || len(again.Message) > maxMessage || !bytes.HasPrefix([]byte(e.Message), []byte(again.Message)) {
			t.Errorf("%+v from %+v", again, e)
		}
	})
}

// FuzzColumn: what is written reads as it was.
func FuzzColumn(f *testing.F) {
	seeds(f, func(_ *datadriven.TestData, input []byte) { f.Add(true, input); f.Add(false, input) }, "message/answer.txt")
	f.Fuzz(func(t *testing.T, extended bool, payload []byte) {
		var ext ExtCapability
		if extended {
			ext = ExtExtendedMetadata
		}
		schema, table, originErr := ColumnOrigin(payload)
		c, err := ParseColumn(payload, ext)
		if err != nil {
			return
		}
		if originErr != nil || string(schema) != c.Schema || string(table) != c.OrgTable {
			t.Errorf("origin %q.%q, %v of %+v", schema, table, originErr, c)
		}
		again, err := ParseColumn(c.Append(nil, ext), ext)
		if err != nil {
			t.Fatal(err)
		}
		c.Metadata, again.Metadata = append([]byte{}, c.Metadata...), append([]byte{}, again.Metadata...)
		if diff := cmp.Diff(c, again); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzAuth reads the messages of the authentication dialogue.
func FuzzAuth(f *testing.F) {
	seedPayloads(f, "message/auth.txt")
	f.Fuzz(func(t *testing.T, payload []byte) {
		if s, err := ParseAuthSwitch(payload); err == nil && len(payload) > 1 && !bytes.Equal(s.Encode(), payload) {
			t.Errorf("auth switch % x", s.Encode())
		}
		if d, err := ParseAuthMoreData(payload); err == nil && !bytes.Equal(EncodeAuthMoreData(d), payload) {
			t.Errorf("more data % x", d)
		}
		if n, err := ParseAuthNextFactor(payload); err == nil && !bytes.Equal(n.Encode(), payload) {
			t.Errorf("next factor % x", n.Encode())
		}
	})
}

// FuzzRequests reads every request: attributes and text together are all of a query, always.
func FuzzRequests(f *testing.F) {
	seedPayloads(f, "message/request.txt")
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, caps := range []Capability{0, ClientQueryAttributes} {
			if q, err := ParseQuery(payload, caps); err == nil && !bytes.Equal(q.Encode(), payload) {
				t.Errorf("query % x", q.Encode())
			}
		}
		e, err := ParseExecute(payload)
		if id, idErr := ParseStatementID(payload); err == nil && (idErr != nil || id != e.StatementID) {
			t.Errorf("statement %d of %+v", id, e)
		}
		SetStatementID(bytes.Clone(payload), 7)
		_, _ = ParseFetch(payload)
		_, _ = ParseFieldList(payload)
		_, _ = ParseInitDB(payload)
		_, _ = ParseProcessKill(payload)
		_, _ = ParseSetOption(payload)
		_, _ = ParsePrepareOK(payload)
		_, _ = ParseLocalInfile(payload)
		_, _ = ParseEOF(payload)
	})
}

// FuzzPackets: packets read the same however the bytes arrive.
func FuzzPackets(f *testing.F) {
	f.Add(framed([]byte("one"), nil, []byte("two")), 7)
	f.Add([]byte{0xff, 0xff, 0xff, 0, 1}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		read := func(r io.Reader, ahead bool) (out []string) {
			c := NewConn(&pipe{Reader: r})
			c.ReadAhead(ahead)
			for {
				p, err := c.ReadPacket(1 << 20)
				if err != nil {
					return append(out, err.Error())
				}
				out = append(out, string(p))
			}
		}
		want := read(bytes.NewReader(stream), false)
		got := read(&pieces{rest: stream, size: max(1, size%64)}, true)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// pieces is a reader that gives a few bytes at a time.
type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.size, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

// FuzzWalkerSplits: a walk gives the same events and the same bytes however the stream is split,
// never passes bytes that it has not been given, and ends.
func FuzzWalkerSplits(f *testing.F) {
	for _, file := range []string{"mariadb-1.txt", "mariadb-3.txt", "mysql-2.txt"} {
		seeds(f, func(d *datadriven.TestData, input []byte) {
			caps, ext := scriptCaps(f, d)
			f.Add(byte(scriptCommand(f, d.CmdArgs[0].Key)), uint32(caps), uint32(ext), int8(-1), input, []byte{1, 3, 200, 2})
		}, "walk/"+file)
	}
	f.Fuzz(func(t *testing.T, command byte, caps, ext uint32, limit int8, stream, cuts []byte) {
		start := func() *Walker {
			w := &Walker{RowLimit: int64(limit), Offset: 9}
			w.Reset(Command(command), Capability(caps), ExtCapability(ext))
			return w
		}
		want := walk(start(), stream, whole)
		if len(want.out)+want.rest != len(stream) && want.err == "" {
			t.Errorf("%d bytes out and %d left of %d", len(want.out), want.rest, len(stream))
		}
		next := 0
		got := walk(start(), stream, func(left int) int {
			if len(cuts) == 0 {
				return 1
			}
			n := max(1, int(cuts[next%len(cuts)]))
			next++
			return min(n, left)
		})
		if want.err != "" {
			want.rest, got.rest = 0, 0 // how much was buffered at the error is the caller's matter
		}
		if diff := cmp.Diff(want, got, compareWalks); diff != "" {
			t.Error(diff)
		}
	})
}
