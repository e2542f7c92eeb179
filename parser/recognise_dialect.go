package parser

import "strings"

// keep holds what tokens from..to-1 evaluate: an analysis drops them.
func (w *rewriter) keep(from, to int) {
	k, ok := w.inert(from, min(to, len(w.st.Tokens)))
	w.bad = w.bad || !ok
	w.extra.More = append(w.extra.More, k.more...)
	w.extra.Objects = append(w.extra.Objects, k.objects...)
}

// cut drops tokens from..to-1, keeps what they evaluate, and gives the index to go on at.
func (w *rewriter) cut(from, to int) int {
	w.keep(from, to)
	w.drop(from, to)
	return to
}

// introducers are the character sets that an introducer may name: _latin1'…'.
var introducers = words(`_armscii8 _ascii _big5 _binary _cp1250 _cp1251 _cp1256 _cp1257 _cp850 _cp852 _cp866 _cp932
	_dec8 _eucjpms _euckr _gb18030 _gb2312 _gbk _geostd8 _greek _hebrew _hp8 _keybcs2 _koi8r _koi8u _latin1 _latin2
	_latin5 _latin7 _macce _macroman _sjis _swe7 _tis620 _ucs2 _ujis _utf16 _utf16le _utf32 _utf8 _utf8mb3 _utf8mb4`)

// introduces tells whether a character set stands here before a literal.
func (w *rewriter) introduces(i int) bool {
	if w.kind(i) != Word || !introducers[strings.ToLower(w.text(i, i+1))] {
		return false
	}
	return w.kind(i+1) == String || w.kind(i+1) == Number || w.kind(i+2) == String && (w.at(i+1).is("X") || w.is("B"))
}

// windowWords are words that the tree parser takes for functions alone; MariaDB lets them be names.
var windowWords = words(`rank dense_rank row_number ntile lead lag cume_dist percent_rank first_value last_value nth_value
	array groups`)

// dialect re-spells what the servers know and the tree parser does not, one construct a case.
func (w *rewriter) dialect(i int) int {
	switch w.i = i; {
	case w.is("WEIGHT_STRING", "("):
		return w.tail(i, ",", "AS", "LEVEL")
	case w.is("COLUMN_GET", "("), w.is("COLUMN_CREATE", "("), w.is("COLUMN_ADD", "("):
		w.types(i)
	case w.is("ADDDATE", "("), w.is("SUBDATE", "("):
		w.interval(i)
	case w.is("SETVAL", "("):
		return w.further(i, 2)
	case w.is("FETCH", "FIRST"), w.is("FETCH", "NEXT"):
		return w.fetch(i)
	case w.is("OFFSET") && (w.at(i+2).is("ROW") || w.is("ROWS")):
		return w.cut(i, i+3)
	case w.is("FOR", "PORTION", "OF"):
		return w.portion(i)
	case w.is("WITHIN", "GROUP", "("):
		return w.cut(i, w.close(i+2))
	case w.is("PERCENTILE_CONT", "("), w.is("PERCENTILE_DISC", "("), w.is("MEDIAN", "("):
		w.put(i, i+2, "AVG(")
	case w.is("CYCLE") && i > 0 && w.find("RESTRICT") > i:
		return w.cut(i, w.at(i).find("RESTRICT")+1)
	case w.is("ESCAPE") && i > 0 && (w.kind(i+1) == String || w.kind(i+1) == UserVariable || w.kind(i+1) == Parameter):
		return w.cut(i, i+2)
	case w.is("ESCAPE", "(") && i > 0:
		end := w.close(i + 1)
		w.keep(i+1, end)
		w.drop(i, end)
		return end
	default:
		return w.definition(i)
	}
	return i + 1
}

