package parser

import (
	"sort"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// edit replaces tokens from..to-1 by a text.
type edit struct {
	from, to int
	text     string
}

// rewriter spells a statement for the tree parser: for the analysis only. What it drops can read no
// table, or is put into Extra.
type rewriter struct {
	scan
	edits []edit
	extra Extra
	bad   bool
}

// recogniseRest reads what the tree parser did not. It leaves st in TierTokens when it cannot.
func recogniseRest(st *Statement, r Reading, nesting int) {
	if len(st.Tokens) == 0 {
		return
	}
	w := &rewriter{scan: scan{st: st, r: r, nesting: nesting}}
	if text, ok := w.respelt(); ok {
		if node, err := tree(text, r); err == nil {
			st.Node, st.Tier, st.Extra = node, TierRecogniser, w.extra
			return
		}
	}
	s := &scan{st: st, r: r, nesting: nesting}
	for _, f := range []func(*scan) bool{recogniseCreateTable, recogniseAlterTable, recogniseCreateIndex, recogniseAlterSchema, recogniseOtherDefinition, recogniseTransaction} {
		s.i = 0
		if f(s) {
			st.Tier = TierRecogniser
			return
		}
		st.Extra, st.Node = Extra{}, nil
	}
}

// maxLooked bounds the searches ahead: a text of the same words over and over would cost the square of its length.
const maxLooked = 1 << 23

func (w *rewriter) drop(from, to int)             { w.edits = append(w.edits, edit{from, to, " "}) }
func (w *rewriter) put(from, to int, text string) { w.edits = append(w.edits, edit{from, to, text}) }
func (w *rewriter) at(i int) *rewriter            { w.i = i; return w }
func (w *rewriter) kind(i int) TokenKind {
	if i >= 0 && i < len(w.st.Tokens) {
		return w.st.Tokens[i].Kind
	}
	return 0
}

// respelt looks at every token once and gives the text with all edits made.
func (w *rewriter) respelt() (string, bool) {
	n := len(w.st.Tokens)
	for i := 0; i < n && !w.bad; {
		w.i = i
		i = max(w.token(i), i+1)
		w.bad = w.bad || w.looked > maxLooked
	}
	if w.bad || len(w.edits) == 0 {
		return "", false
	}
	sort.SliceStable(w.edits, func(a, b int) bool {
		return w.edits[a].from < w.edits[b].from || w.edits[a].from == w.edits[b].from && w.edits[a].to > w.edits[b].to
	})
	var b strings.Builder
	done := 0 // tokens written
	for _, e := range w.edits {
		if e.to <= done {
			continue // within what another edit took the place of
		}
		if e.from < done {
			return "", false // edits overlap: not understood
		}
		if e.from > done {
			b.WriteString(w.text(done, e.from) + " ")
		}
		b.WriteString(e.text + " ")
		done = e.to
	}
	b.WriteString(w.text(done, w.last()))
	return b.String(), true
}

// token makes the edits that token i calls for and gives the index to go on at.
func (w *rewriter) token(i int) int {
	switch {
	case w.is("INTO") && !w.isTargetInto(i):
		return w.into(i)
	case w.introduces(i):
		w.put(i, i+1, "_binary")
	case w.is("USING") && w.kind(i+1) == Word && w.at(i+2).is(")"):
		w.put(i+1, i+2, "utf8mb4")
	case w.is("COLLATE") && i > 0:
		end := i + 1
		if w.at(end).is("=") {
			end++
		}
		if k := w.kind(end); k != Word && k != String && k != QuotedName {
			w.bad = true
		}
		w.drop(i, end+1)
		return end + 1
	case w.is("CAST", "("):
		return w.cast(i)
	case w.is("FOR", "SYSTEM_TIME"):
		return w.systemTime(i)
	case w.is("RETURNING") && i > 0 && w.outermost(i, "RETURNING"):
		return w.returning(i)
	case w.is("AS") && w.rowAlias(i):
		return i + 2
	case i == 0 && w.is("RENAME", "TABLES"):
		w.put(0, 2, "RENAME TABLE")
		return 2
	case w.is("IF", "EXISTS") && w.st.Tokens[0].is(w.st.Text, "RENAME"):
		w.drop(i, i+2)
		return i + 2
	case i == 2 && w.is("CONCURRENT") && w.st.Tokens[0].is(w.st.Text, "LOAD"):
		w.drop(i, i+1)
	case w.waits(i):
		w.drop(i, i+1)
	case w.is("PREVIOUS", "VALUE", "FOR"):
		return w.previousValue(i)
	case w.is("VALUE", "(") && (w.has(0, i, "DUPLICATE") || !w.inInsert()):
		w.put(i, i+1, "VALUES")
	case w.is("BEFORE", "SYSTEM_TIME"):
		return w.cut(i, w.last())
	case w.is("VALUES", "(") && !w.inInsert():
		return w.values(i)
	case w.is("ROWS", "EXAMINED"):
		from := i
		if i > 0 && w.at(i-1).is("LIMIT") {
			from--
		}
		w.drop(from, i+3)
		return i + 3
	case w.is("PROCEDURE", "ANALYSE"):
		return w.cut(i, w.close(i+2))
	case w.is("MINUS"):
		w.put(i, i+1, "EXCEPT")
	case w.is("DELETE", "HISTORY"):
		w.drop(i+1, i+2)
		return i + 2
	case w.is("NATURAL", "INNER"):
		w.drop(i+1, i+2)
		return i + 2
	case w.is("JSON_TABLE", "("):
		return w.jsonTable(i)
	case w.is("WITH", "CHECK", "OPTION"):
		w.drop(i, i+3)
		return i + 3
	case w.is("WITH", "LOCAL", "CHECK", "OPTION"), w.is("WITH", "CASCADED", "CHECK", "OPTION"):
		w.drop(i, i+4)
		return i + 4
	case i == 0 && w.is("ALTER") && w.find("VIEW") > 0 && w.find("VIEW") < 16 && w.find("AS") > 0:
		w.put(0, 1, "CREATE OR REPLACE")
	}
	return w.dialect(i)
}

// isTargetInto tells the INTO of INSERT, REPLACE and LOAD from that of SELECT … INTO.
func (w *rewriter) isTargetInto(i int) bool {
	if i == 0 || w.at(i+1).is("TABLE") {
		return true
	}
	before := i - 1
	for before > 0 && w.kind(before) == Hint {
		before--
	}
	for _, verb := range []string{"INSERT", "REPLACE", "IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "MERGE", "IMPORT"} {
		if w.at(before).is(verb) {
			return true
		}
	}
	return false
}

// outermost tells whether token i is the first such word outside of all parentheses.
func (w *rewriter) outermost(i int, word string) bool {
	at := w.i
	defer func() { w.i = at }()
	return w.at(0).find(word) == i
}

// into cuts SELECT … INTO out wherever it stands and keeps its targets.
func (w *rewriter) into(i int) int {
	w.i = i + 1
	if w.is("OUTFILE") || w.is("DUMPFILE") {
		return w.intoFile(i)
	}
	for {
		if w.i >= len(w.st.Tokens) {
			return w.i
		}
		t := w.st.Tokens[w.i]
		if t.Kind != UserVariable && !t.isName() {
			return i + 1
		}
		into := Variable{Name: t.variable(w.st.Text), User: t.Kind == UserVariable}
		w.i++
		if !into.User && w.is(".") && w.i+1 < len(w.st.Tokens) && w.st.Tokens[w.i+1].isName() { // a field of a ROW
			into.Name += "." + w.st.Tokens[w.i+1].variable(w.st.Text)
			w.i += 2
		}
		w.extra.Into = append(w.extra.Into, into)
		if w.is(",") {
			w.i++
			continue
		}
		w.drop(i, w.i)
		return w.i
	}
}

func (w *rewriter) intoFile(i int) int {
	w.i++
	if w.kind(w.i) != String {
		w.bad = true
		return i + 1
	}
	w.extra.File = unquote(w.text(w.i, w.i+1))
	end := w.last()
	for j := w.i; j < end; j++ {
		w.i = j
		w.looked++
		for _, stop := range []string{"FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "FOR", "LOCK", "UNION", ")"} {
			if w.is(stop) {
				end = j
			}
		}
		if w.is("SELECT") || w.is("(") {
			w.bad = true
		}
	}
	w.drop(i, end)
	return end
}

