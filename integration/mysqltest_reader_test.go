package integration

import (
	"os"
	"testing"
)

// The reader finds the statements of a script, each with its sql_mode, and nothing else.
func TestScriptReader(t *testing.T) {
	text, err := os.ReadFile("testdata/coverage/reader.test")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"DROP TABLE IF EXISTS t1, t2", "CREATE TABLE t1 (id INT PRIMARY KEY, v VARCHAR(20))",
		`INSERT INTO t1 VALUES (1, 'a;b'), (2, "it's")`, "SELECT * FROM t1 WHERE id > 1", "SELECT COUNT(*) FROM t1", "SELECT 1",
		"UPDATE t1 SET v = 'c' WHERE id = 1", "CREATE PROCEDURE p1() BEGIN SELECT * FROM t1; SELECT COUNT(*) FROM t1; END",
		"CREATE TRIGGER tr BEFORE INSERT ON t1 FOR EACH ROW SET NEW.v = 'x'", "CALL p1()", "SELEC 1",
		"SET sql_mode = 'ANSI_QUOTES'", `SELECT "id" FROM "t1"`, "SET sql_mode = DEFAULT", `SELECT JSON_VALUE('{"a": 1}', '$.a')`,
		"SELECT SLEEP(0)", "DELETE FROM t1 WHERE id = 3", "REPLACE INTO t1 VALUES (2, 'two')",
	}
	got := readScript(string(text), func(string) (string, bool) { return "", false })
	for i, s := range got {
		if i >= len(want) || s.sql != want[i] {
			t.Fatalf("statement %d is %q; all: %q", i, s.sql, got)
		}
		if (s.mode == "ANSI_QUOTES") != (s.sql == `SELECT "id" FROM "t1"` || s.sql == "SET sql_mode = DEFAULT") {
			t.Errorf("%s stands under %q", s.sql, s.mode)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d statements, not %d", len(got), len(want))
	}
}
