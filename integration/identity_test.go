package integration

import (
	"strings"
	"testing"

	"sluice/gateway/wire"
)

// canExpire is CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS.
const canExpire wire.Capability = 1 << 22

// An account whose password has expired is told of by the warehouse only when it has another: until then, and in the batch that
// changes it, nothing is decided as if it were nobody's session, or that of the account before.
func TestExpiredPassword(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		change := map[string]string{"MariaDB": "SET PASSWORD = ''", "MySQL": "ALTER USER USER() IDENTIFIED BY ''"}[w.warehouse.Name]
		w.warehouse.Exec(t, "CREATE USER 'eve'@'127.0.0.1' IDENTIFIED BY ''", "CREATE USER 'adam'@'127.0.0.1' IDENTIFIED BY ''",
			"GRANT ALL ON *.* TO 'eve'@'127.0.0.1'", "GRANT ALL ON *.* TO 'adam'@'127.0.0.1'")
		w.as(t, "owner", "myprj").do(`SET ProjectProtection = true WITH EXCEPTION '{"Version": "1", "Statement": [
			{"Effect": "Allow", "Principal": "*", "Action": "odps:Select", "Resource": "acs:odps:*:projects/myprj/tables/*", "Condition": {"Bool": {"sluice:Sealed": "false"}}},
			{"Effect": "Deny", "Principal": "eve", "Action": "odps:*", "Resource": "acs:odps:*:projects/myprj/tables/*"}]}'`)
		read := "query SELECT v FROM myprj.table1"
		for name, steps := range map[string][]string{
			"batch":        {"query " + change + "; SELECT v FROM myprj.table1"},
			"next":         {read, "query " + change, read},
			"prepared":     {"prepare SELECT v FROM myprj.table1", "query " + change, "execute 1"},
			"set":          {"query SET @v = (SELECT v FROM myprj.table1 LIMIT 1)", "query " + change + "; SELECT @v"},
			"another mode": {`query SET @v = '\', @w = (SELECT v FROM myprj.table1 LIMIT 1), @x = ' -- '`, "query " + change + "; SELECT @w"},
			"changed user": {"changeuser eve prj2", read, "query " + change + "; SELECT v FROM myprj.table1"},
		} {
			w.warehouse.Exec(t, "ALTER USER 'eve'@'127.0.0.1' PASSWORD EXPIRE")
			user := "eve"
			if name == "changed user" {
				user = "adam"
			}
			p, err := dialProber(w.gateway.Addr, user, "prj2", probeCaps|canExpire|wire.ClientMultiStatements, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			c := &probing{prober: p}
			if user == "adam" {
				if out, err := c.run([]string{read}); err != nil || !strings.Contains(strings.Join(out, "\n"), canary) {
					t.Errorf("adam may read: %q, %v", out, err)
				}
				c.out = nil
			}
			out, err := c.run(append(steps, "query SELECT v FROM prj2.t"))
			if text := strings.Join(out, "\n"); err != nil || strings.Contains(text, canary) || !strings.Contains(text, "seven") {
				t.Errorf("%s: %s %v", name, text, err)
			}
			_ = p.conn.Close()
		}
	})
}

// Until its password is changed, an account is told so in the warehouse's words, which clients know what to do at, whatever it asks
// for; the decision log tells who that was.
func TestExpiredPasswordIsTold(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.warehouse.Exec(t, "CREATE USER 'eve'@'127.0.0.1' IDENTIFIED BY ''", "GRANT ALL ON *.* TO 'eve'@'127.0.0.1'", "ALTER USER 'eve'@'127.0.0.1' PASSWORD EXPIRE")
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		answers := map[string]string{}
		for _, address := range []string{w.warehouse.Addr, w.gateway.Addr} {
			p, err := dialProber(address, "eve", "prj2", probeCaps|canExpire|wire.ClientMultiStatements, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			defer p.conn.Close()
			for _, q := range []string{"SELECT v FROM myprj.table1", "SELECT v FROM prj2.t", "INSERT INTO prj2.t SELECT * FROM myprj.table1", "SELECT \"x\" FROM prj2.t", "SHOW TABLES", "LIST OWNERS"} {
				out, err := (&probing{prober: p}).run([]string{"query " + q})
				answer := strings.Join(out[1:], "")
				if first, there := answers[q]; err != nil || there && answer != first || !there && q != "LIST OWNERS" && !strings.Contains(answer, "#HY000You must") {
					t.Errorf("%s: %s %v, directly %s", q, answer, err, first)
				}
				if q == "LIST OWNERS" { // which no warehouse knows
					answer = answers["SHOW TABLES"]
				}
				answers[q] = answer
			}
		}
		if e := lastEntry(t, w.gateway); e.User != "" || e.Verdict != "deny" || !strings.Contains(e.Reason, "logged in as 'eve'") {
			t.Errorf("in the decision log it is %+v", e)
		}
	})
}

// A COM_CHANGE_USER that is refused gives nobody more than there was: MySQL closes the connection, MariaDB goes on with the account of
// before, and TiDB with none, which may do everything there, so that Sluice takes nothing but another change of user.
func TestRefusedChangeOfUser(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		w.warehouse.Exec(t, "CREATE USER 'eve'@'127.0.0.1' IDENTIFIED BY ''", "GRANT ALL ON prj2.* TO 'eve'@'127.0.0.1'")
		p, err := dialProber(w.gateway.Addr, "eve", "prj2", probeCaps, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		defer p.conn.Close()
		c := &probing{prober: p}
		for _, step := range []string{"query SELECT v FROM myprj.table1", "initdb myprj", "fieldlist table1", "prepare SELECT v FROM myprj.table1", "query DROP TABLE prj3.t", "raw 1f", "query SELECT v FROM table1"} {
			out, err := c.run([]string{"changeuser nobody prj2", step})
			text := strings.Join(out, "\n")
			if w.warehouse.Name == "MySQL" {
				if !strings.Contains(text, "closed") {
					t.Errorf("MySQL goes on: %s, %v", text, err)
				}
				return
			}
			if reset := step == "raw 1f" && w.warehouse.Name == "MariaDB"; err != nil || strings.Contains(text, canary) || !reset && !strings.Contains(out[len(out)-1], `"\xff`) {
				t.Errorf("%s, %v", text, err)
			}
			c.out = nil
		}
		if out, err := c.run([]string{"changeuser eve prj2", "query SELECT v FROM t"}); err != nil || !strings.Contains(strings.Join(out, "\n"), "seven") {
			t.Errorf("a change that succeeds makes it eve's again: %s, %v", out, err)
		}
		w.as(t, "alice", "prj3").do("SELECT v FROM t") // it is still there
	})
}
