package integration

import (
	"strings"
	"testing"
)

// defined are statements that make something run as bob, who may see the data of myprj, and what uses it. TiDB knows views alone.
var defined = []struct{ only, make, use string }{
	{"", "CREATE DEFINER = bob@'127.0.0.1' SQL SECURITY DEFINER VIEW prj2.vb AS SELECT v FROM myprj.table1", "SELECT * FROM prj2.vb"},
	{"M", "CREATE DEFINER = bob@'127.0.0.1' PROCEDURE prj2.pb() SQL SECURITY DEFINER SELECT v FROM myprj.table1", "CALL prj2.pb()"},
	{"M", "CREATE DEFINER = bob@'127.0.0.1' FUNCTION prj2.fb() RETURNS VARCHAR(100) READS SQL DATA SQL SECURITY DEFINER RETURN (SELECT MIN(v) FROM myprj.table1)", "SELECT prj2.fb()"},
	{"M", "CREATE DEFINER = bob@'127.0.0.1' TRIGGER prj2.tb AFTER INSERT ON prj2.t FOR EACH ROW INSERT INTO prj3.t SELECT id, v FROM myprj.table1", "INSERT INTO prj2.t VALUES (1, 'x')"},
	{"M", "CREATE DEFINER = bob@'127.0.0.1' EVENT prj2.eb ON SCHEDULE EVERY 1 DAY DISABLE DO INSERT INTO prj3.t SELECT id, v FROM myprj.table1", "ALTER EVENT prj2.eb ENABLE"},
	{"M", "", "ALTER EVENT prj2.eb ON SCHEDULE EVERY 1 SECOND"},
	{"M", "", "ALTER DEFINER = alice@'127.0.0.1' EVENT prj2.eb COMMENT 'mine'"},
}

// The warehouse runs views and programs as who defined them; the policy asks who wants the data. So nobody gets more by a definer's
// name, and the entry is about the one who asked.
func TestDefiners(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		for _, user := range []string{"alice", "bob"} {
			w.warehouse.Exec(t, "GRANT ALL ON *.* TO "+user+"@'127.0.0.1'")
		}
		if w.warehouse.Name != "TiDB" {
			w.warehouse.Exec(t, "SET GLOBAL log_bin_trust_function_creators = 1")
		}
		w.as(t, "owner", "myprj").do(`SET ProjectProtection = true WITH EXCEPTION '{"Version": "1", "Statement": [
			{"Effect": "Allow", "Principal": "bob", "Action": "odps:Select", "Resource": "acs:odps:*:projects/myprj/tables/*", "Condition": {"Bool": {"sluice:Sealed": "false"}}}]}'`)
		alice, bob := w.as(t, "alice", "prj2"), w.as(t, "bob", "prj2")
		for _, d := range defined {
			if !strings.HasPrefix(w.warehouse.Name, d.only) {
				continue
			}
			for _, q := range []string{d.make, d.use} {
				if q == "" {
					continue
				}
				alice.refused(q)
				if e := lastEntry(t, w.gateway); e.User != "alice" || e.Verdict != "deny" {
					t.Errorf("%s by alice is in the decision log as %s by %s", q, e.Verdict, e.User)
				}
				bob.do(q)
				if e := lastEntry(t, w.gateway); e.User != "bob" || e.Verdict != "permit" || e.Rule != "exception" {
					t.Errorf("%s by bob is in the decision log as %s by %s: %s", q, e.Verdict, e.User, e.Rule)
				}
			}
		}
	})
}

// A role of the warehouse adds privileges there, and is nobody to the policy: neither what is allowed to its name nor what its name
// owns is for those who take it on, by SET ROLE, by default, or because everybody has to.
func TestRolesAreNobody(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		w.warehouse.Exec(t, "CREATE ROLE chief", "GRANT ALL ON myprj.* TO chief", "GRANT chief TO alice@'127.0.0.1'")
		owner := w.as(t, "owner", "myprj")
		owner.do(`SET ProjectProtection = true WITH EXCEPTION '{"Version": "1", "Statement": [
			{"Effect": "Allow", "Principal": ["chief", "chief@%"], "Action": "odps:Select", "Resource": "acs:odps:*:projects/myprj/tables/*", "Condition": {"Bool": {"sluice:Sealed": "false"}}}]}'`)
		owner.do("ADD OWNER chief")
		powerless := func(c *client) {
			t.Helper()
			if current := c.do("SELECT CURRENT_ROLE()")[0]; !strings.Contains(current, "chief") {
				t.Errorf("alice's role is %q", current)
			}
			c.refused("SELECT v FROM myprj.table1")
			if e := lastEntry(t, w.gateway); e.User != "alice" || e.Host != "127.0.0.1" {
				t.Errorf("in the decision log it is %s@%s", e.User, e.Host)
			}
			c.do("USE myprj")
			c.refused("LIST OWNERS")
			c.refused("SET ProjectProtection = false")
			c.do("SELECT v FROM table1") // a member's own project
		}
		alice := w.as(t, "alice", "prj2")
		alice.do("SET ROLE chief")
		powerless(alice)
		alice.do("SET ROLE NONE")
		to := map[bool]string{true: " FOR ", false: " TO "}[w.warehouse.Name == "MariaDB"]
		w.warehouse.Exec(t, "SET DEFAULT ROLE chief"+to+"alice@'127.0.0.1'")
		powerless(w.as(t, "alice", "prj2"))
		if w.warehouse.Name == "MySQL" {
			w.warehouse.Exec(t, "REVOKE chief FROM alice@'127.0.0.1'", "SET GLOBAL mandatory_roles = 'chief'", "SET GLOBAL activate_all_roles_on_login = ON")
			powerless(w.as(t, "alice", "prj2"))
			w.warehouse.Exec(t, "SET GLOBAL mandatory_roles = ''")
		}
		open := w.as(t, "alice", "myprj")
		w.warehouse.Exec(t, "DROP ROLE chief") // and nothing changes for who is there
		open.do("SELECT v FROM table1")
		open.do("USE prj2")
		open.refused("SELECT v FROM myprj.table1")
	})
}
