package lineage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// tracer reads one statement, with all that stands behind its names, into a graph. At the level of
// tables every source of a statement reaches every sink of it: what a statement reads may decide
// what it writes, row by row (contract 2: both kinds of flow count).
type tracer struct {
	b       *Bound
	g       *Graph
	missing map[lack]struct{} // what must be read before the trace is whole

	sources sourceSet
	sinks   distinct[Sink]
	writes  distinct[Write]
	names   distinct[Object]
	looks   distinct[Object] // named without a flow

	reading   parser.Reading
	schema    string // what unqualified names belong to
	ctes      *cteScope
	via       []Object
	implicit  int
	open      map[string]bool // views and routines that are being read: cycles end here
	written   map[string]bool // objects whose triggers and cascades were read
	dynamic   dynamicTexts
	locals    []string          // that the stored program declares
	at        *parser.Statement // whose tree is being read; nil for a part of one
	body      bool              // inside a stored program
	locks     bool              // rows of what is read are locked
	branched  bool              // whether what is read runs at all depends on data
	supposing bool              // inside a definition that is read as if it ran: what it calls may still come
	counted   *parser.Statement // the query of a view of which only the number of rows is asked
	shapes    []string          // variables that a new table's definition depends on
	caught    bool              // a handler may take errors of what is read, and go on
	blocks    int               // stored programs that are being read
	replaced  []Source          // whose rows a stored program replaces
	lasting   bool              // where temporary tables are out of sight: inside a view, behind a foreign key or a MERGE table
}

// maxNesting bounds views on views and routines that call routines.
const maxNesting = 100

// trace reads the statement and gives its graph.
func (t *tracer) trace() *Graph {
	if t.b.statement.Tier == parser.TierTokens {
		t.tokens(t.b.statement)
	} else {
		t.statement(t.b.statement)
		t.account(t.b.statement)
	}
	t.rewritten(t.b.statement)
	if e := &t.g.Effects; t.dynamic.unsettled && (e.Mode || e.Charset) {
		t.opaque("dynamic SQL inside a stored program, under settings that a program changes")
	}
	return t.finish()
}

func (s *Source) key() string {
	k := fmt.Sprint(s.Kind, " ", s.Object.Schema, ".", s.Object.Name, " ", s.Name)
	for _, v := range s.Via {
		k += " " + v.String()
	}
	return k
}

func (f *Flow) key() string {
	return f.Source.key() + " > " + fmt.Sprint(f.Sink.Kind, f.Sink.Object, f.Sink.Name)
}

// refuse marks the statement as not understood.
func (t *tracer) refuse(format string, args ...any) {
	if t.g.Refused == "" {
		t.g.Refused = fmt.Sprintf(format, args...)
	}
}

// opaque notes something that cannot be read through.
func (t *tracer) opaque(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	for _, o := range t.g.Opaque {
		if o == s {
			return
		}
	}
	t.g.Opaque = append(t.g.Opaque, s)
}

// read adds a source.
func (t *tracer) read(s Source) {
	s.Via = t.via
	t.sources.add(s, t.implicit == 0)
}

// look adds an object that is named without a flow.
func (t *tracer) look(o Object) {
	if o.Schema != "" && o.Name != "" && o.Name != "*" {
		t.looks.add(o)
	}
}

// sink adds a sink.
func (t *tracer) sink(k Sink) { t.sinks.add(k) }

func (t *tracer) carrierSink(name string)   { t.sink(Sink{Kind: CarrierSink, Name: name}) }
func (t *tracer) carrierSource(name string) { t.read(Source{Kind: CarrierSource, Name: name}) }

// object finds what a name means. known is false when it must be read first.
func (t *tracer) object(schema, name string) (o Object, def *catalog.Object, known bool) {
	if schema == "" {
		schema = t.schema
	}
	o = Object{t.b.fold(schema), t.b.fold(name)}
	if schema == "" || reachOf(schema, name) != project {
		return o, nil, true
	}
	if def, known = t.b.object(o); !known {
		t.lacks(lack{schema: o.Schema, object: o.Name})
		return o, nil, false
	}
	if def != nil {
		o = Object{def.Schema, def.Name}
	}
	return o, def, true
}

// temporary gives the name of a temporary table of the session, and whether it certainly exists.
func (t *tracer) temporary(o Object) (carrier string, certain, is bool) {
	certain, is = t.b.scope.Temporary[o]
	if !is && t.body {
		is = slices.Contains(t.g.Effects.CreatesTemporary, o) // a statement of the body before made it
	}
	if !is {
		return "", false, false
	}
	return "temporary " + o.String(), certain, true
}

// readTable adds what a table position reads.
func (t *tracer) readTable(schema, name string) {
	o, def, known := t.object(schema, name)
	if carrier, certain, is := t.temporary(o); is {
		t.carrierSource(carrier)
		if (certain && !t.lasting) || def == nil {
			return
		}
	}
	switch reachOf(o.Schema, o.Name) {
	case forbidden:
		t.forbid(o)
		return
	case metadata:
		if strings.HasSuffix(strings.ToLower(o.Name), "variables") || strings.EqualFold(o.Name, "variables_info") {
			t.carrierSource(allVariables) // they list what variables hold
		}
		t.look(o)
		return
	case personal:
		if t.seesOpen(o) {
			t.look(o)
			return
		}
		if t.statistics(o) {
			return
		}
		t.read(Source{Kind: SystemSource, Object: o})
		return
	}
	if !known || o.Schema == "" {
		return
	}
	if def == nil {
		t.read(Source{Kind: TableSource, Object: o})
		return
	}
	t.readDefined(o, def)
}

