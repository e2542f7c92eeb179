package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// tidb reads statements that TiDB alone has. It reports false for one that has no case: those that move data in ways of
// their own, or change what later statements mean.
func (t *tracer) tidb(n ast.StmtNode) bool {
	switch n := n.(type) {
	case *ast.NonTransactionalDMLStmt: // BATCH … runs it part by part and shows the parts
		t.shown(n.DMLStmt)
	case *ast.TraceStmt:
		t.shown(n.Stmt)
	case *ast.ImportIntoStmt:
		t.importInto(n)
	case *ast.SplitRegionStmt:
		t.structures(n.Table)
		t.splits(n.SplitOpt)
	case *ast.DistributeTableStmt:
		t.structures(n.Table)
	case *ast.CompactTableStmt:
		t.structures(n.Table)
	case *ast.CreateStatisticsStmt:
		t.structures(n.Table)
	case *ast.DropStatsStmt:
		t.structures(n.Tables...)
	case *ast.LockStatsStmt:
		t.structures(n.Tables...)
	case *ast.UnlockStatsStmt:
		t.structures(n.Tables...)
	case *ast.CleanupTableLockStmt:
		t.structures(n.Tables...)
	case *ast.FlashBackTableStmt:
		t.recovered(n.Table, n.NewName)
	case *ast.RecoverTableStmt:
		if n.Table == nil || n.JobID != 0 {
			return false // whose table a job dropped nothing tells
		}
		t.recovered(n.Table, "")
	case *ast.AdminStmt:
		return t.admin(n)
	default:
		return false
	}
	return true
}

// shown reads a statement that is run, with a report about the run.
func (t *tracer) shown(n ast.StmtNode) {
	t.node(n, &t.at.Extra)
	t.sink(Sink{Kind: ResultSink})
}

// importInto reads IMPORT INTO, which fills a table from a file or a query and shows the job. Rows that are sorted in a cloud's
// storage lie outside.
func (t *tracer) importInto(n *ast.ImportIntoStmt) {
	if n.Select != nil {
		t.under(n.Select, nil)
	} else {
		t.read(Source{Kind: OpaqueSource, Name: "a file of the server (IMPORT INTO)"})
	}
	t.write(n.Table.Schema.O, n.Table.Name.O, changes(onInsert))
	for _, c := range n.ColumnsAndUserVars {
		if c.UserVar != nil {
			t.carrierSink("@" + strings.ToLower(c.UserVar.Name))
		}
	}
	for _, a := range n.ColumnAssignments {
		t.some(a.Expr)
	}
	for _, o := range n.Options {
		if o.Value != nil {
			t.some(o.Value)
		}
		if o.Name == "cloud_storage_uri" {
			t.sink(Sink{Kind: FileSink, Name: "a cloud's storage (IMPORT INTO)"})
		}
	}
	t.sink(Sink{Kind: ResultSink})
}

func (t *tracer) structures(tables ...*ast.TableName) {
	for _, n := range tables {
		t.structure(n.Schema.O, n.Name.O)
	}
}

// splits reads the values that a table is split at: everybody sees where it is.
func (t *tracer) splits(o *ast.SplitOption) {
	if o == nil {
		return
	}
	for _, list := range append([][]ast.ExprNode{o.Lower, o.Upper}, o.ValueLists...) {
		for _, value := range list {
			t.some(value)
		}
	}
	t.sink(Sink{Kind: ResultSink})
	if len(t.sources.list) > 0 {
		t.sink(Sink{Kind: FileSink, Name: "where a table is split, which anybody can see"})
	}
}

// recovered is a dropped table that comes back, under a new name of the same schema if one is given.
func (t *tracer) recovered(n *ast.TableName, name string) {
	if name == "" {
		t.change(n.Schema.O, n.Name.O, Ends)
		return
	}
	from, _, _ := t.object(n.Schema.O, n.Name.O)
	t.moved(from, t.change(n.Schema.O, name, Ends))
}

// admin reads the forms of ADMIN that look at tables or steer the warehouse. The others show other sessions' statements,
// or change how later ones are planned.
func (t *tracer) admin(n *ast.AdminStmt) bool {
	switch n.Tp {
	case ast.AdminCheckTable, ast.AdminCheckIndex, ast.AdminCheckIndexRange, ast.AdminChecksumTable:
		for _, table := range n.Tables {
			t.readTable(table.Schema.O, table.Name.O) // what is wrong with them shows keys
		}
	case ast.AdminRecoverIndex, ast.AdminCleanupIndex:
		for _, table := range n.Tables {
			t.maintain(table.Schema.O, table.Name.O)
		}
	case ast.AdminShowNextRowID:
		t.structures(n.Tables...)
	case ast.AdminShowDDL, ast.AdminShowDDLJobs, ast.AdminShowBDRRole:
		t.some(n.Where)
	case ast.AdminCancelDDLJobs, ast.AdminPauseDDLJobs, ast.AdminResumeDDLJobs, ast.AdminFlushPlanCache, ast.AdminReloadStatistics:
	default:
		return false
	}
	t.sink(Sink{Kind: ResultSink})
	return true
}
