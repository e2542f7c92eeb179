package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"sluice/parser"
)

// openColumns are the columns of tables with other people's data that show none of it: who is connected, to which
// schema, since when, in which state; which kind of statement ran when; which tables are locked. Texts, values and digests are
// not among them, nor names that anybody can give to something (locks, prepared statements; MariaDB shows the name
// of a lock as a schema), and no figure of a session or statement that a program of another
// project can choose by what it reads: rows sent, examined or locked, which rows are locked, warnings, error numbers.
// Neither is what this list does not know. No table of mysql is here: its columns can be given other names.
var openColumns = map[string]map[string]bool{
	"information_schema.processlist": nameSet(`id user host db command time time_ms state stage max_stage tid`),
	"performance_schema.processlist": nameSet(`id user host db command time state`),
	"performance_schema.threads": nameSet(`thread_id name type processlist_id processlist_user processlist_host processlist_db
		processlist_command processlist_time processlist_state parent_thread_id role instrumented history connection_type thread_os_id resource_group`),
	"information_schema.innodb_trx": nameSet(`trx_state trx_started trx_wait_started trx_mysql_thread_id trx_isolation_level
		trx_unique_checks trx_foreign_key_checks trx_is_read_only trx_autocommit_non_locking trx_operation_state`),
	"information_schema.innodb_locks":       nameSet(`lock_mode lock_type lock_table lock_index`),
	"performance_schema.data_locks":         nameSet(`engine thread_id object_schema object_name partition_name index_name lock_type lock_mode lock_status`),
	"performance_schema.data_lock_waits":    nameSet(`engine requesting_thread_id blocking_thread_id`),
	"performance_schema.metadata_locks":     nameSet(`object_type lock_type lock_duration lock_status source owner_thread_id owner_event_id`),
	"information_schema.metadata_lock_info": nameSet(`thread_id lock_mode lock_duration lock_time_ms lock_type`),
	// Pages and whose they are; not how many bytes of data one holds.
	"information_schema.innodb_buffer_page": nameSet(`pool_id block_id space page_number page_type flush_type fix_count is_hashed
		newest_modification oldest_modification access_time table_name index_name number_records page_state io_fix is_old is_stale free_page_clock`),
	"information_schema.innodb_buffer_page_lru": nameSet(`pool_id lru_position space page_number page_type flush_type fix_count is_hashed
		newest_modification oldest_modification access_time table_name index_name number_records compressed io_fix is_old free_page_clock`),
	"performance_schema.events_statements_current":           eventColumns,
	"performance_schema.events_statements_history":           eventColumns,
	"performance_schema.events_statements_history_long":      eventColumns,
	"performance_schema.events_waits_current":                waitColumns,
	"performance_schema.events_waits_history":                waitColumns,
	"performance_schema.events_waits_history_long":           waitColumns,
	"performance_schema.events_statements_summary_by_digest": nameSet(`schema_name first_seen last_seen`),
	"performance_schema.prepared_statements_instances": nameSet(`object_instance_begin statement_id owner_thread_id owner_event_id
		owner_object_type owner_object_schema owner_object_name`),
	"performance_schema.user_variables_by_thread":                  nameSet(`thread_id`),
	"performance_schema.variables_by_thread":                       nameSet(`thread_id variable_name`),
	"performance_schema.replication_applier_status_by_coordinator": nameSet(`channel_name thread_id service_state name`),
	"performance_schema.replication_applier_status_by_worker":      nameSet(`channel_name worker_id thread_id service_state name`),
	"information_schema.slave_status":                              nameSet(`connection_name slave_io_running slave_sql_running seconds_behind_master master_host master_port using_gtid gtid_io_pos`),
	"information_schema.query_cache_info":                          nameSet(`statement_schema hits`),
}

// eventColumns tell which kind of statement a thread ran, when, in which schema and in which stored program.
var eventColumns = nameSet(`thread_id event_id end_event_id event_name source timer_start timer_end timer_wait current_schema
	object_type object_schema object_name nesting_event_id nesting_event_type nesting_event_level`)

// waitColumns tell what a thread waits for, but not the name of it: that may be a lock's.
var waitColumns = nameSet(`thread_id event_id end_event_id event_name source timer_start timer_end timer_wait spins index_name
	object_type object_instance_begin nesting_event_id nesting_event_type operation number_of_bytes flags`)

// seesOpen tells whether the statement that is read, which names a table with other people's data, can only see columns of it that show none:
// the tree is that of the whole text, every column that may be the table's is open, and nothing in it stands for columns that
// it does not name. A statement that names none only sees how many rows there are, a figure like a status counter.
func (t *tracer) seesOpen(o Object) bool {
	if t.at == nil || t.at.Tier != parser.TierTree || t.at.Node == nil || !countsRows(t.at.Node) && !strings.HasSuffix(strings.ToLower(o.Schema), "_schema") {
		return false
	}
	columns := openColumns[strings.ToLower(o.Schema+"."+o.Name)]
	others, written, stars := t.otherNames(t.at.Node), t.unseenColumns(t.at.Node), t.unaskedStars()
	open := true
	walk(t.at.Node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ColumnName:
			open = open && (columns[n.Name.L] || others[n.Table.L] || written[n])
		case *ast.SelectStmt:
			open = open && n.Kind == ast.SelectStmtKindSelect // not TABLE t
		case *ast.WildCardField:
			open = open && (others[n.Table.L] || stars[n])
		case *ast.Join:
			open = open && !n.NaturalJoin
		}
		return open
	})
	return open
}

