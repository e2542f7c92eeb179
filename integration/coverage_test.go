package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sluice/integration/servers"
)

// The goals of reading SQL: what share of the statements that a warehouse accepts is permitted in a project that has nothing
// to do with the protected one. Beside it, what share is read: a refusal for what a statement touches (logs, other sessions'
// data, server files, tables outside) is a decision, one for want of reading is not.
const (
	goalOfRows     = 0.995 // SELECT, INSERT, UPDATE, DELETE, REPLACE
	goalOfAll      = 0.985
	goalOfReadRows = 0.999
	goalOfReadAll  = 0.996
)

// Statements of MariaDB's own test suite, each accepted by a real MariaDB's PREPARE, are decided as the
// gateway decides them. `make coverage-sql` runs it over Debian's mariadb-test-data and writes the table;
// without SLUICE_COVERAGE it reads the small scripts of testdata/coverage. SLUICE_COVERAGE_SAMPLE=n takes
// every n-th statement, SLUICE_COVERAGE_REFUSED names a file for those that are refused or known by their tokens alone.
func TestCoverage(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("SLUICE_COVERAGE")
	if dir == "" {
		dir = "testdata/coverage"
	}
	cases := corpus(t, dir)
	if len(cases) == 0 {
		t.Fatalf("%s holds no statement", dir)
	}
	judged := judgeAll(t, servers.MariaDB(t), cases)
	table := newCoverage(judged)
	t.Logf("\n%s", table)
	if out := os.Getenv("SLUICE_COVERAGE_TABLE"); out != "" {
		if err := os.WriteFile(out, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out := os.Getenv("SLUICE_COVERAGE_REFUSED"); out != "" {
		writeRefused(t, out, judged)
	}
	for _, g := range []struct {
		what      string
		got, goal float64
	}{
		{"of SELECT, INSERT, UPDATE, DELETE and REPLACE are permitted", table.rows.permitted(), goalOfRows},
		{"of all statements are permitted", table.all.permitted(), goalOfAll},
		{"of SELECT, INSERT, UPDATE, DELETE and REPLACE are read and decided", table.rows.share(), goalOfReadRows},
		{"of all statements are read and decided", table.all.share(), goalOfReadAll},
	} {
		if g.got < g.goal {
			t.Errorf("%.2f %% %s, the goal is %.1f %%", 100*g.got, g.what, 100*g.goal)
		}
	}
}

func writeRefused(t *testing.T, path string, all []judgement) {
	t.Helper()
	var b strings.Builder
	for _, j := range all {
		if (j.refused != "" || j.tier == "tokens") && !j.homeless && !j.joined {
			fmt.Fprintf(&b, "-- %s | %s | %s | %s | %d | %s | %s\n%s\n\n", j.kind, j.tier, j.mode, j.charset, j.number, j.refused, j.unread, j.sql)
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
