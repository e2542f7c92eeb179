package gateway

import (
	"context"
	"net"
	"testing"
	"time"

	"sluice/enforcement"
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// settledSession is a session of alice's with a temporary table, of which everything is known, and the other end of its warehouse
// connection.
func settledSession(t *testing.T) (*Session, *wire.Conn) {
	t.Helper()
	here, there := net.Pipe()
	client, clientEnd := net.Pipe()
	for _, c := range []net.Conn{here, there, client, clientEnd} {
		t.Cleanup(func() { _ = c.Close() })
	}
	go func() {
		for buf := make([]byte, 1024); ; {
			if _, err := clientEnd.Read(buf); err != nil {
				return
			}
		}
	}()
	s := &Session{g: New(Options{Limits: Limits{WriteTimeout: time.Minute}}), warehouse: wire.NewConn(here), client: wire.NewConn(client), identified: true}
	s.caps = wire.ClientProtocol41 | wire.ClientDeprecateEOF
	s.subject = enforcement.Subject{User: "alice", Host: "%"}
	s.state.temporary = map[lineage.Object]bool{{Schema: "lab", Name: "t"}: true}
	return s, wire.NewConn(there)
}

func forgotten(t *testing.T, s *Session) {
	t.Helper()
	if !s.unsettled() || !s.unknown() || !s.state.modeStale || s.state.temporary[lineage.Object{Schema: "lab", Name: "t"}] {
		t.Errorf("the session is believed to be as it was: %+v", s.state)
	}
}

// A SET that cannot be read may have been SET SESSION AUTHORIZATION, which makes the session another account's and empties it.
func TestAnotherAccountBySet(t *testing.T) {
	s, _ := settledSession(t)
	g := &lineage.Graph{Kind: "set", Tier: parser.TierTokens, Opaque: []string{"SET is not understood"}}
	s.settle(context.Background(), &trip{statement: &parser.Statement{}, graph: g, command: wire.ComQuery, succeeded: true}, &flight{graph: g})
	forgotten(t, s)
}

// A COM_RESET_CONNECTION that failed may have gone half of its way.
func TestResetThatFails(t *testing.T) {
	s, w := settledSession(t)
	go func() {
		if _, err := w.ReadPacket(1 << 10); err == nil {
			_ = w.WritePacket(wire.EncodeERR(1105, "HY000", "Could not reset connection", s.caps))
		}
	}()
	if err := s.resetConnection(context.Background(), []byte{byte(wire.ComResetConnection)}); err != nil {
		t.Fatal(err)
	}
	forgotten(t, s)
}
