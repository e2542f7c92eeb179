package parser

import (
	"iter"
	"slices"
	"strings"
)

// newer re-spells what newer servers read and the tree parser does not: MySQL 8.0 and later first of all.
func (w *rewriter) newer(i int) int {
	switch w.i = i; {
	case w.is("(", ")") && (w.scan.at(i-1, ",") || w.scan.at(i-1, "(")):
		w.put(i, i+2, "(1)") // the empty one of GROUPING SETS
		return i + 2
	case w.is("("):
		w.derivedColumns(i)
	case w.is("MATCH"):
		return w.match(i)
	case i == 1 && w.begins("CALL") && w.kind(i) == Word:
		w.put(i, i+1, ident(w.text(i, i+1))) // a keyword of the tree parser's
	case w.is("NOT", "LIKE") && w.compares(i+1):
		w.put(i, i+2, "<>")
		return i + 2
	case w.is("LIKE") && w.compares(i):
		w.put(i, i+1, "=") // what stands behind it may be computed: 2 LIKE 4 >> 1
	case w.is("SOUNDS", "LIKE"):
		w.put(i, i+2, "=")
		return i + 2
	case w.is("FOR", "UPDATE"), w.is("FOR", "SHARE"), w.is("LOCK", "IN", "SHARE", "MODE"):
		return w.locking(i)
	case w.is("JSON_VALUE", "("):
		w.jsonValue(i)
	case w.is("NULL", "ON", "NULL") && i > 0, w.is("ABSENT", "ON", "NULL"):
		w.drop(i, i+3) // of JSON_ARRAY, JSON_ARRAYAGG, JSON_OBJECT …
		return i + 3
	case w.is("CONVERT", "("):
		w.convert(i)
	case w.is("GROUPING", "SETS", "("):
		w.drop(i, i+2)
		return i + 2
	case w.is("ROLLUP", "("), w.is("CUBE", "("):
		w.drop(i, i+1)
	case w.is("QUALIFY"):
		return w.qualify(i)
	case w.is("LIMIT"):
		return w.limit(i)
	case w.is("SEPARATOR") && w.kind(i+1) == Number, (w.is("BY") || w.is("DEFINED", "NULL")) && w.begins("LOAD"):
		return w.separator(i)
	case w.kind(i) == Number && strings.HasSuffix(w.text(i, i+1), "."):
		w.put(i, i+1, w.text(i, i+1)+"0")
	case w.is("GROUP", "BY") || w.is("HAVING"):
		w.fromNothing(i)
	case w.is(":=") && !w.setting() && w.kind(i-1) == UserVariable:
		w.assigns(i)
	case w.kind(i) == String && w.kind(i-1) == String && !w.setting():
		w.drop(i, i+1) // literals side by side are one
	case w.is("STRAIGHT_JOIN") && w.joins(i):
		w.put(i, i+1, "JOIN")
	case w.is("PARTITION", "(") && w.begins("LOAD"):
		w.drop(i, w.close(i+1))
		return w.close(i + 1)
	case i == 0 && w.is("DO") && w.has(0, w.last(), "AS"):
		w.put(0, 1, "SELECT") // its expressions may have aliases
	case w.is("MATERIALIZED", "VIEW"), w.is("MATERIALIZED", "DEFINER"), w.is("MATERIALIZED", "SQL", "SECURITY"):
		w.drop(i, i+1) // MySQL reads its query when it is read, unless an engine that analyses keeps a copy
	default:
		return w.word(i)
	}
	return i + 1
}

// begins tells whether the statement begins with a word.
func (w *rewriter) begins(word string) bool { return w.st.Tokens[0].is(w.st.Text, word) }

// operators are words that a parenthesis may follow where the alias of a derived table could stand.
var operators = words(`and as between div except for having in intersect is join like limit minus mod not on or order over
	partition regexp rlike set straight_join then union using value values when where xor`)

// derivedColumns drops the names of a derived table's columns: (SELECT …) AS d (a, b).
func (w *rewriter) derivedColumns(i int) {
	j := i
	for w.at(j).is("(") {
		j++
	}
	if !w.is("SELECT") && !w.is("WITH") && !w.is("VALUES") && !w.is("TABLE") {
		return
	}
	j = w.close(i)
	if w.at(j).is("AS") {
		j++
	}
	if k := w.kind(j); k != Word && k != QuotedName || !w.at(j+1).is("(") || k == Word && operators[strings.ToLower(w.text(j, j+1))] {
		return
	}
	end := w.close(j + 1)
	for n := j + 2; n < end; n++ {
		if name := (n-j)%2 == 0; name && (n >= len(w.st.Tokens) || !w.st.Tokens[n].isName()) || !name && n < end-1 && !w.at(n).is(",") {
			return
		}
	}
	w.drop(j+1, end)
}

