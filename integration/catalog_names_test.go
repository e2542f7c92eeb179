package integration

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"sluice/integration/servers"
	"sluice/lineage/catalog"
	"sluice/warehouse"
)

// definitionsInTurn make, change and unmake what a name can mean. The schemas' and tables' names differ by case and accents, or are
// spelt otherwise in files.
var definitionsInTurn = []string{
	"CREATE DATABASE pay", "CREATE DATABASE PAY", "CREATE DATABASE `my-shop`",
	"CREATE TABLE pay.salary (id INT PRIMARY KEY, b INT, amount INT, UNIQUE KEY (amount, b)) ENGINE=InnoDB", "CREATE TABLE pay.Salary (other INT) ENGINE=InnoDB",
	"CREATE TABLE pay.`salarÿ` (id INT) ENGINE=InnoDB", "CREATE TABLE pay.salarie (a INT) ENGINE=InnoDB", "CREATE TABLE pay.`salarié` (b INT) ENGINE=InnoDB",
	"CREATE TABLE PAY.salary (id INT PRIMARY KEY) ENGINE=InnoDB", "CREATE TABLE pay.`a b``c` (d INT) ENGINE=InnoDB",
	"CREATE TABLE PAY.child (p INT, c INT, d INT, FOREIGN KEY (p) REFERENCES pay.salary (id) ON DELETE CASCADE, CONSTRAINT two FOREIGN KEY (c, d) REFERENCES pay.salary (amount, b) ON UPDATE SET NULL) ENGINE=InnoDB",
	"CREATE TABLE pay.tree (id INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES pay.tree (id) ON DELETE SET NULL ON UPDATE NO ACTION) ENGINE=InnoDB",
	"CREATE TABLE pay.item_1 (id INT PRIMARY KEY) ENGINE=InnoDB", "CREATE TABLE pay.itemX1 (id INT, FOREIGN KEY (id) REFERENCES pay.item_1 (id)) ENGINE=InnoDB",
	"CREATE TABLE `my-shop`.orders (id INT PRIMARY KEY, who INT, FOREIGN KEY (who) REFERENCES pay.salary (id) ON UPDATE CASCADE) ENGINE=InnoDB",
	"ALTER TABLE PAY.child ADD FOREIGN KEY (d) REFERENCES `my-shop`.orders (id)",
	"CREATE VIEW pay.rich AS SELECT s.id AS who FROM pay.salary s JOIN PAY.child c ON c.p = s.id", "CREATE VIEW `my-shop`.v AS SELECT * FROM pay.rich",
	"CREATE TRIGGER pay.tr AFTER INSERT ON pay.salary FOR EACH ROW INSERT INTO PAY.child (p) VALUES (NEW.id)",
	"CREATE TRIGGER pay.tr2 BEFORE UPDATE ON pay.salary FOR EACH ROW SET NEW.b = 1", "CREATE TRIGGER pay.tr3 BEFORE INSERT ON pay.Salary FOR EACH ROW SET @a = 1",
	"CREATE PROCEDURE pay.Raise() UPDATE pay.salary SET amount = amount + 1", "CREATE FUNCTION pay.top() RETURNS INT READS SQL DATA RETURN (SELECT MAX(amount) FROM pay.salary)",
	"CREATE EVENT pay.nightly ON SCHEDULE EVERY 1 YEAR DO DELETE FROM pay.salary",
	"CREATE TABLE pay.m1 (a INT) ENGINE=MyISAM", "CREATE TABLE pay.m2 (a INT) ENGINE=MyISAM", "CREATE TABLE pay.both_of (a INT) ENGINE=MERGE UNION=(pay.m1, pay.m2)",
	"ALTER TABLE pay.both_of UNION=(pay.m2)", "ALTER TABLE pay.m2 RENAME pay.m3", "DROP TABLE pay.both_of",
	"RENAME TABLE pay.tree TO pay.forest, pay.salarie TO pay.tree, pay.`salarié` TO pay.salarie", "ALTER TABLE pay.forest RENAME `my-shop`.forest",
	"RENAME TABLE pay.salary TO pay.x, pay.salarie TO pay.salary, pay.x TO pay.salarie",
	"ALTER TABLE pay.salarie CHANGE amount sum INT", "CREATE OR REPLACE VIEW pay.rich AS SELECT a FROM pay.tree", "DROP VIEW pay.rich", "CREATE TABLE pay.rich (a INT) ENGINE=InnoDB",
	"DROP TRIGGER pay.tr2", "DROP PROCEDURE pay.Raise", "DROP EVENT pay.nightly", "ALTER TABLE PAY.child DROP FOREIGN KEY two",
	"SET foreign_key_checks = 0; DROP TABLE pay.salarie", "SET foreign_key_checks = 0; DROP DATABASE PAY", "DROP DATABASE `my-shop`", "CREATE DATABASE PAY",
}

