package gateway

import (
	"context"
	"fmt"
	"strings"

	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// What the warehouse will not let an account do must not break a seal: otherwise anybody could, without a privilege on the
// table. PREPARE tells it of most statements that change rows, but looks at no privileges of one that changes a definition.
// For those the session's own grants are asked. What is lacking by them is answered in the warehouse's words and is not
// sent, so that a mistake here can refuse too much and break a seal too much, but never let a change go before its seal.

// powers are what an account may do, as far as its grants tell. They are a bound from above: what a partial REVOKE takes
// away again, or a role that is not active would add, makes no difference.
type powers struct {
	grants []grant
	// unsure: a line was not understood, so anything may be granted.
	unsure bool
}

// grant is one line of SHOW GRANTS.
type grant struct {
	schema, table string // "" for all
	routine       bool
	privileges    map[string]bool
}

// powersOf reads the answer of SHOW GRANTS, which holds the active roles' grants too.
func powersOf(rows [][]*string) powers {
	p := powers{unsure: len(rows) == 0}
	for _, r := range rows {
		g, counts, ok := parseGrant(value(r, 0))
		p.unsure = p.unsure || !ok
		if counts {
			p.grants = append(p.grants, g)
		}
	}
	return p
}

// parseGrant reads one line. counts is false for lines that give no privilege by themselves, ok for those understood.
func parseGrant(line string) (g grant, counts, ok bool) {
	w := grantWords(line)
	switch {
	case len(w) < 2:
		return g, false, false
	case w[0] == "REVOKE", w[0] == "SET" && w[1] == "DEFAULT", w[0] == "GRANT" && w[1] == "PROXY":
		return g, false, true
	case w[0] != "GRANT":
		return g, false, false
	}
	g.privileges = map[string]bool{}
	i, name := 1, ""
	for ; i < len(w) && w[i] != "ON"; i++ {
		switch word := w[i]; {
		case word == "TO":
			return g, false, true // a role
		case word == "(":
			for i < len(w) && w[i] != ")" { // a privilege on columns is one on the table, for some of it
				i++
			}
		case word == ",":
			g.privileges[strings.TrimSpace(name)] = true
			name = ""
		case quotedWord(word):
			name += " " + word // a role's name
		default:
			name += " " + word
		}
	}
	g.privileges[strings.TrimSpace(name)] = true
	if i++; i < len(w) && (w[i] == "PROCEDURE" || w[i] == "FUNCTION" || w[i] == "PACKAGE" || w[i] == "LIBRARY" || w[i] == "TABLE" || w[i] == "SEQUENCE") {
		g.routine = w[i] != "TABLE" && w[i] != "SEQUENCE"
		if i++; i < len(w) && w[i] == "BODY" {
			i++
		}
	}
	if i+3 >= len(w) || w[i+1] != "." || w[i+3] != "TO" {
		return g, false, false
	}
	g.schema, g.table = grantName(w[i]), grantName(w[i+2])
	return g, true, true
}

func quotedWord(w string) bool { return w != "" && strings.IndexByte("`\"'", w[0]) >= 0 }

// grantName gives a name without its quotes; "" for the star that means all.
func grantName(w string) string {
	if w == "*" {
		return ""
	}
	if !quotedWord(w) {
		return w
	}
	q := w[:1]
	return strings.ReplaceAll(strings.Trim(w, q), q+q, q)
}

// grantWords cuts a line into words, quoted names and signs.
func grantWords(line string) []string {
	var out []string
	for i := 0; i < len(line); {
		begin := i
		switch c := line[i]; {
		case c == ' ':
			i++
			continue
		case strings.IndexByte("`\"'", c) >= 0:
			for i++; i < len(line); i++ {
				if line[i] == c {
					if i+1 >= len(line) || line[i+1] != c {
						break
					}
					i++
				}
			}
			if i++; i > len(line) {
				return nil // a name without an end
			}
		case strings.IndexByte("(),.@", c) >= 0:
			i++
		default:
			for i < len(line) && strings.IndexByte(" `\"'(),.@", line[i]) < 0 {
				i++
			}
		}
		out = append(out, line[begin:i])
	}
	return out
}

// may tells whether one of some privileges may be held on an object; one of a schema alone has no name.
func (p *powers) may(o lineage.Object, privileges ...string) bool {
	if p.unsure || !plainASCII(o.Schema) || !plainASCII(o.Name) {
		return true
	}
	routine, isRoutine := o.RoutineName()
	for i := range p.grants {
		g := &p.grants[i]
		switch {
		case g.schema == "":
		case g.table == "" && !likeName(g.schema, o.Schema):
			continue
		case g.table != "" && !sameName(g.schema, o.Schema):
			continue
		case g.table != "" && o.Name != "" && (g.routine != isRoutine || isRoutine && !sameName(g.table, routine) || !isRoutine && !sameName(g.table, o.Name)):
			continue
		}
		if g.privileges["ALL PRIVILEGES"] || g.privileges["ALL"] {
			return true
		}
		for _, want := range privileges {
			if g.privileges[want] {
				return true
			}
		}
	}
	return false
}

func plainASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// sameName compares names as the least strict server does; one that is not ASCII may equal any.
func sameName(have, name string) bool { return !plainASCII(have) || strings.EqualFold(have, name) }

// likeName compares a schema with a grant's pattern: '%' and '_' stand for others unless a backslash is before them.
func likeName(pattern, name string) bool {
	if sameName(pattern, name) {
		return true
	}
	pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	return like(pattern, name)
}

func like(pattern, name string) bool {
	for pattern != "" {
		switch c := pattern[0]; {
		case c == '%':
			for i := 0; i <= len(name); i++ {
				if like(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		case c == '\\' && len(pattern) > 1 && name != "" && pattern[1] == name[0]:
			pattern, name = pattern[2:], name[1:]
		case name != "" && (c == '_' || c == name[0]):
			pattern, name = pattern[1:], name[1:]
		default:
			return false
		}
	}
	return name == ""
}

// need is a privilege without which a statement cannot run: one of some, on one of some objects.
type need struct {
	objects    []lineage.Object
	privileges []string
}

// wanted are the privileges that definitions of each kind want on each object that they change. Where a statement wants
// several, holding one of them is enough to be in doubt.
var wanted = map[string][]string{
	"drop table": {"DROP"}, "drop view": {"DROP"}, "drop sequence": {"DROP"}, "truncate table": {"DROP"},
	"rename table": {"ALTER", "DROP", "CREATE", "INSERT"}, "alter table": {"ALTER", "DROP", "CREATE", "INSERT"},
	"create index": {"INDEX", "ALTER"}, "drop index": {"INDEX", "ALTER"}, "create table": {"CREATE"},
	"create view": {"CREATE VIEW"}, "alter view": {"CREATE VIEW"}, "alter sequence": {"ALTER"},
	"optimize table": {"INSERT"}, "repair table": {"INSERT"},
}

// rowPrivileges are those of statements that change rows, the one that the warehouse misses first in front.
var rowPrivileges = map[string][]string{
	"insert": {"INSERT", "UPDATE", "DELETE"}, "replace": {"INSERT", "UPDATE", "DELETE"}, "load data": {"INSERT", "UPDATE", "DELETE"},
	"update": {"UPDATE", "INSERT", "DELETE"}, "delete": {"DELETE", "INSERT", "UPDATE"},
}

// needs gives the privileges that a statement cannot do without; none when they are not known. A statement that runs a
// routine may want less than it does: the routine may run as its definer.
func needs(g *lineage.Graph) []need {
	if g.Tier == parser.TierTokens || g.Refused != "" || g.Unread != "" || len(g.Opaque) > 0 || g.Effects.Dynamic != nil {
		return nil
	}
	switch g.Kind {
	case "call":
		var routines []lineage.Object
		for _, n := range g.Names {
			routines = append(routines, n, lineage.RoutineObject(n.Schema, n.Name))
		}
		if len(routines) == 0 {
			return nil
		}
		return []need{{routines, []string{"EXECUTE"}}}
	case "drop database":
		return []need{{[]lineage.Object{{Schema: g.Effects.DropsSchema}}, []string{"DROP"}}}
	case "insert", "replace", "update", "delete", "load data":
		// The target is one of them: a table, or a view over it.
		objects := append([]lineage.Object{}, g.Names...)
		for i := range g.Writes {
			objects = append(objects, g.Writes[i].Object)
		}
		return []need{{objects, rowPrivileges[g.Kind]}}
	}
	privileges := wanted[g.Kind]
	if privileges == nil || g.Effects.Routine {
		return nil
	}
	var out []need
	definitions := 0
	for i := range g.Writes {
		if w := &g.Writes[i]; w.Definition || w.Change == lineage.Rebuilds {
			out = append(out, need{[]lineage.Object{w.Object}, privileges})
			definitions++
		}
	}
	if g.Kind == "alter table" && definitions == 1 {
		out[0].privileges = []string{"ALTER"}
	}
	return out
}

// powerless gives the ERR packet by which the warehouse would refuse a statement for lack of a privilege, nil when it may
// run it.
func (s *Session) powerless(ctx context.Context, f *flight) []byte {
	needs := needs(f.graph)
	if len(needs) == 0 || asksForCounts(f.statement.Text) {
		return nil
	}
	rows, err := s.ask(ctx, "SHOW GRANTS")
	if err != nil {
		return nil
	}
	p := powersOf(rows)
	lacking := p.lacking(needs)
	if lacking == nil {
		return nil
	}
	s.namesakes(ctx, &p)
	if lacking = p.lacking(needs); lacking == nil {
		return nil
	}
	return s.withoutPrivilege(ctx, f.graph, lacking)
}

// lacking gives the first need that no privilege meets, nil for none.
func (p *powers) lacking(needs []need) *need {
	for i := range needs {
		held := false
		for _, o := range needs[i].objects {
			held = held || p.may(o, needs[i].privileges...)
		}
		if !held {
			return &needs[i]
		}
	}
	return nil
}

// asksForCounts tells whether a statement may ask for what a question of the gateway's own would change.
func asksForCounts(text string) bool {
	upper := strings.ToUpper(text)
	return strings.Contains(upper, "FOUND_ROWS") || strings.Contains(upper, "ROW_COUNT")
}

// withoutPrivilege says it in the warehouse's words.
func (s *Session) withoutPrivilege(ctx context.Context, g *lineage.Graph, n *need) []byte {
	user, host := s.subject.User, s.subject.Host
	if rows, err := s.askRow(ctx, "USER()"); err == nil && len(rows) == 1 {
		if whole := value(rows[0], 0); strings.Contains(whole, "@") {
			host = whole[strings.LastIndexByte(whole, '@')+1:]
		}
	}
	who := fmt.Sprintf("'%s'@'%s'", user, host)
	o, lacking := n.objects[0], n.privileges[0]
	if len(n.privileges) == len(wanted["rename table"]) && s.state.reading.Dialect.Flavor != parser.TiDB {
		lacking = "DROP, ALTER"
	}
	var code uint16 = 1142
	state := "42000"
	var message string
	switch {
	case g.Kind == "update" && s.state.reading.Dialect.Flavor == parser.TiDB:
		code, state, message = 8121, "HY000", "privilege check for 'Update' fail"
	case g.Kind == "call":
		code, message = 1370, fmt.Sprintf("execute command denied to user %s for routine '%s'", who, o)
	case o.Name == "":
		code, message = 1044, fmt.Sprintf("Access denied for user '%s'@'%s' to database '%s'", user, s.subject.Host, o.Schema)
	case s.state.reading.Dialect.Flavor == parser.MariaDB:
		message = fmt.Sprintf("%s command denied to user %s for table `%s`.`%s`", lacking, who, o.Schema, o.Name)
	default:
		message = fmt.Sprintf("%s command denied to user %s for table '%s'", lacking, who, o.Name)
	}
	return wire.EncodeERR(code, state, message, s.caps|wire.ClientProtocol41)
}

// rowsOnly are statements of which PREPARE looks at all privileges, but for TiDB's.
var rowsOnly = map[string]bool{"insert": true, "replace": true, "update": true, "delete": true, "select": true}

// warehouseRefusal asks the warehouse what it would refuse: a text that it can prepare, privileges that it looks at only later.
func (s *Session) warehouseRefusal(ctx context.Context, f *flight) []byte {
	if f.asked {
		return nil
	}
	f.asked = true
	if f.text != nil {
		if e := s.hopelessError(f.text); e != nil || rowsOnly[f.graph.Kind] && s.state.reading.Dialect.Flavor != parser.TiDB {
			return e
		}
	}
	return s.powerless(ctx, f)
}
