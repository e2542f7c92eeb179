package gateway

import (
	"context"
	"errors"
	"fmt"

	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// ownStatements is where the ids of prepared gateway commands begin: far above any warehouse's.
const ownStatements = 0x7f000000

// maxOwnBytes bounds the texts of prepared gateway commands: no warehouse counts them.
const maxOwnBytes = maxPolicyFile

// prepare serves COM_STMT_PREPARE: the whole trip, so that a client learns of a refusal at once; each
// EXECUTE is judged again.
func (s *Session) prepare(ctx context.Context, packet []byte) error {
	s.state.last = &prepared{refused: true}
	if len(s.state.prepared) >= s.g.Limits.Prepared {
		return s.sayError(1461, "42000", "Can't create more prepared statements on this connection (limits.prepared_statements)")
	}
	script, err := s.parse(ctx, packet[1:])
	if err != nil {
		return s.unreadablePrepare(ctx, packet, err)
	}
	switch len(script.Statements) {
	case 1:
	case 0:
		return s.forward(ctx, wire.ComStmtPrepare, packet, nil, answerOptions{}) // the warehouse prepares nothing either
	default:
		return s.unreadablePrepare(ctx, packet, errSeveral)
	}
	st := &script.Statements[0]
	if st.Command != nil {
		return s.prepareCommand(st)
	}
	if err := s.refreshSchema(ctx); err != nil {
		return s.sayFault(err)
	}
	graph, err := s.g.Reader.Graph(ctx, script, 0, s.scope())
	if err != nil {
		return s.undefined(ctx, st, err)
	}
	sent := packet
	if st.Sent() != string(packet[1:]) {
		sent = append([]byte{byte(wire.ComStmtPrepare)}, st.Sent()...)
	}
	p := &prepared{held: held{text: st.Sent(), script: script, schema: s.state.schema}}
	return s.prepareTrip(ctx, &trip{statement: st, graph: graph, command: wire.ComStmtPrepare, packet: sent}, p)
}

// prepareTrip judges and prepares. Preparing changes nothing of the session, so nothing is settled.
func (s *Session) prepareTrip(ctx context.Context, t *trip, p *prepared) error {
	f := &flight{statement: t.statement, graph: s.expand(t.graph)}
	f.request = s.request(f.graph)
	f.preparing = true
	if err := s.judge(ctx, f, t.packet); err != nil {
		return err
	}
	if !f.decision.Permitted() {
		return s.denied(ctx, t, f)
	}
	defer s.landed()
	err := s.relay(ctx, t, f)
	if s.landed() && err == nil {
		err = s.absorbKill(ctx)
	}
	if err != nil || !t.succeeded {
		return err
	}
	p.id, p.params = t.outcome.prepared.StatementID, t.outcome.prepared.Params
	if s.state.prepared == nil {
		s.state.prepared = make(map[uint32]*prepared)
	}
	s.state.prepared[p.id] = p
	s.state.last = p
	return nil
}

func (s *Session) unreadablePrepare(ctx context.Context, packet []byte, err error) error {
	var command *parser.CommandError
	var unread *parser.Error
	switch {
	case errors.As(err, &command):
		return s.sayError(wire.ErrParse, "42000", command.Error())
	case !errors.As(err, &unread):
		return s.sayFault(err)
	}
	g := &lineage.Graph{Kind: "unknown", Tier: parser.TierTokens, Refused: unread.Error()}
	script := &lineage.Script{Script: &parser.Script{Statements: []parser.Statement{{Text: string(packet[1:]), Kind: "unknown"}}}}
	return s.prepareTrip(ctx, &trip{statement: &script.Statements[0], graph: g, command: wire.ComStmtPrepare, packet: packet}, &prepared{held: held{script: script}, opaque: g})
}

// prepareCommand answers PREPARE of a gateway command; the warehouse never sees it.
func (s *Session) prepareCommand(st *parser.Statement) error {
	if s.state.ownBytes+len(st.Text) > maxOwnBytes {
		return s.sayError(1461, "42000", "Can't create more prepared statements of Sluice's own on this connection: their texts are too long together")
	}
	s.state.own++
	s.state.ownBytes += len(st.Text)
	p := &prepared{id: ownStatements + s.state.own, command: st.Command, held: held{script: &lineage.Script{Script: &parser.Script{Statements: []parser.Statement{*st}}}}}
	if s.state.prepared == nil {
		s.state.prepared = make(map[uint32]*prepared)
	}
	s.state.prepared[p.id] = p
	s.state.last = p
	frames, seq := wire.AppendPrepared(nil, s.client.Sequence(), p.id, nil, nil, s.state.status, s.resultOptions(false, false))
	s.client.SetSequence(seq)
	_, err := s.client.Write(frames)
	return err
}

func (s *Session) ownStatement(packet []byte) bool {
	id, err := wire.ParseStatementID(packet)
	if err != nil {
		return false
	}
	p := s.state.prepared[id]
	return p != nil && p.command != nil
}

func (s *Session) closeStatement(packet []byte) error {
	id, err := wire.ParseStatementID(packet)
	if err != nil {
		return nil // the command has no answer
	}
	own := s.ownStatement(packet)
	p := s.state.prepared[id]
	if p != nil && p == s.state.last {
		s.state.last = nil
	}
	delete(s.state.prepared, id)
	if own {
		s.state.ownBytes -= len(p.script.Statements[0].Text)
		return nil
	}
	return s.send(packet)
}

// execute serves COM_STMT_EXECUTE: from step 5 on, with the newest snapshot and catalog.
func (s *Session) execute(ctx context.Context, packet []byte) error {
	x, err := wire.ParseExecute(packet)
	if err != nil {
		return s.malformed()
	}
	p := s.preparedBy(x.StatementID)
	switch {
	case p == nil:
		// Not prepared through this gateway: the warehouse knows no such statement either.
		return s.unknownStatement(x.StatementID)
	case p.command != nil:
		_, err := s.command(ctx, &p.script.Statements[0], false, true)
		return err
	}
	if s.unknown() { // prepared before the password was changed
		if err := s.identify(ctx); err != nil {
			return s.sayFault(err)
		}
	}
	graph, err := s.preparedGraph(ctx, p)
	if err != nil {
		return s.undefined(ctx, &p.script.Statements[0], err)
	}
	t := &trip{statement: &p.script.Statements[0], graph: graph, command: wire.Command(packet[0]), packet: packet, cursorless: !x.WantsCursor()}
	if err := s.trip(ctx, t); err != nil {
		return err
	}
	p.executed(t)
	return nil
}

// preparedGraph binds a prepared statement's names again: in the schema that was current at PREPARE.
func (s *Session) preparedGraph(ctx context.Context, p *prepared) (*lineage.Graph, error) {
	if p.opaque != nil {
		return p.opaque, nil
	}
	return s.heldGraph(ctx, &p.held)
}

// preparedBy gives the statement that an id stands for, nil for none.
func (s *Session) preparedBy(id uint32) *prepared {
	if id != wire.LastStatement {
		return s.state.prepared[id]
	}
	if p := s.state.last; p != nil && !p.refused { // else the warehouse still holds the one before
		return p
	}
	return nil
}

// unknownStatement answers in the warehouse's words, without asking it: a statement that SQL PREPARE made has an
// id there too, and is not to be run by it.
func (s *Session) unknownStatement(id uint32) error {
	switch s.state.reading.Dialect.Flavor {
	case parser.TiDB:
		return s.sayError(wire.ErrUnknown, "HY000", fmt.Sprintf("ERROR 1243 (HY000): Unknown prepared statement handler %d given to stmt_execute", id))
	case parser.MySQL:
		return s.sayError(wire.ErrUnknownStatement, "HY000", fmt.Sprintf("Unknown prepared statement handler (%d) given to mysql_stmt_precheck", id))
	default:
		return s.sayError(wire.ErrUnknownStatement, "HY000", fmt.Sprintf("Unknown prepared statement handler (%d) given to mysqld_stmt_execute", id))
	}
}

// malformed answers a command that is too short for what it says.
func (s *Session) malformed() error {
	switch s.state.reading.Dialect.Flavor {
	case parser.TiDB:
		return s.sayError(wire.ErrUnknown, "HY000", "malform packet error")
	case parser.MySQL:
		return s.sayError(wire.ErrMalformedPacket, "HY000", "Malformed communication packet.")
	default:
		return s.sayError(wire.ErrMalformedPacket, "HY000", "Malformed communication packet")
	}
}