// close gives the index behind the parenthesis that opens at i.
func (w *rewriter) close(i int) int {
	depth := 0
	for ; i < len(w.st.Tokens); i++ {
		w.looked++
		switch {
		case w.at(i).is("("):
			depth++
		case w.at(i).is(")"):
			if depth--; depth <= 0 {
				return i + 1
			}
		}
	}
	return i
}

// cast gives CAST a type that the tree parser knows: a type names no table.
func (w *rewriter) cast(i int) int {
	end := w.close(i+1) - 1
	zone, as := -1, -1
	for j := range w.level(i+2, end) {
		switch {
		case w.is("AT", "TIME", "ZONE"):
			zone = j
		case w.is("AS"):
			as = j
		}
	}
	if as < 0 {
		return i + 2
	}
	if zone > 0 && zone < as {
		w.cut(zone, as)
	}
	w.keep(as+1, end)
	w.put(as+1, end, "CHAR")
	return i + 2
}

// systemTime cuts FOR SYSTEM_TIME …: it chooses rows of the table that it stands behind.
func (w *rewriter) systemTime(i int) int {
	depth := 0
	for w.i = i + 2; w.i < w.last(); w.i++ {
		w.looked++
		switch {
		case w.is("("):
			depth++
		case w.is(")"):
			if depth--; depth < 0 {
				return w.cut(i, w.i)
			}
		case depth > 0, w.i == i+2:
		default:
			for _, stop := range []string{",", "WHERE", "JOIN", "LEFT", "RIGHT", "INNER", "CROSS", "STRAIGHT_JOIN", "NATURAL", "ON", "USING", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "AS", "SET", "FOR"} {
				if w.is(stop) {
					return w.cut(i, w.i)
				}
			}
		}
	}
	return w.cut(i, w.last())
}

