package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// sessionGenerator writes the statements of a session, which carry what they read from one to the next.
type sessionGenerator struct {
	*rand.Rand
	kind   string
	depth  int
	secret int // how many of a hundred tables that are read are protected
	queue  []string
}

// next gives the next statement. Most sessions begin in the protected project, and go on outside of it with what they carry.
func (g *sessionGenerator) next() string {
	if g.secret == 0 {
		if g.secret = 40; g.chance(75) {
			g.secret = 8
			g.queue = append(g.queue, "USE myprj")
			for range 1 + g.IntN(2) {
				g.queue = append(g.queue, g.loads()...)
			}
			g.queue = append(g.queue, "USE prj2")
		}
	}
	if len(g.queue) > 0 {
		text := g.queue[0]
		g.queue = g.queue[1:]
		return text
	}
	return g.statement()
}

// loads gives statements that take protected data up into something that the session carries.
func (g *sessionGenerator) loads() []string {
	all := [][]string{
		{"SET @v1 = (SELECT MAX(n) FROM p1), @v2 = (SELECT MAX(s) FROM p1)"},
		{"SET @v1 = (SELECT MAX(s) FROM p1)", "SET @v2 = @v1"},
		{"SET SESSION " + g.one(g.settings()...) + " = IF((SELECT MAX(n) FROM p1) > 10, 1, 2)"},
		{"SET SESSION timestamp = (SELECT MAX(n) * 100000000 FROM p2)"},
		{"DO LAST_INSERT_ID((SELECT MAX(n) FROM p1))"},
		{"SELECT CAST(s AS SIGNED) + 1 FROM p1"},
		{"UPDATE p2 SET n = n + 1 WHERE n > 4"},
		{"SET @v3 = CONCAT('SELECT ', (SELECT MAX(n) FROM p1))", "PREPARE st FROM @v3"},
		{"PREPARE st FROM 'SELECT MAX(n) FROM p1'"},
		{"PREPARE st FROM 'SET @v1 = (SELECT MAX(s) FROM p1)'", "EXECUTE st"},
		{"CREATE TEMPORARY TABLE prj2.tt (id INT, n INT, s VARCHAR(100))", "INSERT INTO prj2.tt SELECT id, n, s FROM p1"},
		{"CREATE TEMPORARY TABLE tt (id INT PRIMARY KEY, n INT, s VARCHAR(100))", "INSERT INTO tt SELECT id, n, s FROM p1"},
		{"BEGIN", "INSERT INTO p2 SELECT id, n, s FROM p1"},
	}
	if g.programs() {
		all = append(all, [][]string{
			{"SELECT n, s INTO @v1, @v2 FROM p1 ORDER BY id DESC LIMIT 1"}, {"SELECT SQL_CALC_FOUND_ROWS id FROM p1 LIMIT 1"}, {"CREATE TEMPORARY TABLE prj2.tt AS SELECT id, n, s FROM p1"},
			{"CREATE TEMPORARY TABLE tt AS SELECT id, n, s FROM p1", "ALTER TABLE tt ADD UNIQUE (id)"}, {"CALL pset(2, @v1)"}, {"CALL pbranch()"}, {"CALL ptemp()"}, {"CALL pwarn()"}, {"CALL pprep()"}, {"HANDLER p1 OPEN AS h"},
			{"CREATE TEMPORARY TABLE prj2.q2 AS SELECT id, n, s FROM p1"}, {"UPDATE p2 SET n = 1 WHERE id > 2"}, {"DROP TEMPORARY TABLE IF EXISTS nix", "CALL pwarn()"},
			{"CREATE TEMPORARY TABLE tt (id INT AUTO_INCREMENT PRIMARY KEY, n INT, s VARCHAR(100))", "INSERT INTO tt (id) SELECT MAX(n) FROM p1", "INSERT INTO tt (n) VALUES (3)"},
		}...)
	}
	return all[g.IntN(len(all))]
}

func (g *sessionGenerator) one(of ...string) string { return of[g.IntN(len(of))] }
func (g *sessionGenerator) chance(percent int) bool { return g.IntN(100) < percent }
func (g *sessionGenerator) programs() bool          { return g.kind != "TiDB" }

// on gives a text on some kinds of warehouse, and another one on the others.
func (g *sessionGenerator) on(kind, text, other string) string {
	if strings.Contains(kind, g.kind) {
		return text
	}
	return other
}

func (g *sessionGenerator) variable() string { return g.one("@v1", "@v2", "@v3", "@V1", "@`v1`") }

