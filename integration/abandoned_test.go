package integration

import (
	"strings"
	"testing"
	"time"

	"sluice/gateway/wire"
)

// hire makes carol, who may do everything in the projects; the policy lets her read what others may not.
func hire(t *testing.T, w *world) {
	t.Helper()
	w.warehouse.Exec(t, "CREATE USER carol@'127.0.0.1' IDENTIFIED BY ''", "GRANT ALL ON myprj.* TO carol@'127.0.0.1'", "GRANT ALL ON prj2.* TO carol@'127.0.0.1'")
}

// A session outlives its account: warehouses go on telling it by the name that it was let in by. When that name was dropped or
// renamed, and is perhaps somebody else's by now, what the policy allows to the name is not for the session that kept it.
func TestAbandonedSessions(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		owner := w.as(t, "owner", "myprj")
		owner.do(`SET ProjectProtection = true WITH EXCEPTION '{"Version": "1", "Statement": [
			{"Effect": "Allow", "Principal": "carol", "Action": "odps:Select", "Resource": "acs:odps:*:projects/myprj/tables/table1", "Condition": {"Bool": {"sluice:Sealed": "false"}}}]}'`)
		owner.do("ADD OWNER carol")
		hire(t, w)
		abandon(t, w, "DROP USER carol@'127.0.0.1'", "")
		hire(t, w)
		abandon(t, w, "RENAME USER carol@'127.0.0.1' TO dora@'127.0.0.1'", "")
		hire(t, w) // to another person
		abandon(t, w, "DROP USER carol@'127.0.0.1'", "again")
		const made = "CREATE USER carol@'127.0.0.1' IDENTIFIED BY ''; GRANT ALL ON myprj.* TO carol@'127.0.0.1'; GRANT ALL ON prj2.* TO carol@'127.0.0.1'"
		abandon(t, w, "DROP USER carol@'127.0.0.1'; "+made, "by then") // no reading misses her
		if w.warehouse.Name == "MariaDB" {
			abandon(t, w, strings.Replace(made, "CREATE", "CREATE OR REPLACE", 1), "by then")
		}
		w.warehouse.Exec(t, "GRANT ALL ON myprj.* TO dora@'127.0.0.1'", "ALTER USER dora@'127.0.0.1' IDENTIFIED BY 'd-pass'")
		abandon(t, w, "RENAME USER carol@'127.0.0.1' TO x@'127.0.0.1', dora@'127.0.0.1' TO carol@'127.0.0.1', x@'127.0.0.1' TO dora@'127.0.0.1'", "by then")
	})
}

// abandoned are sessions of carol's: what they did before her account went, and what they try then.
var abandoned = map[string]struct {
	schema        string
	before, after []string
}{
	"asked":          {"prj2", []string{"query SELECT v FROM myprj.table1"}, []string{"query SELECT v FROM myprj.table1"}},
	"transaction":    {"prj2", []string{"query BEGIN", "query SELECT v FROM myprj.table1"}, []string{"query SELECT v FROM myprj.table1"}},
	"prepared":       {"prj2", []string{"prepare SELECT v FROM myprj.table1", "execute 1"}, []string{"execute 1"}},
	"cursor":         {"prj2", []string{"prepare SELECT v FROM myprj.table1", "execute 1 cursor"}, []string{"fetch 1 2"}},
	"named":          {"prj2", []string{"query PREPARE p FROM 'SELECT v FROM myprj.table1'", "query EXECUTE p"}, []string{"query EXECUTE p"}},
	"temporary":      {"prj2", []string{"query CREATE TEMPORARY TABLE tmp (v VARCHAR(100))", "query INSERT INTO tmp SELECT v FROM myprj.table1"}, []string{"query SELECT v FROM tmp"}},
	"reset":          {"prj2", []string{"query SELECT v FROM myprj.table1"}, []string{"raw 1f", "query USE prj2", "query SELECT v FROM myprj.table1"}},
	"silent":         {"prj2", nil, []string{"query SELECT v FROM myprj.table1"}},
	"opened":         {"prj2", []string{"query SET NAMES utf8mb4", "query SELECT 1"}, []string{"query SELECT v FROM myprj.table1"}},
	"variable":       {"prj2", []string{"query SET @v = (SELECT MIN(v) FROM myprj.table1)"}, []string{"query SELECT @v"}},
	"owner":          {"myprj", []string{"query LIST OWNERS"}, []string{"query LIST OWNERS"}},
	"mute owner":     {"myprj", nil, []string{"query SET ProjectProtection = false"}},
	"prepared owner": {"myprj", []string{"prepare LIST OWNERS", "execute 1"}, []string{"execute 1"}},
}

