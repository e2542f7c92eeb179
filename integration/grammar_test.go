package integration

import (
	"testing"

	"sluice/integration/servers"
)

// A sql_mode that changes the grammar is noticed before the next text, whatever that text is: in MariaDB's ORACLE mode
// `s.nextval` reads a sequence, which is a column's name elsewhere. The session can be brought out of it again.
func TestForeignGrammar(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "")
	owner := w.as(t, "owner", "myprj")
	owner.do("CREATE SEQUENCE myprj.sq START WITH 7357")
	owner.do("SET ProjectProtection = true")
	alice := w.as(t, "alice", "prj2")
	alice.refused("SELECT NEXTVAL(myprj.sq)")
	for _, set := range []string{
		"SET sql_mode = 'ORACLE'", "SET @@sql_mode = CONCAT('ORA', 'CLE')", "SET STATEMENT max_statement_time = 9 FOR SET sql_mode = 'ORACLE'",
		"BEGIN NOT ATOMIC SET sql_mode = 'ORACLE'; END", "EXECUTE IMMEDIATE 'SET sql_mode = ''ORACLE'''",
	} {
		// A mode that is spelt out is refused at once; one that is computed is found out before the next text.
		if rows, err := alice.try(set); err == nil && len(rows) > 0 {
			t.Errorf("%s gives rows: %v", set, rows)
		}
		// Where the warehouse takes the mode back by itself, there is no such table to it.
		if rows, err := alice.try("SELECT myprj.sq.nextval"); err == nil {
			t.Errorf("%s: the sequence was read: %v", set, rows)
		}
		alice.do("SET sql_mode = DEFAULT")
		alice.do("SELECT 1")
	}
	batch := w.as(t, "alice", "prj2")
	batch.refused("SET sql_mode = 'ORACLE'; SELECT myprj.sq.nextval")
}