// table names something to read; secret ones more often than not when nothing was read of them yet.
func (g *sessionGenerator) table() string {
	if g.chance(g.secret) {
		return g.one("myprj.p1", "myprj.p1", "myprj.p2", "prj2.vp", "myprj.vq")
	}
	return g.one("prj2.q1", "prj2.q2", "prj2.w", "prj3.r", "prj2.tt", "myprj.tt", "prj2.made", "tt")
}

func (g *sessionGenerator) target() string {
	return g.one("prj2.q1", "prj2.q2", "prj2.w", "prj3.r", "myprj.p1", "myprj.p2", "prj2.tt", "myprj.tt", "prj2.made")
}

// value gives a number: read, carried, or plain.
func (g *sessionGenerator) value() string {
	switch g.IntN(12) {
	case 0, 1:
		return "(SELECT " + g.one("MAX(n)", "COUNT(*)", "MIN(id)", "CRC32(MAX(s))") + " FROM " + g.table() + ")"
	case 2, 3, 4:
		return g.variable()
	case 5:
		return g.one("LAST_INSERT_ID()", "FOUND_ROWS()", "ROW_COUNT()", "@@identity", "@@last_insert_id", "@@warning_count", "@@error_count")
	case 6:
		return "@@" + strings.NewReplacer("timestamp", "div_precision_increment", "pseudo_thread_id", "sql_select_limit", "rand_seed1", "sql_notes").Replace(g.one(g.settings()...))
	case 7:
		if g.programs() {
			return g.one("myprj.fp()", "prj2.fv(3)", "prj2.fv("+g.variable()+")", "prj2.fw(1)")
		}
		return g.variable()
	case 8:
		return g.on("MariaDB", g.one("NEXTVAL(prj2.sq)", "LASTVAL(prj2.sq)", "LASTVAL(myprj.sp)", "SETVAL(myprj.sp, 9)", "NEXTVAL(myprj.sp)"), "5")
	case 9:
		return g.one("LAST_INSERT_ID("+g.variable()+")", "CAST('1x' AS SIGNED)", "10 / 3", "1 / 0", "ADDTIME('10:00', '01:00')", "DAYNAME('2020-02-02')", "FROM_UNIXTIME(86400)",
			"CONNECTION_ID() > 0", "IS_FREE_LOCK('l')", "GET_LOCK(CONCAT('l', "+g.variable()+"), 0)", "RELEASE_LOCK('l1')", "@@session.sql_mode", "DATABASE()", "RAND(1)", "YEAR(NOW()) > 2020")
	default:
		return fmt.Sprint(g.IntN(5))
	}
}

// settings are settings of the session that take a number.
func (g *sessionGenerator) settings() []string {
	all := []string{"div_precision_increment", "sql_select_limit", "group_concat_max_len", "timestamp", "auto_increment_increment", "auto_increment_offset", "default_week_format", "foreign_key_checks",
		"unique_checks", "sql_safe_updates", "tx_isolation", "max_execution_time"}
	switch g.kind {
	case "MariaDB":
		return append(all[:11:11], "insert_id", "last_insert_id", "rand_seed1", "max_error_count", "max_sort_length", "max_sp_recursion_depth", "lc_time_names", "sql_big_selects", "sql_notes", "sql_warnings",
			"max_join_size", "pseudo_thread_id", "profiling", "long_query_time", "net_write_timeout", "in_predicate_conversion_threshold", "completion_type", "transaction_read_only", "identity", "sql_auto_is_null")
	case "MySQL":
		return append(all[:10:10], "insert_id", "last_insert_id", "rand_seed1", "max_error_count", "lc_time_names", "sql_big_selects", "sql_notes", "sql_warnings", "max_join_size", "long_query_time",
			"cte_max_recursion_depth", "windowing_use_high_precision", "identity", "sql_auto_is_null", "completion_type", "max_execution_time")
	default:
		return append(all[:10:10], "last_insert_id", "rand_seed1", "cte_max_recursion_depth", "tidb_max_chunk_size", "max_error_count", "sql_warnings")
	}
}

func (g *sessionGenerator) where() string {
	return g.one("", "", " WHERE n > 1", " WHERE n > "+g.value(), " WHERE id = "+g.value(), " WHERE EXISTS (SELECT 1 FROM "+g.table()+" x WHERE x.n > 10)", " ORDER BY id LIMIT 1", " WHERE ("+g.variable()+" := n) > 0")
}

func (g *sessionGenerator) query() string {
	return "SELECT " + g.one("", "", "", g.on("MariaDB,MySQL", "SQL_CALC_FOUND_ROWS ", "")) + g.one("id", g.value()) + ", " + g.one("n", "n", "("+g.variable()+" := n)", g.value()) + ", s FROM " + g.table() + g.where()
}

