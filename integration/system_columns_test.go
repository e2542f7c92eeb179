package integration

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/integration/servers"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// columnCanary is a value of a protected project: nothing that is free for everybody to read may show it.
const columnCanary = "kanarie4711"

// What other sessions do with a value, in one connection each; the last statement of one that ends in "…" goes on
// while the columns are read.
var columnActivity = []string{
	"INSERT INTO vault.gold VALUES (1, '%s'), (2, 'other'); ANALYZE TABLE vault.gold",
	"SELECT GET_LOCK('%s', 1); SET @v = '%s'; SELECT @v; SELECT '%s' AS `%s`",
	"PREPARE %s FROM 'SELECT ''%s'''; EXECUTE %s",
	"SELECT v FROM vault.gold WHERE v LIKE '%s'; SELECT * FROM vault.none WHERE v = '%s'; SELECT CAST('%s' AS SIGNED); INSERT INTO vault.gold VALUES (3, '%s')",
	"CALL vault.work('%s'); SELECT * FROM vault.gold WHERE MATCH (v) AGAINST ('%s')",
	"BEGIN; SAVEPOINT %s; UPDATE vault.gold SET id = 9 WHERE v = '%s'",
	"BEGIN; UPDATE vault.gold SET id = 10 WHERE v = '%s'…", // waits for the one before
	"SELECT SLEEP(60), '%s'…",
	"XA START 'one'; INSERT INTO vault.words VALUES ('%s'); XA END 'one'; XA PREPARE 'one'", // XA RECOVER shows identifiers to everybody
	"SELECT GET_LOCK('%s', 60)…",
}

// Every column of the warehouse's own tables that Sluice lets everybody read is read while others work with a value: it
// shows none of it.
func TestSystemColumnsShowNoValues(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		start   func(t *testing.T) *servers.Server
		dialect parser.Dialect
		setup   []string
	}{
		{func(t *testing.T) *servers.Server {
			return servers.MariaDB(t, "--performance-schema=ON", "--userstat=ON", "--plugin-load-add=metadata_lock_info;query_cache_info")
		}, parser.Dialect{Flavor: parser.MariaDB, Version: 101119},
			[]string{"SET GLOBAL innodb_ft_aux_table = 'vault/words'", "ANALYZE TABLE vault.gold PERSISTENT FOR ALL"}},
		{func(t *testing.T) *servers.Server { return servers.MySQL(t) }, parser.Dialect{Flavor: parser.MySQL, Version: 90704},
			[]string{"ANALYZE TABLE vault.gold UPDATE HISTOGRAM ON v WITH 8 BUCKETS"}},
	} {
		t.Run(k.dialect.Flavor.String(), func(t *testing.T) {
			t.Parallel()
			server := k.start(t)
			db := server.Root(t)
			defer db.Close()
			for _, q := range append([]string{
				"SET GLOBAL log_output = 'TABLE'", "SET GLOBAL general_log = ON", "SET GLOBAL slow_query_log = ON", "SET GLOBAL long_query_time = 0",
				"UPDATE performance_schema.setup_consumers SET enabled = 'YES'", "UPDATE performance_schema.setup_instruments SET enabled = 'YES', timed = 'YES'",
				"CREATE DATABASE vault", "CREATE TABLE vault.gold (id INT, v VARCHAR(100), UNIQUE KEY (v), FULLTEXT KEY (v)) ENGINE=InnoDB",
				"CREATE TABLE vault.words (w VARCHAR(100), FULLTEXT KEY (w)) ENGINE=InnoDB", "INSERT INTO vault.words VALUES ('" + columnCanary + "')",
				"CREATE PROCEDURE vault.work(x VARCHAR(100)) SELECT COUNT(*) FROM vault.gold WHERE v = x",
			}, k.setup...) {
				if _, err := db.Exec(q); err != nil {
					t.Fatalf("%s: %v", q, err)
				}
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for _, work := range columnActivity {
				act(ctx, t, db, strings.ReplaceAll(work, "%s", columnCanary))
			}
			time.Sleep(300 * time.Millisecond)
			defs, err := lineage.LoadDefinitions("CREATE DATABASE lab", k.dialect, "lab")
			if err != nil {
				t.Fatal(err)
			}
			cat, err := catalog.New(defs, time.Hour).Current(ctx)
			if err != nil {
				t.Fatal(err)
			}
			open, closed, shown := 0, 0, 0
			for table, columns := range systemColumns(t, db) {
				var free []string
				for _, c := range columns {
					if freeToRead(t, cat, k.dialect, "SELECT `"+c+"` FROM "+table) {
						free = append(free, c)
					} else {
						closed++
						shown += countShown(db, table, []string{c})
					}
				}
				if len(free) == 0 {
					continue
				}
				open += len(free)
				if n := countShown(db, table, free); n > 0 {
					t.Errorf("%s shows the value in one of %v", table, free)
				}
			}
			if open < 1000 || closed < 100 || shown < 5 {
				t.Errorf("%d columns are open, %d are not, and %d of those show the value", open, closed, shown)
			}
		})
	}
}

// act does one connection's work. The connection stays open until the context ends.
func act(ctx context.Context, t *testing.T, db *sql.DB, work string) {
	t.Helper()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	work, goesOn := strings.CutSuffix(work, "…")
	all := strings.Split(work, "; ")
	for i, q := range all {
		if goesOn && i == len(all)-1 {
			go func() { _, _ = conn.ExecContext(ctx, q) }()
			time.Sleep(100 * time.Millisecond)
			return
		}
		_, _ = conn.ExecContext(ctx, q) // some fail on purpose
	}
}

// systemColumns lists the columns of the tables of the warehouse's own schemas.
func systemColumns(t *testing.T, db *sql.DB) map[string][]string {
	t.Helper()
	rows, err := db.Query(`SELECT CONCAT('` + "`', table_schema, '`.`', table_name, '`" + `'), column_name FROM information_schema.columns
		WHERE table_schema IN ('information_schema', 'performance_schema', 'mysql') ORDER BY 1, ordinal_position`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		out[table] = append(out[table], column)
	}
	return out
}

// freeToRead tells whether a statement reads nothing that is not everybody's.
func freeToRead(t *testing.T, cat *catalog.Snapshot, d parser.Dialect, q string) bool {
	t.Helper()
	script, err := parser.Parse(q, parser.Reading{Dialect: d})
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	bound, err := lineage.Resolve(context.Background(), &script.Statements[0], script.Reading, lineage.Scope{Schema: "lab"}, cat)
	if err != nil {
		t.Fatal(err)
	}
	g := lineage.Trace(bound)
	for _, f := range g.Flows {
		if f.Source.Kind != lineage.CarrierSource {
			return false
		}
	}
	return g.Refused == "" && g.Forbidden == "" && len(g.Opaque) == 0
}

// countShown counts the values of columns that hold the canary.
func countShown(db *sql.DB, table string, columns []string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT `%s` FROM %s", strings.Join(columns, "`, `"), table))
	if err != nil {
		return 0
	}
	defer rows.Close()
	values, places := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	n := 0
	for rows.Next() {
		if rows.Scan(places...) != nil {
			continue
		}
		for _, v := range values {
			if strings.Contains(strings.ToLower(string(v)), columnCanary) {
				n++
			}
		}
	}
	return n
}
