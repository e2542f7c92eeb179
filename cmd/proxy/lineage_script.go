package main

import (
	"context"
	"maps"
	"strings"

	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// statementReader traces texts as one session after another would send them.
type statementReader struct {
	ctx      context.Context
	dialect  parser.Dialect
	snapshot *catalog.Snapshot
}

// traced is one statement with its graph, and with what session state brings along put in.
type traced struct {
	text         string
	graph, whole *lineage.Graph
}

// textSession is what the statements of one text leave to those behind them.
type textSession struct {
	*statementReader
	reading   parser.Reading
	scope     lineage.Scope
	prepared  map[string]string
	labels    lineage.Labels
	unsettled string // what changed the meaning of text that depends on sql_mode or the character set
}

// script traces each statement of a text in the state that those before it leave: the current schema, temporary
// tables, prepared texts, variables with their labels.
func (r *statementReader) script(sql, schema string) ([]traced, error) {
	s := &textSession{statementReader: r, reading: parser.Reading{Dialect: r.dialect}, prepared: map[string]string{}}
	s.scope = lineage.Scope{Schema: schema, Temporary: map[lineage.Object]bool{}}
	script, err := parser.Parse(sql, s.reading)
	if err != nil {
		return nil, err
	}
	var out []traced
	for i := range script.Statements {
		st := &script.Statements[i]
		g, err := s.trace(st)
		if err != nil {
			return nil, err
		}
		whole := s.labels.Expand(g)
		s.labels.Absorb(whole)
		s.settle(g)
		out = append(out, traced{st.Text, g, whole})
	}
	return out, nil
}

func (s *textSession) trace(st *parser.Statement) (*lineage.Graph, error) {
	if st.Command != nil {
		return &lineage.Graph{Kind: "command", Tier: parser.TierTree}, nil
	}
	if s.unsettled != "" && !parser.ModeFree(st.Text) {
		return &lineage.Graph{Kind: st.Kind, Tier: st.Tier, Refused: "its meaning depends on what " + s.unsettled + " before it did"}, nil
	}
	g, err := s.graph(st)
	if err != nil {
		return nil, err
	}
	return s.dynamic(g), nil
}

func (s *textSession) graph(st *parser.Statement) (*lineage.Graph, error) {
	scope := s.scope
	scope.Temporary = maps.Clone(s.scope.Temporary)
	b, err := lineage.Resolve(s.ctx, st, s.reading, scope, s.snapshot)
	if err != nil {
		return nil, err
	}
	return lineage.Trace(b), nil
}

// dynamic gives the graph of a text that is prepared or run, when the text is known.
func (s *textSession) dynamic(g *lineage.Graph) *lineage.Graph {
	d := g.Effects.Dynamic
	if d == nil || d.Verb == "deallocate" {
		return g
	}
	text := d.Text
	refused := *g
	if d.Verb == "execute" {
		known := false
		if text, known = s.prepared[d.Name]; !known {
			refused.Refused = "no statement before it prepared " + d.Name
			return &refused
		}
	}
	if text == "" {
		refused.Refused = "the text that it runs is a value of the warehouse: the gateway asks for it"
		return &refused
	}
	script, err := parser.Parse(text, s.reading)
	if err != nil || len(script.Statements) != 1 || script.Statements[0].Command != nil {
		refused.Refused = "the text that it runs cannot be read"
		return &refused
	}
	inner, err := s.graph(&script.Statements[0])
	if err != nil {
		refused.Refused = err.Error()
		return &refused
	}
	out := *inner
	out.Kind, out.Effects.Dynamic = g.Kind, d
	return &out
}

// settle takes over what a statement does to its session.
func (s *textSession) settle(g *lineage.Graph) {
	e := &g.Effects
	if d := e.Dynamic; d != nil {
		if d.Verb == "prepare" {
			s.prepared[d.Name] = d.Text
			return // nothing ran
		}
		if d.Verb == "deallocate" {
			delete(s.prepared, d.Name)
		}
	}
	if e.Use != "" {
		s.scope.Schema = e.Use
	}
	for _, o := range e.DropsTemporary {
		delete(s.scope.Temporary, o)
		s.labels.Clean("temporary " + o.String())
	}
	for _, o := range e.CreatesTemporary {
		s.scope.Temporary[o] = true
	}
	if (e.Mode || e.Charset || e.Routine) && !keepsReading(e) {
		s.unsettled = strings.ToUpper(g.Kind)
	}
}

// keepsReading tells whether a statement leaves the meaning of text as it was: sql_mode without a mode that counts, a
// character set in which no byte of a character can be taken for a quote.
func keepsReading(e *lineage.Effects) bool {
	if e.Routine || e.Mode && (!e.ModeKnown || parser.ParseMode(e.ModeText) != 0) {
		return false
	}
	switch e.CharsetName {
	case "utf8mb4", "utf8mb3", "utf8", "latin1", "ascii", "binary":
		return true
	}
	return !e.Charset
}