// match puts parentheses about MATCH … AGAINST (…): the tree parser lets nothing be computed with it otherwise.
func (w *rewriter) match(i int) int {
	against := w.at(i).find("AGAINST")
	if against < 0 || !w.at(against+1).is("(") {
		return i + 1
	}
	columns := w.text(i+1, against)
	if !w.at(i + 1).is("(") {
		columns = "(" + columns + ")"
	}
	w.put(i, against, "(MATCH "+columns)
	end := w.close(against + 1)
	w.put(end-1, end, "))")
	return against
}

// locking cuts a locking clause: which rows are locked moves no data of theirs. That any are is kept. The tree parser reads one,
// and none behind a query in parentheses.
func (w *rewriter) locking(i int) int {
	if !w.queries() {
		return i + 1
	}
	w.i = i
	if !w.accept("LOCK", "IN", "SHARE", "MODE") {
		w.i = i + 2
		for of := w.accept("OF"); of; of = w.accept(",") {
			if _, _, ok := w.name(); !ok {
				return i + 1
			}
		}
	}
	switch {
	case w.accept("NOWAIT"), w.accept("SKIP", "LOCKED"):
	case w.is("WAIT") && w.kind(w.i+1) == Number:
		w.i += 2
	}
	end := w.i
	w.drop(i, end)
	w.extra.Locks = true
	return max(end, i+1)
}

// queries tells whether the statement is one whose queries may lock.
func (w *rewriter) queries() bool {
	for _, verb := range []string{"SELECT", "(", "WITH", "TABLE", "VALUES", "INSERT", "REPLACE", "CREATE", "UPDATE", "DELETE", "DO"} {
		if w.begins(verb) {
			return true
		}
	}
	return false
}

// compares tells the LIKE between two values from those of SHOW and CREATE TABLE.
func (w *rewriter) compares(i int) bool {
	w.looked += i
	return !w.begins("SHOW") && w.has(0, i, "SELECT", "DO", "UPDATE", "DELETE", "VALUES")
}

// level goes over the tokens of a stretch that stand in no parentheses which open in it. Each is the current one.
func (w *rewriter) level(from, to int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for j, depth := from, 0; j < to; j++ {
			switch w.i = j; {
			case w.is("("):
				depth++
			case w.is(")"):
				depth--
			case depth == 0 && !yield(j):
				return
			}
		}
	}
}

// jsonValue cuts RETURNING type and what happens on EMPTY and ERROR out of JSON_VALUE(document, path …).
func (w *rewriter) jsonValue(i int) {
	paths, end := false, w.close(i+1)-1
	for j := range w.level(i+2, end) {
		switch {
		case w.is(","):
			paths = true
		case paths && (w.is("RETURNING") || w.is("DEFAULT") || w.is("NULL", "ON") || w.is("ERROR", "ON")):
			w.cut(j, end)
			return
		}
	}
}

// convert gives CONVERT(value, type) and CONVERT(value USING set) a type and a set that the tree parser knows.
func (w *rewriter) convert(i int) {
	end := w.close(i+1) - 1
	for j := range w.level(i+2, end) {
		switch {
		case w.is(","):
			w.keep(j+1, end)
			w.put(j+1, end, "CHAR")
			return
		case w.is("USING") && j+2 == end && w.kind(j+1) != Word:
			w.put(j+1, end, "utf8mb4")
			return
		}
	}
}

// qualify takes QUALIFY condition out and keeps the condition beside the tree.
func (w *rewriter) qualify(i int) int {
	end, depth := i+1, 0
	for ; end < w.last(); end++ {
		w.looked++
		if w.i = end; w.is("(") {
			depth++
		} else if w.is(")") {
			if depth--; depth < 0 {
				break
			}
		} else if depth == 0 && (w.is("ORDER") || w.is("LIMIT") || w.is("INTO") || w.is("FOR") || w.is("LOCK") || w.is("UNION") || w.is("EXCEPT") || w.is("INTERSECT")) {
			break
		}
	}
	nodes, ok := w.expression(w.text(i+1, end))
	if !ok {
		return i + 1 // a name
	}
	w.extra.More = append(w.extra.More, nodes...)
	w.drop(i, end)
	return end
}

