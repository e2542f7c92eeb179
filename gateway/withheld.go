package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sluice/enforcement"
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// What of an answer does not reach the client: data that tells too much, rows past the display cap, an answer that
// contradicts the graph.

// withoutInsertID passes on an OK packet without its insert id, which LAST_INSERT_ID(expr) or a column of data may
// have set.
func (a *answering) withoutInsertID(buf []byte, at int, e wire.Event) error {
	if err := a.flush(buf[:at+e.Start]); err != nil {
		return err
	}
	s := a.s
	ok, err := wire.ParseOK(e.Payload(buf[at:]), s.caps)
	if err != nil {
		return a.unreadable(err)
	}
	ok.InsertID = 0
	s.client.SetSequence(buf[at+e.Start+3])
	err = s.client.WritePacket(ok.Encode(s.caps))
	a.window.Consume(at + e.End)
	return err
}

// failed replaces the texts of errors that could carry data which the session project may not see
// (contract 2), and says why a statement was killed.
func (a *answering) failed(buf []byte, at int, e wire.Event) (bool, error) {
	if a.f == nil {
		return false, nil
	}
	s := a.s
	s.mu.Lock()
	killed := a.f.killed
	s.mu.Unlock()
	syntax := a.o.batch != nil && a.out.code == wire.ErrParse
	hidden := a.f.graph != nil && s.quotes(a.f) || a.f.decision.Guarded
	if !killed && !hidden && !syntax {
		return false, nil
	}
	if err := a.flush(buf[:at+e.Start]); err != nil {
		return true, err
	}
	original, err := wire.ParseERR(e.Payload(buf[at:]))
	if err != nil {
		return true, a.unreadable(err)
	}
	s.client.SetSequence(buf[at+e.Start+3])
	a.window.Consume(at + e.End)
	switch {
	case syntax && !killed && !hidden:
		err = s.sayError(original.Code, original.State, nearInBatch(original.Message, a.o.batch))
	case killed:
		err = s.sayError(1142, "42000", stopped)
	default:
		code, state := original.Code, original.State
		if a.f.graph.Effects.Signals {
			code, state = 1644, "45000" // a program may have chosen the number: it is data too
		}
		err = s.sayError(code, state, "the warehouse's message is withheld by Sluice: the statement or its transaction reads protected data that "+projectText(a.f.snapshot.ProjectOf(a.f.request.Schema))+" may not see")
	}
	if err == nil {
		err = errCut
	}
	return true, err
}

func projectText(project string) string {
	if project == "" {
		return "a session without a project"
	}
	return "project '" + project + "'"
}

// checkOrigin is the defence in depth of contract 2: a column definition that names a protected
// project which the graph does not means that the reader and the warehouse disagreed.
func (a *answering) checkOrigin(ctx context.Context, buf []byte, at int, e wire.Event) error {
	schema, _, err := wire.ColumnOrigin(e.Payload(buf[at:]))
	if err != nil {
		return a.unreadable(err)
	}
	if len(schema) == 0 || a.f.graph == nil || namesSchema(a.f, schema) {
		return nil
	}
	// Names come in the character set for results, which is the client's own as a rule.
	name, known := a.s.state.reading.Decode(string(schema))
	if !known || namesSchema(a.f, []byte(name)) {
		return nil
	}
	project := a.f.snapshot.ProjectOf(name)
	if project == "" || a.s.carriesSchema(a.f.graph, name) {
		return nil
	}
	if p := a.f.snapshot.Project(project); p == nil || p.Protection != parser.Protected {
		return nil
	}
	if err := a.flush(buf[:a.held]); err != nil {
		return err
	}
	a.out.contradicted = true
	s := a.s
	s.deny(a.f, enforcement.NotUnderstood, "the warehouse names project '"+project+"' in the result and Sluice's reading of the statement does not")
	s.raise(ctx, a.f, "lineage-mismatch")
	s.client.SetSequence(buf[a.held+3])
	if err := s.refuse(a.f); err != nil {
		return err
	}
	a.window.Consume(at + e.End)
	return a.drop(ctx)
}

