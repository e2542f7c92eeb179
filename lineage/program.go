package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// callStmt reads CALL: the procedure is read through, its result sets go to the client, and user
// variables among its arguments may come back changed.
func (t *tracer) callStmt(n *ast.CallStmt) {
	p := n.Procedure
	for _, a := range p.Args {
		t.some(a)
		if v, ok := a.(*ast.VariableExpr); ok && !v.IsSystem {
			t.carrierSink("@" + strings.ToLower(v.Name))
		}
	}
	t.sink(Sink{Kind: ResultSink})
	if !t.routine("procedure", p.Schema.O, p.FnName.O) && len(t.missing) == 0 && !t.supposing {
		// The warehouse will not know it either, unless it came since: then it cannot be read.
		t.unknown("procedure", p.Schema.O, p.FnName.O)
	}
}

// routine reads a stored routine through and tells whether the catalog knows it.
func (t *tracer) routine(kind, schema, name string) bool {
	if schema == "" {
		schema = t.schema
	}
	switch reachOf(schema, "") {
	case project:
	case forbidden:
		t.forbid(Object{schema, name})
		return true
	default:
		t.opaque("%s %s.%s of a system schema", kind, schema, name)
		return true
	}
	if schema == "" {
		return false
	}
	s, ok := t.b.schema(schema)
	if !ok {
		t.missing[schema] = struct{}{}
		return false
	}
	r := s.Routines[kind+" "+strings.ToLower(name)]
	if r == nil {
		return false
	}
	o := Object{s.Name, r.Name}
	t.g.Effects.Routine = true
	switch {
	case r.Foreign:
		t.opaque("%s %s is not written in SQL", kind, o)
	case !r.Readable:
		t.opaque("%s %s: its body cannot be read by Sluice's service account", kind, o)
	default:
		t.names[o] = struct{}{}
		t.run(kind+" "+o.String(), s.Name, &r.Program)
	}
	return true
}

// trigger reads a trigger's body through, in the schema of its table.
func (t *tracer) trigger(p *catalog.Program) {
	t.run("trigger "+p.Schema+"."+p.Name, p.Schema, p)
}

// run reads a stored program's body. Whatever it reads may flow to whatever it or the statement
// writes: parameters, locals and the return value carry everything.
func (t *tracer) run(key, schema string, p *catalog.Program) {
	if t.open[key] {
		return
	}
	if len(t.open) > maxNesting {
		t.opaque("%s: stored programs are nested too deeply", key)
		return
	}
	t.open[key] = true
	defer delete(t.open, key)
	rd := parser.Reading{Dialect: t.b.reading.Dialect, Mode: parser.ParseMode(p.SQLMode), Charset: strings.ToLower(p.Charset)}
	statements, err := remember(&p.Memo, func() ([]parser.Statement, error) {
		st, _, err := parser.ParseBody(p.Body, rd)
		return st, err
	})
	if err != nil {
		t.opaque("%s: %v", key, err)
		return
	}
	defer t.enter(schema, rd)()
	t.block(statements, key)
}

// block reads the statements of a body.
func (t *tracer) block(statements []parser.Statement, key string) {
	prepared := t.prepared
	t.prepared, t.body = nil, true
	defer func() { t.prepared = prepared }()
	for i := range statements {
		t.bodyStatement(&statements[i])
	}
	_ = key
}

func (t *tracer) bodyStatement(st *parser.Statement) {
	if st.Tier == parser.TierTokens || st.Command != nil {
		t.opaque("%s: %s", firstWords(st.Text), st.Unparsed)
		return
	}
	e := &st.Extra
	if e.Dynamic != nil {
		t.extras(st)
		t.dynamic(e)
		return
	}
	t.statement(st)
}

func firstWords(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// program reads the definition of a stored program: no data moves until it runs. A block runs now.
func (t *tracer) program(p *parser.Program) {
	if p.Kind == "block" {
		statements, _, err := parser.ParseBody(p.Body, t.reading)
		if err != nil {
			t.refuse("BEGIN NOT ATOMIC: %v", err)
			return
		}
		t.sink(Sink{Kind: ResultSink})
		t.g.Effects.Routine = true
		t.block(statements, "block")
		return
	}
	schema := p.Schema
	if schema == "" {
		schema = t.schema
	}
	if p.Kind == "trigger" && p.TableSchema != "" {
		schema = p.TableSchema
	}
	if reachOf(schema, "") == forbidden {
		t.forbid(Object{schema, p.Name})
	}
	defined := Object{t.b.fold(schema), ""}
	if p.Kind == "function" || p.Kind == "procedure" {
		defined = RoutineObject(defined.Schema, p.Name)
	}
	t.g.Effects.Definitions = append(t.g.Effects.Definitions, defined)
	t.bodyOf(p)
}

// bodyOf reads the body of a stored program that is being defined, in the program's own schema.
func (t *tracer) bodyOf(p *parser.Program) {
	if p.Drop || p.Alter && p.Body == "" {
		return
	}
	if p.Foreign {
		t.opaque("loadable function %s", p.Name)
		return
	}
	statements, _, err := parser.ParseBody(p.Body, t.reading)
	if err == nil && strings.Contains(strings.ToLower(p.Body), PolicySchema) {
		t.staysOut(statements)
	}
	switch {
	case p.Kind == "event":
		t.event(p)
	case err != nil:
		t.opaque("%s %s: %v", p.Kind, p.Name, err)
	default:
		t.stored(p, statements)
	}
}

// staysOut keeps stored programs out of the policy's schema, whatever their statements do there.
func (t *tracer) staysOut(statements []parser.Statement) {
	for i := range statements {
		statements[i].Names(func(name string, _, dotted bool) {
			if strings.EqualFold(name, PolicySchema) && !dotted {
				t.forbid(Object{PolicySchema, ""})
			}
		})
	}
}

// event judges an event's body when it is defined: it will run in the warehouse, past every gateway.
func (t *tracer) event(p *parser.Program) {
	statements, _, err := parser.ParseBody(p.Body, t.reading)
	if err != nil {
		t.opaque("event %s: %v", p.Name, err)
		return
	}
	schema := p.Schema
	if schema == "" {
		schema = t.schema
	}
	defer t.enter(schema, t.reading)()
	before := t.g.Effects
	t.block(statements, "event")
	before.Definitions = t.g.Effects.Definitions
	t.g.Effects = before
	for key, k := range t.sinks {
		if k.Kind == ResultSink {
			delete(t.sinks, key) // an event has no client
		}
	}
}

// unknown is a call of a routine that the catalog does not know.
func (t *tracer) unknown(kind, schema, name string) {
	full := schema + "." + name
	if schema == "" {
		full = t.schema + "." + name
	}
	t.g.Effects.Unknown = strings.ToUpper(kind) + " " + full
	if kind == "procedure" {
		schema = "" // it says no more than CALL does
	}
	t.opaque("%s %s is not known", kind, strings.TrimPrefix(schema+"."+name, "."))
}
