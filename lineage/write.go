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
	// replaces: a new row takes the place of one with its key.
	replaces bool
}

func changes(events ...string) change { return change{events: events} }

// deletes tells whether rows only go.
func (c change) deletes() bool { return len(c.events) == 1 && c.events[0] == onDelete }

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
	t.keyed(Source{Kind: TableSource, Object: o}, c)
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

// keyed notes that a statement tells which keys a table's rows have. A stored program that goes on behind an error can try one key after
// the other, and one that counts the rows that stayed out or were replaced as well; warnings of IGNORE name all that
// stayed out. What a single error tells is open (docs/channels.md).
func (t *tracer) keyed(rows Source, c change) {
	switch {
	case c.deletes():
		return
	case t.caught:
		t.implicit++
		t.read(rows)
		t.implicit--
	case c.skips && !slices.Contains(t.g.Told, rows.Object):
		t.g.Told = append(t.g.Told, rows.Object)
	}
	if t.body && (c.skips || c.replaces) {
		rows.Via = t.via
		t.replaced = append(t.replaced, rows)
	}
}

// numbered is a row that comes into a temporary table: the id that it gets there, if one is counted, comes behind those that the session
// put in itself, and LAST_INSERT_ID() tells it.
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

// target is one table of an UPDATE's or DELETE's table references.
type target struct {
	alias        string
	schema, name string
}

// targets lists the tables that a statement's references name, with their aliases.
func targets(refs *ast.TableRefsClause) []target {
	var out []target
	if refs == nil {
		return nil
	}
	walk(refs, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TableSource:
			if name, ok := n.Source.(*ast.TableName); ok {
				alias := n.AsName.O
				if alias == "" {
					alias = name.Name.O
				}
				out = append(out, target{alias, name.Schema.O, name.Name.O})
			}
			_, joined := n.Source.(*ast.Join)
			return joined
		case *ast.SubqueryExpr, *ast.SelectStmt, *ast.SetOprStmt:
			return false
		}
		return true
	})
	return out
}

func (t *tracer) insert(n *ast.InsertStmt, e *parser.Extra) {
	c := changes(onInsert)
	if n.IsReplace {
		c = changes(onInsert, onDelete)
		c.replaces = true
	}
	c.skips = n.IgnoreErr || len(n.OnDuplicate) > 0
	to := targets(n.Table)
	for _, to := range to {
		t.write(to.schema, to.name, c)
	}
	for _, row := range n.Lists {
		for _, e := range row {
			t.some(e)
		}
	}
	if n.Select != nil {
		t.under(n.Select, nil)
	}
	if len(n.OnDuplicate) > 0 {
		t.onDuplicate(n.OnDuplicate, to, e)
	}
}

// onDuplicate reads ON DUPLICATE KEY UPDATE: what it computes from other columns than VALUES(…) and those of the new
// row's alias is read from the row that was there.
func (t *tracer) onDuplicate(list []*ast.Assignment, to []target, e *parser.Extra) {
	var columns []string
	old, sinks := false, len(t.sinks.list)
	for _, a := range list {
		columns = append(columns, a.Column.Name.O)
		t.some(a.Expr)
		walk(a.Expr, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValuesExpr, *ast.SubqueryExpr:
				return false
			case *ast.ColumnName:
				old = old || !ofNewRow(n, e)
			}
			return true
		})
	}
	// What is assigned on the way is assigned for the rows that were there, and for no others.
	old = old || len(t.sinks.list) > sinks
	for _, to := range to {
		t.write(to.schema, to.name, change{events: []string{onUpdate}, columns: columns})
		if old {
			t.readTable(to.schema, to.name)
		}
	}
}

// ofNewRow tells a column of the new row's alias.
func ofNewRow(c *ast.ColumnName, e *parser.Extra) bool {
	if c.Table.O != "" {
		return c.Schema.O == "" && strings.EqualFold(c.Table.O, e.RowAlias)
	}
	return slices.ContainsFunc(e.RowColumns, func(name string) bool { return strings.EqualFold(c.Name.O, name) })
}

