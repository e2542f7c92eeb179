package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"sluice/parser"
)

// columnStatistics is where MariaDB keeps samples of every table's data: least and greatest values, histograms.
var columnStatistics = Object{"mysql", "column_stats"}

// statistics reads a query over columnStatistics that asks for the rows of one table as a query over that table, and
// tells whether it is one. Its condition may do nothing but name the table: whatever else it holds could be worked out
// for other tables' rows first, and show them in a message or a variable. So nothing may be put in front of it, as a view,
// a second table and HAVING would.
func (t *tracer) statistics(o Object) bool {
	st := t.at
	if o != columnStatistics || t.b.reading.Dialect.Flavor != parser.MariaDB || st == nil || st != t.b.statement || t.body || st.Tier != parser.TierTree {
		return false
	}
	n, ok := st.Node.(*ast.SelectStmt)
	if !ok || n.Kind != ast.SelectStmtKindSelect || n.With != nil || n.Having != nil || !isOneTable(n.From) || t.mentions(n) != 1 {
		return false
	}
	source, ok := n.From.TableRefs.Left.(*ast.TableSource)
	if !ok {
		return false
	}
	if table, ok := source.Source.(*ast.TableName); !ok || !t.isPersonal(table) {
		return false
	}
	chosen := map[string]string{}
	if !t.chooses(n.Where, chosen) || !plainName(chosen["db_name"]) || !plainName(chosen["table_name"]) || chosen["db_name"] == "" || chosen["table_name"] == "" {
		return false
	}
	t.look(o)
	// They are those of the table below a temporary one.
	defer func(before bool) { t.lasting = before }(t.lasting)
	t.lasting = true
	t.readTable(chosen["db_name"], chosen["table_name"])
	return true
}

// mentions counts the places that name a table with other people's data.
func (t *tracer) mentions(n ast.Node) int {
	count := 0
	walk(n, func(n ast.Node) bool {
		if table, ok := n.(*ast.TableName); ok && t.isPersonal(table) {
			count++
		}
		return true
	})
	return count
}

// chooses reads a condition that compares names of columns with texts, joined by AND, and nothing else.
func (t *tracer) chooses(e ast.ExprNode, chosen map[string]string) bool {
	switch e := e.(type) {
	case *ast.ParenthesesExpr:
		return t.chooses(e.Expr, chosen)
	case *ast.BinaryOperationExpr:
		if e.Op == opcode.LogicAnd {
			return t.chooses(e.L, chosen) && t.chooses(e.R, chosen)
		}
		column, ok := e.L.(*ast.ColumnNameExpr)
		if !ok || e.Op != opcode.EQ || !parser.IsText(e.R) {
			return false
		}
		name := column.Name.Name.L
		text, _ := t.literal(e.R)
		if _, again := chosen[name]; again || name != "db_name" && name != "table_name" && name != "column_name" {
			return false
		}
		chosen[name] = text
		return true
	default:
		return false
	}
}

// keepsStatistics notes a definition that would let rows of columnStatistics go by other names than the server gave them.
func (t *tracer) keepsStatistics(o Object) {
	if strings.EqualFold(o.Schema, columnStatistics.Schema) && strings.EqualFold(o.Name, columnStatistics.Name) {
		t.read(Source{Kind: SystemSource, Object: columnStatistics})
		t.sink(Sink{Kind: TableSink, Object: columnStatistics})
	}
}
