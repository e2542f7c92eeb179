package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"sluice/parser"
)

// generator puts statements together at random. Every table it names has the columns id, n and s.
type generator struct {
	random    *rand.Rand
	flavor    parser.Flavor // whose SQL it writes
	schema    string        // unqualified names mean this schema
	ctes      []string      // names that a WITH around has declared, which may hide tables
	depth     int
	alias     int
	temporary []string // temporary tables of the session, schema.name
	variables bool     // user variables may be read and assigned
	sequences bool
	// views and programs that a statement may use: those of oracleDefinitions unless they are left out.
	views, updatable []string
	calls            bool
	plain            bool // no reports of plans
	effects          bool // functions that write may be called
}

// clashes are names for common table expressions, most of them those of base tables and views.
var clashes = []string{"t1", "t2", "t3", "secret", "v1", "T1", "x", "y", "log"}

func (g *generator) mariadb() bool { return g.flavor == parser.MariaDB }

func (g *generator) one(list ...string) string { return list[g.random.IntN(len(list))] }
func (g *generator) chance(percent int) bool   { return g.random.IntN(100) < percent }
func (g *generator) number() string            { return fmt.Sprint(g.random.IntN(4)) }

func (g *generator) fresh() string {
	g.alias++
	return fmt.Sprintf("a%d", g.alias)
}

// spelt writes a name as a client would: unqualified when it is of the current schema, at times in backticks.
func (g *generator) spelt(name string) string {
	schema, table, _ := strings.Cut(name, ".")
	if schema == g.schema && g.chance(60) {
		return table
	}
	if g.chance(10) {
		return "`" + schema + "`.`" + table + "`"
	}
	return name
}

// table names something to read.
func (g *generator) table() string {
	switch p := g.random.IntN(100); {
	case p < 20 && len(g.ctes) > 0:
		return g.one(g.ctes...)
	case p < 30 && len(g.temporary) > 0:
		return g.spelt(g.one(g.temporary...))
	case p < 60 && len(g.views) > 0:
		return g.spelt(g.one(g.views...))
	default:
		return g.spelt(g.one(oracleTables...))
	}
}

// target names a base table, temporary table or updatable view to write.
func (g *generator) target() string {
	switch p := g.random.IntN(100); {
	case p < 15 && len(g.temporary) > 0:
		return g.spelt(g.one(g.temporary...))
	case p < 35 && len(g.updatable) > 0:
		return g.spelt(g.one(g.updatable...))
	default:
		return g.spelt(g.one(oracleTables...))
	}
}

// with gives a WITH clause or nothing, and takes its names out of scope again.
func (g *generator) with() (clause string, leave func()) {
	if g.depth > 3 || !g.chance(25) {
		return "", func() {}
	}
	before := g.ctes
	recursive, list := g.chance(25), []string(nil)
	for range 1 + g.random.IntN(2) {
		name := g.one(clashes...)
		for _, have := range list {
			if strings.HasPrefix(strings.ToLower(have), strings.ToLower(name)+" ") {
				name = "z" + g.fresh()
			}
		}
		body := g.query()
		if recursive && g.chance(60) {
			body = "SELECT 1 AS id, 1 AS n, 'r' AS s FROM " + g.from() + " UNION SELECT id + 1, n, s FROM " + name + " WHERE id < 3"
		}
		list = append(list, name+" AS ("+body+")")
		g.ctes = append(g.ctes[:len(g.ctes):len(g.ctes)], name)
	}
	clause = "WITH "
	if recursive {
		clause += "RECURSIVE "
	}
	return clause + strings.Join(list, ", ") + " ", func() { g.ctes = before }
}

// query gives a query of the columns id, n and s.
func (g *generator) query() string {
	g.depth++
	defer func() { g.depth-- }()
	with, leave := g.with()
	defer leave()
	q := g.selectOf()
	if g.depth < 4 && g.chance(20) {
		q += " " + g.one("UNION", "UNION ALL", "UNION DISTINCT", "INTERSECT", "EXCEPT") + " "
		if g.depth < 3 && g.chance(25) {
			q += "(" + g.selectOf() + g.one("", " ORDER BY id, n, s LIMIT 2", " UNION "+g.selectOf()) + ")" // MariaDB takes no WITH here
		} else {
			q += g.selectOf()
		}
		if g.chance(30) {
			q += " ORDER BY id, n, s LIMIT " + g.number()
		}
	}
	return with + q
}

func (g *generator) selectOf() string {
	g.depth++
	defer func() { g.depth-- }()
	from := g.from()
	q := "SELECT " + g.one("", "", "DISTINCT ", "ALL ", "STRAIGHT_JOIN ")
	a := g.firstAlias(from)
	grouped := g.chance(15)
	switch {
	case grouped:
		q += fmt.Sprintf("%s.id, MAX(%s) AS n, %s AS s", a, g.expr(a), g.one("MIN("+a+".s)", "GROUP_CONCAT("+a+".s ORDER BY "+a+".n)", "COUNT(*)"))
	case g.chance(10):
		q += fmt.Sprintf("%s.id, SUM(%s.n) OVER (%s) AS n, %s.s", a, a, g.one("", "ORDER BY "+a+".id", "PARTITION BY "+a+".s ORDER BY "+a+".n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW"), a)
	case g.chance(15):
		q += a + ".*"
	default:
		q += fmt.Sprintf("%s AS id, %s AS n, %s.s", g.expr(a), g.expr(a), a)
	}
	q += " FROM " + from
	if g.chance(50) {
		q += " WHERE " + g.condition(a)
	}
	if grouped {
		q += " GROUP BY " + a + ".id"
		if g.chance(30) {
			q += " HAVING COUNT(*) > " + g.one("0", "("+g.scalar()+")")
		}
	}
	if g.chance(15) && g.depth > 2 && !grouped {
		return q
	}
	return q
}

