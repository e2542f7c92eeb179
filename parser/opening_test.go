package parser_test

import (
	"strings"
	"testing"

	"sluice/parser"
)

// What drivers and tools open a session with, and what looks like it.
func TestOpening(t *testing.T) {
	for _, text := range []string{
		"SELECT 1", "select 1;", " SELECT 1 AS ok ; ", "SELECT 'ok', 2",
		"select @@version_comment limit 1", "SELECT @@max_allowed_packet", "SELECT @@session.transaction_isolation",
		"SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client",
		"SELECT CONNECTION_ID()", "select database(), user()", "SELECT ROW_COUNT()", "SELECT FOUND_ROWS() AS n",
		"SET NAMES utf8mb4", "set names 'utf8mb4' collate 'utf8mb4_bin'", "SET NAMES latin1 COLLATE latin1_bin", "SET autocommit=1", "SET AUTOCOMMIT = ON;",
		"BEGIN", "START TRANSACTION", "COMMIT;", "rollback",
	} {
		if !parser.Opening(text) {
			t.Errorf("%s: is of no form that sessions begin with", text)
		}
	}
	for _, text := range []string{
		"", ";", "SELECT", "SELECT ;", "SELECT 1; SELECT 2", "SELECT 1;;", "SELECT 1 FROM t", "SELECT a", "SELECT *", "SELECT 1 INTO OUTFILE 'f'", "SELECT 1 UNION TABLE t",
		"SELECT s.NEXTVAL", "SELECT NEXT VALUE FOR s", "SELECT f()", "SELECT db.version()", "SELECT version ()", "SELECT @v", "SELECT @@a.b.c", "SELECT @@`x`", "SELECT @@ x",
		"SELECT 1 -- x", "SELECT 1 # x", "SELECT /* x */ 1", "SELECT /*!1 FROM t*/", "SELECT 'a\\'", "SELECT 'a''b'", "SELECT 'a' 'b'", `SELECT "a"`, "SELECT 'é'", "SELECT 'a",
		"SELECT 1e5", "SELECT 0x41", "SELECT 1.5", "SELECT 1+1", "SELECT -1", "SELECT 1 x", "SELECT 1, ", "SELECT 1 LIMIT", "SELECT 1 LIMIT 1, 2", "SELECT 1\x00",
		"SELECT LAST_INSERT_ID(5)", "SELECT 1 LIMIT 1 FOR UPDATE", "SELECT 1 PROCEDURE ANALYSE()", "SELECT 1 AS 'x'",
		"SET NAMES", "SET NAMES DEFAULT x", "SET @a = 1", "SET sql_mode = ''", "SET GLOBAL autocommit = 1", "SET autocommit = (SELECT 1)", "SET autocommit = @a", "SET NAMES utf8mb4, sql_mode = ''",
		"SET autocommit = 1, @a = 2", "BEGIN NOT ATOMIC SELECT 1; END", "BEGIN WORK", "COMMIT AND CHAIN", "ROLLBACK TO s", "START SLAVE", "START TRANSACTION READ ONLY", "SHOW WARNINGS", "USE x",
		"SELECT " + strings.Repeat("1, ", 5000) + "1",
	} {
		if parser.Opening(text) {
			t.Errorf("%s: a session's state or account could matter to it", text)
		}
	}
	if n := testing.AllocsPerRun(100, func() { parser.Opening("SELECT 1") }); n != 0 && scale == 1 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzOpening: an opening is one statement, and the same one, whatever dialect, sql_mode and character set it is read by.
func FuzzOpening(f *testing.F) {
	for _, s := range append(fuzzTexts(f), "SELECT @@a, 'b', version() AS c LIMIT 3;", "SET NAMES 'a' COLLATE b", "SET autocommit=off", "START TRANSACTION") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !parser.Opening(text) {
			return
		}
		if !parser.ModeFree(text) {
			t.Fatalf("%q depends on sql_mode or character set", text)
		}
		var kind string
		for flavor := range dialects {
			for _, mode := range []uint8{0, 31} {
				for charset := range fuzzCharsets {
					script, err := parser.ParseSent(text, fuzzReading(uint8(flavor), mode, uint8(charset)))
					if err != nil {
						t.Fatalf("%q: %v", text, err)
					}
					if len(script.Statements) != 1 {
						t.Fatalf("%q: %d statements", text, len(script.Statements))
					}
					st := &script.Statements[0]
					if kind == "" {
						kind = st.Kind
					}
					if st.Kind != kind || st.Command != nil {
						t.Fatalf("%q: a %s, and a %s to another reader", text, kind, st.Kind)
					}
				}
			}
		}
	})
}