// returning cuts INSERT|REPLACE|DELETE … RETURNING list and keeps the list as a SELECT from the target.
func (w *rewriter) returning(i int) int {
	w.i = 0
	if !w.acceptAny("INSERT", "REPLACE", "DELETE") {
		return i + 1
	}
	for w.acceptAny("LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE", "INTO", "FROM", "HISTORY") {
	}
	from := w.i
	if _, _, ok := w.name(); !ok {
		w.bad = true
		return i + 1
	}
	list := w.text(i+1, w.last())
	in, ok := w.inner("SELECT " + list + " FROM " + w.text(from, w.i))
	sel, isSelect := ast.StmtNode(nil), false
	if ok {
		sel = in.Node
		_, isSelect = sel.(*ast.SelectStmt)
	}
	if !isSelect {
		w.bad = true
		return i + 1
	}
	w.extra.Returning = sel.(*ast.SelectStmt)
	w.extra.More = append(w.extra.More, in.Extra.More...)
	if in.Extra.More, in.Extra.Locks = nil, false; !in.Extra.empty() {
		w.bad = true
	}
	w.drop(i, w.last())
	return w.last()
}

// rowAlias cuts the alias of INSERT … VALUES (…) AS new [(a, b)] [ON DUPLICATE KEY UPDATE …].
func (w *rewriter) rowAlias(i int) bool {
	end := i + 2
	if w.at(end).is("(") {
		end = w.close(end)
	}
	last := end == w.last() && w.at(0).find("SELECT", "TABLE", "WITH") < 0
	if !last && !w.at(end).is("ON", "DUPLICATE") || !w.inInsert() || i == 0 || !(w.at(i-1).is(")") || w.kind(i-1) != 0) {
		w.i = i
		return false
	}
	w.extra.RowAlias = w.st.Tokens[i+1].name(w.st.Text)
	for j := i + 3; j < end-1; j += 2 {
		w.extra.RowColumns = append(w.extra.RowColumns, w.st.Tokens[j].name(w.st.Text))
	}
	w.drop(i, end)
	return true
}

// waits tells a word of WAIT n or NOWAIT in a definition: how long it waits for locks.
func (w *rewriter) waits(i int) bool {
	w.i = 0
	defining := w.is("RENAME") || w.is("DROP") || w.is("TRUNCATE") || w.is("ALTER") || w.is("CREATE") || w.is("OPTIMIZE")
	w.i = i
	return defining && (w.is("NOWAIT") || w.is("WAIT") && w.kind(i+1) == Number || w.kind(i) == Number && w.at(i-1).is("WAIT"))
}

// previousValue spells PREVIOUS VALUE FOR s as LASTVAL(s).
func (w *rewriter) previousValue(i int) int {
	w.i = i + 3
	if _, _, ok := w.name(); !ok {
		w.bad = true
		return i + 1
	}
	end := w.i
	w.put(i, end, "LASTVAL("+w.text(i+3, end)+")")
	return end
}

func (w *rewriter) inInsert() bool {
	at := w.i
	defer func() { w.i = at }()
	w.i = 0
	return w.is("INSERT") || w.is("REPLACE")
}

// values spells VALUES (1,2),(3,4) as VALUES ROW(1,2),ROW(3,4).
func (w *rewriter) values(i int) int {
	j := i + 1
	for w.at(j).is("(") {
		w.put(j, j+1, "ROW(")
		end := w.close(j)
		if !w.at(end).is(",", "(") {
			break
		}
		j = end + 1
	}
	return i + 2
}

// jsonTable spells JSON_TABLE(expr, path COLUMNS (…)) as a derived table of the expression.
func (w *rewriter) jsonTable(i int) int {
	end := w.close(i + 1)
	comma := -1
	for j := range w.level(i+2, end-1) {
		if w.is(",") {
			comma = j
			break
		}
	}
	if comma < 0 {
		w.bad = true
		return i + 1
	}
	w.keep(comma, end)
	w.put(i, i+2, "(SELECT ")
	w.put(comma, end, ")")
	return i + 2
}
