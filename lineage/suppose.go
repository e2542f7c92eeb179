package lineage

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// Definitions are read twice: when they are used, and when they are made. What may not be used must not be there:
// between the judgement of a statement and its run, another session could make a name mean it.

// createView reads the view's query: the view is a sink of what it shows (contract 2, the table of sinks).
func (t *tracer) createView(n *ast.CreateViewStmt) {
	what := Makes
	if n.OrReplace { // ALTER VIEW too is read as this
		what = Ends
	}
	o := t.change(n.ViewName.Schema.O, n.ViewName.Name.O, what)
	defer t.outOfSight()()
	t.expr(n.Select)
	t.sink(Sink{Kind: TableSink, Object: o})
}

// renamed is what comes to rest under an object's new name: a table's rows with what its triggers and foreign keys do,
// or what a view shows.
func (t *tracer) renamed(from, to Object, def *catalog.Object) {
	if def != nil && def.Kind == catalog.View {
		t.readView(from, def)
		t.sink(Sink{Kind: TableSink, Object: to})
		return
	}
	t.moved(from, to)
	if def != nil && (len(def.Triggers) > 0 || len(def.Children) > 0 || len(def.Union) > 0) {
		t.suppose(to, func() {
			t.readDefined(from, def)
			t.writeBase(from, def, changes(onInsert, onUpdate, onDelete))
		})
	}
}

// stored reads the body of a procedure, function or trigger as if it ran. A trigger has its table's rows at hand and
// may change them; what another program gives back comes to rest in its own schema.
func (t *tracer) stored(p *parser.Program, statements []parser.Statement, locals []string) {
	schema := p.Schema
	if p.Kind == "trigger" && p.TableSchema != "" {
		schema = p.TableSchema
	}
	if schema == "" {
		schema = t.schema
	}
	home := Object{t.b.fold(schema), t.b.fold(p.Name)}
	if p.Kind == "trigger" {
		t.structure(p.TableSchema, p.Table)
		home, _, _ = t.object(schema, p.Table)
	}
	t.suppose(home, func() {
		t.sink(Sink{Kind: TableSink, Object: home})
		if p.Kind == "trigger" {
			t.readTable(schema, p.Table)
		}
		defer t.enter(schema, t.reading)()
		t.block(statements, locals)
	})
}

// suppose reads what would happen for its flows alone: nothing is written now and no state of the session
// changes. What would go to a client or to session state comes to rest in home; what session state would bring
// along is not known yet, and is judged at use.
func (t *tracer) suppose(home Object, read func()) {
	effects, writes, sinks, supposing := t.g.Effects, t.writes, t.sinks, t.supposing
	before := len(t.sources.list)
	t.writes, t.sinks, t.supposing = distinct[Write]{}, distinct[Sink]{}, true
	read()
	for _, w := range t.writes.list {
		t.look(w.Object)
	}
	for _, k := range t.sinks.list {
		if k.Kind != TableSink && k.Kind != FileSink {
			k = Sink{Kind: TableSink, Object: home}
		}
		sinks.add(k)
	}
	t.sources.dropFrom(before, func(s *source) bool { return s.Kind == CarrierSource })
	t.g.Effects, t.writes, t.sinks, t.supposing = effects, writes, sinks, supposing
}
