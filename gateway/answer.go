package gateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"sluice/enforcement"
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// Answer is what a gateway command gives: a result set of text, or, without columns, an OK.
type Answer struct {
	Columns  []string
	Rows     [][]string
	Warnings []Warning
}

// Warning is one line of SHOW WARNINGS after a gateway command.
type Warning struct {
	Level   string // Note, Warning
	Code    uint16
	Message string
}

// CommandFault is an error of a gateway command for the person who sent it.
type CommandFault struct {
	Code    uint16
	State   string
	Message string
}

func (f *CommandFault) Error() string { return f.Message }

// CommandEnv is the session that a gateway command comes from.
type CommandEnv struct {
	Subject    enforcement.Subject
	Client     string
	Schema     string
	Task       enforcement.Task
	Connection uint64
	Dialect    parser.Dialect
	// ReadFile fetches a file of the client by the LOCAL INFILE exchange.
	ReadFile func(name string) ([]byte, error)
	// Judge takes a text through steps 2 to 5 without running it.
	Judge   func(ctx context.Context, text string) ([]Judged, error)
	SetTask func(enforcement.Task)
}

// Judged is one statement with its graph and what would be decided.
type Judged struct {
	Statement *parser.Statement
	Graph     *lineage.Graph
	Decision  enforcement.Decision
}

// maxPolicyFile bounds a policy that a client sends.
const maxPolicyFile = 16 << 20

func (s *Session) environment() *CommandEnv {
	return &CommandEnv{
		Subject: s.subject, Client: s.address.String(), Schema: s.state.schema, Task: s.task, Connection: s.connection, Dialect: s.state.reading.Dialect,
		ReadFile: func(name string) ([]byte, error) {
			if !s.caps.Has(wire.ClientLocalFiles) {
				return nil, errors.New("the client does not allow LOCAL INFILE (start the mysql client with --local-infile); or give the policy inline")
			}
			s.client.Patience(s.g.Limits.WriteTimeout)
			file, err := s.client.RequestFile(name, maxPolicyFile)
			s.client.Patience(0)
			if err != nil && !errors.Is(err, wire.ErrFileTooLarge) {
				_ = s.client.Close() // the rest of the file would be taken for commands
			}
			return file, err
		},
		Judge: s.explain,
		SetTask: func(t enforcement.Task) {
			s.task, s.taskAsked = t, true
			s.publish()
		},
	}
}

// explain judges a text for EXPLAIN FLOW; nothing of it runs.
func (s *Session) explain(ctx context.Context, text string) ([]Judged, error) {
	if err := s.refreshFor(ctx, []byte(text)); err != nil {
		return nil, err
	}
	script, err := s.g.Reader.Parse([]byte(s.byItself(text)), s.state.reading)
	if err != nil {
		return nil, err
	}
	var out []Judged
	for i := range script.Statements {
		st := &script.Statements[i]
		if st.Command != nil {
			out = append(out, Judged{Statement: st})
			continue
		}
		g, err := s.g.Reader.Graph(ctx, script, i, s.scope())
		if err != nil {
			return nil, err
		}
		if d := g.Effects.Dynamic; d != nil && d.Text != "" {
			if _, inner, err := s.innerGraph(ctx, s.byItself(d.Text)); err == nil {
				g = joined(g, inner, d, nil)
			}
		}
		r := s.request(s.expand(g))
		r.Now = time.Now()
		out = append(out, Judged{st, r.Graph, s.g.Policies.Current().Explain(&r)})
	}
	return out, nil
}

func (s *Session) resultOptions(more, binary bool) wire.ResultOptions {
	return wire.ResultOptions{Capabilities: s.caps, Extended: s.extended, Binary: binary, More: more}
}

// sayAnswer writes a command's result set or OK.
func (s *Session) sayAnswer(a *Answer, more, binary bool) error {
	warnings := uint16(min(len(a.Warnings), 65535))
	status := s.state.status &^ (wire.StatusMoreResults | wire.StatusCursorExists)
	if a.Columns == nil {
		if more {
			status |= wire.StatusMoreResults
		}
		ok := wire.OK{Status: status, Warnings: warnings}
		return s.client.WritePacket(ok.Encode(s.caps))
	}
	rs := wire.ResultSet{Status: status, Warnings: warnings}
	for _, name := range a.Columns {
		rs.Columns = append(rs.Columns, s.shownColumn(name))
	}
	for _, row := range a.Rows {
		values := make([]wire.Value, len(row))
		for i, v := range row {
			values[i] = wire.Text(s.shown(v))
		}
		rs.Rows = append(rs.Rows, values)
	}
	frames, seq, err := rs.Append(nil, s.client.Sequence(), s.resultOptions(more, binary))
	if err != nil {
		return err
	}
	s.client.SetSequence(seq)
	_, err = s.client.Write(frames)
	return err
}

func (s *Session) sayCommandFault(err error) error {
	var fault *CommandFault
	if errors.As(err, &fault) {
		s.state.warnings = []Warning{{"Error", fault.Code, fault.Message}}
		return s.sayError(fault.Code, fault.State, fault.Message)
	}
	return s.sayFault(err)
}

// shownWarnings answers SHOW WARNINGS after a gateway command, and after a statement whose messages are
// withheld. It reports false when the warehouse is to answer.
func (s *Session) shownWarnings(t *trip) (bool, error) {
	warnings := s.state.warnings
	if s.state.withheld && warnings == nil {
		warnings = []Warning{{"Note", 1105, "the warehouse's messages are withheld by Sluice: the statement before read protected data that this session's project may not see"}}
	}
	if warnings == nil || t.graph.Kind != "show warnings" || strings.Contains(strings.ToUpper(t.statement.Text), "COUNT") {
		return false, nil
	}
	a := &Answer{Columns: []string{"Level", "Code", "Message"}}
	for _, w := range warnings {
		a.Rows = append(a.Rows, []string{w.Level, itoa(w.Code), w.Message})
	}
	t.succeeded = true
	return true, s.sayAnswer(a, t.more, t.command == wire.ComStmtExecute)
}
