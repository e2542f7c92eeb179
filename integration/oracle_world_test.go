package integration

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/integration/servers"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
	"sluice/warehouse"
)

// The oracles hold lineage to what a real server does. Every table and view of the schema set has the columns id, n
// and s, so that nearly every statement that is put together at random is valid; what differs is what stands behind
// the names.
var oracleTables = []string{
	"oa.t1", "oa.t2", "oa.t3", "oa.log", "ob.t1", "ob.t3", "ob.log", "oc.t1", "oc.secret", "oc.parent", "ob.child", "oa.grand", "oc.trail",
}

// oracleViews are the views; those that take rows are listed apart.
var (
	oracleViews     = []string{"oa.v1", "ob.v2", "oc.v3", "oa.v6", "ob.v7", "oc.v8", "oa.v9"}
	oracleUpdatable = []string{"oa.v4", "ob.v5", "oc.v10"}
	oracleJoined    = []string{"oa.v11"} // takes UPDATE of one side
)

// oracleChildren are the children of foreign keys by their parents, with what the server locks along for their triggers,
// though no cascade of MariaDB's fires them.
var oracleChildren = map[string][]string{"oc.parent": {"ob.child", "oa.grand", "oc.trail"}, "ob.child": {"oa.grand"}}

// oracleDefinitions stand behind the tables, in the order of their making.
var oracleDefinitions = []string{
	"CREATE FUNCTION oa.f1(x INT) RETURNS INT READS SQL DATA RETURN (SELECT MAX(n) FROM oc.secret WHERE id >= x)",
	"CREATE FUNCTION oc.f3(x INT) RETURNS INT READS SQL DATA BEGIN DECLARE y INT DEFAULT 0; SELECT COUNT(*) INTO y FROM ob.t3 WHERE n > x; IF y > 1 THEN SET y = oa.f1(x); END IF; RETURN y; END",
	"CREATE FUNCTION ob.f2(x INT) RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO oa.log SELECT x, n, s FROM oc.t1 WHERE id = 1; RETURN x + 1; END",
	"CREATE FUNCTION ob.f4(x INT) RETURNS INT DETERMINISTIC RETURN x * 2",
	"CREATE VIEW oa.v1 AS SELECT id, n, s FROM oc.secret WHERE n > 1",
	"CREATE VIEW ob.v2 AS SELECT a.id, b.n, a.s FROM oa.v1 a LEFT JOIN ob.t3 b ON a.id = b.id",
	"CREATE VIEW oc.v3 AS WITH t1 AS (SELECT id, n, s FROM oa.t2), t3 AS (SELECT id, n, s FROM t1) SELECT id, n, s FROM t3 UNION SELECT id, n, s FROM oc.t1",
	"CREATE VIEW oa.v4 AS SELECT id, n, s FROM ob.t3 WHERE n < 1000",
	"CREATE VIEW ob.v5 AS SELECT id, n, s FROM oa.v4 WHERE id > 0 WITH CASCADED CHECK OPTION",
	"CREATE VIEW oa.v6 AS SELECT id, n, s FROM oa.t1 UNION ALL SELECT id, n, s FROM ob.t1",
	"CREATE VIEW ob.v7 AS SELECT id, oa.f1(id) n, s FROM ob.t1",
	"CREATE VIEW oc.v8 AS SELECT id, (SELECT COUNT(*) FROM oa.t3) n, s FROM oc.t1 WHERE EXISTS (SELECT 1 FROM ob.v2 WHERE id = oc.t1.id)",
	"USE oc; CREATE VIEW oa.v9 AS WITH secret AS (SELECT id, n, s FROM ob.t3) SELECT * FROM (WITH u AS (SELECT id, n, s FROM secret) SELECT id, n, s FROM u) d",
	"CREATE VIEW oc.v10 AS SELECT id, n, s FROM oc.t1 WHERE id IN (SELECT id FROM oa.t3) OR id > 0",
	"CREATE VIEW oa.v11 AS SELECT a.id, a.n, b.s FROM oa.t3 a JOIN ob.t1 b ON a.id = b.id",
	"CREATE TRIGGER oa.i1 AFTER INSERT ON oa.t1 FOR EACH ROW INSERT INTO ob.log SELECT NEW.id, n, s FROM oc.secret WHERE id = 1",
	"CREATE TRIGGER oa.u1 AFTER UPDATE ON oa.t1 FOR EACH ROW UPDATE oa.grand SET n = NEW.n, s = OLD.s WHERE id = NEW.id",
	"CREATE TRIGGER oa.d2 AFTER DELETE ON oa.t2 FOR EACH ROW BEGIN IF OLD.n > 1 THEN INSERT INTO ob.log VALUES (OLD.id, OLD.n, OLD.s); END IF; END",
	"CREATE TRIGGER ob.u3 BEFORE UPDATE ON ob.t3 FOR EACH ROW SET NEW.n = oa.f1(NEW.id)",
	"CREATE TRIGGER ob.l1 AFTER INSERT ON ob.log FOR EACH ROW INSERT INTO oc.trail SELECT NEW.id, NEW.n, s FROM ob.v2 ORDER BY 3, id, n LIMIT 2",
	"CREATE TRIGGER ob.c1 AFTER DELETE ON ob.child FOR EACH ROW INSERT INTO oc.trail VALUES (OLD.id, OLD.n, OLD.s)",
	"CREATE TRIGGER ob.i1 AFTER INSERT ON ob.t1 FOR EACH ROW INSERT INTO oc.trail SELECT id, n, s FROM oa.t2 WHERE id = 1",
	"CREATE FUNCTION oa.f5(x INT) RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM oa.t2 WHERE id <= x)",
	"CREATE PROCEDURE oa.p1(IN x INT) BEGIN SELECT id, s FROM oc.secret WHERE id > x; UPDATE ob.t1 SET s = (SELECT MAX(s) FROM oa.t3) WHERE id = x; END",
	"CREATE PROCEDURE ob.p2(IN x INT, OUT y INT) BEGIN DECLARE done INT DEFAULT 0; DECLARE m INT; DECLARE c CURSOR FOR SELECT n FROM oc.t1; DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1; OPEN c; l: LOOP FETCH c INTO m; IF done THEN LEAVE l; END IF; SET y = COALESCE(y, 0) + m; END LOOP; CLOSE c; INSERT INTO oa.log VALUES (x, y, 'p2'); END",
	"CREATE PROCEDURE oc.p3(IN x INT) BEGIN DECLARE y INT; CALL ob.p2(x, y); WHILE x > 0 DO SET x = x - 1; DELETE FROM oa.grand WHERE id = x; END WHILE; SELECT y; END",
	"CREATE PROCEDURE oa.p4(IN x INT) BEGIN CASE x WHEN 1 THEN SELECT s FROM oa.t2; WHEN 2 THEN SELECT s FROM ob.t1; ELSE SELECT oc.f3(x); END CASE; END",
}

