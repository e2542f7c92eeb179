package integration

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/integration/servers"
)

// What becomes of a table k in a package. A package shares an object, not a name (contract 4): through whichever way
// the table goes and another one comes, the other one is not shared; and whatever is done to the table itself, it stays.
var sharings = []sharing{
	{name: "past: DROP and CREATE", past: "DROP TABLE myprj.k;\nCREATE TABLE myprj.k (id INT PRIMARY KEY, v VARCHAR(50));\nINSERT INTO myprj.k VALUES (1, '" + canary + "')", leaves: true},
	{name: "past: swapped by RENAME", past: "CREATE TABLE myprj.k2 (id INT, v VARCHAR(50));\nRENAME TABLE myprj.k TO myprj.k3;\nRENAME TABLE myprj.k2 TO myprj.k", leaves: true},
	{name: "past: a view in its place", past: "DROP TABLE myprj.k;\nCREATE VIEW myprj.k AS SELECT * FROM myprj.other", leaves: true},
	{name: "past: CREATE OR REPLACE", past: "CREATE OR REPLACE TABLE myprj.k (id INT PRIMARY KEY, v VARCHAR(50))", leaves: true, only: "MariaDB"},
	{name: "past: ADD COLUMN, ADD INDEX, ANALYZE", past: "ALTER TABLE myprj.k ADD COLUMN n INT;\nALTER TABLE myprj.k ADD INDEX by_v (v);\nANALYZE TABLE myprj.k;\nINSERT INTO myprj.k VALUES (9, 'nine', 9)"},
	{name: "past: TRUNCATE", past: "TRUNCATE TABLE myprj.k;\nINSERT INTO myprj.k VALUES (9, 'nine')"},
	{name: "past: altered, then emptied", past: "ALTER TABLE myprj.k ADD COLUMN n INT", again: "TRUNCATE TABLE myprj.k"},
	{name: "past: a replica took over", past: "SET GLOBAL server_id = 77;\nOPTIMIZE TABLE myprj.k", only: "MariaDB"},
	{name: "past: DROP and CREATE after that", past: "DROP TABLE myprj.k;\nCREATE TABLE myprj.k (id INT PRIMARY KEY, v VARCHAR(50))", leaves: true, only: "MariaDB"},
	{name: "past: renamed and back", past: "RENAME TABLE myprj.k TO myprj.k3;\nRENAME TABLE myprj.k3 TO myprj.k"},
	{name: "past: a new k beside a temporary one", past: "CREATE TEMPORARY TABLE myprj.k (id INT)", not: "TiDB"},
	{name: "partitions that come and go", make: "CREATE TABLE myprj.k (id INT PRIMARY KEY, v VARCHAR(50)) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))", past: "ALTER TABLE myprj.k TRUNCATE PARTITION p0;\nALTER TABLE myprj.k ADD PARTITION (PARTITION p2 VALUES LESS THAN (30));\nALTER TABLE myprj.k DROP PARTITION p0"},
	{name: "partitioned: DROP and CREATE", make: partitioned, past: "DROP TABLE myprj.k;\n" + partitioned, leaves: true},
	{name: "without numbers: DROP and CREATE", make: "CREATE TABLE myprj.k (id INT PRIMARY KEY, v VARCHAR(50)) ENGINE=MyISAM", past: "DROP TABLE myprj.k;\nCREATE TABLE myprj.k (id INT PRIMARY KEY, v VARCHAR(50)) ENGINE=MyISAM", leaves: true, not: "TiDB"},
	{name: "ALTER that rebuilds", gateway: "ALTER TABLE k MODIFY id BIGINT"},
	{name: "ALTER FORCE, OPTIMIZE", gateway: "ALTER TABLE k FORCE;\nOPTIMIZE TABLE k", not: "TiDB"},
	{name: "TRUNCATE", gateway: "TRUNCATE k"},
	{name: "indexes", gateway: "CREATE INDEX by_v ON k (v);\nDROP INDEX by_v ON k"},
	{name: "PARTITION BY", gateway: "ALTER TABLE k PARTITION BY HASH (id) PARTITIONS 3;\nALTER TABLE k REMOVE PARTITIONING"},
	{name: "ALTER that fails", gateway: "!ALTER TABLE k DROP COLUMN nowhere"},
	{name: "CREATE IF NOT EXISTS", gateway: "CREATE TABLE IF NOT EXISTS k (id INT);\n!CREATE TABLE k (id INT)"},
	{name: "TRUNCATE in a procedure", set: "CREATE PROCEDURE myprj.empty_one() TRUNCATE myprj.k", gateway: "CALL empty_one()", not: "TiDB"},
	{name: "SQL PREPARE", gateway: "PREPARE x FROM 'ALTER TABLE k ADD COLUMN n INT, FORCE';\nEXECUTE x", not: "TiDB"},
	{name: "DROP and CREATE in a procedure", set: "CREATE PROCEDURE myprj.swap_one() BEGIN DROP TABLE myprj.k; CREATE TABLE myprj.k (id INT PRIMARY KEY, v VARCHAR(50)); END", gateway: "CALL swap_one()", leaves: true, not: "TiDB"},
	{name: "DROP and CREATE", gateway: "DROP TABLE k;\nCREATE TABLE k (id INT PRIMARY KEY, v VARCHAR(50))", leaves: true},
	{name: "RENAME there and back", gateway: "RENAME TABLE k TO k3;\nRENAME TABLE k3 TO k", leaves: true},
	{name: "EXCHANGE PARTITION", set: "CREATE TABLE myprj.parts (id INT PRIMARY KEY, v VARCHAR(50)) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100))", gateway: "ALTER TABLE parts EXCHANGE PARTITION p0 WITH TABLE k", leaves: true, not: "TiDB"},
}

