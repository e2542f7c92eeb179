package parser_test

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/parser"
)

// costly are texts that a client may send to make the gateway work. Each must be read, or refused, in bounded time
// and memory: far below what a statement of its size costs the warehouse.
func costly() map[string]string {
	r := func(s string, n int) string {
		if n > 5000 {
			n /= scale // the race detector makes all of it many times slower
		}
		return strings.Repeat(s, n)
	}
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	return map[string]string{
		"64 KB of parentheses":        "SELECT " + r("(", 64<<10),
		"deep parentheses":            "SELECT " + r("(", 900) + "1" + r(")", 900),
		"deep subqueries":             r("SELECT (", 900) + "1" + r(")", 900),
		"deep derived tables":         r("SELECT * FROM (", 400) + "SELECT 1" + r(") t", 400),
		"deep functions":              "SELECT " + r("ABS(", 900) + "1" + r(")", 900),
		"deep unreadable functions":   "SELECT " + r("COLUMN_CREATE('a', ", 900) + "1" + r(" AS INT)", 900) + " XYZZY OF",
		"deep casts":                  "SELECT " + r("CAST(", 900) + "1" + r(" AS INET6)", 900) + " XYZZY OF",
		"not not not":                 "SELECT " + r("NOT ", 100_000) + "1",
		"minus minus":                 "SELECT 1" + r(" - -1", 100_000),
		"a long OR":                   "SELECT 1 FROM t WHERE " + r("a = 1 OR ", 100_000) + "b",
		"case case case":              "SELECT " + r("CASE WHEN 1 THEN ", 5000) + "1" + r(" END", 5000),
		"a long IN list":              "SELECT 1 FROM t WHERE a IN (" + r("123456,", 300_000) + "1)",
		"a long INSERT":               "INSERT INTO t VALUES " + r("(1,'abcdefghij',NULL),", 100_000) + "(1,'a',NULL)",
		"an INSERT of 16 MB":          "INSERT INTO t VALUES " + r("(1,'"+r("x", 1000)+"'),", 16<<10) + "(1,'a')",
		"a string of 16 MB":           "SELECT '" + r("x", 16<<20) + "'",
		"a comment of 16 MB":          "SELECT 1 /*" + r("x", 16<<20) + "*/",
		"many comments":               "SELECT 1" + r("/**/", 500_000),
		"many executable comments":    "SELECT 1" + r("/*! */", 300_000),
		"many unions":                 "SELECT 1" + r(" UNION SELECT 1", 20_000),
		"many joins":                  "SELECT 1 FROM t" + r(" JOIN t", 20_000),
		"many CTEs":                   "WITH " + many(3000, "c%d AS (SELECT 1), ") + "z AS (SELECT 1) SELECT 1",
		"many statements":             r("SELECT 1;", 50_000),
		"semicolons":                  r(";", 4<<20),
		"many tokens":                 "SELECT " + r("a,", 3<<20),
		"MATCH without AGAINST":       "SELECT " + r("MATCH a ", 200_000) + "XYZZY OF",
		"WITH CHECK without OPTION":   "CREATE VIEW v AS SELECT 1 " + r("WITH CHECK ", 200_000),
		"CYCLE without RESTRICT":      "SELECT " + r("CYCLE a ", 200_000) + "XYZZY OF",
		"FOR SYSTEM_TIME":             "SELECT * FROM t " + r("FOR SYSTEM_TIME a ", 200_000),
		"FOR PORTION OF":              "UPDATE t " + r("FOR PORTION OF a ", 200_000),
		"INTO OUTFILE":                "SELECT 1 " + r("INTO OUTFILE 'x' ", 100_000),
		"INTO names":                  "SELECT 1 INTO " + r("@a,", 300_000) + "@b XYZZY OF",
		"open calls":                  "SELECT " + r("WEIGHT_STRING(a, ", 900) + "XYZZY OF",
		"VALUES":                      "SELECT " + r("VALUES (1) ", 100_000) + "XYZZY OF",
		"SET STATEMENT in itself":     r("SET STATEMENT a = 1 FOR ", 20_000) + "SELECT 1",
		"SET STATEMENT of queries":    "SET STATEMENT " + r("a = (SELECT 1), ", 5000) + "b = 1 FOR SELECT 1",
		"EXPLAIN in itself":           r("EXPLAIN ", 100_000) + "SELECT 1",
		"a body of declarations":      "BEGIN NOT ATOMIC " + r("DECLARE a INT; ", 50_000) + "END",
		"a body of fetches":           "BEGIN NOT ATOMIC " + r("FETCH c; ", 50_000) + "END",
		"a body of blocks":            r("BEGIN NOT ATOMIC ", 5000) + r("END; ", 5000),
		"a body of IFs":               "BEGIN NOT ATOMIC " + r("IF 1 THEN ", 5000) + "SELECT 1; " + r("END IF; ", 5000) + "END",
		"a body of labels":            "BEGIN NOT ATOMIC " + r("l: ", 100_000) + "END",
		"LOCK TABLES":                 "LOCK TABLES " + r("a READ, ", 100_000) + "b WRITE",
		"CHECK TABLE":                 "CHECK TABLE " + r("a, ", 50_000) + "b",
		"USING":                       "EXECUTE s USING " + r("1, ", 20_000) + "1",
		"unknown columns":             "CREATE TABLE t (" + r("a XYZZY REFERENCES u, ", 50_000) + "b INT)",
		"user variables left over":    "FLUSH " + r("@a, ", 20_000) + "b",
		"backticks":                   "SELECT " + r("`a`.", 300_000) + "`a`",
		"a command that never ends":   "SHOW FLOW LOG WHERE " + r("a = 'b' AND ", 100_000) + "c = 1",
		"privileges of a command":     "ADD t TO PACKAGE k WITH PRIVILEGES " + r("a, ", 200_000) + "b",
		"quotes":                      r("'", 1<<20),
		"an at sign":                  r("@\"", 300_000),
		"numbers":                     "SELECT " + r("1e", 500_000),
		"dashes":                      "SELECT 1 " + r("--1", 200_000),
		"dashes before semicolons":    "SELECT 1 " + r("--;", 200_000),
		"double quotes of a variable": "SELECT " + r("@\"a\" ", 100_000) + "\\",
	}
}

// processorTime is what this process used so far: how long a text takes by the clock is the machine's affair.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestCost(t *testing.T) {
	for name, text := range costly() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := processorTime(t)
			script, err := parser.Parse(text, parser.Reading{Dialect: dialects[0]})
			if err == nil {
				for i := range script.Statements {
					if p := script.Statements[i].Extra.Program; p != nil {
						_, _, _ = parser.ParseBody(p.Body, parser.Reading{Dialect: dialects[0]})
					}
				}
			}
			took := processorTime(t) - start
			runtime.ReadMemStats(&after)
			perMB := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(text)+1)
			t.Logf("%7d bytes: %v, %.0f bytes allocated a byte of text", len(text), took.Round(time.Millisecond), perMB)
			if limit := 20 * time.Second; took > limit { // under the race detector
				t.Errorf("it took %v", took)
			}
			if total := after.TotalAlloc - before.TotalAlloc; total > 4<<30 {
				t.Errorf("%d MB were allocated", total>>20)
			}
		})
	}
}