// from gives a FROM list; its first table has an alias.
func (g *generator) from() string {
	from := g.source()
	for n := 0; g.depth < 5 && g.chance(25) && n < 2; n++ {
		first, a := g.firstAlias(from), g.source()
		other := g.firstAlias(a)
		switch g.random.IntN(4) {
		case 0:
			from += g.one(" CROSS JOIN ", " STRAIGHT_JOIN ") + a
		case 1:
			if n == 0 {
				return from + " LEFT JOIN " + a + " USING (id)"
			}
			return from + ", " + a
		default:
			from += g.one(" JOIN ", " LEFT JOIN ", " INNER JOIN ", " RIGHT JOIN ") + a + " ON " + first + ".id = " + other + ".id"
		}
	}
	return from
}

// source gives a table or a derived table with an alias.
func (g *generator) source() string {
	a := g.fresh()
	if g.depth < 4 && g.chance(15) {
		return "(" + g.query() + ") " + a
	}
	return g.table() + g.one(" ", " AS ") + a
}

// firstAlias finds the alias of the first source of a FROM list.
func (g *generator) firstAlias(from string) string {
	depth := 0
	for i, c := range from {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ' ':
			if depth == 0 {
				rest := strings.TrimPrefix(from[i+1:], "AS ")
				if end := strings.IndexAny(rest, " ,"); end >= 0 {
					return rest[:end]
				}
				return rest
			}
		}
	}
	return from
}

// scalar gives a query of one cell.
func (g *generator) scalar() string {
	g.depth++
	defer func() { g.depth-- }()
	a := g.fresh()
	with, leave := g.with()
	defer leave()
	if g.calls && g.chance(6) {
		return with + "SELECT MAX(j.v) FROM " + g.table() + " " + a + ", JSON_TABLE(CONCAT('[', IFNULL(" + a + ".n, 0), ', ', LENGTH(" + a + ".s), ']'), '$[*]' COLUMNS (v INT PATH '$')) j"
	}
	if g.flavor == parser.MySQL && g.chance(6) {
		return with + "SELECT MAX(l.n) FROM " + g.table() + " " + a + ", LATERAL (SELECT MAX(b.n) AS n FROM " + g.table() + " b WHERE b.id <= " + a + ".id) l"
	}
	return with + "SELECT " + g.one("MAX", "MIN", "COUNT", "SUM") + "(" + a + ".n) FROM " + g.table() + " " + a
}

// expr gives a number.
func (g *generator) expr(a string) string {
	p := g.random.IntN(100)
	switch {
	case p < 35 || g.depth > 4:
		return a + "." + g.one("id", "n")
	case p < 50:
		return a + ".n + " + g.number()
	case p < 60:
		return "(" + g.scalar() + ")"
	case p < 66:
		return "CASE WHEN " + g.condition(a) + " THEN " + a + ".id ELSE " + g.number() + " END"
	case p < 72:
		return "COALESCE(" + a + ".n, (" + g.scalar() + "))"
	case p < 78 && g.calls:
		return g.function() + "(" + a + ".id)"
	case p < 84 && g.variables:
		return g.one("@u1", "@u2", "(@u1 := "+a+".n)", "(@u2 := ("+g.scalar()+"))")
	case p < 88 && g.sequences:
		return g.one("NEXTVAL(oc.sq)", "NEXT VALUE FOR oc.sq")
	case p < 92:
		return "IF(EXISTS (" + g.query() + "), 1, 0)"
	default:
		return g.number()
	}
}

func (g *generator) function() string {
	names := []string{"oa.f1", "oc.f3", "ob.f4", "oa.f5"}
	if g.effects {
		names = append(names, "ob.f2")
	}
	name := g.one(names...)
	if schema, f, _ := strings.Cut(name, "."); schema == g.schema && g.chance(50) {
		return f
	}
	return name
}

func (g *generator) condition(a string) string {
	p := g.random.IntN(100)
	switch {
	case p < 40 || g.depth > 4:
		return a + "." + g.one("id", "n") + g.one(" > 0", " = 1", " <> 3", " <= 20", " < 3", " >= 2")
	case p < 50:
		return a + ".n > (" + g.scalar() + ")"
	case p < 60:
		return g.one("", "NOT ") + "EXISTS (" + g.query() + ")"
	case p < 72:
		in := "(" + g.query() + ")"
		return a + ".id " + g.one("IN ", "NOT IN ") + "(SELECT " + g.fresh() + ".id FROM " + in + " a" + fmt.Sprint(g.alias) + ")"
	case p < 78:
		return a + ".id = ANY (SELECT id FROM " + g.table() + ")"
	case p < 84:
		return "(" + g.condition(a) + " OR " + g.condition(a) + ")"
	case p < 90:
		return "(" + a + ".id, " + a + ".n) IN (SELECT id, n FROM " + g.table() + ")"
	default:
		return a + ".s LIKE '%" + g.one("one", "t", "secret", "x") + "%'"
	}
}