// namesNothing tells whether the statement that is read names no column, and nothing in it stands for one.
func (t *tracer) namesNothing() bool {
	if t.at == nil || t.at.Tier != parser.TierTree || t.at.Node == nil || !countsRows(t.at.Node) {
		return false
	}
	nothing := true
	walk(t.at.Node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ColumnName, *ast.WildCardField:
			nothing = false
		case *ast.SelectStmt:
			nothing = nothing && n.Kind == ast.SelectStmtKindSelect
		case *ast.Join:
			nothing = nothing && !n.NaturalJoin
		}
		return nothing
	})
	return nothing
}

// unaskedStars are the stars of a view of which only the number of rows is asked: they have no part in it.
func (t *tracer) unaskedStars() map[*ast.WildCardField]bool {
	n, ok := t.at.Node.(*ast.SelectStmt)
	if t.counted != t.at || !ok || n.Distinct || n.GroupBy != nil || n.Having != nil || n.OrderBy != nil || n.With != nil || n.Fields == nil {
		return nil
	}
	out := map[*ast.WildCardField]bool{}
	for _, f := range n.Fields.Fields {
		if f.WildCard != nil {
			out[f.WildCard] = true
		}
	}
	return out
}

// countsRows tells whether a statement takes from a table nothing but what it names. Definitions take tables whole, and an
// UPDATE may fail over a key, whose other columns the message shows.
func countsRows(n ast.Node) bool {
	switch n.(type) {
	case *ast.SelectStmt, *ast.SetOprStmt, *ast.InsertStmt, *ast.DeleteStmt, *ast.CreateViewStmt, *ast.SetStmt, *ast.DoStmt:
		return true
	default:
		return false
	}
}

// unseenColumns are the places where a column's value does not come out: where an INSERT or UPDATE gives it one, where a
// DELETE from one table chooses rows by it, which only tells how many rows were affected, and where a name behind ORDER
// BY is that of an expression.
func (t *tracer) unseenColumns(n ast.Node) map[*ast.ColumnName]bool {
	out := map[*ast.ColumnName]bool{}
	walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.InsertStmt:
			for _, c := range n.Columns {
				out[c] = true
			}
		case *ast.Assignment:
			out[n.Column] = true
		case *ast.SelectStmt:
			aliases(n, out)
		}
		return true
	})
	t.g.literal = true // which kind of literal stands in a condition
	if d, ok := n.(*ast.DeleteStmt); ok && isOneTable(d.TableRefs) {
		compared(d.Where, out)
	}
	return out
}

func isOneTable(refs *ast.TableRefsClause) bool {
	return refs != nil && refs.TableRefs != nil && refs.TableRefs.Right == nil
}

// rowNames are the columns that say of what a row is, which is no data: a DELETE may choose by them.
var rowNames = nameSet("db db_name name table_name column_name index_name server_name type")

// compared adds the columns that a condition, and those that are joined to it by AND, compares with texts, if they say of what
// a row is: a number would bring a warning along that shows the column's text.
func compared(e ast.ExprNode, out map[*ast.ColumnName]bool) {
	switch e := e.(type) {
	case *ast.ParenthesesExpr:
		compared(e.Expr, out)
	case *ast.BinaryOperationExpr:
		if e.Op == opcode.LogicAnd {
			compared(e.L, out)
			compared(e.R, out)
		} else if column, ok := e.L.(*ast.ColumnNameExpr); ok && (e.Op == opcode.EQ || e.Op == opcode.NE) && rowNames[column.Name.Name.L] && parser.IsText(e.R) {
			out[column.Name] = true
		}
	case *ast.PatternInExpr:
		column, ok := e.Expr.(*ast.ColumnNameExpr)
		ok = ok && rowNames[column.Name.Name.L]
		for _, v := range e.List {
			ok = ok && parser.IsText(v)
		}
		if ok && e.Sel == nil {
			out[column.Name] = true
		}
	}
}

// aliases adds the names behind ORDER BY that the select list gives to an expression: they mean that before a column.
func aliases(n *ast.SelectStmt, out map[*ast.ColumnName]bool) {
	if n.OrderBy == nil || n.Fields == nil {
		return
	}
	given := map[string]bool{}
	for _, f := range n.Fields.Fields {
		if f.AsName.L != "" && plainName(f.AsName.O) {
			given[f.AsName.L] = true
		}
	}
	for _, item := range n.OrderBy.Items {
		if c, ok := item.Expr.(*ast.ColumnNameExpr); ok && c.Name.Table.L == "" && given[c.Name.Name.L] {
			out[c.Name] = true
		}
	}
}

// otherNames are the qualifiers that nowhere in the statement name a table with other people's data: none when a name in it
// has other spellings.
func (t *tracer) otherNames(n ast.Node) map[string]bool {
	others, personals, odd := map[string]bool{}, map[string]bool{}, false
	note := func(name string, is bool) {
		odd = odd || !plainName(name)
		name = strings.ToLower(name)
		personals[name] = personals[name] || is
		others[name] = true
	}
	walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TableName:
			note(n.Name.O, t.isPersonal(n))
		case *ast.TableSource:
			table, isTable := n.Source.(*ast.TableName)
			note(n.AsName.O, isTable && t.isPersonal(table))
		}
		return true
	})
	if odd {
		return nil
	}
	for name := range personals {
		if personals[name] {
			delete(others, name)
		}
	}
	delete(others, "")
	return others
}

func (t *tracer) isPersonal(n *ast.TableName) bool {
	schema := n.Schema.O
	if schema == "" {
		schema = t.schema
	}
	return reachOf(schema, n.Name.O) == personal
}
