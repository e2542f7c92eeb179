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

// A SET that cannot be read may have been SET SESSION AUTHORIZATION, which makes the session another account's and empties it. So may
// a text that was executed, and on servers that know the statement whatever was not read through.
func TestAnotherAccountBySet(t *testing.T) {
	opaque := []string{"SET is not understood"}
	newest, older := parser.Dialect{Flavor: parser.MariaDB, Version: 120003}, parser.Dialect{Flavor: parser.MariaDB, Version: 110809}
	for _, c := range []struct {
		graph   lineage.Graph
		dialect parser.Dialect
		another bool
	}{
		{lineage.Graph{Kind: "set", Tier: parser.TierTokens, Opaque: opaque}, older, true},
		{lineage.Graph{Kind: "execute", Tier: parser.TierTokens, Opaque: opaque}, older, true},
		{lineage.Graph{Kind: "begin", Tier: parser.TierRecogniser, Opaque: opaque}, newest, true},
		{lineage.Graph{Kind: "call", Tier: parser.TierTree, Opaque: opaque}, newest, true},
		{lineage.Graph{Kind: "call", Tier: parser.TierTree, Opaque: opaque}, older, false},
		{lineage.Graph{Kind: "call", Tier: parser.TierTree}, newest, false},
		{lineage.Graph{Kind: "load data", Tier: parser.TierTree, Opaque: opaque}, newest, false}, // ROW_COUNT() tells of it
		{lineage.Graph{Kind: "prepare", Tier: parser.TierTokens, Opaque: opaque}, older, false},
	} {
		s, _ := settledSession(t)
		s.state.reading.Dialect = c.dialect
		s.settle(context.Background(), &trip{statement: &parser.Statement{}, graph: &c.graph, command: wire.ComQuery, succeeded: true}, &flight{graph: &c.graph})
		if s.unknown() != c.another {
			t.Errorf("%s on %d: another account: %v, want %v", c.graph.Kind, c.dialect.Version, s.unknown(), c.another)
		}
		if c.another {
			forgotten(t, s)
		}
	}
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
