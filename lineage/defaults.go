package lineage

import (
	"fmt"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// Defaults and generated columns may bring along more than their row: MariaDB lets both read variables, MariaDB and
// TiDB let a default draw from a sequence. They are worked out when rows are written, and read.

// expressions reads a table's defaults and generated columns through.
func (t *tracer) expressions(o Object, def *catalog.Object) {
	flavor := t.b.reading.Dialect.Flavor
	if len(def.Expressions) == 0 || flavor == parser.MySQL {
		return
	}
	key := "expressions " + o.String()
	if t.open[key] {
		return
	}
	t.opens(key)
	defer delete(t.open, key)
	nodes, err := remember(&def.Memo, func() ([]ast.StmtNode, error) { return expressionTrees(def.Expressions, t.b.reading.Dialect) })
	if err != nil {
		t.opaque("table %s: %v", o, err)
		return
	}
	defer t.enter(def.Schema, t.b.reading)()
	for _, n := range nodes {
		t.expr(n)
	}
}

// shapedBy notes the variables that CREATE TABLE … AS works with: MariaDB takes the lengths of the new columns from their
// values, as in REPEAT('x', @n), and anybody can read them.
func (t *tracer) shapedBy(query ast.Node) {
	if t.b.reading.Dialect.Flavor != parser.MariaDB {
		return
	}
	walk(query, func(n ast.Node) bool {
		field, is := n.(*ast.SelectField)
		if !is || field.Expr == nil {
			return true
		}
		if v, plain := field.Expr.(*ast.VariableExpr); plain && v.Value == nil {
			return true
		}
		walk(field.Expr, func(n ast.Node) bool {
			switch v := n.(type) {
			case ast.ParamMarkerExpr:
				t.g.Effects.Shaped = true
			case *ast.VariableExpr:
				if v.IsSystem {
					return true
				}
				t.shapes = append(t.shapes, "@"+strings.ToLower(v.Name))
			}
			return true
		})
		return true
	})
}

// shaped gives the flows of what the lengths of new columns tell.
func (t *tracer) shaped() []Flow {
	var out []Flow
	for _, name := range t.shapes {
		out = append(out, Flow{
			Source: Source{Kind: CarrierSource, Name: name},
			Sink:   Sink{Kind: FileSink, Name: "the definition of a table, which anybody can read"},
		})
	}
	return out
}

// expressionTrees parses expressions as the warehouse prints them. TiDB prints a literal like the text of an expression: of
// what looks like one, only a sequence can be none.
func expressionTrees(expressions []string, d parser.Dialect) ([]ast.StmtNode, error) {
	var out []ast.StmtNode
	for _, e := range expressions {
		if d.Flavor == parser.TiDB && !strings.Contains(strings.ToLower(e), "val(") {
			continue
		}
		script, err := parser.Parse("DO "+e, parser.Reading{Dialect: d})
		if err != nil {
			return nil, fmt.Errorf("the default or generated column %s: %w", firstWords(e), err)
		}
		if len(script.Statements) != 1 || script.Statements[0].Node == nil || script.Statements[0].Extra.More != nil {
			return nil, fmt.Errorf("the default or generated column %s cannot be read", firstWords(e))
		}
		out = append(out, script.Statements[0].Node)
	}
	return out, nil
}
