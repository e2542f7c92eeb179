package integration

import (
	"strings"
	"testing"
	"time"
)

// A statement that waits for a lock opens its other tables later than it was judged: nobody may give one of their
// names another meaning meanwhile.
func TestDefinitionsChangeUnderWaiting(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		holder, reader, definer := w.as(t, "bob", "prj2"), w.as(t, "alice", "prj2"), w.as(t, "alice", "prj2")
		definer.do("CREATE VIEW vw AS SELECT * FROM prj3.t")
		definer.do("CREATE TABLE plain (id INT, v VARCHAR(100))")
		holder.do("LOCK TABLES t WRITE")
		type result struct {
			rows []string
			err  error
		}
		read := make(chan result, 1)
		go func() {
			rows, err := reader.try("SELECT vw.v FROM t LEFT JOIN vw ON TRUE")
			read <- result{rows, err}
		}()
		time.Sleep(300 * time.Millisecond) // it waits for t now, or will find the lock
		for _, q := range []string{
			"CREATE OR REPLACE VIEW vw AS SELECT * FROM myprj.table1",
			"ALTER VIEW vw AS SELECT * FROM myprj.table1",
			"CREATE TRIGGER tr BEFORE INSERT ON plain FOR EACH ROW SET NEW.v = (SELECT v FROM myprj.table1 WHERE id = 1)",
			"CREATE FUNCTION f() RETURNS VARCHAR(100) READS SQL DATA RETURN (SELECT v FROM myprj.table1 WHERE id = 1)",
		} {
			definer.refused(q)
		}
		holder.do("UNLOCK TABLES")
		r := <-read
		if r.err != nil || strings.Contains(strings.Join(r.rows, "\n"), canary) {
			t.Errorf("the waiting statement gave %v, %v", r.rows, r.err)
		}
	})
}
