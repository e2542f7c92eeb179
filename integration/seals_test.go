package integration

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/integration/servers"
)

// breaking is one way to change a sealed table s, or a sealed view sv over it. The seal is broken before the change is
// forwarded: by the one who sent it, not found later as drift, unless the change goes past every gateway.
type breaking struct {
	name   string
	set    string // as root, before the table is sealed
	change string // statements by themselves, divided by ";\n"
	how    string // "" text, "prepared", "batch", "other" gateway, "past" every gateway
	only   string // the engine that knows it
	view   bool   // sv is sealed
}

var breakings = []breaking{
	{name: "INSERT", change: "INSERT INTO s VALUES (3, 'c')"},
	{name: "INSERT SET", change: "INSERT INTO s SET id = 3, v = 'c'"},
	{name: "INSERT SELECT", change: "INSERT INTO s SELECT id + 10, v FROM w"},
	{name: "INSERT that inserts nothing", change: "INSERT IGNORE INTO s VALUES (1, 'again')"},
	{name: "ON DUPLICATE KEY UPDATE", change: "INSERT INTO s VALUES (1, 'x') ON DUPLICATE KEY UPDATE v = 'y'"},
	{name: "REPLACE", change: "REPLACE INTO s VALUES (1, 'z')"},
	{name: "REPLACE SELECT", change: "REPLACE INTO s SELECT * FROM w"},
	{name: "UPDATE", change: "UPDATE s SET v = 'x' WHERE id = 1"},
	{name: "UPDATE with an alias", change: "UPDATE s AS a SET a.v = 'x'"},
	{name: "UPDATE of two tables", change: "UPDATE w JOIN s ON w.id = s.id SET s.v = 'x', w.v = 'y'"},
	{name: "UPDATE by a CTE", change: "WITH c AS (SELECT id FROM w) UPDATE s SET v = 'x' WHERE id IN (SELECT id FROM c)", only: "MySQL"},
	{name: "DELETE", change: "DELETE FROM s WHERE id = 1"},
	{name: "DELETE of two tables", change: "DELETE s, w FROM s JOIN w ON s.id = w.id"},
	{name: "DELETE USING", change: "DELETE FROM s USING s JOIN w ON s.id = w.id"},
	{name: "TRUNCATE", change: "TRUNCATE TABLE s"},
	{name: "TRUNCATE without TABLE", change: "TRUNCATE s"},
	{name: "ADD COLUMN", change: "ALTER TABLE s ADD COLUMN n INT DEFAULT 7"},
	{name: "MODIFY COLUMN", change: "ALTER TABLE s MODIFY v VARCHAR(60)"},
	{name: "DROP COLUMN", change: "ALTER TABLE s DROP COLUMN v"},
	{name: "ADD INDEX", change: "ALTER TABLE s ADD INDEX by_v (v)"},
	{name: "CREATE INDEX", change: "CREATE INDEX by_v ON s (v)"},
	{name: "DROP INDEX", set: "CREATE INDEX by_v ON myprj.s (v)", change: "DROP INDEX by_v ON s"},
	{name: "ALTER RENAME and back", change: "ALTER TABLE s RENAME TO s2;\nALTER TABLE s2 RENAME TO s"},
	{name: "RENAME swap", change: "RENAME TABLE s TO s2, w TO s"},
	{name: "RENAME there and back", change: "RENAME TABLE s TO s2, s2 TO s"},
	{name: "another table renamed to the name", change: "DROP TABLE s;\nRENAME TABLE w TO s"},
	{name: "DROP", change: "DROP TABLE s"},
	{name: "DROP among others", change: "DROP TABLE IF EXISTS w, s"},
	{name: "DROP and CREATE with the same rows", change: "DROP TABLE s;\nCREATE TABLE s (id INT PRIMARY KEY, v VARCHAR(50));\nINSERT INTO s VALUES (1, 'a'), (2, 'b')"},
	{name: "CREATE OR REPLACE TABLE", change: "CREATE OR REPLACE TABLE s AS SELECT * FROM w", only: "MariaDB"},
	{name: "LOAD DATA LOCAL", change: "LOAD DATA LOCAL INFILE 'Reader::rows' INTO TABLE s FIELDS TERMINATED BY ','"},
	{name: "INSERT through a view", set: "CREATE VIEW myprj.sv AS SELECT * FROM myprj.s", change: "INSERT INTO sv VALUES (3, 'c')"},
	{name: "UPDATE through a view of a view", set: "CREATE VIEW myprj.sv AS SELECT * FROM myprj.s;\nCREATE VIEW myprj.svv AS SELECT v FROM myprj.sv", change: "UPDATE svv SET v = 'x'"},
	{name: "DELETE through another project's view", set: "CREATE VIEW prj2.sv2 AS SELECT * FROM myprj.s", change: "DELETE FROM prj2.sv2"},
	{name: "trigger", set: "CREATE TRIGGER myprj.tw AFTER INSERT ON myprj.w FOR EACH ROW UPDATE myprj.s SET v = NEW.v", change: "INSERT INTO w VALUES (5, 'e')"},
	{name: "trigger of another project", set: "CREATE TRIGGER prj2.tt AFTER INSERT ON prj2.t FOR EACH ROW INSERT INTO myprj.s VALUES (NEW.id, NEW.v)", change: "INSERT INTO prj2.t VALUES (51, 'e')"},
	{name: "trigger of a trigger", set: "CREATE TRIGGER myprj.tw AFTER INSERT ON myprj.w FOR EACH ROW DELETE FROM myprj.s;\nCREATE TRIGGER myprj.tp AFTER INSERT ON myprj.parent FOR EACH ROW INSERT INTO myprj.w VALUES (9, 'i')", change: "INSERT INTO parent VALUES (4)"},
	{name: "foreign key ON DELETE CASCADE", set: "INSERT INTO myprj.parent VALUES (1), (2);\nALTER TABLE myprj.s ADD FOREIGN KEY (id) REFERENCES myprj.parent (id) ON DELETE CASCADE", change: "DELETE FROM parent WHERE id = 1"},
	{name: "foreign key ON UPDATE CASCADE", set: "INSERT INTO myprj.parent VALUES (1), (2);\nALTER TABLE myprj.s ADD FOREIGN KEY (id) REFERENCES myprj.parent (id) ON UPDATE CASCADE", change: "UPDATE parent SET id = 7 WHERE id = 1"},
	{name: "procedure", set: "CREATE PROCEDURE myprj.change_s() UPDATE myprj.s SET v = 'p'", change: "CALL change_s()"},
	{name: "function", set: "CREATE FUNCTION myprj.touch_s() RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN UPDATE myprj.s SET v = 'f'; RETURN 1; END", change: "SELECT touch_s()"},
	{name: "EXCHANGE PARTITION", set: "CREATE TABLE myprj.parts (id INT PRIMARY KEY, v VARCHAR(50)) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100));\nINSERT INTO myprj.parts VALUES (50, 'part')", change: "ALTER TABLE parts EXCHANGE PARTITION p0 WITH TABLE s"},
	{name: "binary protocol", change: "UPDATE s SET v = ? WHERE id = 1", how: "prepared"},
	{name: "SQL PREPARE", change: "PREPARE x FROM 'UPDATE s SET v = 1';\nEXECUTE x"},
	{name: "PREPARE from a variable", change: "SET @q = CONCAT('UPDATE ', 's SET v = 2');\nPREPARE x FROM @q;\nEXECUTE x"},
	{name: "EXECUTE IMMEDIATE", change: "EXECUTE IMMEDIATE CONCAT('DELETE FROM ', 's')", only: "MariaDB"},
	{name: "a block", change: "BEGIN NOT ATOMIC UPDATE s SET v = 'x'; END", only: "MariaDB"},
	{name: "in a batch", change: "SELECT 1; UPDATE s SET v = 'x'; SELECT 2", how: "batch"},
	{name: "executable comment", change: "/*!40000 UPDATE */ s SET v = 'x'"},
	{name: "transaction rolled back", change: "START TRANSACTION;\nUPDATE s SET v = 'x';\nROLLBACK"},
	{name: "XA", change: "XA START 'x';\nUPDATE s SET v = 'x';\nXA END 'x';\nXA PREPARE 'x';\nXA COMMIT 'x'"},
	{name: "under LOCK TABLES", change: "LOCK TABLES s WRITE;\nUPDATE s SET v = 'x';\nUNLOCK TABLES"},
	{name: "MERGE table", set: "DROP TABLE myprj.s;\nCREATE TABLE myprj.s (id INT, v VARCHAR(50)) ENGINE=MyISAM;\nINSERT INTO myprj.s VALUES (1, 'a');\nCREATE TABLE myprj.m (id INT, v VARCHAR(50)) ENGINE=MERGE UNION=(myprj.s) INSERT_METHOD=LAST", change: "INSERT INTO m VALUES (3, 'c')", only: "MariaDB"},
	{name: "OPTIMIZE, which makes the table anew", change: "OPTIMIZE TABLE s"},
	{name: "ALTER FORCE", change: "ALTER TABLE s FORCE"},
	{name: "another gateway", change: "UPDATE s SET v = 'x'", how: "other"},
	{name: "from another project's session", change: "UPDATE myprj.s SET v = 'x'", how: "other"},
	{name: "past the gateways: value", change: "UPDATE myprj.s SET v = 'x' WHERE id = 1", how: "past"},
	{name: "past the gateways: row", change: "INSERT INTO myprj.s VALUES (3, 'c')", how: "past"},
	{name: "past the gateways: definition", change: "ALTER TABLE myprj.s ADD COLUMN n INT", how: "past"},
	{name: "past the gateways: DROP and CREATE with the same rows", change: "DROP TABLE myprj.s;\nCREATE TABLE myprj.s (id INT PRIMARY KEY, v VARCHAR(50));\nINSERT INTO myprj.s VALUES (1, 'a'), (2, 'b')", how: "past"},
	{name: "past the gateways: gone", change: "DROP TABLE myprj.s", how: "past"},
	{name: "view: its table", set: sealedView, change: "UPDATE s SET v = 'x'", view: true},
	{name: "view: its table's definition", set: sealedView, change: "ALTER TABLE s MODIFY v VARCHAR(70)", view: true},
	{name: "view: CREATE OR REPLACE", set: sealedView, change: "CREATE OR REPLACE VIEW sv AS SELECT id, v FROM w", view: true},
	{name: "view: ALTER", set: sealedView, change: "ALTER VIEW sv AS SELECT * FROM s", view: true},
	{name: "view: DROP", set: sealedView, change: "DROP VIEW sv", view: true},
	{name: "view: past the gateways", set: sealedView, change: "CREATE OR REPLACE VIEW myprj.sv AS SELECT id, v FROM myprj.w", how: "past", view: true},
	{name: "view: its table past the gateways", set: sealedView, change: "DELETE FROM myprj.s WHERE id = 1", how: "past", view: true},
}