// oracleWorld is a server with the schema set, one connection to it, and the catalog as the gateway would load it.
type oracleWorld struct {
	t        *testing.T
	engine   oracleEngine
	server   *servers.Server
	conn     *sql.Conn
	snapshot *catalog.Snapshot
	reading  parser.Reading
	seed     uint64
	random   *rand.Rand
	schema   string // the connection's current schema
	tables   []string
	bare     bool // it has no table to begin with
	// along: what an UPDATE of each table would touch, as far as it was asked.
	along map[string][]string
}

// seedOf gives the seed of this run: fixed, so that CI repeats itself, unless SLUICE_ORACLE_SEED says otherwise.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(20260418)
	if s := os.Getenv("SLUICE_ORACLE_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("SLUICE_ORACLE_SEED: %v", err)
		}
		seed = n
	}
	return seed
}

// statementsOf gives how many statements to generate: few in CI, SLUICE_ORACLE_FACTOR times as many in the long form.
func statementsOf(t *testing.T, few int) int {
	t.Helper()
	if s := os.Getenv("SLUICE_ORACLE_FACTOR"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("SLUICE_ORACLE_FACTOR: %v", err)
		}
		return few * n
	}
	return few
}

func newOracleWorld(t *testing.T, engine oracleEngine) *oracleWorld {
	t.Helper()
	w := &oracleWorld{t: t, engine: engine, seed: seedOf(t), along: map[string][]string{}}
	w.begin(1)
	w.start()
	return w
}

// begin makes the random numbers of one oracle and prints the seed.
func (w *oracleWorld) begin(stream uint64) {
	w.random = rand.New(rand.NewPCG(w.seed, stream))
	w.reading = parser.Reading{Dialect: w.engine.dialect}
	w.t.Logf("seed %d (set SLUICE_ORACLE_SEED for another, SLUICE_ORACLE_FACTOR for more statements)", w.seed)
}

