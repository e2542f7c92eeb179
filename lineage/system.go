package lineage

import "strings"

// reach says what a table of a system schema shows.
type reach uint8

const (
	project   reach = iota // no system schema
	metadata               // definitions, settings, figures: free
	personal               // other people's statements or samples of data (contract 2, side doors)
	forbidden              // the policy's own schema
)

// PolicySchema is the schema that holds the policy; no client statement reaches it.
const PolicySchema = "sluice"

// personalSchema are the tables of information_schema that show texts, values or samples.
var personalSchema = map[string]bool{
	"processlist": true, "innodb_trx": true, "innodb_locks": true, "innodb_lock_waits": true,
	"column_statistics": true, "optimizer_trace": true, "profiling": true, "query_cache_info": true,
	"user_variables": true, "metadata_lock_info": true, "slow_query": true, "cluster_slow_query": true, "cluster_processlist": true,
	"tidb_trx": true, "cluster_tidb_trx": true, "deadlocks": true, "cluster_deadlocks": true,
	"data_lock_waits": true, "statements_summary": true, "statements_summary_history": true,
	"cluster_statements_summary": true, "cluster_statements_summary_history": true,
	"statements_summary_evicted": true, "cluster_statements_summary_evicted": true, "cluster_log": true,
	"tidb_statements_stats": true, "cluster_tidb_statements_stats": true, "query_response_time": true,
	"system_variables_history": true, "tidb_index_usage": false, "memory_usage_ops_history": true,
	"cluster_memory_usage_ops_history": true, "mysql_firewall_whitelist": true, "queries": true, "spider_alloc_mem": false,
}

// sharedPerformance are the tables of performance_schema that tools read and that show settings and counters.
var sharedPerformance = map[string]bool{
	"global_variables": true, "session_variables": true, "global_status": true, "session_status": true,
	"persisted_variables": true, "variables_info": true, "keywords": true, "setup_actors": true,
	"setup_consumers": true, "setup_instruments": true, "setup_objects": true, "setup_threads": true,
	"performance_timers": true, "user_defined_functions": true, "log_status": true,
	"replication_connection_status": true, "replication_applier_status": true, "replication_group_members": true,
	"tls_channel_status": true, "session_account_connect_attrs": true, "component_scheduler_tasks": true,
	// Instances, waits, stages and counters: names of objects and figures, no statement's text and no value (metadata_locks
	// shows names that GET_LOCK was given).
	"accounts": true, "hosts": true, "users": true, "host_cache": true, "cond_instances": true, "mutex_instances": true,
	"rwlock_instances": true, "file_instances": true, "socket_instances": true, "table_handles": true,
	"events_waits_current": true, "events_waits_history": true, "events_waits_history_long": true,
	"events_stages_current": true, "events_stages_history": true, "events_stages_history_long": true,
	"setup_timers": true, "setup_meters": true, "setup_metrics": true, "setup_loggers": true, "objects_summary_global_by_type": true,
	"replication_group_member_stats": true, "binary_log_transaction_compression_stats": true,
}

// sharedSummaries are the beginnings of names of performance_schema whose tables count; those by digest show texts.
var sharedSummaries = []string{
	"events_waits_summary_", "events_stages_summary_", "events_transactions_summary_", "events_errors_summary_",
	"events_statements_summary_by_account_", "events_statements_summary_by_host_", "events_statements_summary_by_thread_",
	"events_statements_summary_by_user_", "events_statements_summary_global_", "file_summary_", "socket_summary_",
	"memory_summary_", "table_io_waits_summary_", "table_lock_waits_summary_", "status_by_",
}

func isSummary(name string) bool {
	for _, prefix := range sharedSummaries {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// sharedMySQL are the tables of mysql that hold accounts, programs and figures; the rest are logs,
// statistics with samples, and streams.
var sharedMySQL = map[string]bool{
	"user": true, "db": true, "tables_priv": true, "columns_priv": true, "procs_priv": true,
	"proxies_priv": true, "global_priv": true, "roles_mapping": true, "default_roles": true,
	"role_edges": true, "global_grants": true, "proc": true, "func": true, "event": true, "plugin": true,
	"help_topic": true, "help_category": true, "help_keyword": true, "help_relation": true,
	"time_zone": true, "time_zone_name": true, "time_zone_transition": true,
	"time_zone_transition_type": true, "time_zone_leap_second": true, "innodb_table_stats": true,
	"innodb_index_stats": true, "gtid_executed": true, "engine_cost": true, "server_cost": true,
	"component": true, "password_history": true, "table_stats": true, "index_stats": true, "gtid_slave_pos": true, "tidb": true, "global_variables": true,
}

// reachOf classes a table by its schema. Unknown tables of system schemas count as personal.
func reachOf(schema, table string) reach {
	if len(schema) > 0 && !strings.ContainsAny(schema[:1], "ipmsIPMS") {
		return project // no system schema begins so
	}
	s, n := strings.ToLower(schema), strings.ToLower(table)
	switch s {
	case "information_schema":
		if personalSchema[n] || strings.HasPrefix(n, "innodb_ft_") || strings.HasPrefix(n, "innodb_buffer_page") || strings.HasPrefix(n, "tidb_hot") || strings.HasPrefix(n, "inspection_") {
			return personal
		}
		return metadata
	case "performance_schema":
		if sharedPerformance[n] || isSummary(n) {
			return metadata
		}
		return personal
	case "mysql":
		if sharedMySQL[n] {
			return metadata
		}
		return personal
	case "sys":
		if n == "version" || n == "sys_config" {
			return metadata
		}
		return personal
	case "metrics_schema":
		return metadata
	case PolicySchema:
		return forbidden
	default:
		return project
	}
}

// IsSystem tells whether a schema is one of the warehouse's own or the policy's: no project.
func IsSystem(schema string) bool { return reachOf(schema, "") != project }

// IsPolicySchema tells whether a schema is the policy's own.
func IsPolicySchema(schema string) bool { return reachOf(schema, "") == forbidden }