const sealedView = "CREATE DEFINER='bob'@'127.0.0.1' VIEW myprj.sv AS SELECT id, v FROM myprj.s WHERE id < 100"

// harmless leave the seal whole.
var harmless = []string{
	"SELECT * FROM s", "SELECT * FROM s FOR UPDATE", "SELECT * FROM s LOCK IN SHARE MODE", "SHOW CREATE TABLE s", "DESCRIBE s",
	"ANALYZE TABLE s", "CHECK TABLE s", "CHECKSUM TABLE s", "EXPLAIN UPDATE s SET v = 'x'", "EXPLAIN FLOW DELETE FROM s",
	"INSERT INTO w SELECT id + 20, v FROM s", "UPDATE w JOIN s ON w.id = s.id SET w.v = s.v", "DELETE w FROM w JOIN s ON w.id = s.id",
	"CREATE TABLE like_s LIKE s;\nDROP TABLE like_s", "CREATE VIEW over_s AS SELECT * FROM s;\nDROP VIEW over_s",
	"LOCK TABLES s READ;\nUNLOCK TABLES", "START TRANSACTION;\nSELECT COUNT(*) FROM s;\nROLLBACK",
	"PREPARE never FROM 'UPDATE s SET v = 1';\nDEALLOCATE PREPARE never", "INSERT INTO prj2.t VALUES (60, 'x')", "UPDATE prj2.t SET v = 'y'",
	"CREATE TEMPORARY TABLE s (id INT, v VARCHAR(50));\nINSERT INTO s VALUES (9, 'mine');\nUPDATE s SET v = 'still mine';\nDROP TEMPORARY TABLE s",
	"!UPDATE s SET nowhere = 1", "!INSERT INTO s VALUES (1, 2, 3)", "!UPDATE s SEET v = 1", "!DELETE FROM s WHERE", "!INSERT INTO s SELECT * FROM nowhere",
	"!INSERT INTO prj2.t SELECT * FROM other", "!UPDATE prj2.t SET v = (SELECT MAX(v) FROM other)",
}