func abandon(t *testing.T, w *world, change, again string) {
	t.Helper()
	sessions := map[string]*probing{}
	for name, s := range abandoned {
		p, err := dialProber(w.gateway.Addr, "carol", s.schema, probeCaps|wire.ClientMultiStatements, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		defer p.conn.Close()
		c := &probing{prober: p}
		out, err := c.run(s.before)
		if text := strings.Join(out, "\n"); err != nil || strings.Contains(text, "ODPS") || strings.Contains(text, "ERR") {
			t.Errorf("%s: before %s: %s %v", name, change, text, err)
		}
		c.out = nil
		sessions[name] = c
	}
	w.as(t, "alice", "prj2").do("SELECT v FROM t") // the clock is read
	time.Sleep(300 * time.Millisecond)
	if again == "by then" {
		time.Sleep(time.Second) // when an account was made is known to the second
	}
	w.warehouse.Exec(t, change)
	time.Sleep(map[bool]time.Duration{false: 500 * time.Millisecond, true: 2500 * time.Millisecond}[w.warehouse.Name == "TiDB"])
	if again == "again" {
		hire(t, w)
		time.Sleep(300 * time.Millisecond)
	}
	for name, c := range sessions {
		out, err := c.run(abandoned[name].after)
		text := strings.Join(out, "\n")
		if strings.Contains(text, canary) || strings.HasPrefix(name, "mute") && !strings.Contains(text, "log in again") {
			t.Errorf("%s: after %s: %s %v", name, change, text, err)
		}
		if again != "" && (err != nil || !strings.Contains(text, "log in again")) {
			t.Errorf("%s: the name is another's after %s: %s %v", name, change, text, err)
		}
	}
	if again != "again" {
		return
	}
	// A change of user that is refused changes nobody, on MariaDB, which alone goes on then; one that succeeds is a login.
	c := sessions["asked"]
	c.out = nil
	out, err := c.run([]string{"changeuser nobody prj2", "query SELECT v FROM myprj.table1"})
	if text := strings.Join(out, "\n"); strings.Contains(text, canary) || w.warehouse.Name == "MariaDB" && !strings.Contains(text, "log in again") {
		t.Errorf("a change of user that is refused makes carol of who was: %s %v", text, err)
	}
	if _, err := sessions["silent"].run([]string{"changeuser carol prj2"}); err != nil {
		t.Fatal(err)
	}
	p, err := dialProber(w.gateway.Addr, "carol", "prj2", probeCaps, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer p.conn.Close()
	for _, c := range []*probing{sessions["silent"], {prober: p}} {
		if out, err := c.run([]string{"query SELECT v FROM myprj.table1"}); err != nil || !strings.Contains(strings.Join(out, "\n"), canary) {
			t.Errorf("whose name it is now reads by it: %q, %v", out, err)
		}
	}
}

// unabandoned are statements behind which an account is the one that it was.
var unabandoned = []string{
	"ALTER USER carol@'127.0.0.1' IDENTIFIED BY 'x'", "CREATE USER z1@'%'", "RENAME USER z1@'%' TO z2@'%'", "ALTER USER carol@'127.0.0.1' ACCOUNT LOCK",
	"ALTER USER carol@'127.0.0.1' PASSWORD EXPIRE", "DROP USER z2@'%'", "GRANT SELECT ON prj3.* TO carol@'127.0.0.1'", "CREATE ROLE r9", "GRANT r9 TO carol@'127.0.0.1'", "DROP ROLE r9",
	"FLUSH PRIVILEGES", "CREATE USER carol@'%' IDENTIFIED BY 'y'", "DROP USER carol@'%'", "CREATE USER IF NOT EXISTS carol@'127.0.0.1'", "CREATE USER 'CAROL'@'127.0.0.1'", "DROP USER 'CAROL'@'127.0.0.1'",
}

// A new password, rights, roles, and what becomes of other accounts, be they of the same name, leave an open session what it may.
func TestUnabandonedSessions(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		hire(t, w)
		w.as(t, "owner", "myprj").do(`SET ProjectProtection = true WITH EXCEPTION '{"Version": "1", "Statement": [
			{"Effect": "Allow", "Principal": "carol", "Action": "odps:Select", "Resource": "acs:odps:*:projects/myprj/tables/table1", "Condition": {"Bool": {"sluice:Sealed": "false"}}}]}'`)
		carol := dialWith(t, w.gateway.Addr, "carol", "", "prj2")
		carol.do("SELECT v FROM myprj.table1")
		for _, q := range unabandoned {
			w.warehouse.Exec(t, q)
			time.Sleep(400 * time.Millisecond)
			if _, err := carol.try("SELECT v FROM myprj.table1"); err != nil {
				t.Errorf("%s: %v", q, err)
			}
		}
	})
}