// start starts a server with the schema set.
func (w *oracleWorld) start() {
	w.t.Helper()
	w.server = w.engine.start(w.t, w.engine.args...)
	w.server.Exec(w.t, w.engine.settings...)
	w.server.Exec(w.t, "CREATE DATABASE oa", "CREATE DATABASE ob", "CREATE DATABASE oc")
	w.conn, w.schema = oracleConn(w.t, w.server), "oa"
	if w.bare {
		return
	}
	w.tables = oracleTables
	if !w.engine.programs {
		w.tables = withClashes(viewsOf(oracleInvokerViews))
	}
	for _, table := range w.tables {
		w.server.Exec(w.t, oracleTable(table), oracleRows(table))
	}
	if w.engine.programs {
		w.programs()
	} else {
		for _, v := range oracleInvokerViews {
			w.server.Exec(w.t, "CREATE SQL SECURITY INVOKER VIEW "+v)
		}
	}
	w.snapshot = oracleSnapshot(w.t, w.server)
}

// programs makes what TiDB has not: MERGE tables, sequences of MariaDB's, stored programs, and views that call them.
func (w *oracleWorld) programs() {
	w.server.Exec(w.t,
		"CREATE TABLE oa.m1 (id INT, n INT, s VARCHAR(100)) ENGINE=MyISAM", "CREATE TABLE oc.m2 LIKE oa.m1",
		"CREATE TABLE ob.mrg (id INT, n INT, s VARCHAR(100)) ENGINE=MERGE UNION=(oa.m1, oc.m2) INSERT_METHOD=LAST",
		"INSERT INTO oa.m1 VALUES (1, 1, 'm1')", "INSERT INTO oc.m2 VALUES (2, 2, 'm2')")
	if w.engine.dialect.Flavor == parser.MariaDB {
		w.server.Exec(w.t, "CREATE SEQUENCE oc.sq")
	}
	w.server.Exec(w.t, oracleDefinitions...)
}

// oracleInvokerViews are the views of a server without programs: they read under the rights of who uses them.
var oracleInvokerViews = []string{
	"oa.v1 AS SELECT id, n, s FROM oc.secret WHERE n > 1",
	"ob.v2 AS SELECT a.id, b.n, a.s FROM oa.v1 a LEFT JOIN ob.t3 b ON a.id = b.id",
	"oc.v3 AS WITH t1 AS (SELECT id, n, s FROM oa.t2), t3 AS (SELECT id, n, s FROM t1) SELECT id, n, s FROM t3 UNION SELECT id, n, s FROM oc.t1",
	"oa.v6 AS SELECT id, n, s FROM oa.t1 UNION ALL SELECT id, n, s FROM ob.t1",
	"oc.v8 AS SELECT id, (SELECT COUNT(*) FROM oa.t3) n, s FROM oc.t1 WHERE EXISTS (SELECT 1 FROM ob.v2 WHERE id = oc.t1.id)",
}

func viewsOf(definitions []string) []string {
	var out []string
	for _, d := range definitions {
		name, _, _ := strings.Cut(d, " ")
		out = append(out, name)
	}
	return out
}