// limit puts numbers for the local variables and parameters that LIMIT may name in a stored program, and keeps them.
func (w *rewriter) limit(i int) int {
	if w.scan.at(i+1, "ROWS") {
		return i + 1
	}
	for j := i + 1; ; j += 2 {
		if k := w.kind(j); k == Word || k == QuotedName {
			end := j + 1
			for w.at(end).is(".") && end+1 < len(w.st.Tokens) && w.st.Tokens[end+1].isName() { // a field of a ROW
				end += 2
			}
			nodes, ok := w.expression(w.text(j, end))
			if !ok {
				return i + 1
			}
			w.extra.More = append(w.extra.More, nodes...)
			w.put(j, end, "1")
			j = end - 1
		}
		if !w.at(j+1).is(",") && !w.at(j+1).is("OFFSET") {
			return j + 1
		}
	}
}

// separator gives a separator in hexadecimal or binary the form of a text.
func (w *rewriter) separator(i int) int {
	for i++; w.scan.at(i, "BY") || w.scan.at(i, "NULL"); i++ {
	}
	switch {
	case w.kind(i) == Number:
		w.put(i, i+1, "','")
	case w.kind(i) == Word && w.kind(i+1) == String:
		w.put(i, i+2, "','")
	}
	return i + 1
}

// fromNothing gives a SELECT without FROM one before its GROUP BY or HAVING: the tree parser wants it.
func (w *rewriter) fromNothing(i int) {
	for depth, j := 0, i-1; j >= 0; j-- {
		w.looked++
		switch w.i = j; {
		case w.is(")"):
			depth++
		case w.is("("):
			if depth--; depth < 0 {
				return
			}
		case depth > 0:
		case w.is("SELECT"):
			w.put(i, i+1, "FROM (SELECT 1) AS nothing "+w.text(i, i+1))
			return
		case w.is("FROM"), w.is("WHERE"), w.is("GROUP"), w.is("UPDATE"), w.is("DELETE"):
			return
		}
	}
}

// assigns keeps @v := value where it is part of a larger expression, which the tree parser does not read, as an
// assignment beside the tree.
func (w *rewriter) assigns(i int) {
	nodes, ok := w.expression(w.text(i-1, i) + " := 0")
	if !ok {
		w.bad = true
		return
	}
	w.extra.More = append(w.extra.More, nodes...)
	w.put(i, i+1, "=")
}

// joins tells the STRAIGHT_JOIN between two tables from that of SELECT STRAIGHT_JOIN.
func (w *rewriter) joins(i int) bool {
	for _, option := range []string{"SELECT", "ALL", "DISTINCT", "DISTINCTROW", "HIGH_PRIORITY", "SQL_CACHE", "SQL_NO_CACHE", "SQL_SMALL_RESULT", "SQL_BIG_RESULT", "SQL_BUFFER_RESULT", "SQL_CALC_FOUND_ROWS"} {
		if w.scan.at(i-1, option) {
			return false
		}
	}
	return i > 0 && w.kind(i-1) != Hint
}

// dialectNames are words that the tree parser keeps for itself and a server lets be names.
var dialectNames = map[Flavor]map[string]bool{
	MariaDB: words("database generated of option row schema stored until virtual window next"),
	MySQL:   words("array until next"),
}

// word quotes such a word where it is no keyword.
func (w *rewriter) word(i int) int {
	if w.kind(i) != Word || !dialectNames[w.r.Dialect.Flavor][strings.ToLower(w.text(i, i+1))] || w.scan.at(i+1, "(") && !w.scan.at(i-1, "INTO") {
		return i + 1
	}
	for _, verb := range []string{"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "TRUNCATE"} {
		if w.begins(verb) && !w.keyword(i) {
			w.put(i, i+1, ident(w.text(i, i+1)))
			break
		}
	}
	return i + 1
}

// keyword tells where such a word is one: WINDOW w AS (…), FOR UPDATE OF t, CURRENT ROW, NEXT VALUE FOR s …
func (w *rewriter) keyword(i int) bool {
	before := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return w.scan.at(i-1, word) })
	}
	switch w.i = i; {
	case w.is("WINDOW"):
		return w.scan.at(i+2, "AS") && w.scan.at(i+3, "(")
	case w.is("NEXT"):
		return w.is("NEXT", "VALUE", "FOR") || before("FETCH")
	case w.is("OF"):
		return before("UPDATE", "SHARE", "AS", "PORTION")
	case w.is("ROW"):
		return before("CURRENT", "FIRST", "NEXT") || w.kind(i-1) == Number
	}
	return false
}

// recogniseDeleteHistory reads MariaDB's DELETE HISTORY FROM t, where HISTORY is no table.
func recogniseDeleteHistory(s *scan) bool {
	if s.r.Dialect.Flavor != MariaDB || !s.is("DELETE", "HISTORY", "FROM") {
		return false
	}
	in, ok := s.inner("DELETE " + s.text(2, s.last()))
	return ok && s.st.adopt(in)
}
