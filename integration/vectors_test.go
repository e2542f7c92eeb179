package integration

import (
	"os"
	"strings"
	"testing"

	"sluice/integration/servers"
)

// kindOfServer is a kind of warehouse.
type kindOfServer struct {
	name  string
	start func(testing.TB, ...string) *servers.Server
}

var (
	mysqlFamily = []kindOfServer{{"MariaDB", servers.MariaDB}, {"MySQL", servers.MySQL}}
	everyKind   = append(mysqlFamily[:2:2], kindOfServer{"TiDB", servers.TiDB})
)

// engines runs a test before MariaDB and MySQL, or in the system of docker-compose.yml (`make test-compose`).
func engines(t *testing.T, f func(t *testing.T, w *world)) { before(t, mysqlFamily, f) }

// before runs a test before warehouses of each kind, side by side: much of it is waiting.
func before(t *testing.T, kinds []kindOfServer, f func(t *testing.T, w *world)) {
	if os.Getenv("SLUICE_COMPOSE") != "" {
		t.Run("composed", func(t *testing.T) { f(t, composedWorld(t)) })
		return
	}
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			f(t, newWorld(t, k.start(t), ""))
		})
	}
}

// derives runs CREATE TABLE … AS, which must succeed; on TiDB, which has none, its two halves.
func (w *world) derives(c *client, q string) {
	c.t.Helper()
	if w.warehouse.Name != "TiDB" {
		c.do(q)
		return
	}
	head, query, _ := strings.Cut(q, " AS ")
	columns := " (id INT, v VARCHAR(100))"
	if strings.HasSuffix(query, ".vw") {
		columns = " (v VARCHAR(100))"
	}
	c.do(head + columns)
	c.do(strings.Replace(head, "CREATE TABLE", "INSERT INTO", 1) + " " + query)
}

const ctas = "CREATE TABLE prj2.x AS SELECT * FROM myprj.table1"

const seed = `{"Version": "1", "Statement": [{"Effect": "Allow", "Principal": "ALIYUN$alice@example.com", "Action": ["odps:Select"], "Resource": "acs:odps:*:projects/myprj/tables/table1", "Condition": {"StringEquals": {"odps:TaskType": ["DT", "SQL"]}}}]}`

// The conformance vectors of project data protection, through real clients. P is myprj, T is prj2, U is prj3.
func TestVectors(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		owner, alice, bob := w.as(t, "owner", "myprj"), w.as(t, "alice", "prj2"), w.as(t, "bob", "prj2")
		owner.do("SET ProjectProtection = true")
		message := alice.refused(ctas) // 1
		for _, part := range []string{"ODPS-0130013", "[4021]", "{acs:odps:*:projects/myprj/tables/table1}", "project 'myprj' is protected", "myprj.table1 -> prj2.x", "ADD TRUSTEDPROJECT prj2"} {
			if !strings.Contains(message, part) {
				t.Errorf("the refusal lacks %q: %s", part, message)
			}
		}
		if rows := alice.do("SHOW TABLES LIKE 'x'"); len(rows) != 0 {
			t.Error("a refused statement left a table behind")
		}
		owner.do("CREATE TABLE myprj.copy (id INT, v VARCHAR(100))")
		alice.do("INSERT INTO myprj.copy SELECT * FROM prj2.t")                         // 2
		alice.do("INSERT INTO myprj.copy SELECT * FROM myprj.table1")                   // 3
		if rows := owner.do("SELECT * FROM myprj.table1 ORDER BY id"); len(rows) != 2 { // 4
			t.Errorf("inside the project: %v", rows)
		}
		alice.refused("SELECT * FROM myprj.table1") // 5
		owner.do("ADD TRUSTEDPROJECT prj2")
		w.derives(alice, ctas) // 6
		alice.do("DROP TABLE prj2.x")
		if rows := owner.do("LIST TRUSTEDPROJECTS"); len(rows) != 1 || rows[0] != "prj2" {
			t.Errorf("LIST TRUSTEDPROJECTS: %v", rows)
		}
		alice.refused("INSERT INTO prj3.t SELECT * FROM myprj.table1") // 8
		w.as(t, "super", "prj2").do("ADD OWNER owner")
		w.as(t, "owner", "prj2").do("SET ProjectProtection = true")
		alice.refused("INSERT INTO myprj.copy SELECT * FROM prj2.t") // 7
		w.as(t, "owner", "prj2").do("SET ProjectProtection = false")
		w.derives(alice, "CREATE TABLE prj2.hop AS SELECT * FROM myprj.table1") // 9, as the vendor does
		alice.do("INSERT INTO prj3.t SELECT * FROM prj2.hop")
		owner.do("REMOVE TRUSTEDPROJECT prj2")
		owner.do("SET ProjectProtection = true WITH EXCEPTION '" + seed + "'") // 10
		w.derives(alice, ctas)
		alice.do("DROP TABLE prj2.x")
		bob.refused(ctas)
		account := w.account(t, "alice")
		w.warehouse.Exec(t, "REVOKE ALL ON myprj.* FROM "+account, "FLUSH PRIVILEGES") // 11
		if m := w.as(t, "alice", "prj2").failed(1142, "INSERT INTO prj2.t SELECT * FROM myprj.table1"); strings.Contains(m, "4021") {
			t.Errorf("without SELECT the warehouse's own error is expected: %s", m)
		}
		w.warehouse.Exec(t, "GRANT ALL ON myprj.* TO "+account)
		alice = w.as(t, "alice", "prj2")
		alice.refused("CREATE TABLE prj2.x AS SELECT a.* FROM myprj.table1 a JOIN myprj.other b ON a.id = b.id") // 14
		owner.do(`SET ProjectProtection = true WITH EXCEPTION '{"Version":"1","Statement":[{"Effect":"Allow","Principal":"alice","Action":"odps:Select","Resource":"acs:odps:*:projects/myprj/tables/table1","Condition":{"StringEquals":{"odps:TaskType":"SQL"}}}]}'`)
		download := w.as(t, "alice", "prj2")
		download.do("SET odps.task.type = 'DT'")
		download.refused("SELECT * FROM myprj.table1") // 12
		owner.do("CREATE VIEW myprj.vw AS SELECT v FROM myprj.table1 WHERE id = 2")
		owner.do(`SET ProjectProtection = true WITH EXCEPTION '{"Version":"1","Statement":[{"Effect":"Allow","Principal":"*","Action":"odps:*","Resource":"acs:odps:*:projects/myprj/tables/vw"}]}'`)
		w.derives(alice, "CREATE TABLE prj2.y AS SELECT * FROM myprj.vw") // 13: a view is how an owner lets out a part
		alice.refused("CREATE TABLE prj2.z AS SELECT * FROM myprj.table1")
		owner.do("SET ProjectProtection = true") // 19
		alice.refused("CREATE TABLE prj2.z AS SELECT * FROM myprj.vw")
		owner.failed(1064, "SET ProjectProtection = false WITH EXCEPTION 'f'") // 20
		w.derives(owner, "CREATE TABLE myprj.tmp_a AS SELECT * FROM myprj.table1")
		owner.do(`SET ProjectProtection = true WITH EXCEPTION '{"Version":"1","Statement":[{"Effect":"Allow","Principal":"*","Action":"odps:*","Resource":"acs:odps:*:projects/myprj/tables/tmp_*"}]}'`)
		w.derives(alice, "CREATE TABLE prj2.a AS SELECT * FROM myprj.tmp_a") // 21
		alice.refused(ctas)
		owner.do(`SET ProjectProtection = true WITH EXCEPTION '{"Version":"1","Statement":[{"Effect":"Allow","Principal":"*","Action":"odps:*","Resource":"acs:odps:*:projects/myprj/tables/table1"},{"Effect":"Deny","Principal":"alice","Action":"odps:*","Resource":"*"}]}'`)
		alice.refused(ctas) // 22
		w.derives(bob, ctas)
		bob.do("DROP TABLE prj2.x")
		owner.do("DROP TABLE myprj.table1") // 23
		owner.do("CREATE TABLE myprj.table1 (id INT, v VARCHAR(100))")
		if m := bob.refused(ctas); !strings.Contains(strings.ToLower(m), "seal") {
			t.Errorf("a broken seal is to be named: %s", m)
		}
		owner.do("ADD ADMIN admin") // 24
		admin := w.as(t, "admin", "myprj")
		for _, q := range []string{"SET ProjectProtection = false", "ADD TRUSTEDPROJECT prj2", "CREATE PACKAGE k"} {
			admin.refused(q)
		}
		admin.do("LIST TRUSTEDPROJECTS")
		admin.do("SHOW SECURITYCONFIGURATION")
	})
}