// forbid marks a statement that touches the policy's own schema.
func (t *tracer) forbid(o Object) {
	t.g.Forbidden = "the schema " + o.Schema + " holds Sluice's policy and is not reached through Sluice"
}

func (t *tracer) readDefined(o Object, def *catalog.Object) {
	switch {
	case def.Kind == catalog.View:
		t.readView(o, def)
		return
	case def.External != "":
		t.read(Source{Kind: OpaqueSource, Object: o, Name: def.External})
	}
	t.read(Source{Kind: TableSource, Object: o})
	t.expressions(o, def)
	if len(def.Union) == 0 {
		return
	}
	defer t.outOfSight()()
	at := t.at
	t.at = nil // its columns may bear other names
	defer func() { t.at = at }()
	for _, u := range def.Union {
		if key := "union " + o.String(); !t.open[key] {
			t.opens(key)
			t.readTable(u[0], u[1])
			delete(t.open, key)
		}
	}
}

// readView reads a view through to its base tables, in the view's own schema (contract 2).
func (t *tracer) readView(o Object, def *catalog.Object) {
	key := "view " + o.String()
	if t.open[key] {
		return
	}
	if len(t.open) > maxNesting {
		t.opaque("view %s: views are nested too deeply", o)
		return
	}
	t.opens(key)
	defer delete(t.open, key)
	t.names.add(o)
	st, err := t.viewBody(def)
	if err != nil {
		t.opaque("view %s: %v", o, err)
		return
	}
	if t.namesNothing() {
		defer func(before *parser.Statement) { t.counted = before }(t.counted)
		t.counted = st
	}
	defer t.enter(def.Schema, t.b.reading)()
	t.lasting = true
	t.via = append(t.via[:len(t.via):len(t.via)], o)
	t.queryStatement(st)
}

// lacks notes what must be read before the trace is whole.
func (t *tracer) lacks(l lack) {
	if t.missing == nil {
		t.missing = map[lack]struct{}{}
	}
	t.missing[l] = struct{}{}
}

// programs gives the routines and events of a schema, if they were read.
func (t *tracer) programs(schema string) (*catalog.Programs, bool) {
	key := t.b.fold(schema)
	p, ok := t.b.programsOf(key)
	if !ok {
		t.lacks(lack{schema: key, programs: true})
	}
	return p, ok
}

// whole gives a schema, if it was read whole.
func (t *tracer) whole(schema string) (*catalog.Schema, bool) {
	key := t.b.fold(schema)
	s, ok := t.b.whole(key)
	if !ok {
		t.lacks(lack{schema: key, whole: true})
	}
	return s, ok
}

// opens notes a definition that is being read.
func (t *tracer) opens(key string) {
	if t.open == nil {
		t.open = map[string]bool{}
	}
	t.open[key] = true
}

// outOfSight puts the session's temporary tables out of sight, until the returned function.
func (t *tracer) outOfSight() func() {
	before := t.lasting
	t.lasting = true
	return func() { t.lasting = before }
}

// enter goes into a definition's own schema and reading, with no CTE of outside in view; the
// returned function comes back.
func (t *tracer) enter(schema string, rd parser.Reading) func() {
	saved := struct {
		schema        string
		reading       parser.Reading
		ctes          *cteScope
		via           []Object
		at            *parser.Statement
		body, lasting bool
	}{t.schema, t.reading, t.ctes, t.via, t.at, t.body, t.lasting}
	t.schema, t.reading, t.ctes, t.at, t.lasting = schema, rd, nil, nil, false
	return func() {
		t.schema, t.reading, t.ctes, t.via = saved.schema, saved.reading, saved.ctes, saved.via
		t.at, t.body, t.lasting = saved.at, saved.body, saved.lasting
	}
}

// viewBody parses a view's definition as the warehouse prints it: without double quotes around names.
func (t *tracer) viewBody(def *catalog.Object) (*parser.Statement, error) {
	return remember(&def.Memo, func() (*parser.Statement, error) {
		rd := parser.Reading{Dialect: t.b.reading.Dialect}
		script, err := parser.Parse(def.Definition, rd)
		switch {
		case err != nil:
			return nil, err
		case len(script.Statements) != 1 || script.Statements[0].Node == nil:
			return nil, fmt.Errorf("its definition cannot be read")
		}
		return &script.Statements[0], nil
	})
}

// queryStatement reads a parsed query and its extras for their sources alone.
func (t *tracer) queryStatement(st *parser.Statement) {
	t.at = st
	t.extras(st)
	t.expr(st.Node)
}

// cteScope holds the names that a WITH declared, inner first.
type cteScope struct {
	names  []string
	query  ast.Node // the query expression whose own WITH this is
	parent *cteScope
}

// readName reads a name in table position: a common table expression, a table, or, where servers
// differ over which, both.
func (t *tracer) readName(n *ast.TableName, direct *cteScope) {
	if n.Schema.O == "" {
		certain, maybe := t.cte(n.Name.O, direct)
		if certain {
			return
		}
		if maybe {
			if o, def, known := t.object("", n.Name.O); known && def == nil {
				if _, _, is := t.temporary(o); !is {
					return
				}
			}
		}
	}
	t.readTable(n.Schema.O, n.Name.O)
}

func (t *tracer) cte(name string, direct *cteScope) (certain, maybe bool) {
	for s := t.ctes; s != nil; s = s.parent {
		for _, have := range s.names {
			if have == name && s == direct {
				return true, true
			}
			maybe = maybe || strings.EqualFold(have, name)
		}
	}
	return false, maybe
}
