package lineage

import (
	"strings"
	"unicode/utf8"
)

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

// sharedSchema are the tables of information_schema that show definitions, settings and figures. All others, also those
// that a newer server or a plugin brings along, may show statements, values or samples: process lists, locks,
// transactions, histograms, traces, pages, full-text indexes, keys of regions.
var sharedSchema = nameSet(`
	all_plugins applicable_roles character_sets check_constraints client_statistics collations
	collation_character_set_applicability columns column_privileges enabled_roles engines events files
	geometry_columns global_status global_variables index_statistics innodb_buffer_pool_stats innodb_cmp
	innodb_cmpmem innodb_cmpmem_reset innodb_cmp_per_index innodb_cmp_per_index_reset innodb_cmp_reset
	innodb_metrics innodb_sys_columns innodb_sys_datafiles innodb_sys_semaphore_waits innodb_sys_fields
	innodb_sys_foreign innodb_sys_foreign_cols innodb_sys_indexes innodb_sys_tables innodb_sys_tablespaces
	innodb_sys_tablestats innodb_sys_virtual innodb_tablespaces_encryption innodb_tablespaces_scrubbing
	innodb_mutexes keywords key_caches key_column_usage parameters partitions plugins referential_constraints
	routines schemata schema_privileges session_status session_variables spatial_ref_sys sql_functions statistics
	system_variables tables tablespaces table_constraints table_privileges table_statistics thread_pool_groups
	thread_pool_queues thread_pool_stats thread_pool_waits triggers user_privileges user_statistics views
	query_response_time wsrep_status wsrep_membership
	innodb_ft_config
	profiling innodb_ft_default_stopword rocksdb_cfstats rocksdb_dbstats rocksdb_global_info rocksdb_cf_options rocksdb_ddl rocksdb_index_file_map
	rocksdb_perf_context rocksdb_perf_context_global rocksdb_compaction_stats
	periods key_period_usage sequences optimizer_costs users disks locales catalogs
	administrable_role_authorizations columns_extensions innodb_cached_indexes innodb_columns innodb_datafiles
	innodb_fields innodb_foreign innodb_foreign_cols innodb_indexes innodb_session_temp_tablespaces innodb_tables
	innodb_tablespaces innodb_tablespaces_brief innodb_tablestats innodb_temp_table_info innodb_virtual
	json_duality_views json_duality_view_columns json_duality_view_links json_duality_view_tables libraries
	resource_groups role_column_grants role_routine_grants role_table_grants routine_libraries schemata_extensions
	st_geometry_columns st_spatial_reference_systems st_units_of_measure tablespaces_extensions tables_extensions
	table_constraints_extensions user_attributes view_routine_usage view_table_usage
	analyze_status attributes client_errors_summary_by_host client_errors_summary_by_user
	client_errors_summary_global cluster_config cluster_hardware cluster_info cluster_load cluster_memory_usage
	cluster_systeminfo cluster_tidb_index_usage memory_usage metrics_summary metrics_summary_by_label
	metrics_tables placement_policies table_storage_stats tidb_check_constraints tidb_indexes tidb_index_usage
	tidb_servers_info tiflash_indexes tiflash_replica tiflash_segments tiflash_tables tikv_region_peers
	tikv_store_status variables_info
`)

func nameSet(list string) map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(list) {
		set[name] = true
	}
	return set
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
	"events_stages_current": true, "events_stages_history": true, "events_stages_history_long": true,
	"setup_timers": true, "setup_meters": true, "setup_metrics": true, "setup_loggers": true, "objects_summary_global_by_type": true,
	"replication_connection_configuration": true, "replication_applier_configuration": true, "session_connect_attrs": true,
	// The identifier of an XA transaction, which they show, is in XA RECOVER too.
	"events_transactions_current": true, "events_transactions_history": true, "events_transactions_history_long": true,
	"replication_group_member_stats": true, "binary_log_transaction_compression_stats": true,
}