// statement gives one statement.
func (g *sessionGenerator) statement() string {
	g.depth++
	defer func() { g.depth-- }()
	switch p := g.IntN(100); {
	case p < 14:
		return "SELECT " + g.value() + ", " + g.value()
	case p < 22:
		return g.query()
	case p < 30:
		return "SET " + g.variable() + g.one(" = ", " := ") + g.value() + g.one("", "", ", "+g.variable()+" = "+g.value())
	case p < 35:
		return g.on("MariaDB,MySQL", "SELECT n INTO "+g.variable()+" FROM "+g.table()+" ORDER BY id LIMIT 1", "DO "+g.value())
	case p < 38:
		return "DO " + g.value() + g.one("", ", "+g.variable()+" := "+g.value())
	case p < 44:
		return g.insert()
	case p < 48:
		return "UPDATE " + g.one("", "", "IGNORE ") + g.one(g.target()+" SET n = "+g.value()+g.where(), g.target()+" a JOIN "+g.table()+" b ON a.id = b.id SET a.n = "+g.one(g.value(), "b.n", "("+g.variable()+" := b.n)"), g.target()+" SET s = "+g.variable()+", n = s")
	case p < 50:
		return "DELETE FROM " + g.target() + g.where() + g.on("MariaDB", g.one("", " RETURNING id, n, s"), "")
	case p < 55 && g.depth < 2:
		return "PREPARE st FROM " + g.one("'"+strings.ReplaceAll(g.statement(), "'", "''")+"'", "'"+strings.ReplaceAll(g.statement(), "'", "''")+"'", "'SELECT ?'", "'INSERT INTO prj2.w VALUES (?, 1, ''x'')'", g.variable())
	case p < 60:
		return g.one("EXECUTE st", "EXECUTE st", "EXECUTE st USING "+g.variable())
	case p < 62:
		return g.on("MariaDB", "EXECUTE IMMEDIATE "+g.one("'SELECT ?' USING "+g.value(), "CONCAT('SELECT ', "+g.variable()+")", "'SELECT "+g.variable()+"'"), "DEALLOCATE PREPARE st")
	case p < 71:
		return "USE " + g.one("myprj", "myprj", "prj2", "prj2", "prj3")
	case p < 77:
		return g.temporary()
	case p < 81:
		return "SET " + g.one("", "SESSION ", "@@") + g.one(g.settings()...) + " = " + g.one(g.value(), "1", "DEFAULT", "IF((SELECT MAX(n) FROM myprj.p1) > 10, 1, 2)")
	case p < 83:
		return g.one("SHOW WARNINGS", "SHOW ERRORS", "SHOW COUNT(*) WARNINGS", "SHOW SESSION VARIABLES LIKE 'div%'", "SHOW TABLES", "SHOW SESSION VARIABLES WHERE value = "+g.value())
	case p < 92 && g.programs():
		return g.program()
	case p < 95:
		return g.one("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a", "SET autocommit = 0", "SET autocommit = 1")
	case p < 97:
		return g.made()
	default:
		return g.on("MariaDB", g.one("SET STATEMENT "+g.one(g.settings()...)+" = "+g.value()+" FOR SELECT "+g.value(), "BEGIN NOT ATOMIC DECLARE y INT DEFAULT "+g.value()+"; SET "+g.variable()+" = y; SELECT y; END",
			"BEGIN NOT ATOMIC FOR r IN (SELECT n FROM "+g.table()+") DO SET "+g.variable()+" = r.n; INSERT INTO "+g.target()+" VALUES (r.n, 1, 'for'); END FOR; END",
			"BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION "+g.one("SET "+g.variable()+" = 7", "INSERT INTO prj2.w VALUES (1, 1, 'caught')", "GET DIAGNOSTICS CONDITION 1 "+g.variable()+" = MESSAGE_TEXT")+"; "+g.insert()+"; END",
			"BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLWARNING SET "+g.variable()+" = 8; "+g.insert()+"; SET "+g.variable()+" = ROW_COUNT(); END",
			"BEGIN NOT ATOMIC "+g.insert()+"; SELECT "+g.one("ROW_COUNT()", "@@warning_count", "LAST_INSERT_ID()")+"; END"),
			g.on("MySQL", g.one("WITH c AS ("+g.query()+") SELECT COUNT(*) FROM c", "TABLE "+g.table(), "VALUES ROW("+g.value()+", "+g.value()+")"), "SELECT "+g.value()))
	}
}

