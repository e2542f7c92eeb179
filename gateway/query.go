package gateway

import (
	"context"
	"errors"

	"sluice/enforcement"
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// query serves COM_QUERY: each statement of the text is judged and sent by itself, against the
// state that the one before left (contract 2).
func (s *Session) query(ctx context.Context, packet []byte) error {
	if s.unsettled() && parser.Opening(string(packet[1:])) {
		if done, err := s.opening(ctx, packet); done || err != nil {
			return err
		}
	}
	script, err := s.parse(ctx, packet[1:])
	if err != nil {
		return s.unreadable(ctx, packet, err)
	}
	n := len(script.Statements)
	if n == 0 {
		return s.forward(ctx, wire.ComQuery, packet, nil, answerOptions{}) // nothing to run
	}
	if n > 1 && !s.state.multi {
		return s.unreadable(ctx, packet, errSeveral)
	}
	if n > 1 {
		if e := s.batchError(script, packet[1:]); e != nil {
			return s.client.WritePacket(e)
		}
	}
	remarked := s.remarked(script)
	var unread error // the rest of the batch cannot be read any more
	for i := range script.Statements {
		more := i < n-1 || remarked
		ok, err := s.statementOr(ctx, unread, script, i, packet, more)
		if err != nil || !ok {
			return err
		}
		if i < n-1 {
			if near, empty := emptyNext(&script.Statements[i]); empty && s.state.reading.Dialect.Flavor != parser.TiDB {
				return s.sayEmptyStatement(near)
			}
			// The next statement depends on what this one did to the session.
			next, err := s.reread(ctx, script, packet[1:], i)
			if unread = err; isUnreadable(err) {
				continue
			}
			if err != nil {
				return s.sayFault(err)
			}
			if script = next; len(script.Statements) != n {
				return s.sayError(1064, "42000", "Sluice: the batch reads differently after one of its statements changed sql_mode or the character set; send it statement by statement")
			}
		}
	}
	if remarked {
		return s.forward(ctx, wire.ComQuery, append([]byte{byte(wire.ComQuery)}, remark...), nil, answerOptions{})
	}
	return nil
}

// opening serves what clients begin with, before the warehouse was asked about the session: such a text says the same whatever
// sql_mode and character set, and meets nobody's data, so that the answer could not change its decision. It reports false when
// it does.
func (s *Session) opening(ctx context.Context, packet []byte) (bool, error) {
	script, err := s.g.Reader.Parse(packet[1:], parser.Reading{Dialect: s.state.reading.Dialect, Charset: "utf8mb4"})
	if err != nil || len(script.Statements) != 1 || script.Statements[0].Command != nil {
		return false, nil
	}
	graph, err := s.g.Reader.Graph(ctx, script, 0, lineage.Scope{})
	if err != nil || !s.expand(graph).Inert() {
		return false, nil
	}
	return true, s.trip(ctx, &trip{statement: &script.Statements[0], graph: graph, command: wire.ComQuery, packet: packet})
}

// errSeveral is a batch from a client that announced none. The warehouse takes the text for one statement: a
// syntax error to it, or a statement that holds semicolons and that was cut wrongly here.
var errSeveral = &parser.Error{Construct: "text", Reason: "it reads as several statements, and the client did not announce batches", Line: 1, Column: 1}

func isUnreadable(err error) bool {
	var unread *parser.Error
	return errors.As(err, &unread)
}

// statementOr takes statement i of a text through its trip: as what cannot be read, when unread says why.
func (s *Session) statementOr(ctx context.Context, unread error, script *lineage.Script, i int, packet []byte, more bool) (ok bool, err error) {
	if unread == nil {
		return s.statement(ctx, script, i, packet, more)
	}
	st := &script.Statements[i]
	g := &lineage.Graph{Kind: st.Kind, Tier: parser.TierTokens, Refused: unread.Error()}
	t := &trip{statement: st, graph: g, command: wire.ComQuery, packet: append([]byte{byte(wire.ComQuery)}, st.Sent()...), more: more}
	err = s.trip(ctx, t)
	return t.succeeded, err
}

// parse is step 2. What the text depends on is asked of the warehouse first when it may have changed.
func (s *Session) parse(ctx context.Context, text []byte) (*lineage.Script, error) {
	if err := s.refreshFor(ctx, text); err != nil {
		return nil, err
	}
	return s.g.Reader.Parse(text, s.state.reading)
}

// reread parses a batch again if a statement of it changed what the rest is read by.
func (s *Session) reread(ctx context.Context, script *lineage.Script, text []byte, done int) (*lineage.Script, error) {
	if !s.unknown() && (!s.state.modeStale || script.ModeFree && !s.state.grammarStale) {
		return script, nil
	}
	return s.parse(ctx, text) // after SET PASSWORD it is told whose session this is
}

// unreadable answers a text that the lexer cannot read: refused while any project is protected,
// forwarded otherwise (contract 2, fail closed).
func (s *Session) unreadable(ctx context.Context, packet []byte, err error) error {
	var command *parser.CommandError
	if errors.As(err, &command) {
		s.state.warnings = []Warning{{"Error", 1064, command.Error()}}
		return s.sayError(1064, "42000", command.Error())
	}
	var unread *parser.Error
	if !errors.As(err, &unread) {
		return s.sayFault(err)
	}
	g := &lineage.Graph{Kind: "unknown", Tier: parser.TierTokens, Refused: unread.Error()}
	st := &parser.Statement{Text: string(packet[1:]), Kind: "unknown", Tier: parser.TierTokens}
	s.state.unread = true
	s.state.modeStale, s.state.grammarStale, s.state.schemaStale = true, true, true
	return s.trip(ctx, &trip{statement: st, graph: g, command: wire.ComQuery, packet: packet})
}

// statement takes statement i of a text through its trip. ok is false when the batch ends there.
func (s *Session) statement(ctx context.Context, script *lineage.Script, i int, packet []byte, more bool) (ok bool, err error) {
	st := &script.Statements[i]
	if st.Command != nil {
		return s.command(ctx, st, more, false)
	}
	if err := s.refreshSchema(ctx); err != nil {
		return false, s.sayFault(err)
	}
	graph, err := s.g.Reader.Graph(ctx, script, i, s.scope())
	if err != nil {
		return false, s.undefined(ctx, st, err)
	}
	t := &trip{statement: st, graph: graph, command: wire.ComQuery, more: more}
	if len(script.Statements) == 1 && st.Sent() == string(packet[1:]) {
		t.packet = packet
	} else {
		t.packet = append([]byte{byte(wire.ComQuery)}, st.Sent()...)
	}
	if err := s.trip(ctx, t); err != nil {
		return false, err
	}
	return t.succeeded, nil
}

// undefined answers a statement whose names could not be looked up.
func (s *Session) undefined(ctx context.Context, st *parser.Statement, cause error) error {
	s.g.Log.Warn("resolve", "connection", s.connection, "error", cause)
	g := &lineage.Graph{Kind: st.Kind, Tier: st.Tier, Refused: "the definitions of its tables cannot be read from the warehouse now"}
	packet := append([]byte{byte(wire.ComQuery)}, st.Sent()...)
	return s.trip(ctx, &trip{statement: st, graph: g, command: wire.ComQuery, packet: packet})
}

func (s *Session) scope() lineage.Scope {
	return lineage.Scope{Schema: s.state.schema, Temporary: s.state.temporary}
}

// trip is one statement on its way through steps 5 to 8.
type trip struct {
	statement *parser.Statement
	graph     *lineage.Graph
	command   wire.Command
	packet    []byte  // what is sent
	more      bool    // another statement of the same text follows
	cursor    *cursor // that a FETCH reads from
	// cursorless: an EXECUTE that asks for no cursor.
	cursorless bool
	named      *named // what a PREPARE names
	inner      string // the text that a PREPARE or EXECUTE IMMEDIATE would have run, when it cannot be read
	succeeded  bool
	outcome    outcome
	creates    string         // the schema that it creates; "" when that one is there already
	judged     *lineage.Graph // the graph that was judged: with what its carriers held
}

// trip decides, records, relays or refuses, and settles.
func (s *Session) trip(ctx context.Context, t *trip) error {
	if t.graph.Effects.Diagnostics {
		if done, err := s.shownWarnings(t); done || err != nil {
			return err
		}
	} else {
		s.state.warnings = nil
	}
	if done, err := s.processList(ctx, t); done || err != nil {
		return err
	}
	if t.graph.Effects.Dynamic != nil {
		if ready, err := s.dynamic(ctx, t); !ready || err != nil {
			return err
		}
	}
	if schema := t.graph.Effects.CreatesSchema; s.absent(ctx, schema) {
		t.creates = schema
	}
	if len(t.graph.Effects.Executes) > 0 && len(s.state.named) > 0 {
		if err := s.insideNamed(ctx, t); err != nil {
			return s.sayFault(err)
		}
	}
	f := flights.Get().(*flight)
	f.statement, f.graph, f.shows = t.statement, s.expand(t.graph), t.graph
	f.request, t.judged = s.request(f.graph), f.graph
	if t.command == wire.ComQuery && t.graph.Effects.Dynamic == nil {
		f.text = t.packet[1:]
	}
	answered := false
	defer func() {
		s.rebuilt(ctx, f, answered)
		if answered {
			f.recycle()
		}
	}()
	if err := s.judge(ctx, f, t.packet); errors.Is(err, errHopeless) {
		return s.client.WritePacket(f.hopeless)
	} else if errors.Is(err, errShown) { // since it was looked at above something is protected
		return s.trip(ctx, t)
	} else if err != nil {
		return err
	}
	s.count(f)
	if !f.decision.Permitted() {
		return s.denied(ctx, t, f)
	}
	defer s.landed()
	err := s.relay(ctx, t, f)
	answered = err == nil
	s.settle(ctx, t, f)
	if s.landed() && err == nil {
		return s.absorbKill(ctx)
	}
	return err
}

// expand replaces session carriers by the data that they hold.
func (s *Session) expand(g *lineage.Graph) *lineage.Graph {
	s.state.recall(g)
	return s.state.labels.Expand(g)
}

func (s *Session) request(g *lineage.Graph) enforcement.Request {
	return enforcement.Request{Graph: g, Subject: s.subject, Schema: s.state.schema, Task: s.task}
}

// What the warehouse says of a routine that there is not: ER_SP_DOES_NOT_EXIST, and ER_PROCACCESS_DENIED_ERROR to who may
// not know that.
const (
	errNoRoutine      = 1305
	errNoRoutinePower = 1370
)

// denied answers a statement that may not run. What the warehouse itself would not even parse is
// answered with the warehouse's syntax error: that helps the client more and tells no data.
func (s *Session) denied(ctx context.Context, t *trip, f *flight) error {
	if s.expired != nil {
		return s.sayExpired()
	}
	if u := t.graph.Effects.Unknown; u != "" && t.graph.Refused == "" && len(t.graph.Opaque) == 1 && !t.graph.Effects.Routine {
		if e := s.prepareError([]byte(t.statement.Sent()), func(code uint16) bool { return code == errNoRoutine || code == errNoRoutinePower }); e != nil {
			return s.client.WritePacket(e)
		}
		return s.sayError(errNoRoutine, "42000", u+" does not exist")
	}
	if t.inner != "" {
		if e := s.syntaxError(ctx, t.inner); e != nil {
			return s.client.WritePacket(e)
		}
	}
	if t.graph.Tier != parser.TierTree && (t.command == wire.ComQuery || t.command == wire.ComStmtPrepare) {
		if e := s.syntaxError(ctx, t.statement.Sent()); e != nil {
			if r, err := wire.ParseERR(e); err == nil && r.Code == errPrepareSeveral && t.command == wire.ComQuery {
				return s.sayError(errBatchDisabled, "HY000", batchDisabled)
			}
			return s.client.WritePacket(e)
		}
	}
	if s.state.modeStale {
		_ = s.identify(ctx) // the client may get texts in another character set by now
	}
	return s.refuse(f)
}

// settle is step 8: what the statement did to the session.
func (s *Session) settle(ctx context.Context, t *trip, f *flight) {
	e := &t.graph.Effects
	s.state.labels.Absorb(f.graph)
	if t.command == wire.ComStmtFetch {
		s.state.tell(&s.state.messages, messages, f.graph, false) // what it did to the session, it did at EXECUTE
		s.publish()
		return
	}
	if t.succeeded {
		for _, name := range e.Overwritten {
			s.state.labels.Clean(name)
		}
	}
	if !e.Diagnostics {
		s.diagnostics(t, f)
	}
	s.writes(f)
	s.state.modeStale = s.state.modeStale || e.Mode || e.Charset || e.Routine || t.graph.Refused != ""
	if e.Mode && s.state.reading.Dialect.Flavor == parser.MariaDB {
		s.state.grammarStale = true // ORACLE and its like
	}
	if e.Charset && (e.CharsetName == "" || e.CharsetName == "swe7") && t.graph.Tier != parser.TierTokens {
		s.state.grammarStale = true // in swe7 not even ASCII is what it seems
	}
	s.state.schemaStale = s.state.schemaStale || t.graph.Refused != ""
	if s.mayBeAnother(t.graph) {
		s.forgetSettings()
	}
	if e.Use != "" {
		s.used(e.Use, t.succeeded)
	}
	if e.DropsSchema != "" {
		s.droppedSchema(e.DropsSchema, t.succeeded)
	}
	s.state.strange = s.state.strange || e.Routine || t.graph.Refused != "" || len(t.graph.Opaque) > 0
	s.state.settleTemporary(e, t.succeeded)
	s.settleNamed(t)
	if t.succeeded && t.creates != "" {
		s.owned(ctx, t.creates)
	}
	if len(e.Definitions) > 0 {
		s.g.Definitions.Invalidate()
	}
	s.publish()
}
