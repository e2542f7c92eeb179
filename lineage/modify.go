package lineage

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/parser"
)

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