// insert writes rows, and what becomes of those that are there.
func (g *sessionGenerator) insert() string {
	to := g.target()
	switch q := g.query(); g.IntN(8) {
	case 0:
		return "REPLACE INTO " + to + " (id, n, s) " + q
	case 1:
		return "INSERT IGNORE INTO " + to + " (id, n, s) " + q
	case 2:
		return "INSERT IGNORE INTO " + to + " (id, n, s) VALUES (1, 1, 'i'), (2, 2, 'i'), (4, 4, 'i')" + g.on("MariaDB", g.one("", " RETURNING id"), "")
	case 3:
		return "INSERT INTO " + to + " (id, n, s) VALUES (1, 1, 'i'), (2, 2, 'i'), (4, 4, 'i') ON DUPLICATE KEY UPDATE " + g.one("s = ("+g.variable()+" := VALUES(id))", "n = "+g.value(), "n = VALUES(n) + "+g.value(), "n = LAST_INSERT_ID(VALUES(id))")
	case 4:
		return "INSERT INTO " + to + " SET id = " + g.value() + ", n = " + g.value()
	case 5:
		return "REPLACE INTO " + to + " (id, n, s) VALUES (1, 1, 'i'), (2, 2, 'i'), (4, 4, 'i')"
	default:
		return "INSERT INTO " + to + " (id, n, s) " + g.one("VALUES ("+g.value()+", "+g.value()+", 'i')", q)
	}
}

// temporary makes, changes and drops temporary tables.
func (g *sessionGenerator) temporary() string {
	name := g.one("prj2.tt", "myprj.tt", "prj2.q2", "tt")
	if g.kind == "TiDB" {
		return g.one("CREATE TEMPORARY TABLE "+name+" (id INT, n INT, s VARCHAR(100))", "DROP TEMPORARY TABLE IF EXISTS "+name, "INSERT INTO "+name+" "+g.query(), "TRUNCATE "+name)
	}
	return g.one("CREATE TEMPORARY TABLE "+g.one("", "IF NOT EXISTS ")+name+" AS "+g.query(), "CREATE TEMPORARY TABLE "+name+" (id INT, n INT, s VARCHAR(100))", "DROP TEMPORARY TABLE IF EXISTS "+name, "DROP TABLE IF EXISTS "+g.one("prj2.tt", "myprj.tt", "tt"),
		"ALTER TABLE "+g.one("prj2.tt", "myprj.tt")+" RENAME TO "+g.one("prj2.tt", "myprj.tt"), "INSERT INTO "+g.one("prj2.tt", "myprj.tt")+" "+g.query(), g.on("MariaDB", "CREATE OR REPLACE TEMPORARY TABLE "+name+" AS "+g.query(), "TRUNCATE "+g.one("prj2.tt", "myprj.tt")),
		"CREATE TEMPORARY TABLE "+name+" LIKE "+g.one("myprj.p1", "prj2.q1"), "ALTER TABLE "+g.one("prj2.tt", "myprj.tt")+" ADD COLUMN z INT DEFAULT "+g.one("1", g.on("MariaDB", "("+g.variable()+")", "2")))
}

// program runs a stored program, a HANDLER or diagnostics.
func (g *sessionGenerator) program() string {
	return g.one("CALL prj2.pin("+g.value()+", "+g.variable()+")", "CALL prj2.prows("+g.variable()+")", "CALL myprj.pset("+g.value()+", "+g.variable()+")", "CALL myprj.pbranch()", "CALL myprj.ptemp()", "CALL myprj.pwarn()", "CALL myprj.pprep()",
		"GET DIAGNOSTICS "+g.variable()+" = "+g.one("ROW_COUNT", "NUMBER"), "GET DIAGNOSTICS CONDITION 1 "+g.variable()+" = "+g.one("MESSAGE_TEXT", "MYSQL_ERRNO"),
		"HANDLER "+g.one("myprj.p1", "prj2.q1", "prj2.tt")+" OPEN AS h", "HANDLER h READ "+g.one("FIRST", "NEXT")+g.one("", " WHERE n > "+g.variable()), "HANDLER h CLOSE", "CALL prj2.made()")
}

// made makes permanent objects.
func (g *sessionGenerator) made() string {
	if g.kind == "TiDB" {
		return g.one("CREATE VIEW prj2.made AS "+g.query(), "SELECT * FROM prj2.made")
	}
	return g.one("CREATE TABLE prj2.made AS "+g.query(), "CREATE VIEW prj2.made AS "+g.query(), "CREATE PROCEDURE prj2.made() SELECT "+g.variable(), "CREATE PROCEDURE prj2.made() SET "+g.variable()+" = "+g.value(), "CREATE PROCEDURE prj2.made() INSERT INTO prj2.w "+g.query(),
		"SELECT * FROM prj2.made", "CALL prj2.made()")
}