// definition re-spells what stands in definitions.
func (w *rewriter) definition(i int) int {
	switch w.i = i; {
	case i > 0 && !w.setting() && (w.is("CHARACTER", "SET") || w.is("CHAR", "SET") || w.is("CHARSET")):
		return w.charset(i)
	case i == 0 && w.is("CREATE", "OR", "REPLACE", "SEQUENCE"):
		w.drop(1, 3)
		return 3
	case i == 0 && w.is("CREATE"):
		if at := w.find("VIEW"); at > 0 && at < 16 && w.at(at+1).is("IF", "NOT", "EXISTS") {
			w.drop(at+1, at+4)
		}
	case i == 0 && w.is("LOAD", "XML"):
		w.put(1, 2, "DATA")
	case w.is("ROWS", "IDENTIFIED", "BY") && w.kind(i+3) == String:
		w.drop(i, i+4)
		return i + 4
	case w.r.Dialect.Flavor == MariaDB && w.kind(i) == Word && windowWords[strings.ToLower(w.text(i, i+1))] && !w.at(i+1).is("("):
		w.put(i, i+1, ident(w.text(i, i+1)))
	case w.kind(i) == Number && strings.ContainsAny(w.text(i, i+1), "eE") && !strings.HasPrefix(strings.ToLower(w.text(i, i+1)), "0x"):
		w.put(i, i+1, "1e1") // one that is too large for the tree parser
	default:
		return w.newer(i)
	}
	return i + 1
}

// setting tells whether the statement is a SET: which character set it names is what counts of it.
func (w *rewriter) setting() bool { return w.st.Tokens[0].is(w.st.Text, "SET") }

// charset gives CHARACTER SET [=] name a name that the tree parser knows.
func (w *rewriter) charset(i int) int {
	j := i + 1
	if !w.at(i).is("CHARSET") {
		j++
	}
	if w.at(j).is("=") {
		j++
	}
	if k := w.kind(j); k == Word || k == String || k == QuotedName {
		w.put(j, j+1, "utf8mb4")
	}
	return j + 1
}

// tail cuts what stands behind the first argument of a call, from one of words on.
func (w *rewriter) tail(i int, words ...string) int {
	end := w.close(i+1) - 1
	for j := range w.level(i+2, end) {
		for _, word := range words {
			if w.is(word) {
				w.cut(j, end)
				return i + 2
			}
		}
	}
	return i + 1
}

// types drops the AS type behind arguments of the dynamic column functions.
func (w *rewriter) types(i int) {
	end := w.close(i+1) - 1
	as := -1
	for j := range w.level(i+2, end) {
		switch {
		case as < 0 && w.is("AS"):
			as = j
		case as >= 0 && w.is(","):
			w.cut(as, j)
			as = -1
		}
	}
	if as >= 0 {
		w.cut(as, end)
	}
}

// interval spells ADDDATE(d, INTERVAL (n) unit), as Tableau sends it, with the name that the tree parser reads so.
func (w *rewriter) interval(i int) {
	end := w.close(i+1) - 1
	for range w.level(i+2, end) {
		if w.is(",", "INTERVAL") {
			w.put(i, i+2, map[bool]string{true: "DATE_ADD(", false: "DATE_SUB("}[w.at(i).is("ADDDATE")])
			return
		}
	}
}

// further cuts the arguments of a call behind the n-th.
func (w *rewriter) further(i, n int) int {
	end := w.close(i+1) - 1
	for j := range w.level(i+2, end) {
		if w.is(",") {
			if n--; n == 0 {
				w.cut(j, end)
				return i + 1
			}
		}
	}
	return i + 1
}

// fetch cuts FETCH FIRST n ROWS ONLY | WITH TIES.
func (w *rewriter) fetch(i int) int {
	for j := i + 2; j < min(i+6, len(w.st.Tokens)); j++ {
		switch w.i = j; {
		case w.is("ONLY"):
			return w.cut(i, j+1)
		case w.is("WITH", "TIES"):
			return w.cut(i, j+2)
		}
	}
	return i + 1
}

// portion cuts FOR PORTION OF p FROM a TO b of UPDATE and DELETE.
func (w *rewriter) portion(i int) int {
	end := w.last()
	for j := range w.level(i+3, end) {
		w.looked++
		if w.is("SET") || w.is("WHERE") || w.is("ORDER") || w.is("LIMIT") || w.is("RETURNING") {
			end = j
			break
		}
	}
	return w.cut(i, end)
}
