package lineage

import "github.com/pingcap/tidb/pkg/parser/ast"

// children walks over what is below a node of a kind that most statements are made of, field by field, and tells
// whether it knows the kind. The walk by reflection knows all kinds, at ten times the cost; a test holds the two to each
// other.
func children(n ast.Node, enter func(ast.Node) bool) bool {
	switch n := n.(type) {
	case *ast.ColumnNameExpr:
		if n.Name != nil {
			walk(n.Name, enter)
		}
	case *ast.ColumnName, *ast.WildCardField, *ast.TimeUnitExpr:
	case *ast.BinaryOperationExpr:
		walk(n.L, enter)
		walk(n.R, enter)
	case *ast.SelectField:
		if n.WildCard != nil {
			walk(n.WildCard, enter)
		}
		walk(n.Expr, enter)
	case *ast.TableName:
		return n.TableSample == nil && n.AsOf == nil
	case *ast.TableSource:
		walk(n.Source, enter)
	case *ast.TableRefsClause:
		if n.TableRefs != nil {
			walk(n.TableRefs, enter)
		}
	case *ast.Join:
		walk(n.Left, enter)
		walk(n.Right, enter)
		if n.On != nil {
			walk(n.On, enter)
		}
		for _, c := range n.Using {
			walk(c, enter)
		}
	case *ast.OnCondition:
		walk(n.Expr, enter)
	case *ast.FieldList:
		for _, f := range n.Fields {
			walk(f, enter)
		}
	case *ast.ByItem:
		walk(n.Expr, enter)
	case *ast.GroupByClause:
		walkItems(n.Items, enter)
	case *ast.OrderByClause:
		walkItems(n.Items, enter)
	case *ast.HavingClause:
		walk(n.Expr, enter)
	case *ast.Limit:
		walk(n.Count, enter)
		walk(n.Offset, enter)
	case *ast.Assignment:
		if n.Column != nil {
			walk(n.Column, enter)
		}
		walk(n.Expr, enter)
	case *ast.WhenClause:
		walk(n.Expr, enter)
		walk(n.Result, enter)
	case *ast.FuncCallExpr:
		walkExprs(n.Args, enter)
	case *ast.AggregateFuncExpr:
		walkExprs(n.Args, enter)
		if n.Order != nil {
			walk(n.Order, enter)
		}
	case *ast.CaseExpr:
		walk(n.Value, enter)
		for _, w := range n.WhenClauses {
			walk(w, enter)
		}
		walk(n.ElseClause, enter)
	case *ast.PatternInExpr:
		walk(n.Expr, enter)
		walkExprs(n.List, enter)
		walk(n.Sel, enter)
	default:
		return operands(n, enter)
	}
	return true
}

// operands is children for the kinds that are seldom met: the first switch is as long as it is worth.
func operands(n ast.Node, enter func(ast.Node) bool) bool {
	switch n := n.(type) {
	case *ast.UnaryOperationExpr:
		walk(n.V, enter)
	case *ast.ParenthesesExpr:
		walk(n.Expr, enter)
	case *ast.IsNullExpr:
		walk(n.Expr, enter)
	case *ast.BetweenExpr:
		walk(n.Expr, enter)
		walk(n.Left, enter)
		walk(n.Right, enter)
	case *ast.PatternLikeOrIlikeExpr:
		walk(n.Expr, enter)
		walk(n.Pattern, enter)
	default:
		_, literal := n.(ast.ValueExpr)
		return literal
	}
	return true
}

func walkExprs(list []ast.ExprNode, enter func(ast.Node) bool) {
	for _, e := range list {
		walk(e, enter)
	}
}

func walkItems(items []*ast.ByItem, enter func(ast.Node) bool) {
	for _, i := range items {
		walk(i, enter)
	}
}
