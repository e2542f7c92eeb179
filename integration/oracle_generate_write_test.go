package integration

import (
	"fmt"
	"strings"

	"sluice/parser"
)

// statement gives one statement of any kind.
func (g *generator) statement() string {
	g.ctes, g.alias, g.depth = nil, 0, 0
	p := g.random.IntN(100)
	switch {
	case p < 40:
		return g.read()
	case p < 62:
		return g.insert()
	case p < 80:
		return g.changed(g.update)
	case p < 92:
		return g.changed(g.delete)
	case p < 94 && g.mariadb() && g.variables && g.calls:
		return g.block()
	case p < 94:
		return g.delete()
	case p < 97 && g.calls:
		return g.call()
	case p < 98 && g.variables:
		ways := []string{"SET @u1 = (" + g.scalar() + ")", "DO @u2 := (" + g.scalar() + ")", "SELECT n, s INTO @u1, @u2 FROM " + g.table() + " LIMIT 1"}
		if g.flavor == parser.TiDB { // knows no INTO but for files
			ways = ways[:2]
		}
		return g.one(ways...)
	default:
		return "DO (" + g.scalar() + ")"
	}
}

func (g *generator) read() string {
	q := g.query()
	switch g.random.IntN(g.oddities()) {
	case 0:
		return "(" + g.selectOf() + ") ORDER BY id"
	case 1:
		return "SELECT * FROM (" + q + ") outermost ORDER BY id, n, s, (" + g.scalar() + ") LIMIT " + g.number()
	case 10:
		if !g.mariadb() {
			return "EXPLAIN ANALYZE " + q
		}
		return "ANALYZE FORMAT=JSON " + q
	case 11:
		return "EXPLAIN " + q
	default:
		return q
	}
}

// oddities: reports of plans hold times, so that no run equals another.
func (g *generator) oddities() int {
	if g.plain {
		return 10
	}
	return 12
}

func (g *generator) insert() string {
	to := g.target()
	columns := " (id, n, s) "
	var b strings.Builder
	b.WriteString(g.one("INSERT INTO ", "INSERT IGNORE INTO ", "INSERT IGNORE INTO ", "REPLACE INTO ") + to)
	verb := strings.HasPrefix(b.String(), "REPLACE")
	again := !verb && g.chance(35)
	switch n := g.random.IntN(16); {
	case n == 0 && !again && !g.mariadb():
		b.WriteString(columns + "TABLE " + g.table())
	case n < 4:
		fmt.Fprintf(&b, "%sVALUES (%d, %s, 'x')", columns, g.random.IntN(50), g.one(g.number(), "("+g.scalar()+")"))
	case n < 8:
		fmt.Fprintf(&b, " SET id = %d, n = (%s), s = 'set'", g.random.IntN(50), g.scalar())
	default:
		if q := g.query(); again {
			b.WriteString(columns + "SELECT * FROM (" + q + ") q") // a join's ON must not stand before ON DUPLICATE
		} else {
			b.WriteString(columns + q)
		}
	}
	if again {
		noted := "n = VALUES(n) + 2"
		if g.variables {
			noted = "n = (@u1 := VALUES(id))"
		}
		b.WriteString(" ON DUPLICATE KEY UPDATE " + g.one(noted, "n = VALUES(n)", "n = VALUES(n) + 1", "s = VALUES(s), n = ("+g.scalar()+")", "n = LENGTH("+to+".s)"))
	}
	if g.mariadb() && g.chance(12) {
		b.WriteString(" RETURNING " + g.one("id, n", "*", "id, (SELECT MAX(s) FROM "+g.spelt(g.one(oracleTables...))+")"))
	}
	return b.String()
}

func (g *generator) update() string {
	if g.chance(50) {
		a := g.fresh()
		q := "UPDATE " + g.one("", "IGNORE ") + g.target() + " " + a + " SET " + a + "." + g.assignment(a)
		if g.chance(30) {
			q += ", " + a + ".s = CONCAT(" + a + ".s, '!')"
		}
		q += g.where(a)
		if g.chance(20) {
			q += " ORDER BY " + a + ".id, " + a + ".n, " + a + ".s LIMIT " + g.number()
		}
		return q
	}
	a := g.fresh()
	to := g.target() + " " + a
	other := g.source()
	o := g.firstAlias(other)
	set := a + "." + g.assignment(o)
	if g.chance(20) && !strings.HasPrefix(other, "(") {
		set = a + ".n = " + o + ".n"
	}
	if g.chance(50) {
		return "UPDATE " + to + ", " + other + " SET " + set + g.where(o)
	}
	return "UPDATE " + to + g.one(" JOIN ", " LEFT JOIN ") + other + " ON " + a + ".id = " + o + ".id SET " + set + g.where(a)
}

// changed gives an UPDATE or DELETE, on MySQL and TiDB at times under a WITH.
func (g *generator) changed(write func() string) string {
	if g.mariadb() || g.chance(85) {
		return write()
	}
	with, leave := g.with()
	defer leave()
	return with + write()
}

// block gives a compound statement that goes on behind errors, or looks at what a statement before it did.
func (g *generator) block() string {
	write := g.insert()
	if i := strings.Index(write, " RETURNING"); i >= 0 {
		write = write[:i]
	}
	return g.one("BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET @u1 = 77; "+write+"; END",
		"BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN END; "+write+"; SET @u2 = ROW_COUNT(); END",
		"BEGIN NOT ATOMIC FOR r IN (SELECT id, n FROM "+g.table()+" ORDER BY id, n, s LIMIT 3) DO SET @u1 = r.n; "+write+"; END FOR; END")
}

// returning gives a clause that MariaDB alone has.
func (g *generator) returning(clause string) string {
	if g.mariadb() {
		return clause
	}
	return ""
}

func (g *generator) assignment(a string) string { return "n = " + g.expr(a) }

func (g *generator) where(a string) string {
	if g.chance(60) {
		return " WHERE " + g.condition(a)
	}
	return ""
}

func (g *generator) delete() string {
	to := g.target()
	if g.chance(40) {
		_, name, _ := strings.Cut(strings.ReplaceAll(to, "`", ""), ".")
		if name == "" {
			name = to
		}
		return "DELETE FROM " + to + g.where(name) + g.one("", "", " ORDER BY id, n, s LIMIT 1", g.returning(" RETURNING id, s"))
	}
	a, other := g.fresh(), g.source()
	o := g.firstAlias(other)
	on := a + ".id = " + o + ".id"
	if g.chance(50) {
		return "DELETE " + a + " FROM " + to + " " + a + g.one(" JOIN ", " LEFT JOIN ") + other + " ON " + on + g.where(a)
	}
	return "DELETE FROM " + a + " USING " + to + " AS " + a + ", " + other + " WHERE " + on + " AND " + g.condition(o)
}

func (g *generator) call() string {
	switch g.random.IntN(4) {
	case 0:
		return "CALL oa.p1(" + g.number() + ")"
	case 1:
		return "CALL oc.p3((" + g.scalar() + "))"
	case 2:
		return "CALL ob.p2(" + g.number() + ", @u1)"
	default:
		return "CALL oa.p4(" + g.number() + ")"
	}
}
