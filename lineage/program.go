package lineage

import (
	"errors"
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
	if t.b.reading.Dialect.Flavor == parser.TiDB {
		return // it runs no procedures
	}
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
	s, ok := t.programs(schema)
	if !ok {
		return false
	}
	if t.inPackage(schema) {
		return true
	}
	found := false
	for _, r := range alike(s, kind, name) {
		found = true
		t.runRoutine(kind, s.Name, r)
	}
	return found
}

// inPackage tells whether a routine's qualifier is a package of the current schema, whose routines the catalog
// does not show.
func (t *tracer) inPackage(qualifier string) bool {
	if t.schema == "" || reachOf(t.schema, "") != project {
		return false
	}
	s, ok := t.programs(t.schema)
	if !ok {
		return false
	}
	if len(alike(s, "package", qualifier)) == 0 {
		return false
	}
	t.g.Effects.Routine = true
	t.opaque("package %s.%s, whose routines are not read through", s.Name, qualifier)
	return true
}

// alike gives the routines that the warehouse may mean by a name: one, unless letters beyond ASCII are about.
func alike(s *catalog.Programs, kind, name string) []*catalog.Routine {
	if len(s.Routines) == 0 {
		return nil
	}
	name = strings.ToLower(name)
	if r := s.Routines[kind+" "+name]; r != nil {
		return []*catalog.Routine{r}
	}
	odd, _ := remember(&s.Memo, func() ([]string, error) { return oddRoutines(s), nil })
	var out []*catalog.Routine
	add := func(key string) {
		if rest, ok := strings.CutPrefix(key, kind+" "); ok && MayEqual(rest, name) {
			out = append(out, s.Routines[key])
		}
	}
	if plainName(name) {
		for _, key := range odd {
			add(key)
		}
		return out
	}
	for key := range s.Routines {
		add(key)
	}
	return out
}

// oddRoutines are the keys of the routines whose names other spellings may equal.
func oddRoutines(s *catalog.Programs) []string {
	var out []string
	for key := range s.Routines {
		if _, name, _ := strings.Cut(key, " "); !plainName(name) {
			out = append(out, key)
		}
	}
	return out
}

func (t *tracer) runRoutine(kind, schema string, r *catalog.Routine) {
	o := Object{schema, r.Name}
	t.g.Effects.Routine = true
	switch {
	case kind == "package":
		t.opaque("package %s, whose routines are not read through", o)
	case r.Foreign:
		t.opaque("%s %s is not written in SQL", kind, o)
	case !r.Readable:
		t.opaque("%s %s: its body cannot be read by Sluice's service account", kind, o)
	default:
		t.names.add(o)
		t.run(kind+" "+o.String(), schema, &r.Program)
	}
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
	t.opens(key)
	defer delete(t.open, key)
	rd := parser.Reading{Dialect: t.b.reading.Dialect, Mode: parser.ParseMode(p.SQLMode), Charset: strings.ToLower(p.Charset)}.Decoded()
	body, err := remember(&p.Memo, func() (programBody, error) {
		body, err := BodyText(p, rd)
		if err != nil {
			return programBody{}, err
		}
		st, locals, err := parser.ParseBody(body, rd)
		return programBody{st, locals}, err
	})
	if err != nil {
		t.opaque("%s: %v", key, err)
		return
	}
	defer t.enter(schema, rd)()
	if !strings.HasPrefix(key, "procedure ") { // functions and triggers run for rows
		branched := t.branched
		t.branched = true
		defer func() { t.branched = branched }()
	}
	t.block(body.statements, body.locals)
}

// BodyText gives the body of a stored program of the warehouse as it was written.
func BodyText(p *catalog.Program, rd parser.Reading) (string, error) {
	switch {
	case p.Lost:
		return "", errors.New("its body cannot be read as it was written by Sluice's service account")
	case p.Create != "":
		return parser.DefinedBody(p.Create, rd)
	default:
		return p.Body, nil
	}
}

// programBody is a body as it was read: its statements and the names that it declares.
type programBody struct {
	statements []parser.Statement
	locals     []string
}

// block reads the statements of a body.
func (t *tracer) block(statements []parser.Statement, locals []string) {
	outer, branched, caught := t.locals, t.branched, t.caught
	t.blocks++
	defer func() { t.locals, t.branched, t.caught, t.blocks = outer, branched, caught, t.blocks-1 }()
	t.body, t.locals = true, locals
	for i := range statements {
		catch := statements[i].Caught
		t.branched = branched || statements[i].Branched
		t.caught = caught || catch == parser.Caught || catch == parser.CaughtLast && (branched || t.blocks > 1) // which runs once
		t.bodyStatement(&statements[i])
	}
}

func (t *tracer) bodyStatement(st *parser.Statement) {
	if st.Tier == parser.TierTokens || st.Command != nil {
		t.opaque("%s: %s", firstWords(st.Text), st.Unparsed)
		return
	}
	e := &st.Extra
	if st.Kind == "signal" || st.Kind == "resignal" {
		t.g.Effects.Signals = true
	}
	if e.Dynamic != nil {
		t.extras(st)
		t.dynamicStatement(e)
		return
	}
	t.statement(st)
	if k := st.Kind; leavesBehind[firstWord(k)] || accountKinds[k] || k == "set" && (e.Control || ofAccount(st.Node)) {
		t.sink(Sink{Kind: FileSink, Name: "what " + strings.ToUpper(k) + " leaves behind, which others see"})
	}
}