type sealing struct {
	t      *testing.T
	w      *world
	owner  *client
	other  *servers.Gateway
	engine string
	sealed string
}

const quick = "policy: {catalog_max_age: 50ms}"

func readerOfRows() io.Reader { return strings.NewReader("7,seven\n8,eight\n") }

func TestSeals(t *testing.T) {
	t.Parallel()
	mysql.RegisterReaderHandler("rows", readerOfRows)
	// A short age of definitions, so that the tests need not wait until what root makes is noticed.
	for _, kind := range mysqlFamily {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			server := kind.start(t)
			server.Prepare(t)
			fill(t, server, "127.0.0.1")
			cache := servers.Redis(t).Addr
			w := &world{warehouse: server, gateway: servers.StartGateway(t, server, cache, quick)}
			w.as(t, "super", "myprj").do("ADD OWNER owner")
			w.warehouse.Exec(t, "SET GLOBAL log_bin_trust_function_creators = 1")
			s := &sealing{t: t, w: w, owner: w.as(t, "owner", "myprj"), engine: w.warehouse.Name, other: servers.StartGateway(t, w.warehouse, cache, quick)}
			for i := range breakings {
				b := &breakings[i]
				if b.only == "" || b.only == s.engine {
					t.Run(b.name, func(t *testing.T) { s.breaks(t, b) })
				}
			}
			t.Run("harmless", s.leaves)
			t.Run("temporary table of the same name", s.shadow)
			t.Run("transaction open while it is sealed", s.open)
			t.Run("writes while it is sealed", s.under)
		})
	}
}

