package integration

import (
	"strings"
	"testing"
)

// Names beyond ASCII are read whole, whatever character set the server defaults to: projects, tables, and the
// definitions behind views.
func TestNamesBeyondASCII(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.warehouse.Exec(t, "CREATE DATABASE `工程`", "CREATE TABLE `工程`.`薪水` (id INT, v VARCHAR(100))", "INSERT INTO `工程`.`薪水` VALUES (1, '"+canary+"')",
			"CREATE VIEW prj2.`été` AS SELECT * FROM `工程`.`薪水`", "CREATE VIEW prj2.plain AS SELECT v FROM prj2.`été`")
		for user := range accounts {
			w.warehouse.Exec(t, "GRANT ALL ON `工程`.* TO '"+user+"'@'127.0.0.1'")
		}
		w.as(t, "super", "工程").do("ADD OWNER owner")
		owner, alice := w.as(t, "owner", "工程"), w.as(t, "alice", "prj2")
		owner.do("SET ProjectProtection = true")
		for _, q := range []string{"SELECT * FROM `工程`.`薪水`", "SELECT * FROM 工程.薪水", "SELECT * FROM été", "SELECT * FROM plain", "CREATE TABLE prj2.x AS SELECT * FROM `été`"} {
			if m := alice.refused(q); !strings.Contains(m, "{acs:odps:*:projects/工程/tables/薪水}") {
				t.Errorf("%s: the refusal is to name the table: %s", q, m)
			}
		}
		owner.do("ADD TRUSTEDPROJECT prj2")
		if rows := alice.do("SELECT * FROM plain"); len(rows) != 1 || rows[0] != canary {
			t.Errorf("by trust: %v", rows)
		}
		if rows := owner.do("SHOW FLOW LOG WHERE verdict = 'DENY'"); len(rows) != 5 || !strings.Contains(rows[0], "工程.薪水") {
			t.Errorf("the log: %q", rows)
		}
	})
}

// Where the warehouse tells schemas apart by case, their policies are apart too.
func TestNamesByCase(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.warehouse.Exec(t, "CREATE DATABASE MyPrj", "CREATE TABLE MyPrj.table1 (id INT, v VARCHAR(100))")
		for user := range accounts {
			w.warehouse.Exec(t, "GRANT ALL ON MyPrj.* TO '"+user+"'@'127.0.0.1'")
		}
		w.as(t, "super", "MyPrj").do("ADD OWNER bob")
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		alice := w.as(t, "alice", "prj2")
		alice.do("SELECT * FROM MyPrj.table1")
		alice.refused("SELECT * FROM myprj.table1")
		w.as(t, "owner", "MyPrj").refused("SET ProjectProtection = true")
		w.as(t, "bob", "MyPrj").do("SET ProjectProtection = true")
		alice.refused("SELECT * FROM MyPrj.table1")
		w.as(t, "owner", "myprj").do("SET ProjectProtection = false")
		alice.do("SELECT * FROM myprj.table1")
		alice.refused("SELECT * FROM MyPrj.table1")
	})
}