// leavesBehind are the first words of statements that change something of the server which is no object of a schema. Where a
// program runs them, whether they ran tells about the data that it read.
var leavesBehind = set("grant revoke kill purge reset change install uninstall stop shutdown restart")

// accountKinds are those of them that two words tell.
var accountKinds = map[string]bool{
	"create user": true, "alter user": true, "drop user": true, "rename user": true, "create role": true, "drop role": true,
	"create tablespace": true, "alter tablespace": true, "drop tablespace": true, "create server": true, "drop server": true, "alter server": true,
	"start slave": true, "start replica": true, "start all": true, "create resource": true, "alter resource": true, "drop resource": true,
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// ofAccount tells SET PASSWORD, ROLE and DEFAULT ROLE.
func ofAccount(n ast.StmtNode) bool {
	switch n.(type) {
	case *ast.SetPwdStmt, *ast.SetRoleStmt, *ast.SetDefaultRoleStmt:
		return true
	}
	return false
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
		statements, locals, err := parser.ParseBody(p.Body, t.reading)
		if err != nil {
			t.refuse("BEGIN NOT ATOMIC: %v", err)
			return
		}
		t.sink(Sink{Kind: ResultSink})
		t.g.Effects.Routine = true
		t.block(statements, locals)
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
	t.depends(Sink{Kind: TableSink, Object: Object{defined.Schema, "*"}})
	t.bodyOf(p)
}

// bodyOf reads the body of a stored program that is being defined, in the program's own schema.
func (t *tracer) bodyOf(p *parser.Program) {
	switch {
	case p.Drop:
		return
	case p.Alter && p.Kind == "event":
		t.alterEvent(p)
		return
	case p.Alter:
		return
	}
	if p.Foreign {
		t.opaque("loadable function %s", p.Name)
		return
	}
	statements, locals, err := parser.ParseBody(p.Body, t.reading)
	if err == nil && strings.Contains(strings.ToLower(p.Body), PolicySchema) {
		t.staysOut(statements)
	}
	switch {
	case p.Kind == "event":
		t.event(p)
	case err != nil:
		t.opaque("%s %s: %v", p.Kind, p.Name, err)
	default:
		t.stored(p, statements, append(locals, t.b.statement.Extra.Locals...))
	}
}

// staysOut keeps stored programs out of the policy's schema, whatever their statements do there.
func (t *tracer) staysOut(statements []parser.Statement) {
	for i := range statements {
		statements[i].Names(func(name string, _, dotted bool) {
			if IsPolicySchema(name) && !dotted {
				t.forbid(Object{PolicySchema, ""})
			}
		})
	}
}

// event judges an event's body when it is defined: it will run in the warehouse, past every gateway.
func (t *tracer) event(p *parser.Program) {
	schema := p.Schema
	if schema == "" {
		schema = t.schema
	}
	t.eventBody(schema, p.Name, p.Body, t.reading)
}

// alterEvent judges an event anew by the body that it will have, in the schema where it will stand: that decides
// what the unqualified names of the body mean.
func (t *tracer) alterEvent(p *parser.Program) {
	schema := p.Schema
	if schema == "" {
		schema = t.schema
	}
	to := schema
	if p.RenameTo != nil && p.RenameTo.Schema != "" {
		to = p.RenameTo.Schema
	} else if p.RenameTo != nil {
		to = t.schema
	}
	if reachOf(to, "") == forbidden {
		t.forbid(Object{to, p.Name})
	}
	t.g.Effects.Definitions = append(t.g.Effects.Definitions, Object{t.b.fold(to), ""})
	if p.Body != "" {
		t.eventBody(to, p.Name, p.Body, t.reading)
		return
	}
	if reachOf(schema, "") != project || schema == "" {
		return
	}
	s, ok := t.programs(schema)
	if !ok {
		return
	}
	for name, e := range s.Events {
		if MayEqual(name, p.Name) {
			rd := parser.Reading{Dialect: t.b.reading.Dialect, Mode: parser.ParseMode(e.SQLMode), Charset: strings.ToLower(e.Charset)}.Decoded()
			body, err := BodyText(e, rd)
			if err != nil {
				t.opaque("event %s: %v", name, err)
				continue
			}
			t.eventBody(to, name, body, rd)
		}
	}
}

func (t *tracer) eventBody(schema, name, body string, rd parser.Reading) {
	// An event may alter itself, or another that alters it.
	key := "event " + schema + "." + name + " " + body
	if t.open[key] {
		return
	}
	t.opens(key)
	defer delete(t.open, key)
	statements, locals, err := parser.ParseBody(body, rd)
	if err != nil {
		t.opaque("event %s: %v", name, err)
		return
	}
	if strings.Contains(strings.ToLower(body), PolicySchema) {
		t.staysOut(statements)
	}
	defer t.enter(schema, rd)()
	before := t.g.Effects
	t.block(statements, locals)
	before.Definitions = t.g.Effects.Definitions
	t.g.Effects = before
	t.sinks.drop(func(k Sink) bool { return k.Kind == ResultSink }) // an event has no client
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
