package integration

import (
	"strings"
	"testing"
	"time"
)

// However the process list is asked for, the texts of other sessions stay hidden, and the session keeps its step.
func TestProcessListIsHidden(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		programs := w.warehouse.Name != "TiDB"
		if programs {
			w.warehouse.Exec(t, "CREATE PROCEDURE prj2.pl() SHOW FULL PROCESSLIST",
				"CREATE PROCEDURE prj2.pd() BEGIN PREPARE q FROM 'SHOW FULL PROCESSLIST'; EXECUTE q; END")
		}
		w.warehouse.Exec(t, "GRANT PROCESS ON *.* TO 'bob'@'127.0.0.1'")
		alice := w.as(t, "alice", "prj2")
		done := make(chan struct{})
		go func() { defer close(done); _, _ = alice.try("SELECT SLEEP(3), 'othertext'") }()
		time.Sleep(500 * time.Millisecond)
		bob := w.as(t, "bob", "prj2")
		bob.do("PREPARE s FROM 'SHOW FULL PROCESSLIST'")
		statements := []string{"SHOW FULL PROCESSLIST", "EXECUTE s"}
		if programs {
			statements = append(statements, "CALL pl()", "CALL pd()")
		}
		for _, q := range statements {
			rows, err := bob.try(q)
			if strings.Contains(strings.Join(rows, "\n"), "othertext") {
				t.Errorf("%s shows another's text: %q %v", q, rows, err)
			}
			if got := bob.do("SELECT 'step'"); len(got) != 1 || got[0] != "step" {
				t.Errorf("behind %s: %q", q, got)
			}
		}
		<-done
	})
}
