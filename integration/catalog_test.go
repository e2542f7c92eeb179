package integration

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/integration/servers"
	"sluice/lineage/catalog"
	"sluice/warehouse"
)

// everyWarehouse runs a test on each real server of the family, with a service account that holds what reading
// definitions needs and no more.
func everyWarehouse(t *testing.T, test func(t *testing.T, s *servers.Server, l *catalog.SQLLoader)) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...string) *servers.Server{"MariaDB": servers.MariaDB, "MySQL": servers.MySQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "--event-scheduler=ON")
			test(t, s, reader(t, s))
		})
	}
}

func load(t *testing.T, l *catalog.SQLLoader, name string) *catalog.Schema {
	t.Helper()
	s, err := l.Load(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCatalogLoadsEverything(t *testing.T) {
	everyWarehouse(t, func(t *testing.T, s *servers.Server, l *catalog.SQLLoader) {
		s.Exec(t,
			"CREATE DATABASE pay", "CREATE DATABASE PAY", "CREATE DATABASE lab",
			"CREATE TABLE pay.salary (id INT PRIMARY KEY, amount INT) ENGINE=InnoDB",
			"CREATE TABLE PAY.salary (other INT)",
			"CREATE TABLE lab.child (p INT, FOREIGN KEY (p) REFERENCES pay.salary (id) ON DELETE CASCADE) ENGINE=InnoDB",
			"CREATE TABLE lab.quiet (p INT, FOREIGN KEY (p) REFERENCES pay.salary (id)) ENGINE=InnoDB",
			"CREATE VIEW pay.Rich AS SELECT id AS who FROM pay.salary WHERE amount > 10",
			"CREATE TRIGGER pay.tr AFTER INSERT ON pay.salary FOR EACH ROW INSERT INTO lab.quiet VALUES (NEW.id)",
			"CREATE PROCEDURE pay.Raise_All() UPDATE pay.salary SET amount = amount + 1",
			"CREATE FUNCTION pay.top() RETURNS INT READS SQL DATA RETURN (SELECT MAX(amount) FROM pay.salary)",
			"CREATE EVENT pay.nightly ON SCHEDULE EVERY 1 YEAR DO DELETE FROM pay.salary",
			"CREATE TABLE pay.m1 (a INT) ENGINE=MyISAM", "CREATE TABLE lab.m2 (a INT) ENGINE=MyISAM",
			"CREATE TABLE pay.both_of (a INT) ENGINE=MERGE UNION=(pay.m1, lab.m2)")
		pay := load(t, l, "pay")
		if !pay.Exists || len(pay.Objects) != 4 {
			t.Fatalf("pay: exists %v, %d objects", pay.Exists, len(pay.Objects))
		}
		salary := pay.Objects["salary"]
		if !slices.Equal(salary.Columns, []string{"id", "amount"}) {
			t.Errorf("columns %v", salary.Columns)
		}
		if want := []catalog.Cascade{{Schema: "lab", Name: "child", OnDelete: true}}; !slices.Equal(salary.Children, want) {
			t.Errorf("children %v", salary.Children)
		}
		if len(salary.Triggers) != 1 || !strings.Contains(salary.Triggers[0].Body, "lab.quiet") || salary.Triggers[0].Event != "INSERT" {
			t.Errorf("triggers %v", salary.Triggers)
		}
		rich := pay.Objects["Rich"]
		if rich == nil || rich.Kind != catalog.View || !strings.Contains(rich.Definition, "`salary`") || !slices.Equal(rich.Columns, []string{"who"}) {
			t.Errorf("view %+v", rich)
		}
		if r := pay.Routines["procedure raise_all"]; r == nil || !r.Readable || !strings.Contains(r.Body, "amount + 1") {
			t.Errorf("procedure %+v", r)
		}
		if r := pay.Routines["function top"]; r == nil || !r.Readable || !r.Function {
			t.Errorf("function %+v", r)
		}
		if e := pay.Events["nightly"]; e == nil || !strings.Contains(e.Body, "DELETE") {
			t.Errorf("event %+v", e)
		}
		if want := [][2]string{{"pay", "m1"}, {"lab", "m2"}}; !slices.Equal(pay.Objects["both_of"].Union, want) {
			t.Errorf("members %v", pay.Objects["both_of"].Union)
		}
		if other := load(t, l, "PAY"); len(other.Objects) != 1 || !slices.Equal(other.Objects["salary"].Columns, []string{"other"}) {
			t.Errorf("PAY is another schema than pay: %v", other.Objects)
		}
		if load(t, l, "Pay").Exists {
			t.Error("Pay exists")
		}
	})
}

// TiDB tells of a foreign key into another schema in two places, each with half of it, and in the letter case of its definition.
func TestForeignKeysOfTiDB(t *testing.T) {
	t.Parallel()
	s := servers.TiDB(t)
	l := reader(t, s)
	s.Exec(t, "CREATE DATABASE pay", "CREATE DATABASE lab",
		"CREATE TABLE pay.Salary (id INT PRIMARY KEY)",
		"CREATE TABLE lab.Child (p INT, FOREIGN KEY (p) REFERENCES PAY.sALARY (id) ON DELETE CASCADE)",
		"CREATE TABLE lab.quiet (p INT, FOREIGN KEY (p) REFERENCES pay.salary (id))",
		"CREATE TABLE pay.own (p INT, FOREIGN KEY (p) REFERENCES salary (id) ON UPDATE SET NULL)")
	one, err := l.LoadObject(context.Background(), "pay", "salary")
	if err != nil {
		t.Fatal(err)
	}
	for how, salary := range map[string]*catalog.Object{"whole": load(t, l, "pay").Objects["salary"], "by name": one} {
		children := slices.Clone(salary.Children)
		slices.SortFunc(children, func(a, b catalog.Cascade) int { return strings.Compare(a.Name, b.Name) })
		if want := []catalog.Cascade{{Schema: "lab", Name: "child", OnDelete: true}, {Schema: "pay", Name: "own", OnUpdate: true}}; !slices.Equal(children, want) {
			t.Errorf("%s: children %v", how, children)
		}
		if len(salary.Referring) != 3 || len(salary.Referring[0].Columns) != 1 {
			t.Errorf("%s: referring %v", how, salary.Referring)
		}
	}
	if child := load(t, l, "lab").Objects["child"]; len(child.Parents) != 1 || child.Parents[0].Schema != "pay" || child.Parents[0].Name != "salary" {
		t.Errorf("parents %v", child.Parents)
	}
}

// However a definition comes about, the clock moves.
func TestCatalogClockMoves(t *testing.T) {
	ways := []struct{ name, server, statement string }{
		{"plain", "", "CREATE OR REPLACE VIEW d.v AS SELECT 1 AS a"},
		{"executable comment", "", "/*!50001 CREATE OR REPLACE VIEW d.v AS SELECT 2 AS a */"},
		{"procedure", "", "CALL d.p()"},
		{"prepared", "", "SET @s = 'ALTER TABLE d.t ADD COLUMN c INT'; PREPARE s FROM @s; EXECUTE s"},
		{"immediate", "MariaDB", "EXECUTE IMMEDIATE 'CREATE OR REPLACE VIEW d.v AS SELECT 4 AS a'"},
		{"compound", "MariaDB", "BEGIN NOT ATOMIC CREATE OR REPLACE VIEW d.v AS SELECT 5 AS a; END"},
		{"set statement", "MariaDB", "SET STATEMENT max_statement_time = 100 FOR CREATE OR REPLACE VIEW d.v AS SELECT 6 AS a"},
		{"trigger", "", "CREATE TRIGGER d.tr BEFORE INSERT ON d.t FOR EACH ROW SET @x = 1"},
		{"drop trigger", "", "DROP TRIGGER d.tr"},
		{"rename", "", "RENAME TABLE d.t TO d.u"},
		{"function", "", "CREATE FUNCTION d.f() RETURNS INT DETERMINISTIC RETURN 1"},
		{"drop function", "", "DROP FUNCTION d.f"},
		{"drop schema", "", "CREATE DATABASE e; DROP DATABASE e"},
		{"event", "", "CREATE EVENT d.e ON SCHEDULE AT NOW() DO CREATE OR REPLACE VIEW d.v AS SELECT 7 AS a; DO SLEEP(1.5)"},
	}
	everyWarehouse(t, func(t *testing.T, s *servers.Server, l *catalog.SQLLoader) {
		s.Exec(t, "CREATE DATABASE d", "CREATE TABLE d.t (a INT)", "CREATE PROCEDURE d.p() CREATE OR REPLACE VIEW d.v AS SELECT 3 AS a")
		clock := func() string {
			c, err := l.Clock(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		for _, w := range ways {
			if w.server != "" && w.server != s.Name {
				continue
			}
			before := clock()
			eventually(t, w.name+": the clock stands", func() bool { // a statement is listed until a moment behind its answer
				last := before
				before = clock()
				return before == last
			})
			s.Exec(t, w.statement)
			if clock() == before {
				t.Errorf("%s: the clock stood", w.name)
			}
		}
	})
}

func connect(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func columns(t *testing.T, c *catalog.Catalog, schema, table string) []string {
	t.Helper()
	snapshot, err := c.Current(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Schema(context.Background(), schema)
	if err != nil {
		t.Fatal(err)
	}
	return s.Objects[table].Columns
}

// A statement that defines is counted when it begins. One that waits for a lock ends much later: what was read
// in between must not stay.
func TestCatalogSeesADefinitionThatWaited(t *testing.T) {
	everyWarehouse(t, func(t *testing.T, s *servers.Server, l *catalog.SQLLoader) {
		s.Exec(t, "CREATE DATABASE d", "CREATE TABLE d.t (a INT) ENGINE=InnoDB", "CREATE PROCEDURE d.p() ALTER TABLE d.t ADD COLUMN b INT", "INSERT INTO d.t VALUES (1)")
		db := s.Root(t)
		t.Cleanup(func() { db.Close() })
		holder := connect(t, db)
		c := catalog.New(l, time.Nanosecond)
		if got := columns(t, c, "d", "t"); len(got) != 1 {
			t.Fatalf("columns %v", got)
		}
		if _, err := holder.ExecContext(context.Background(), "BEGIN; SELECT * FROM d.t"); err != nil {
			t.Fatal(err)
		}
		var definer sync.WaitGroup
		definer.Go(func() {
			if _, err := db.Exec("CALL d.p()"); err != nil {
				t.Error(err)
			}
		})
		deadline := time.Now().Add(20 * time.Second)
		for waiting := 0; waiting == 0; time.Sleep(10 * time.Millisecond) {
			if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '%metadata lock%'").Scan(&waiting); err != nil || time.Now().After(deadline) {
				t.Fatalf("ALTER TABLE does not wait: %v", err)
			}
		}
		if got := columns(t, c, "d", "t"); len(got) != 1 { // counted already, not there yet
			t.Fatalf("columns %v", got)
		}
		if _, err := holder.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		definer.Wait()
		if got := columns(t, c, "d", "t"); len(got) != 2 {
			t.Fatalf("a stale definition stayed: columns %v", got)
		}
	})
}

// While others read all the time, a definition that is in force for the age limit is the one that is read.
func TestCatalogUnderChange(t *testing.T) {
	const maxAge = 30 * time.Millisecond
	everyWarehouse(t, func(t *testing.T, s *servers.Server, l *catalog.SQLLoader) {
		s.Exec(t, "CREATE DATABASE d", "CREATE VIEW d.v AS SELECT 0 AS a")
		db := s.Root(t)
		t.Cleanup(func() { db.Close() })
		c := catalog.New(l, maxAge)
		ctx, cancel := context.WithCancel(context.Background())
		var loops sync.WaitGroup
		defer loops.Wait()
		defer cancel()
		loops.Go(func() {
			if err := c.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		for range 2 {
			loops.Go(func() {
				for ctx.Err() == nil {
					if snapshot, err := c.Current(ctx); err == nil {
						_, _ = snapshot.Schema(ctx, "d") // errors: the reader below meets them too
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		for i := range 60 {
			if _, err := db.Exec(fmt.Sprintf("CREATE OR REPLACE VIEW d.v AS SELECT %d AS a", i)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(maxAge)
			snapshot, err := c.Current(ctx)
			if err != nil {
				t.Fatal(err)
			}
			schema, err := snapshot.Schema(ctx, "d")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ToLower(schema.Objects["v"].Definition); got != fmt.Sprintf("select %d as `a`", i) {
				t.Fatalf("change %d: %s", i, got)
			}
		}
	})
}

// An account that is shown a part of the definitions gets no catalog, and says what it lacks.
func TestCatalogOfAnAccountThatSeesTooLittle(t *testing.T) {
	everyWarehouse(t, func(t *testing.T, s *servers.Server, l *catalog.SQLLoader) {
		c := catalog.New(l, time.Nanosecond)
		if _, err := c.Current(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.Exec(t, "REVOKE TRIGGER ON *.* FROM reader@'%'", "CREATE DATABASE d")
		if _, err := c.Current(context.Background()); err == nil || !strings.Contains(err.Error(), "TRIGGER") {
			t.Fatalf("got %v", err)
		}
		s.Exec(t, "CREATE ROLE definitions", "GRANT TRIGGER ON *.* TO definitions", "GRANT definitions TO reader@'%'")
		if s.Name == "MariaDB" {
			s.Exec(t, "SET DEFAULT ROLE definitions FOR reader@'%'")
		} else {
			s.Exec(t, "SET DEFAULT ROLE definitions TO reader@'%'")
		}
		pool := warehouse.New(warehouse.Options{Address: s.Addr, User: "reader", Password: "r"})
		t.Cleanup(pool.Close)
		if _, err := catalog.New(&catalog.SQLLoader{Query: pool.Query, Detect: true}, 0).Current(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

// The least that the service account holds is enough to tell tables apart, whatever their names.
func TestTableMarks(t *testing.T) {
	everyWarehouse(t, func(t *testing.T, s *servers.Server, l *catalog.SQLLoader) {
		s.Exec(t, "CREATE DATABASE `a-b`", "CREATE TABLE `a-b`.`t.1 %_#p#` (id INT)", "CREATE TABLE `a-b`.`ä` (id INT)", "CREATE TABLE `a-b`.parts (id INT) PARTITION BY HASH (id) PARTITIONS 3", "CREATE TABLE `a-b`.parts2 (id INT)")
		c := catalog.New(l, 0)
		for table, numbers := range map[string]int{"t.1 %_#p#": 1, "ä": map[string]int{"MariaDB": 1}[s.Name], "parts": 3, "parts2": 1} {
			marks, err := c.Marks(context.Background(), "a-b", table)
			if err != nil {
				t.Errorf("%s: %v", table, err)
				continue
			}
			found := 0
			if _, id, is := strings.Cut(marks, " id "); is {
				found = 1 + strings.Count(id, ",")
			}
			if found != numbers {
				t.Errorf("%s: %q holds %d numbers, want %d", table, marks, found, numbers)
			}
			snapshot, err := c.Current(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if same, err := snapshot.Compare(context.Background(), "a-b", table, marks); err != nil || !same.Same {
				t.Errorf("%s: it is not the same as itself: %v, %v", table, same, err)
			}
		}
		if _, err := c.Marks(context.Background(), "a-b", "nowhere"); err == nil {
			t.Error("a table that is not there has marks")
		}
	})
}