type sharing struct {
	name        string
	make        string // k, when it is not the usual one
	set         string // as root, before k is shared
	past, again string // statements of root, divided by ";\n", with a use of k after each text
	gateway     string // statements of bob; one after '!' fails
	leaves      bool   // k is no longer shared
	only, not   string // the engines
	table       string // what k is called in this run
}

const usual = "CREATE TABLE myprj.k (id INT PRIMARY KEY, v VARCHAR(50))"

const partitioned = "CREATE TABLE myprj.k (id INT PRIMARY KEY, v VARCHAR(50)) PARTITION BY HASH (id) PARTITIONS 2"

// sharedName finds the tables of a case.
var sharedName = regexp.MustCompile(`\bk[23]?\b`)

// settles is how long a table is young: another one could have been made in the same second.
const settles = 2100 * time.Millisecond

// twoGateways are gateways before one warehouse that hear of each other, with an owner for both projects.
func twoGateways(t *testing.T, server *servers.Server) (w *world, other *servers.Gateway) {
	t.Helper()
	server.Prepare(t)
	fill(t, server, "127.0.0.1")
	cache := servers.Redis(t).Addr
	const settings = "policy: {catalog_max_age: 50ms, lease: 10s}"
	w = &world{warehouse: server, gateway: servers.StartGateway(t, server, cache, settings)}
	other = servers.StartGateway(t, server, cache, settings)
	w.as(t, "super", "myprj").do("ADD OWNER owner")
	w.as(t, "super", "prj2").do("ADD OWNER owner")
	return w, other
}

func TestSharedTables(t *testing.T) {
	t.Parallel()
	for _, kind := range everyKind {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			server := kind.start(t)
			w, other := twoGateways(t, server)
			owner, consumer := w.as(t, "owner", "myprj"), w.as(t, "owner", "prj2")
			owner.do("SET ProjectProtection = true")
			owner.do("CREATE PACKAGE share")
			owner.do("ALLOW PROJECT prj2 TO INSTALL PACKAGE share")
			consumer.do("INSTALL PACKAGE myprj.share")
			consumer.do("GRANT READ ON PACKAGE myprj.share TO USER alice")
			var cases []*sharing
			for i := range sharings {
				if s := sharings[i]; (s.only == "" || s.only == server.Name) && s.not != server.Name {
					cases = append(cases, s.named(fmt.Sprintf("k%d_", i)))
				}
			}
			for _, s := range cases {
				server.Exec(t, s.make, "INSERT INTO myprj."+s.table+" VALUES (1, 'a')")
				if s.set != "" {
					server.Exec(t, s.set)
				}
			}
			time.Sleep(settles)
			alice, bob := dialAs(t, other.Addr, "alice", "prj2"), w.as(t, "bob", "myprj")
			for _, s := range cases {
				t.Run(s.name, func(t *testing.T) { s.run(t, w, alice, bob, owner) })
			}
		})
	}
}

