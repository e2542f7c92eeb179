package integration

import "testing"

// MySQL takes é for e in the names of SQL PREPARE: a name must not come to run a text that it was not judged by.
func TestStatementNames(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		owner, alice := w.as(t, "owner", "myprj"), w.as(t, "alice", "prj2")
		alice.do("PREPARE `é` FROM 'SELECT 1'")
		alice.do("PREPARE e FROM 'SELECT v FROM myprj.table1'")
		alice.do("PREPARE harmless FROM 'SELECT 1'")
		alice.do("PREPARE `harmless ` FROM 'SELECT v FROM myprj.table1'")
		alice.do("PREPARE again FROM 'SELECT 1'")
		alice.do("PREPARE again FROM 'SELECT v FROM myprj.table1 /*m! */'") // which Sluice does not read
		owner.do("SET ProjectProtection = true")
		for _, name := range []string{"`é`", "e", "E", "`É`", "harmless", "`harmless `", "again"} {
			alice.refused("EXECUTE " + name)
		}
		alice.do("PREPARE harmless FROM 'SELECT 5'")
		if rows := alice.do("EXECUTE HARMLESS"); len(rows) != 1 || rows[0] != "5" {
			t.Errorf("a statement prepared anew gives %q", rows)
		}
		alice.refused("PREPARE `ä` FROM 'SELECT 1'")
		alice.do("DEALLOCATE PREPARE harmless")
	})
}