// After each definition, what is read by name is what is read whole, for every name that means or meant something.
func TestCatalogByName(t *testing.T) {
	everyWarehouse(t, func(t *testing.T, s *servers.Server, l *catalog.SQLLoader) {
		byName(t, s, l, false)
	})
	t.Run("folded", func(t *testing.T) {
		t.Parallel()
		s := servers.MariaDB(t, "--lower-case-table-names=1")
		byName(t, s, reader(t, s), true)
	})
	t.Run("TiDB", func(t *testing.T) {
		t.Parallel()
		s := servers.TiDB(t)
		byName(t, s, reader(t, s), true)
	})
}

// reader gives a loader under an account that holds what reading definitions needs and no more.
func reader(t testing.TB, s *servers.Server) *catalog.SQLLoader {
	t.Helper()
	s.Exec(t, "CREATE USER reader@'%' IDENTIFIED BY 'r'", "GRANT PROCESS, SELECT, SHOW DATABASES, SHOW VIEW, TRIGGER, EVENT ON *.* TO reader@'%'")
	pool := warehouse.New(warehouse.Options{Address: s.Addr, User: "reader", Password: "r"})
	t.Cleanup(pool.Close)
	return &catalog.SQLLoader{Query: pool.Query, Detect: true}
}

// byName compares after each definition; where names fold, and on TiDB, some definitions fail.
func byName(t *testing.T, s *servers.Server, l *catalog.SQLLoader, folded bool) {
	ctx, db := context.Background(), s.Root(t)
	t.Cleanup(func() { db.Close() })
	seen, made := map[string]map[string]bool{}, 0
	for _, definition := range definitionsInTurn {
		if _, err := db.Exec(definition); err == nil {
			made++
		} else if !folded {
			t.Fatalf("%s: %v", definition, err)
		}
		for _, schema := range []string{"pay", "PAY", "my-shop", "páy"} {
			whole := load(t, l, schema)
			if seen[schema] == nil {
				seen[schema] = map[string]bool{"nothing": true, "SALARY": !folded, "rïch": true}
			}
			for name := range whole.Objects {
				seen[schema][name] = true
			}
			for name, is := range seen[schema] {
				if !is {
					continue
				}
				if one, err := l.LoadObject(ctx, schema, name); err != nil || ordered(one) != ordered(whole.Objects[name]) {
					t.Errorf("after %s: %s.%s is %s, in the whole %s (%v)", definition, schema, name, ordered(one), ordered(whole.Objects[name]), err)
				}
			}
			programs, err := l.LoadPrograms(ctx, schema)
			if err != nil || !reflect.DeepEqual(programs, &whole.Programs) {
				t.Errorf("after %s: programs of %s are %+v, in the whole %+v (%v)", definition, schema, programs, whole.Programs, err)
			}
		}
		if t.Failed() {
			return
		}
	}
	if made < len(definitionsInTurn)/2 {
		t.Errorf("only %d definitions were made", made)
	}
}

// ordered prints an object, keys and triggers in one order.
func ordered(o *catalog.Object) string {
	if o == nil {
		return "nothing"
	}
	of := func(keys []catalog.Key) []catalog.Key {
		return slices.SortedFunc(slices.Values(keys), func(a, b catalog.Key) int {
			return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
		})
	}
	children := slices.SortedFunc(slices.Values(o.Children), func(a, b catalog.Cascade) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	out := fmt.Sprintf("%s.%s kind %d columns %q engine %s union %q external %q definition %q definer %s", o.Schema, o.Name, o.Kind, o.Columns, o.Engine, o.Union, o.External, o.Definition, o.Definer)
	out += fmt.Sprintf(" children %v parents %v referring %v", children, of(o.Parents), of(o.Referring))
	for _, p := range slices.SortedFunc(slices.Values(o.Triggers), func(a, b *catalog.Program) int { return cmp.Compare(a.Name+a.Event, b.Name+b.Event) }) {
		out += fmt.Sprintf(" trigger %s %s %s %q %q %s %s", p.Schema, p.Name, p.Event, p.Body, p.SQLMode, p.Charset, p.Definer)
	}
	return out
}
