package lineage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// The events of triggers and cascades.
const (
	onInsert = "INSERT"
	onUpdate = "UPDATE"
	onDelete = "DELETE"
)

// change is what happens to a table's rows.
type change struct {
	events []string
	// columns are those that an update assigns; nil when any may be.
	columns []string
	// quiet: no triggers fire.
	quiet bool
	// skips: a new row stays out, without an error, where its key is there already.
	skips bool
}

func changes(events ...string) change { return change{events: events} }

// deletes tells whether rows only go.
func (c change) deletes() bool { return len(c.events) == 1 && c.events[0] == onDelete }

// replaces tells whether a new row takes the place of one with its key.
func (c change) replaces() bool {
	return slices.Contains(c.events, onInsert) && slices.Contains(c.events, onDelete)
}

// write adds a table whose rows change, with its triggers and cascades.
func (t *tracer) write(schema, name string, c change) {
	o, def, known := t.object(schema, name)
	if carrier, certain, is := t.temporary(o); is {
		t.carrierSink(carrier)
		t.numbered(carrier, c)
		if (certain && !t.lasting) || def == nil {
			return
		}
	}
	switch reachOf(o.Schema, o.Name) {
	case forbidden:
		t.forbid(o)
		return
	case project:
	default:
		if o.Schema == "mysql" && definitionRows[o.Name] && !c.deletes() {
			t.opaque("rows of mysql.%s, which define programs past every definition", o.Name)
		}
		if reachOf(o.Schema, o.Name) == personal && slices.Contains(c.events, onUpdate) && o.Schema != "performance_schema" {
			// A row that is changed may fail over a key, whose other columns the message shows. performance_schema lets
			// nothing but switches be changed, which are no keys.
			t.read(Source{Kind: SystemSource, Object: o})
		}
		t.writes.add(Write{Object: o})
		t.sink(Sink{Kind: TableSink, Object: o})
		return
	}
	if !c.deletes() {
		t.rules(o.Schema)
	}
	if !known || o.Schema == "" {
		return
	}
	if def != nil && def.Kind == catalog.View {
		t.writeView(o, def, c)
		return
	}
	t.writeBase(o, def, c)
}

// definitionRows are the tables of mysql whose rows are definitions: programs, functions of libraries, servers. To
// delete one ends what it defines, as DROP does.
var definitionRows = map[string]bool{"proc": true, "event": true, "func": true, "servers": true, "plugin": true, "component": true}

// writeBase adds a base table as a sink, once for each event.
func (t *tracer) writeBase(o Object, def *catalog.Object, c change) {
	t.writes.add(Write{Object: o})
	if def != nil && def.External != "" {
		t.sink(Sink{Kind: FileSink, Object: o, Name: o.String() + " (" + def.External + ")"})
	}
	t.sink(Sink{Kind: TableSink, Object: o})
	t.keyed(o, c)
	if def == nil {
		return
	}
	t.expressions(o, def)
	if len(def.Triggers)+len(def.Parents)+len(def.Referring) > 0 {
		t.setOff(o, def, c)
	}
	// MERGE tables may name each other: each is read once for its changes.
	if len(def.Union) == 0 {
		return
	}
	if key := fmt.Sprint("write union ", c, o); !t.written[key] {
		t.wrote(key)
		defer t.outOfSight()()
		for _, u := range def.Union {
			t.write(u[0], u[1], c)
		}
	}
}

// keyed notes that a statement tells which keys a table's rows have. A stored program that goes on behind an error can try one
// key after the other, and one that counts the rows that stayed out or were replaced as well; warnings of IGNORE name all that
// stayed out. What a single error tells is open (docs/channels.md).
func (t *tracer) keyed(o Object, c change) {
	rows := Source{Kind: TableSource, Object: o}
	switch {
	case c.deletes():
		return
	case t.caught:
		t.implicit++
		t.read(rows)
		t.implicit--
	case c.skips && !slices.Contains(t.g.Told, o):
		t.g.Told = append(t.g.Told, o)
	}
	if t.body && (c.skips || c.replaces()) {
		rows.Via = t.via
		t.replaced = append(t.replaced, rows)
	}
}

// numbered is a row that comes into a temporary table: the id that it gets there, if one is counted, comes behind those that the
// session put in itself, and LAST_INSERT_ID() tells it.
func (t *tracer) numbered(carrier string, c change) {
	if !slices.Contains(c.events, onInsert) {
		return
	}
	t.implicit++
	t.carrierSource(carrier)
	t.implicit--
	t.carrierSink("last_insert_id")
}

// counts reads the rows that a stored program replaced or that kept others out, if it may have asked how many there were.
func (t *tracer) counts() {
	asks := func(s source) bool {
		return s.Kind == CarrierSource && (s.Name == "row_count" || s.Name == "diagnostics")
	}
	if len(t.replaced) == 0 || !slices.ContainsFunc(t.sources.list, asks) {
		return
	}
	for _, rows := range t.replaced {
		t.sources.add(rows, false)
	}
}