// sharedSummaries are the beginnings of names of performance_schema whose tables count; those by digest show texts.
var sharedSummaries = []string{
	"events_waits_summary_", "events_stages_summary_", "events_transactions_summary_", "events_errors_summary_",
	"events_statements_summary_by_account_", "events_statements_summary_by_host_", "events_statements_summary_by_thread_",
	"events_statements_summary_by_program", "events_statements_summary_by_user_", "events_statements_summary_global_", "file_summary_", "socket_summary_",
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
	"wsrep_cluster": true, "wsrep_cluster_members": true, "wsrep_allowlist": true,
	// When transactions began and ended; servers that only CREATE SERVER defines, which is refused while anything is protected.
	"transaction_registry": true, "servers": true,
	// How replicas are set up, by statements that are refused while anything is protected; hashes of passwords.
	"slave_master_info": true, "slave_relay_log_info": true, "slave_worker_info": true, "slave_gtid_info": true,
	"password_reuse_check_history": true,
	// When backups ran and how; whom the audit plugin watches; which tables are links to other servers.
	"mariadb_backup_history": true, "server_audit_filters": true, "server_audit_users": true, "spider_tables": true, "spider_link_failed_log": true,
}

// sharedSys are the views of sys over tables of performance_schema and information_schema that count; the others show
// statements, or who waits for what.
var sharedSys = nameSet(`
	version sys_config metrics schema_flattened_keys ps_schema_table_statistics_io ps_digest_avg_latency_distribution ps_digest_95th_percentile_by_avg_us ps_check_lost_instrumentation session_ssl_status privileges_by_table_by_level latest_file_io
	host_summary host_summary_by_file_io host_summary_by_file_io_type host_summary_by_stages host_summary_by_statement_latency
	host_summary_by_statement_type user_summary user_summary_by_file_io user_summary_by_file_io_type user_summary_by_stages
	user_summary_by_statement_latency user_summary_by_statement_type io_by_thread_by_latency io_global_by_file_by_bytes
	io_global_by_file_by_latency io_global_by_wait_by_bytes io_global_by_wait_by_latency memory_by_host_by_current_bytes
	memory_by_thread_by_current_bytes memory_by_user_by_current_bytes memory_global_by_current_bytes memory_global_total
	innodb_buffer_stats_by_schema innodb_buffer_stats_by_table schema_auto_increment_columns schema_index_statistics
	schema_object_overview schema_redundant_indexes schema_table_statistics schema_table_statistics_with_buffer
	schema_tables_with_full_table_scans schema_unused_indexes wait_classes_global_by_avg_latency wait_classes_global_by_latency
	waits_by_host_by_latency waits_by_user_by_latency waits_global_by_latency`)

// sharedSysFunctions are the functions of sys that work on what they are given, and those that tell how the server is set
// up. The others show what threads do.
var sharedSysFunctions = nameSet(`
	extract_schema_from_file_name extract_table_from_file_name format_bytes format_path format_statement format_time list_add
	list_drop quote_identifier version_major version_minor version_patch sys_get_config ps_is_account_enabled
	ps_is_consumer_enabled ps_is_instrument_default_enabled ps_is_instrument_default_timed ps_is_thread_instrumented ps_thread_id
	ps_thread_account`)

// reachOf classes a table by its schema. Unknown tables of system schemas count as personal.
func reachOf(schema, table string) reach {
	if len(schema) > 0 {
		first := schema[0]
		if first < utf8.RuneSelf && strings.IndexByte("ipmsIPMS", first) < 0 { // İ is an i to TiDB
			return project // no system schema begins so
		}
	}
	s, n := strings.ToLower(schema), strings.ToLower(table)
	switch s {
	case "information_schema":
		if n == "" || sharedSchema[n] {
			return metadata
		}
		return personal
	case "performance_schema":
		if sharedPerformance[n] || isSummary(n) {
			return metadata
		}
		return personal
	case "mysql":
		if sharedMySQL[n] || strings.HasPrefix(n, "gtid_slave_pos_") {
			return metadata
		}
		return personal
	case "sys":
		if sharedSys[strings.TrimPrefix(n, "x$")] {
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