// namesSchema tells whether the graph reads anything of the schema's project.
func namesSchema(f *flight, schema []byte) bool {
	for i := range f.graph.Reads {
		if foldEqual(f.graph.Reads[i].Schema, schema) {
			return true
		}
	}
	for i := range f.graph.Names {
		if foldEqual(f.graph.Names[i].Schema, schema) {
			return true
		}
	}
	for i := range f.graph.Flows {
		if foldEqual(f.graph.Flows[i].Source.Object.Schema, schema) {
			return true
		}
	}
	return false
}

// carriesSchema tells whether the graph reads a temporary table that stands in the schema. The warehouse names that schema
// in the columns, though no table of the schema is read: what the temporary table holds was judged as its label.
func (s *Session) carriesSchema(g *lineage.Graph, schema string) bool {
	for _, carrier := range g.Carried {
		if table, is := strings.CutPrefix(carrier, "temporary "); is {
			if len(table) > len(schema) && table[len(schema)] == '.' && strings.EqualFold(table[:len(schema)], schema) {
				return true
			}
		} else if strings.HasPrefix(carrier, "handler ") { // its name may be an alias
			for o := range s.state.temporary {
				if strings.EqualFold(o.Schema, schema) {
					return true
				}
			}
		}
	}
	return false
}

func foldEqual(a string, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range b {
		x, y := a[i], b[i]
		if x|0x20 != y|0x20 {
			return false
		}
	}
	return true
}

// limited deals with a result that has as many rows as may be shown: it is stopped there with an error, never silently
// (contract 2). Where a project in dry run would have stopped it, that is recorded and it passes.
func (a *answering) limited(ctx context.Context, buf []byte, at int) (passed bool, err error) {
	s, d := a.s, &a.f.decision
	dry := a.walker.RowLimit != a.o.rowLimit
	a.walker.RowLimit, a.out.overDryCap = a.o.rowLimit, a.out.overDryCap || dry
	if dry && s.recordCap(ctx, a.f, "dryrun", d.DryCapProject, enforcement.DryCapText(d)) == nil {
		return true, nil
	}
	if err := a.flush(buf[:at]); err != nil {
		return false, err
	}
	s.client.SetSequence(a.walker.Sequence() + 1)
	if dry { // no entry, no permit (contract 7)
		s.deny(a.f, enforcement.NotRecorded, "the decision log cannot be written")
		err = s.refuse(a.f)
	} else {
		message := enforcement.CapRefusal(d, &a.f.request)
		_ = s.recordCap(ctx, a.f, "deny", d.CapProject, message) // its rows before went out by right, and no more do
		err = s.sayError(1142, "42000", message)
	}
	if err != nil {
		return false, err
	}
	a.window.Consume(at)
	a.walker.RowLimit = -1
	return false, a.drop(ctx)
}

// recordCap records that a result met a display cap.
func (s *Session) recordCap(ctx context.Context, f *flight, verdict, project, reason string) error {
	e := s.entry(f)
	e.Verdict, e.Rule, e.Reason = verdict, "display cap", reason
	if !slices.Contains(e.Projects, project) {
		e.Projects = append(e.Projects, project)
	}
	err := s.g.Audit.Record(ctx, e)
	if err != nil {
		s.g.Log.Error("record a result at its display cap", "connection", s.connection, "error", err)
	}
	return err
}

// drained is how much of an answer is read away before its statement is killed.
const drained = 1 << 20

// drop reads the rest of an answer away, so that the session can go on.
func (a *answering) drop(ctx context.Context) error {
	s := a.s
	read, killed := 0, false
	for {
		buf := a.window.Bytes()
		at := 0
		for {
			e, err := a.walker.Next(buf[at:])
			if err != nil {
				return a.unreadable(err)
			}
			if e.Kind == wire.LocalInfile {
				return a.unreadable(errors.New("a file request inside a dropped answer"))
			}
			at += e.End
			if e.Kind == wire.NeedMore {
				break
			}
		}
		a.window.Consume(at)
		if a.walker.Done() {
			break
		}
		read += at
		if read > drained && !killed {
			killed = true
			if err := s.g.Warehouse.Kill(ctx, s.connection, true); err != nil {
				s.g.Log.Warn("kill a statement past its display cap", "connection", s.connection, "error", err)
			}
		}
		if err := a.window.Fill(s.warehouse); err != nil {
			return a.warehouseLost(err)
		}
	}
	if killed {
		if err := s.absorbKill(ctx); err != nil {
			return err
		}
	}
	return errCut
}