func (t *tracer) update(n *ast.UpdateStmt) {
	_, leave := t.with(n.With, n)
	defer leave()
	t.under(n.TableRefs, t.ctes)
	all := targets(n.TableRefs)
	columns := make([][]string, len(all))
	for _, a := range n.List {
		for _, i := range t.assigned(a.Column, all) {
			columns[i] = append(columns[i], a.Column.Name.O)
		}
		t.some(a.Expr)
	}
	for i, to := range all {
		if columns[i] != nil {
			t.write(to.schema, to.name, change{events: []string{onUpdate}, columns: columns[i]})
		}
	}
	t.implicit++
	defer func() { t.implicit-- }()
	t.some(n.Where, n.Order, n.Limit)
}

// assigned gives the tables, by their places in all, that a column of SET can belong to: by its qualifier, by the
// catalog's columns, or all.
func (t *tracer) assigned(c *ast.ColumnName, all []target) []int {
	var out, any []int
	for i, to := range all {
		any = append(any, i)
		switch {
		case c.Table.O != "" && c.Schema.O == "":
			if strings.EqualFold(c.Table.O, to.alias) {
				out = append(out, i)
			}
		case c.Table.O != "":
			if strings.EqualFold(c.Table.O, to.name) {
				out = append(out, i)
			}
		case t.hasColumn(to, c.Name.O):
			out = append(out, i)
		}
	}
	if len(out) == 0 {
		return any
	}
	return out
}

// hasColumn tells whether a table may have a column: yes unless the catalog knows better.
func (t *tracer) hasColumn(to target, column string) bool {
	_, def, known := t.object(to.schema, to.name)
	if !known || def == nil || len(def.Columns) == 0 {
		return true
	}
	for _, c := range def.Columns {
		if strings.EqualFold(c, column) {
			return true
		}
	}
	return false
}

func (t *tracer) delete(n *ast.DeleteStmt) {
	_, leave := t.with(n.With, n)
	defer leave()
	t.under(n.TableRefs, t.ctes)
	all := targets(n.TableRefs)
	if !n.IsMultiTable || n.Tables == nil {
		for _, to := range all {
			t.write(to.schema, to.name, changes(onDelete))
		}
	} else {
		for _, name := range n.Tables.Tables {
			t.deleteFrom(name, all)
		}
	}
	t.implicit++
	defer func() { t.implicit-- }()
	t.some(n.Where, n.Order, n.Limit)
}

// deleteFrom finds the table that a name of a multi-table DELETE means: an alias or a table.
func (t *tracer) deleteFrom(name *ast.TableName, all []target) {
	found := false
	for _, to := range all {
		if (name.Schema.O == "" && strings.EqualFold(name.Name.O, to.alias)) || strings.EqualFold(name.Name.O, to.name) {
			t.write(to.schema, to.name, changes(onDelete))
			found = true
		}
	}
	if !found { // the warehouse will not know it either
		t.structure(name.Schema.O, name.Name.O)
		for _, to := range all {
			t.write(to.schema, to.name, changes(onDelete))
		}
	}
}

func (t *tracer) loadData(n *ast.LoadDataStmt) {
	if n.FileLocRef == ast.FileLocClient {
		t.g.Effects.LocalFile = true
	} else {
		t.read(Source{Kind: OpaqueSource, Name: "a file of the server (LOAD DATA INFILE)"})
	}
	if n.Table != nil {
		c := changes(onInsert)
		if n.OnDuplicate == ast.OnDuplicateKeyHandlingReplace {
			c = changes(onInsert, onDelete)
		}
		c.skips = n.OnDuplicate == ast.OnDuplicateKeyHandlingIgnore || n.FileLocRef == ast.FileLocClient // LOCAL implies it
		t.write(n.Table.Schema.O, n.Table.Name.O, c)
	}
	for _, c := range n.ColumnsAndUserVars {
		if c.UserVar != nil {
			t.carrierSink("@" + strings.ToLower(c.UserVar.Name))
		}
	}
	for _, a := range n.ColumnAssignments {
		t.some(a.Expr)
	}
}
