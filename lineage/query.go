package lineage

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/parser"
)

// expr reads everything below a node: queries with their scopes, tables, functions, variables.
func (t *tracer) expr(n ast.Node) { t.under(n, nil) }

// under walks below n; direct is the WITH that belongs to the query expression that is being read,
// nil inside anything nested.
func (t *tracer) under(n ast.Node, direct *cteScope) {
	walk(n, func(n ast.Node) bool { return t.visit(n, direct) })
}

// visit reads one node and tells whether to go on below it.
func (t *tracer) visit(n ast.Node, direct *cteScope) bool {
	switch n := n.(type) {
	case *ast.SelectStmt:
		t.locks = t.locks || n.LockInfo != nil && n.LockInfo.LockType != ast.SelectLockNone
		t.selectStmt(n, direct)
		return false
	case *ast.SetOprStmt:
		t.setOpr(n, direct)
		return false
	case *ast.SetOprSelectList:
		t.setList(n, direct)
		return false
	case *ast.SubqueryExpr:
		t.under(n.Query, nil)
		return false
	case *ast.TableName:
		t.pastOf(n.AsOf)
		t.readName(n, direct)
		return true // AS OF and TABLESAMPLE hold expressions
	case *ast.TableNameExpr:
		t.sequence(n.Name)
		return false
	case *ast.FuncCallExpr:
		if s, is := lastValue(n); is {
			t.readTable(s.Schema.O, s.Name.O)
			return false
		}
		t.call(n)
		return true
	case *ast.AggregateFuncExpr:
		t.function("", n.F) // a function of the parser's may be none of the warehouse's
		return true
	case *ast.WindowFuncExpr:
		t.function("", n.Name)
		return true
	case *ast.VariableExpr:
		t.variable(n)
		return true
	case *ast.SelectIntoOption:
		t.g.literal = true
		t.sink(Sink{Kind: FileSink, Name: n.FileName})
		return true
	case *ast.TableOptimizerHint, *ast.ColumnName, *ast.ColumnNameExpr:
		return false
	default:
		return !parser.IsLiteral(n) // nothing stands below one
	}
}

// with reads a WITH clause and puts its names in scope; the returned function takes them out.
func (t *tracer) with(w *ast.WithClause, query ast.Node) (*cteScope, func()) {
	outer := t.ctes
	if w == nil {
		return nil, func() {}
	}
	scope := &cteScope{query: query, parent: outer}
	t.ctes = scope
	for _, c := range w.CTEs {
		if w.IsRecursive {
			scope.names = append(scope.names, c.Name.O)
		}
		// The body of one sees those before it, and itself under RECURSIVE. What a WITH inside of it sees, servers
		// differ over.
		t.under(c.Query.Query, scope)
		if !w.IsRecursive {
			scope.names = append(scope.names, c.Name.O)
		}
	}
	return scope, func() { t.ctes = outer }
}

func (t *tracer) selectStmt(n *ast.SelectStmt, direct *cteScope) {
	own, leave := t.with(n.With, n)
	defer leave()
	if own == nil {
		own = direct
	}
	if n.From != nil {
		t.under(n.From, own)
	}
	if n.Fields != nil {
		t.under(n.Fields, nil)
	}
	for _, r := range n.Lists {
		t.under(r, nil)
	}
	if n.SelectIntoOpt != nil {
		t.under(n.SelectIntoOpt, nil)
	}
	t.implicit++
	defer func() { t.implicit-- }()
	t.some(n.Where, n.GroupBy, n.Having, n.OrderBy, n.Limit)
	for i := range n.WindowSpecs {
		t.under(&n.WindowSpecs[i], nil)
	}
}

// some walks below those of the nodes that are there.
func (t *tracer) some(nodes ...ast.Node) {
	for _, n := range nodes {
		t.under(n, nil)
	}
}

func (t *tracer) setOpr(n *ast.SetOprStmt, direct *cteScope) {
	own, leave := t.with(n.With, n)
	defer leave()
	if own == nil {
		own = direct
	}
	if n.SelectList != nil {
		t.setList(n.SelectList, own)
	}
	t.implicit++
	defer func() { t.implicit-- }()
	t.some(n.OrderBy, n.Limit)
}

// setList reads the arms of a UNION. An arm in parentheses with a WITH of its own is a query
// expression of its own.
func (t *tracer) setList(n *ast.SetOprSelectList, direct *cteScope) {
	own, leave := t.with(n.With, n)
	defer leave()
	if own == nil {
		own = direct
	}
	for _, s := range n.Selects {
		t.under(s, own)
	}
	t.implicit++
	defer func() { t.implicit-- }()
	t.some(n.OrderBy, n.Limit)
}

// lastValue gives the sequence of LASTVAL(s), which leaves it as it is.
func lastValue(n *ast.FuncCallExpr) (*ast.TableName, bool) {
	if n.FnName.L != "lastval" || len(n.Args) != 1 {
		return nil, false
	}
	s, is := n.Args[0].(*ast.TableNameExpr)
	if !is {
		return nil, false
	}
	return s.Name, true
}

// sequence reads NEXTVAL(s), SETVAL(s, n): a sequence is read and moved on.
func (t *tracer) sequence(n *ast.TableName) {
	t.readTable(n.Schema.O, n.Name.O)
	o, _, known := t.object(n.Schema.O, n.Name.O)
	if known && o.Schema != "" && reachOf(o.Schema, o.Name) == project {
		t.writes.add(Write{Object: o})
		t.sink(Sink{Kind: TableSink, Object: o})
	}
}