// withClashes gives the tables, and one for every name that a common table expression may have and that is free: a name
// which the server takes for a table, and the graph does not, shows.
func withClashes(views []string) []string {
	out := slices.Clone(oracleTables)
	for _, schema := range []string{"oa", "ob", "oc"} {
		for _, clash := range clashes {
			if name := schema + "." + strings.ToLower(clash); !slices.Contains(out, name) && !slices.Contains(views, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// generator writes statements over the whole schema set.
func (w *oracleWorld) generator() *generator {
	if !w.engine.programs {
		return &generator{random: w.random, flavor: w.engine.dialect.Flavor, variables: true, plain: true, views: viewsOf(oracleInvokerViews)}
	}
	return &generator{
		random: w.random, flavor: w.engine.dialect.Flavor, variables: true, calls: true,
		views: slices.Concat([]string{"ob.mrg"}, oracleViews, oracleUpdatable, oracleJoined), updatable: oracleUpdatable,
	}
}

// crashed tells whether a statement ended the server, which random SQL does at times, and starts another.
func (w *oracleWorld) crashed(failure error, text string) bool {
	if failure == nil || !errors.Is(failure, driver.ErrBadConn) && !errors.Is(failure, mysql.ErrInvalidConn) {
		return false
	}
	w.t.Logf("the server fell over this, and is started again:\n%s", text)
	w.server.Stop()
	w.start()
	return true
}

func oracleTable(name string) string {
	switch name {
	case "ob.child":
		return "CREATE TABLE ob.child (id INT PRIMARY KEY, n INT, s VARCHAR(100), KEY (n), FOREIGN KEY (n) REFERENCES oc.parent (id) ON DELETE CASCADE ON UPDATE CASCADE)"
	case "oa.grand":
		return "CREATE TABLE oa.grand (id INT PRIMARY KEY, n INT, s VARCHAR(100), KEY (n), FOREIGN KEY (n) REFERENCES ob.child (id) ON DELETE SET NULL)"
	case "oa.t1", "oc.parent", "ob.t3", "oa.t3":
		return "CREATE TABLE " + name + " (id INT PRIMARY KEY, n INT, s VARCHAR(100))"
	default:
		return "CREATE TABLE " + name + " (id INT, n INT, s VARCHAR(100))"
	}
}

func oracleRows(name string) string {
	tag := strings.ReplaceAll(name, ".", "_")
	return "INSERT INTO " + name + " VALUES (1, 1, '" + tag + "_one'), (2, 2, '" + tag + "_two'), (3, 3, '" + tag + "_three')"
}

// oracleSnapshot loads the catalog as the gateway does.
func oracleSnapshot(t *testing.T, s *servers.Server) *catalog.Snapshot {
	t.Helper()
	s.Exec(t, "CREATE USER IF NOT EXISTS reader@'%' IDENTIFIED BY 'r'", "GRANT PROCESS, SELECT, SHOW DATABASES, SHOW VIEW, TRIGGER, EVENT ON *.* TO reader@'%'")
	pool := warehouse.New(warehouse.Options{Address: s.Addr, User: "reader", Password: "r"})
	t.Cleanup(pool.Close)
	snapshot, err := catalog.New(&catalog.SQLLoader{Query: pool.Query, Detect: true}, time.Hour).Current(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func oracleConn(t *testing.T, s *servers.Server) *sql.Conn {
	t.Helper()
	db, err := sql.Open("mysql", "root@unix("+s.Socket+")/oa?multiStatements=false")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = db.Close() })
	return conn
}

// trace gives the graph of a text that holds one statement; reason says why it is none to compare.
func (w *oracleWorld) trace(text string, temporary map[lineage.Object]bool) (g *lineage.Graph, reason string) {
	w.t.Helper()
	script, err := parser.Parse(text, w.reading)
	if err != nil {
		return nil, err.Error()
	}
	if len(script.Statements) != 1 {
		w.t.Fatalf("%s: reads as %d statements", text, len(script.Statements))
	}
	bound, err := lineage.Resolve(context.Background(), &script.Statements[0], w.reading, lineage.Scope{Schema: w.schema, Temporary: temporary}, w.snapshot)
	if err != nil {
		return nil, err.Error()
	}
	g = lineage.Trace(bound)
	switch {
	case g.Tier == parser.TierTokens:
		return nil, "tokens: " + g.Unread
	case g.Refused != "":
		return nil, g.Refused
	case len(g.Opaque) > 0:
		return nil, "opaque: " + strings.Join(g.Opaque, "; ")
	}
	return g, ""
}

// statement gives the n-th statement, in a schema of its own, with its graph; nil if that is none to compare, which is an error.
func (w *oracleWorld) statement(g *generator, n int, temporary map[lineage.Object]bool) (text string, graph *lineage.Graph) {
	w.t.Helper()
	w.use(g.one("oa", "ob", "oc"))
	g.schema = w.schema
	text = g.statement()
	graph, reason := w.trace(text, temporary)
	if graph == nil {
		w.t.Errorf("statement %d in %s is not understood: %s\n%s", n, w.schema, reason, text)
	}
	return text, graph
}

// use makes a schema current in the session and for the traces.
func (w *oracleWorld) use(schema string) {
	if schema != w.schema {
		w.must("USE " + schema)
		w.schema = schema
	}
}

func (w *oracleWorld) must(q string) [][]string {
	w.t.Helper()
	rows, err := w.run(q)
	if err != nil {
		w.t.Fatalf("%s: %v", q, err)
	}
	return rows
}

// run runs a statement and gives the rows of all its results.
func (w *oracleWorld) run(q string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	rows, err := w.conn.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]string
	for {
		columns, err := rows.Columns()
		if err != nil {
			return out, err
		}
		for rows.Next() {
			cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
			for i := range cells {
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				return out, err
			}
			texts := make([]string, len(cells))
			for i, c := range cells {
				if texts[i] = c.String; !c.Valid {
					texts[i] = "NULL"
				}
			}
			out = append(out, texts)
		}
		if err := rows.Err(); err != nil {
			return out, err
		}
		if !rows.NextResultSet() {
			return out, rows.Err()
		}
	}
}

// oracleTally counts what an oracle saw, for its report.
type oracleTally map[string]int

func (c oracleTally) log(t *testing.T, what string) {
	t.Helper()
	for key, n := range c {
		t.Logf("%s: %s: %d", what, key, n)
	}
}