// setOff reads what a change of a table's rows sets off: triggers and foreign keys.
func (t *tracer) setOff(o Object, def *catalog.Object, c change) {
	for _, event := range c.events {
		key := fmt.Sprint("write ", event, c.quiet, c.skips, c.columns, o)
		if t.written[key] {
			continue
		}
		t.wrote(key)
		if !c.quiet {
			t.fire(o, def, event, c.skips)
		}
		t.keys(o, def, event, c.columns)
	}
}

// wrote notes a change whose triggers and keys are read.
func (t *tracer) wrote(key string) {
	if t.written == nil {
		t.written = map[string]bool{}
	}
	t.written[key] = true
}

// fire reads the triggers of one event. OLD rows reach them, and what a trigger does for a row that came in tells which keys
// were there where others stay out.
func (t *tracer) fire(o Object, def *catalog.Object, event string, skips bool) {
	for _, trigger := range def.Triggers {
		if !strings.Contains(strings.ToUpper(trigger.Event), event) {
			continue
		}
		switch {
		case event != onInsert:
			t.read(Source{Kind: TableSource, Object: o})
		case skips:
			t.implicit++
			t.read(Source{Kind: TableSource, Object: o})
			t.implicit--
		}
		t.trigger(trigger)
	}
}

// keys reads what foreign keys tie to a change: whether a row may come tells about its parents (INSERT IGNORE keeps
// just the rows that have one), whether it may go about its children, unless they go along.
func (t *tracer) keys(o Object, def *catalog.Object, event string, columns []string) {
	t.implicit++
	defer t.outOfSight()()
	defer func() { t.implicit-- }()
	if event != onDelete {
		for _, k := range def.Parents {
			if event == onInsert || touches(def, k, columns) {
				t.readTable(k.Schema, k.Name)
			}
		}
	}
	for _, k := range def.Referring {
		switch {
		case event == onInsert, event == onUpdate && !touches(def, k, columns):
		case event == onDelete && k.OnDelete, event == onUpdate && k.OnUpdate:
			t.read(Source{Kind: TableSource, Object: o})
			t.write(k.Schema, k.Name, t.cascaded())
		default:
			t.readTable(k.Schema, k.Name)
		}
	}
}

// cascaded is what a foreign key does to its children: on MariaDB without their triggers.
func (t *tracer) cascaded() change {
	return change{events: []string{onUpdate, onDelete}, quiet: t.b.reading.Dialect.Flavor == parser.MariaDB}
}

// touches tells whether an update may change a column of a key: a trigger may assign any.
func touches(def *catalog.Object, k catalog.Key, columns []string) bool {
	if columns == nil || k.Columns == nil || len(def.Triggers) > 0 {
		return true
	}
	for _, c := range k.Columns {
		for _, have := range columns {
			if strings.EqualFold(c, have) {
				return true
			}
		}
	}
	return false
}

// writeView writes through a view: to every base table that it names, since which one takes the row is
// the warehouse's choice.
func (t *tracer) writeView(o Object, def *catalog.Object, c change) {
	key := "write view " + o.String()
	if t.open[key] {
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
	// WITH CHECK OPTION and the view's condition decide what is written.
	plain := insertsPlainly(st.Node, c)
	if plain == nil {
		t.readView(o, def)
	}
	defer t.enter(def.Schema, t.b.reading)()
	t.lasting = true
	if plain != nil {
		t.condition(o, plain)
	}
	c.columns = nil // a view's columns may have names of their own
	for _, n := range fromTables(st.Node) {
		t.write(n.Schema.O, n.Name.O, c)
	}
}

// condition reads what a view's condition asks of other tables about a new row.
func (t *tracer) condition(view Object, s *ast.SelectStmt) {
	via := t.via
	t.via = append(via[:len(via):len(via)], view)
	t.implicit++
	t.some(s.Fields, s.Where, s.Having)
	t.implicit--
	t.via = via
}

// insertsPlainly gives the query of a view over one table through which rows are only inserted: its condition looks
// at the new row, and at what its subqueries read, not at the rows of the table.
func insertsPlainly(n ast.Node, c change) *ast.SelectStmt {
	s, is := n.(*ast.SelectStmt)
	if !is || s.With != nil || s.From == nil || len(c.events) != 1 || c.events[0] != onInsert || len(targets(s.From)) != 1 || len(fromTables(n)) != 1 {
		return nil
	}
	return s
}

// fromTables lists the tables of a query's own FROM.
func fromTables(n ast.Node) []*ast.TableName {
	var out []*ast.TableName
	walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TableName:
			out = append(out, n)
		case *ast.FieldList, *ast.SubqueryExpr:
			return false
		}
		return true
	})
	return out
}

// maintain adds a table that is repaired, truncated or otherwise changed as a whole.
func (t *tracer) maintain(schema, name string) {
	o, _, known := t.object(schema, name)
	switch {
	case reachOf(o.Schema, o.Name) == forbidden:
		t.forbid(o)
	case known && o.Schema != "":
		t.writes.add(Write{Object: o, Change: Rebuilds})
	}
}
