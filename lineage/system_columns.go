package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/parser"
)

// openColumns are the columns of tables with other people's data that show none of it: who is connected, to which
// schema, since when, in which state. Texts, values and digests are not among them, and no figure that a program of another
// project can choose by what it reads: rows sent, examined or locked, which rows are locked, how many statements ran.
// Neither is what this list does not know. No table of mysql is here: its columns can be given other names.
var openColumns = map[string]map[string]bool{
	"information_schema.processlist": nameSet(`id user host db command time time_ms state stage max_stage tid`),
	"performance_schema.processlist": nameSet(`id user host db command time state`),
	"performance_schema.threads": nameSet(`thread_id name type processlist_id processlist_user processlist_host processlist_db
		processlist_command processlist_time processlist_state parent_thread_id role instrumented history connection_type thread_os_id resource_group`),
	"information_schema.innodb_trx": nameSet(`trx_state trx_started trx_wait_started trx_mysql_thread_id trx_isolation_level
		trx_unique_checks trx_foreign_key_checks trx_is_read_only`),
}

// seesOpen tells whether the statement that is read, which names a table with other people's data, can only see columns of it that show none:
// the tree is that of the whole text, every column that it names is open, and nothing in it stands for columns that
// it does not name.
func (t *tracer) seesOpen(o Object) bool {
	columns := openColumns[strings.ToLower(o.Schema+"."+o.Name)]
	if columns == nil || t.at == nil || t.at.Tier != parser.TierTree || t.at.Node == nil {
		return false
	}
	open := true
	walk(t.at.Node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ColumnName:
			open = open && columns[n.Name.L]
		case *ast.SelectStmt:
			open = open && n.Kind == ast.SelectStmtKindSelect // not TABLE t
		case *ast.SelectField:
			open = open && n.WildCard == nil
		case *ast.WildCardField:
			open = false
		case *ast.Join:
			open = open && !n.NaturalJoin
		}
		return open
	})
	return open
}