// Vectors 15 to 17: packages.
func TestPackages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "")
	owner, alice, bob := w.as(t, "owner", "myprj"), w.as(t, "alice", "prj2"), w.as(t, "bob", "prj2")
	owner.do("SET ProjectProtection = true")
	owner.do("CREATE PACKAGE k")
	owner.do("ADD TABLE table1 TO PACKAGE k")
	owner.do("ALLOW PROJECT prj2 TO INSTALL PACKAGE k")
	alice.refused(ctas)
	w.as(t, "super", "prj2").do("ADD OWNER owner")
	consumer := w.as(t, "owner", "prj2")
	consumer.do("INSTALL PACKAGE myprj.k")
	consumer.do("GRANT READ ON PACKAGE myprj.k TO USER alice")
	alice.do(ctas)
	alice.do("DROP TABLE prj2.x")
	bob.refused(ctas)
	alice.refused("INSERT INTO prj3.t SELECT * FROM myprj.table1")
	owner.do("DISALLOW PROJECT prj2 TO INSTALL PACKAGE k")
	alice.refused(ctas)
	owner.do("ALLOW PROJECT prj2 TO INSTALL PACKAGE k")
	alice.do(ctas)
	alice.do("DROP TABLE prj2.x")
	owner.do("REMOVE TABLE table1 FROM PACKAGE k")
	alice.refused(ctas)
	owner.do("ADD TABLE table1 TO PACKAGE k")
	owner.do("RENAME TABLE myprj.table1 TO myprj.gone")
	owner.do("RENAME TABLE myprj.gone TO myprj.table1")
	alice.refused(ctas)
	if rows := strings.Join(owner.do("SHOW PACKAGES"), "\n"); !strings.Contains(rows, "table1 left by") {
		t.Errorf("SHOW PACKAGES is to say that the table left: %s", rows)
	}
	owner.do("DROP PACKAGE k")
}

// The seed's command: a policy in a file of the client.
func TestPolicyFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "")
	path := t.TempDir() + "/policy.json"
	if err := os.WriteFile(path, []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
	out := run(t, "", "mariadb", "-h127.0.0.1", "-P"+port(w), "-uowner", "-p"+accounts["owner"], "--local-infile=1", "myprj", "-e",
		"SET ProjectProtection=true WITH EXCEPTION "+path+"; SHOW SECURITYCONFIGURATION")
	if !strings.Contains(out, "ALIYUN$alice@example.com") {
		t.Fatalf("SHOW SECURITYCONFIGURATION: %s", out)
	}
	w.as(t, "alice", "prj2").do(ctas)
}
