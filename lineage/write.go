package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/lineage/catalog"
)

// The events of triggers and cascades.
const (
	onInsert = "INSERT"
	onUpdate = "UPDATE"
	onDelete = "DELETE"
)

// write adds a table whose rows change, with its triggers and cascades.
func (t *tracer) write(schema, name string, events ...string) {
	o, def, known := t.object(schema, name)
	if carrier, certain, is := t.temporary(o); is {
		t.carrierSink(carrier)
		if certain || def == nil {
			return
		}
	}
	switch reachOf(o.Schema, o.Name) {
	case forbidden:
		t.forbid(o)
		return
	case project:
	default:
		t.writes[Write{Object: o}] = struct{}{}
		t.sink(Sink{Kind: TableSink, Object: o})
		return
	}
	if !known || o.Schema == "" {
		return
	}
	if def != nil && def.Kind == catalog.View {
		t.writeView(o, def, events)
		return
	}
	t.writeBase(o, def, events)
}

// writeBase adds a base table as a sink, once for each event.
func (t *tracer) writeBase(o Object, def *catalog.Object, events []string) {
	t.writes[Write{Object: o}] = struct{}{}
	if def != nil && def.External != "" {
		t.sink(Sink{Kind: FileSink, Object: o, Name: o.String() + " (" + def.External + ")"})
	}
	t.sink(Sink{Kind: TableSink, Object: o})
	if def == nil {
		return
	}
	for _, event := range events {
		if event != onInsert && (len(def.Triggers) > 0 || len(def.Children) > 0) {
			t.read(Source{Kind: TableSource, Object: o}) // OLD rows reach triggers and children
		}
		key := "write " + event + " " + o.String()
		if t.written[key] {
			continue
		}
		t.written[key] = true
		for _, trigger := range def.Triggers {
			if strings.Contains(strings.ToUpper(trigger.Event), event) {
				t.trigger(trigger)
			}
		}
		t.cascade(def, event)
	}
	for _, u := range def.Union {
		t.write(u[0], u[1], events...)
	}
}

// cascade adds the tables whose rows a foreign key changes along.
func (t *tracer) cascade(def *catalog.Object, event string) {
	for _, c := range def.Children {
		if (event == onDelete && c.OnDelete) || (event == onUpdate && c.OnUpdate) {
			t.write(c.Schema, c.Name, onUpdate, onDelete)
		}
	}
}

// writeView writes through a view: to every base table that it names, since which one takes the row is
// the warehouse's choice.
func (t *tracer) writeView(o Object, def *catalog.Object, events []string) {
	key := "write view " + o.String()
	if t.open[key] {
		return
	}
	t.open[key] = true
	defer delete(t.open, key)
	t.names[o] = struct{}{}
	st, err := t.viewBody(def)
	if err != nil {
		t.opaque("view %s: %v", o, err)
		return
	}
	t.readView(o, def) // WITH CHECK OPTION and the view's condition decide what is written
	defer t.enter(def.Schema, t.b.reading)()
	for _, n := range fromTables(st.Node) {
		t.write(n.Schema.O, n.Name.O, events...)
	}
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
		t.writes[Write{Object: o}] = struct{}{}
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

func (t *tracer) insert(n *ast.InsertStmt) {
	events := []string{onInsert}
	if n.IsReplace {
		events = append(events, onDelete)
	}
	if len(n.OnDuplicate) > 0 {
		events = append(events, onUpdate)
	}
	for _, to := range targets(n.Table) {
		t.write(to.schema, to.name, events...)
		if len(events) > 1 {
			t.readTable(to.schema, to.name)
		}
	}
	for _, row := range n.Lists {
		for _, e := range row {
			t.some(e)
		}
	}
	if n.Select != nil {
		t.under(n.Select, nil)
	}
	for _, a := range n.OnDuplicate {
		t.some(a.Expr)
	}
}

func (t *tracer) update(n *ast.UpdateStmt) {
	_, leave := t.with(n.With, n)
	defer leave()
	t.under(n.TableRefs, t.ctes)
	all := targets(n.TableRefs)
	for _, a := range n.List {
		for _, to := range t.assigned(a.Column, all) {
			t.write(to.schema, to.name, onUpdate)
		}
		t.some(a.Expr)
	}
	t.implicit++
	defer func() { t.implicit-- }()
	t.some(n.Where, n.Order, n.Limit)
}

// assigned gives the tables that a column of SET can belong to: by its qualifier, by the catalog's
// columns, or all.
func (t *tracer) assigned(c *ast.ColumnName, all []target) []target {
	if len(all) <= 1 || c == nil {
		return all
	}
	var out []target
	for _, to := range all {
		switch {
		case c.Table.O != "" && c.Schema.O == "":
			if strings.EqualFold(c.Table.O, to.alias) {
				out = append(out, to)
			}
		case c.Table.O != "":
			if strings.EqualFold(c.Table.O, to.name) {
				out = append(out, to)
			}
		case t.hasColumn(to, c.Name.O):
			out = append(out, to)
		}
	}
	if len(out) == 0 {
		return all
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
			t.write(to.schema, to.name, onDelete)
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
			t.write(to.schema, to.name, onDelete)
			found = true
		}
	}
	if !found {
		for _, to := range all {
			t.write(to.schema, to.name, onDelete)
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
		t.write(n.Table.Schema.O, n.Table.Name.O, onInsert, onDelete)
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
