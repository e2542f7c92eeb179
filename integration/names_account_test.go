package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"sluice/enforcement/audit"
	"sluice/gateway/wire"
	"sluice/integration/servers"
)

// accountName is one account, and the engines that know such a one by the beginning of their names.
type accountName struct{ user, host, only string }

func (n accountName) quoted() string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(n.user) + "'@'" + n.host + "'"
}

// told is what the server tells of the name: all but the last byte of one that takes all the room there is.
func (n accountName) told(engine string) string {
	if room := map[string]int{"MySQL": 3 * 32, "MariaDB": 3 * 128}[engine]; len(n.user) == room {
		return n.user[:room-3] + "\ufffd\ufffd" // two bytes of three
	}
	return n.user
}

// accountNames are names that could be read as another account's, and hosts that are patterns. The MySQL family takes quotes off
// the name that somebody logs in by, MySQL takes blanks off every name, and TiDB lets nobody in to an anonymous account.
var accountNames = []accountName{
	{"owner@127.0.0.1", "127.0.0.1", ""}, {"owner@%", "127.0.0.1", ""}, {"'owner'", "127.0.0.1", "TiDB"}, {`"owner"`, "127.0.0.1", ""}, {"`owner`", "127.0.0.1", ""},
	{"'owner'@'127.0.0.1'", "127.0.0.1", "TiDB"}, {"ALIYUN$owner", "127.0.0.1", ""}, {"RAM$x:owner", "127.0.0.1", ""}, {"Owner", "127.0.0.1", ""}, {" owner", "127.0.0.1", "TiDB"}, {" owner", "127.0.0.1", "MariaDB"},
	{`owner\`, "127.0.0.1", ""}, {`own\er`, "127.0.0.1", ""}, {"o'wner", "127.0.0.1", ""}, {"ówner", "127.0.0.1", ""}, {"owneŕ", "127.0.0.1", ""},
	{"ow*", "127.0.0.1", ""}, {"*", "127.0.0.1", ""}, {"own_r", "127.0.0.1", ""}, {"%", "127.0.0.1", ""}, {"owner%", "127.%", ""}, {"any", "%", ""}, {"any_", "127.0.0._", ""},
	{"net", "127.0.0.0/255.0.0.0", ""}, {"block", "127.0.0.0/8", "MySQL"}, {strings.Repeat("ä", 32), "127.0.0.1", "M"}, {strings.Repeat("名", 32), "127.0.0.1", "M"},
	{strings.Repeat("n", 128), "127.0.0.1", "MariaDB"}, {strings.Repeat("ä", 128), "127.0.0.1", "MariaDB"}, {strings.Repeat("名", 128), "127.0.0.1", "MariaDB"}, {"", "127.0.0.1", "M"},
}

// Whatever an account is called, the gateway takes it for itself: it is the one in the decision log, it holds no other's role, and
// the schema that it makes becomes nobody else's.
func TestNamesOfAccounts(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		w.as(t, "super", "myprj").do("ADD OWNER ghost") // whoever logs in by that name is the anonymous account
		for _, who := range []string{"owner", "super"} {
			w.warehouse.Exec(t, "GRANT ALL ON *.* TO "+who+"@'127.0.0.1'")
		}
		owner, super := w.as(t, "owner", "prj2"), w.as(t, "super", "prj2")
		for i, n := range accountNames {
			if !strings.HasPrefix(w.warehouse.Name, n.only) {
				continue
			}
			w.warehouse.Exec(t, "CREATE USER "+n.quoted()+" IDENTIFIED BY ''", "GRANT ALL ON *.* TO "+n.quoted())
			login := n.user
			if login == "" {
				login = "ghost"
			}
			p, err := dialProber(w.gateway.Addr, login, "prj2", probeCaps|wire.ClientMultiStatements, 0, false)
			if err != nil {
				t.Errorf("%s: %v", n.quoted(), err)
				continue
			}
			schema := fmt.Sprintf("made%d", i)
			out, err := (&probing{prober: p}).run([]string{"query SELECT v FROM myprj.table1"})
			if text := strings.Join(out, "\n"); err != nil || strings.Contains(text, canary) || !strings.Contains(text, "4021") {
				t.Errorf("%s reads: %s %v", n.quoted(), text, err)
			}
			if e := lastEntry(t, w.gateway); e.User != n.told(w.warehouse.Name) || e.Host != n.host {
				t.Errorf("%s is in the decision log as %q@%q", n.quoted(), e.User, e.Host)
			}
			out, err = (&probing{prober: p}).run([]string{"query CREATE DATABASE " + schema, "query USE myprj", "query LIST OWNERS", "query SET ProjectProtection = false"})
			if text := strings.Join(out, "\n"); err != nil || strings.Count(text, "4019") != 2 {
				t.Errorf("%s has a role in myprj: %s %v", n.quoted(), text, err)
			}
			_ = p.conn.Close()
			owner.do("USE " + schema)
			owner.refused("LIST OWNERS")
			super.do("USE " + schema)
			if owners := strings.Join(super.do("LIST OWNERS"), ","); owners != "" && owners != n.user && owners != n.user+"@"+n.host {
				t.Errorf("%s made a schema that %q owns", n.quoted(), owners)
			}
			w.warehouse.Exec(t, "DROP USER "+n.quoted())
		}
	})
}

// lastEntry gives the newest line of a gateway's decision log.
func lastEntry(t *testing.T, g *servers.Gateway) (e audit.Entry) {
	t.Helper()
	text, err := os.ReadFile(g.Audit)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// Who logs in as a proxy of another account is that account, to the warehouse and to the policy.
func TestProxiedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MySQL(t, "--check-proxy-users=1", "--sha256-password-proxy-users=1"), "")
	w.warehouse.Exec(t, "CREATE USER proxied@'127.0.0.1' IDENTIFIED WITH caching_sha2_password BY 'nobody knows' ACCOUNT LOCK", "GRANT ALL ON myprj.* TO proxied@'127.0.0.1'", "GRANT ALL ON prj2.* TO proxied@'127.0.0.1'",
		"CREATE USER proxy@'127.0.0.1' IDENTIFIED WITH sha256_password BY 'p-pass'", "GRANT PROXY ON proxied@'127.0.0.1' TO proxy@'127.0.0.1'")
	super := w.as(t, "super", "myprj")
	super.do("ADD OWNER proxy")
	w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
	c := dialWith(t, w.gateway.Addr, "proxy", "p-pass", "myprj")
	if got := c.do("SELECT CURRENT_USER()")[0]; got != "proxied@127.0.0.1" {
		t.Fatalf("the warehouse takes the proxy for %s", got)
	}
	c.refused("LIST OWNERS")
	super.do("ADD OWNER proxied")
	c.do("LIST OWNERS")
	super.do("REMOVE OWNER proxied")
	c.refused("LIST OWNERS")
	if e := lastEntry(t, w.gateway); e.User != "proxied" || e.Host != "127.0.0.1" {
		t.Errorf("in the decision log it is %s@%s", e.User, e.Host)
	}
}
