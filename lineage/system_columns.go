package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/parser"
)

// openColumns are the columns of tables with other people's data that show none of it: names of accounts and objects,
// states, times, figures. Texts, values, digests, and numbers that a program chooses (error numbers, insert ids) are not
// among them; neither is what this list does not know. No table of mysql is here: its columns can be given other names.
var openColumns = map[string]map[string]bool{
	"information_schema.processlist": nameSet(`id user host db command time time_ms state stage max_stage progress memory_used
		max_memory_used examined_rows sent_rows query_id tid`),
	"performance_schema.processlist": nameSet(`id user host db command time state`),
	"performance_schema.threads": nameSet(`thread_id name type processlist_id processlist_user processlist_host processlist_db
		processlist_command processlist_time processlist_state parent_thread_id role instrumented history connection_type thread_os_id resource_group`),
	"information_schema.innodb_trx": nameSet(`trx_id trx_state trx_started trx_requested_lock_id trx_wait_started trx_weight trx_mysql_thread_id
		trx_tables_in_use trx_tables_locked trx_lock_structs trx_lock_memory_bytes trx_rows_locked trx_rows_modified trx_concurrency_tickets
		trx_isolation_level trx_unique_checks trx_foreign_key_checks trx_is_read_only`),
	"information_schema.innodb_lock_waits": nameSet(`requesting_trx_id requested_lock_id blocking_trx_id blocking_lock_id`),
	"information_schema.innodb_locks":      nameSet(`lock_id lock_trx_id lock_mode lock_type lock_table lock_index lock_space lock_page lock_rec`),
	"performance_schema.data_locks": nameSet(`engine engine_lock_id engine_transaction_id thread_id event_id object_schema object_name partition_name
		subpartition_name index_name object_instance_begin lock_type lock_mode lock_status`),
	"performance_schema.data_lock_waits": nameSet(`engine requesting_engine_lock_id requesting_engine_transaction_id requesting_thread_id requesting_event_id
		requesting_object_instance_begin blocking_engine_lock_id blocking_engine_transaction_id blocking_thread_id blocking_event_id blocking_object_instance_begin`),
	"performance_schema.metadata_locks":                 nameSet(`object_type lock_type lock_duration lock_status owner_thread_id owner_event_id`),
	"performance_schema.events_statements_current":      statementColumns,
	"performance_schema.events_statements_history":      statementColumns,
	"performance_schema.events_statements_history_long": statementColumns,
	"performance_schema.events_statements_summary_by_digest": nameSet(`schema_name count_star sum_timer_wait min_timer_wait avg_timer_wait max_timer_wait
		sum_lock_time sum_errors sum_warnings sum_rows_affected sum_rows_sent sum_rows_examined first_seen last_seen`),
}

var statementColumns = nameSet(`thread_id event_id end_event_id event_name source timer_start timer_end timer_wait lock_time rows_affected rows_sent
	rows_examined created_tmp_disk_tables created_tmp_tables select_full_join select_full_range_join select_range select_range_check select_scan
	sort_merge_passes sort_range sort_rows sort_scan no_index_used no_good_index_used nesting_event_id nesting_event_type nesting_event_level`)

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