// begin makes the tables anew, and seals s or sv.
func (s *sealing) begin(t *testing.T, set string, view bool) {
	t.Helper()
	s.t = t
	s.w.warehouse.Exec(t, "SET GLOBAL FOREIGN_KEY_CHECKS = 1", "DROP VIEW IF EXISTS myprj.sv, myprj.svv, prj2.sv2", "DROP TRIGGER IF EXISTS prj2.tt",
		"DROP TABLE IF EXISTS myprj.m, myprj.parts, myprj.s, myprj.s2, myprj.w, myprj.parent", "DROP PROCEDURE IF EXISTS myprj.change_s", "DROP FUNCTION IF EXISTS myprj.touch_s",
		"CREATE TABLE myprj.s (id INT PRIMARY KEY, v VARCHAR(50))", "INSERT INTO myprj.s VALUES (1, 'a'), (2, 'b')",
		"CREATE TABLE myprj.w (id INT PRIMARY KEY, v VARCHAR(50))", "INSERT INTO myprj.w VALUES (1, 'x')", "CREATE TABLE myprj.parent (id INT PRIMARY KEY)")
	if set != "" {
		s.w.warehouse.Exec(t, strings.Split(set, ";\n")...)
	}
	s.sealed = "s"
	if view {
		s.sealed = "sv"
	}
	time.Sleep(60 * time.Millisecond) // what root made past the gateways is noticed
	s.approve(t)
}

func (s *sealing) approve(t *testing.T) {
	t.Helper()
	s.owner.t = t
	s.owner.do(`SET ProjectProtection = true WITH EXCEPTION '{"Version":"1","Statement":[{"Effect":"Allow","Principal":"alice","Action":"odps:Select","Resource":"acs:odps:*:projects/myprj/tables/` + s.sealed + `"}]}'`)
}

// state gives the line of SHOW SEALS.
func (s *sealing) state(t *testing.T) string {
	t.Helper()
	s.owner.t = t
	rows := s.owner.do("SHOW SEALS")
	if len(rows) != 1 {
		t.Fatalf("SHOW SEALS: %v", rows)
	}
	return rows[0]
}

func (s *sealing) breaks(t *testing.T, b *breaking) {
	s.begin(t, b.set, b.view)
	alice := s.w.as(t, "alice", "prj2")
	alice.do("SELECT COUNT(*) FROM myprj." + s.sealed)
	by := "bob@"
	switch b.how {
	case "past":
		s.w.warehouse.Exec(t, strings.Split(b.change, ";\n")...)
		by = "somebody past the gateway"
	case "prepared":
		s.w.as(t, "bob", "myprj").do(b.change, "x")
	case "batch":
		s.w.as(t, "bob", "myprj").do(b.change)
	default:
		bob := s.w.as(t, "bob", "myprj")
		if b.how == "other" {
			bob = dialAs(t, s.other.Addr, "bob", "myprj")
		}
		for _, q := range strings.Split(b.change, ";\n") {
			bob.do(q)
		}
		bob.close()
	}
	if b.how != "past" {
		if state := s.state(t); !strings.Contains(state, "|broken|") || !strings.Contains(state, by) {
			t.Errorf("%s: the seal is to be broken by %s when the change is done; it is: %s", b.change, by, state)
		}
	}
	message := alice.refused("SELECT COUNT(*) FROM myprj." + s.sealed)
	if state := s.state(t); !strings.Contains(state, "|broken|") || !strings.Contains(state, by) {
		t.Errorf("%s: the seal is to be broken by %s; it is: %s (%s)", b.change, by, state, message)
	}
	alice.close()
}

