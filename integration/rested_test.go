package integration

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rested looks, past the gateway, for the canary in every table outside of myprj.
func (r *attempting) rested() {
	db := r.warehouse.Root(r.t)
	defer db.Close()
	for _, name := range names(r.t, db, "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables WHERE table_schema IN ('prj2', 'prj3') AND table_type = 'BASE TABLE'") {
		if text := everything(r.t, db, "SELECT * FROM "+name); holdsCanary(text) && !strings.Contains(strings.Join(r.attempt.statements, "\n"), canary) {
			r.t.Errorf("%s: LEAK into %s by %q", r.family, name, r.attempt.statements)
		}
	}
	r.files()
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM myprj.other").Scan(&n); err != nil {
		r.t.Fatalf("%s: %q moved myprj.other: %v", r.family, r.attempt.statements, err)
	}
}

// files looks for the canary in the files that an attempt wrote. A file without it holds what nobody needs to protect.
func (r *attempting) files() {
	err := filepath.Walk(r.dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if holdsCanary(string(text)) {
			r.t.Errorf("%s: LEAK into the file %s by %q", r.family, path, r.attempt.statements)
		}
		return os.Remove(path)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// tidy takes away whatever an attempt defined, past the gateway.
func (d *doors) tidy(t testing.TB) {
	t.Helper()
	db := d.warehouse.Root(t)
	defer db.Close()
	const here = " IN ('myprj', 'prj2', 'prj3')"
	for _, q := range []string{
		"SELECT CONCAT('DROP VIEW `', table_schema, '`.`', table_name, '`') FROM information_schema.tables WHERE table_type LIKE '%VIEW' AND table_schema" + here,
		"SELECT CONCAT('DROP TRIGGER `', trigger_schema, '`.`', trigger_name, '`') FROM information_schema.triggers WHERE trigger_schema" + here,
		"SELECT CONCAT('DROP EVENT `', event_schema, '`.`', event_name, '`') FROM information_schema.events WHERE event_schema" + here,
		"SELECT CONCAT('SET sql_mode = ', IF(routine_type = 'PACKAGE', '''ORACLE''', ''''''), '; DROP ', routine_type, ' `', routine_schema, '`.`', routine_name, '`') FROM information_schema.routines WHERE routine_type <> 'PACKAGE BODY' AND routine_schema" + here,
		"SELECT CONCAT('DROP SEQUENCE `', table_schema, '`.`', table_name, '`') FROM information_schema.tables WHERE table_type = 'SEQUENCE' AND table_schema" + here,
		"SELECT CONCAT('DROP TABLE `', table_schema, '`.`', table_name, '`') FROM information_schema.tables WHERE table_type LIKE 'BASE TABLE' AND CONCAT(table_schema, '.', table_name) NOT IN ('myprj.table1', 'myprj.other', 'myprj.copy', 'prj2.t', 'prj3.t') AND table_schema" + here,
		"SELECT CONCAT('DROP TABLE `', table_schema, '`.`', table_name, '`') FROM information_schema.tables WHERE table_type = 'SYSTEM VERSIONED' AND table_schema" + here,
	} {
		for _, drop := range names(t, db, q) {
			if _, err := db.Exec("SET foreign_key_checks = 0; " + drop); err != nil {
				t.Fatalf("%s: %v", drop, err)
			}
		}
	}
	for _, q := range []string{"DELETE FROM prj2.t", "INSERT INTO prj2.t VALUES (7, 'seven')", "DELETE FROM prj3.t", "DELETE FROM myprj.copy"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// definitionLists are where the warehouse shows everybody what is defined.
var definitionLists = []string{"schemata", "tables", "columns", "partitions", "routines", "parameters", "triggers", "views", "events", "table_constraints", "user_privileges"}

// atTheEnd looks for the canary in definitions and system tables.
func (d *doors) atTheEnd(t *testing.T) {
	db := d.warehouse.Root(t)
	defer db.Close()
	for _, list := range definitionLists {
		if holdsCanary(everything(t, db, "SELECT * FROM information_schema."+list)) {
			t.Errorf("LEAK into the definitions that information_schema.%s shows", list)
		}
	}
	for _, name := range names(t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'mysql' AND table_name IN ('servers', 'user', 'global_priv', 'db', 'proc', 'event', 'func', 'time_zone_name', 'global_variables')") {
		if holdsCanary(everything(t, db, "SELECT * FROM mysql."+name)) {
			t.Errorf("LEAK into mysql.%s", name)
		}
	}
	if rows := strings.Join(d.owner.do("SHOW SECURITYCONFIGURATION"), "\n"); !strings.Contains(rows, "ProjectProtection|true") {
		t.Errorf("an attempt changed the policy: %s", rows)
	}
	if rows := d.owner.do("LIST TRUSTEDPROJECTS"); len(rows) > 0 {
		t.Errorf("an attempt added trusted projects: %v", rows)
	}
}

// names gives the first column of a query.
func names(t testing.TB, db *sql.DB, q string) []string {
	t.Helper()
	rows, err := db.Query(q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name sql.NullString
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		out = append(out, name.String)
	}
	return out
}

// everything gives all cells of a query; "" when it cannot be run.
func everything(t testing.TB, db *sql.DB, q string) string {
	t.Helper()
	rows, err := db.Query(q)
	if err != nil {
		return ""
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		for _, cell := range cells {
			fmt.Fprintln(&b, cell.String)
		}
	}
	return b.String()
}
