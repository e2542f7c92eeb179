package integration

import (
	"testing"

	"sluice/integration/servers"
	"sluice/parser"
)

// oracleEngine is a server that an oracle asks, and what differs there.
type oracleEngine struct {
	name     string
	dialect  parser.Dialect
	start    func(t testing.TB, args ...string) *servers.Server
	args     []string
	programs bool // it has stored programs and MERGE tables
	// settings are made before the schema set: random SQL is to end by itself, and not to end the server.
	settings []string
	// locks lists what the connection holds: mode, schema, table.
	locks string
	// slower: it is asked so many times fewer statements where each is run again and again.
	slower int
	// untouched is how many of a hundred names of the graphs the server may leave alone: tables of branches that it
	// never comes to, and on MySQL those of common table expressions that nothing names.
	untouched int
}

var (
	oracleMariaDB = oracleEngine{
		name: "MariaDB", dialect: parser.Dialect{Flavor: parser.MariaDB, Version: 101119}, start: servers.MariaDB, programs: true, slower: 1,
		settings: []string{"SET GLOBAL innodb_stats_auto_recalc = 0", "SET GLOBAL log_bin_trust_function_creators = 1", "SET GLOBAL max_statement_time = 5",
			"SET GLOBAL optimizer_switch = 'exists_to_in=off'", // random EXISTS over window functions ends the server otherwise
			"INSTALL SONAME 'metadata_lock_info'"},
		locks:     "SELECT lock_mode, table_schema, table_name FROM information_schema.metadata_lock_info WHERE thread_id = CONNECTION_ID() AND lock_type = 'Table metadata lock'",
		untouched: 3,
	}
	oracleMySQL = oracleEngine{
		name: "MySQL", dialect: parser.Dialect{Flavor: parser.MySQL, Version: 90700}, start: servers.MySQL, programs: true, slower: 3,
		args: []string{"--performance-schema=ON", "--performance-schema-instrument=%=OFF", "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON"},
		settings: []string{"SET GLOBAL innodb_stats_auto_recalc = 0", "SET GLOBAL max_execution_time = 5000",
			"SET GLOBAL sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'"}, // the generator groups loosely
		locks:     "SELECT lock_type, object_schema, object_name FROM performance_schema.metadata_locks WHERE owner_thread_id = PS_CURRENT_THREAD_ID() AND object_type = 'TABLE' AND object_schema IN ('oa', 'ob', 'oc')",
		untouched: 16,
	}
	oracleTiDB = oracleEngine{
		name: "TiDB", dialect: parser.Dialect{Flavor: parser.TiDB, Version: 80500}, start: servers.TiDB, slower: 6,
		settings: []string{"SET GLOBAL max_execution_time = 5000", "SET GLOBAL sql_mode = 'STRICT_TRANS_TABLES'"},
	}
)

// onEngines runs an oracle on each of some engines, side by side.
func onEngines(t *testing.T, engines []oracleEngine, run func(t *testing.T, engine oracleEngine)) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			run(t, engine)
		})
	}
}