// leaves: reading, maintenance that moves nothing, writes to other tables, and statements that are refused or fail at once.
func (s *sealing) leaves(t *testing.T) {
	s.begin(t, "", false)
	alice := s.w.as(t, "alice", "prj2")
	bob := s.w.as(t, "bob", "myprj")
	for _, q := range harmless {
		text, fails := strings.CutPrefix(q, "!")
		for _, one := range strings.Split(text, ";\n") {
			_, err := bob.try(one)
			if (err != nil) != fails {
				t.Errorf("%s: %v", one, err)
			}
		}
		if state := s.state(t); !strings.Contains(state, "|whole|") {
			t.Errorf("%s breaks the seal: %s", q, state)
			s.approve(t)
		}
		if _, err := alice.try("SELECT COUNT(*) FROM myprj.s"); err != nil {
			t.Errorf("after %s: %v", q, err)
			s.approve(t)
		}
	}
}

// shadow: a temporary table that takes the name of an excepted table does not take its exception.
func (s *sealing) shadow(t *testing.T) {
	s.begin(t, "", false)
	alice := s.w.as(t, "alice", "prj2")
	alice.do("CREATE TEMPORARY TABLE myprj.s AS SELECT * FROM myprj.other")
	for _, q := range []string{"SELECT * FROM myprj.s", "INSERT INTO prj2.t SELECT * FROM myprj.s"} {
		if m := alice.refused(q); !strings.Contains(m, "tables/other}") {
			t.Errorf("%s: the refusal is to name what the temporary table holds: %s", q, m)
		}
	}
	alice.do("DROP TEMPORARY TABLE myprj.s")
	alice.do("SELECT COUNT(*) FROM myprj.s")
}

// open: what a transaction wrote before is sealed with it, once it is over; what it writes after breaks the seal.
func (s *sealing) open(t *testing.T) {
	s.begin(t, "", false)
	bob := s.w.as(t, "bob", "myprj")
	bob.do("START TRANSACTION")
	bob.do("UPDATE s SET v = 'in the transaction' WHERE id = 1")
	var approving sync.WaitGroup
	begun := time.Now()
	approving.Go(func() { s.approve(t) })
	time.Sleep(400 * time.Millisecond)
	bob.do("COMMIT")
	approving.Wait()
	if took := time.Since(begun); took < 400*time.Millisecond {
		t.Errorf("the seal did not wait for the open transaction: %v", took)
	}
	alice := s.w.as(t, "alice", "prj2")
	if rows := alice.do("SELECT v FROM myprj.s WHERE id = 1"); rows[0] != "in the transaction" {
		t.Errorf("approved was %v", rows)
	}
	bob.do("START TRANSACTION")
	bob.do("SELECT COUNT(*) FROM w")
	s.approve(t)
	bob.do("UPDATE s SET v = 'later' WHERE id = 1")
	if state := s.state(t); !strings.Contains(state, "|broken|bob@") && !strings.Contains(state, "|broken|") {
		t.Errorf("a write of an open transaction: %s", state)
	}
	alice.refused("SELECT v FROM myprj.s WHERE id = 1")
	bob.do("ROLLBACK")
}

// under: whoever writes while the table is sealed, a seal that is whole is of the table as it is.
func (s *sealing) under(t *testing.T) {
	s.begin(t, "", false)
	for round := range 6 {
		ctx, cancel := context.WithCancel(context.Background())
		var writing sync.WaitGroup
		for i, addr := range []string{s.w.gateway.Addr, s.other.Addr, s.other.Addr} {
			writing.Go(func() {
				c := dialAs(t, addr, "bob", "myprj")
				for n := 0; ctx.Err() == nil; n++ {
					if _, err := c.try(fmt.Sprintf("UPDATE s SET v = '%d %d %d' WHERE id = %d", round, i, n, i%2+1)); err != nil {
						c = dialAs(t, addr, "bob", "myprj") // ended because it waited to write what was being sealed
					}
				}
			})
		}
		time.Sleep(30 * time.Millisecond)
		s.approve(t)
		state := strings.Split(s.state(t), "|")
		cancel()
		writing.Wait()
		sum := s.owner.do("CHECKSUM TABLE s")[0]
		after := strings.Split(s.state(t), "|")
		if after[1] == "whole" && !strings.HasSuffix(sum, "|"+after[3]) {
			t.Errorf("round %d: the seal is whole, of %v, but the table is %s", round, state, sum)
		}
	}
}