// named gives the case with tables of its own.
func (s sharing) named(table string) *sharing {
	if s.make == "" {
		s.make = usual
	}
	for _, text := range []*string{&s.make, &s.set, &s.past, &s.again, &s.gateway} {
		*text = sharedName.ReplaceAllStringFunc(*text, func(n string) string { return table + strings.TrimPrefix(n, "k") })
	}
	s.table = table
	return &s
}

func (s *sharing) run(t *testing.T, w *world, alice, bob, owner *client) {
	alice.t, bob.t, owner.t = t, t, t
	owner.do("ADD TABLE " + s.table + " TO PACKAGE share")
	alice.do("SELECT COUNT(*) FROM myprj." + s.table)
	for _, text := range []string{s.past, s.again} {
		if text == "" {
			continue
		}
		w.warehouse.Exec(t, strings.Split(text, ";\n")...)
		time.Sleep(60 * time.Millisecond)
		s.check(t, alice, owner)
		if s.again != "" {
			time.Sleep(settles)
			s.check(t, alice, owner)
		}
	}
	if s.gateway == "" {
		return
	}
	for _, q := range strings.Split(s.gateway, ";\n") {
		text, fails := strings.CutPrefix(q, "!")
		if _, err := bob.try(text); (err != nil) != fails {
			t.Errorf("%s: %v", text, err)
		}
		if !s.leaves {
			s.check(t, alice, owner)
		}
	}
	s.check(t, alice, owner)
}

func (s *sharing) check(t *testing.T, alice, owner *client) {
	t.Helper()
	_, err := alice.try("SELECT COUNT(*) FROM myprj." + s.table)
	list := strings.Join(owner.do("SHOW PACKAGES"), "\n")
	switch left := strings.Contains(list, s.table+" left by"); {
	case s.leaves && (err == nil || !left):
		t.Errorf("another table is shared: %v\n%s", err, list)
	case !s.leaves && (err != nil || left):
		t.Errorf("the table is no longer shared: %v\n%s", err, list)
	}
}

// Readers at another gateway are never refused while the table is built anew again and again.
func TestSharedTableIsRebuiltUnderway(t *testing.T) {
	t.Parallel()
	server := servers.MariaDB(t)
	w, other := twoGateways(t, server)
	owner, consumer := w.as(t, "owner", "myprj"), w.as(t, "owner", "prj2")
	server.Exec(t, usual, "INSERT INTO myprj.k VALUES (1, 'a')")
	time.Sleep(60 * time.Millisecond)
	owner.do("SET ProjectProtection = true")
	owner.do("CREATE PACKAGE share")
	owner.do("ADD TABLE k TO PACKAGE share")
	owner.do("ALLOW PROJECT prj2 TO INSTALL PACKAGE share")
	consumer.do("INSTALL PACKAGE myprj.share")
	consumer.do("GRANT READ ON PACKAGE myprj.share TO USER alice")
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	var reads atomic.Int64
	for _, addr := range []string{w.gateway.Addr, other.Addr, other.Addr} {
		c := dialAs(t, addr, "alice", "prj2")
		reading.Go(func() {
			for ctx.Err() == nil {
				if _, err := c.try("SELECT COUNT(*) FROM myprj.k"); err != nil {
					t.Errorf("after %d reads: %v", reads.Load(), err)
					return
				}
				reads.Add(1)
			}
		})
	}
	bob, second := w.as(t, "bob", "myprj"), dialAs(t, other.Addr, "bob", "myprj")
	for n := 0; n < 6 || reads.Load() < 20 && n < 60; n++ {
		bob.do("ALTER TABLE k FORCE")
		second.do("OPTIMIZE TABLE k")
		bob.do("TRUNCATE k")
	}
	cancel()
	reading.Wait()
	if list := strings.Join(owner.do("SHOW PACKAGES"), "\n"); strings.Contains(list, "left by") {
		t.Errorf("the table left its package: %s", list)
	}
	if reads.Load() < 20 {
		t.Errorf("only %d reads", reads.Load())
	}
}
