package parser

import "strings"

// recogniseHandler reads HANDLER t OPEN|READ|CLOSE: READ gives rows of t.
func recogniseHandler(s *scan) bool {
	s.i = 1
	schema, name, ok := s.name()
	if !ok {
		return false
	}
	switch {
	case s.accept("OPEN"):
		alias := name
		s.accept("AS")
		if !s.done() {
			if _, alias, ok = s.name(); !ok {
				return false
			}
		}
		// Every row may be read through the alias from here on; it is judged at OPEN and at READ.
		s.st.Extra.Objects = []Named{{schema, name, Read}}
		s.st.Extra.Into = []Variable{{Name: "handler " + strings.ToLower(alias)}}
	case s.accept("READ"):
		s.st.Extra.Objects = []Named{{schema, "handler " + strings.ToLower(name), Read}}
		end := s.last()
		if w := s.find("WHERE"); w >= 0 {
			limit := s.lastBefore(w+1, "LIMIT")
			nodes, ok := s.expression(s.text(w+1, limit))
			if !ok || !s.left(limit, end) {
				return false
			}
			s.st.Extra.More = append(s.st.Extra.More, nodes...)
			end = w
		}
		if !s.left(s.i, end) {
			return false
		}
		s.st.Extra.Explained = true
	case s.accept("CLOSE"):
		s.st.Extra.Control = true
	default:
		return false
	}
	return true
}

// recogniseTableList reads CHECK, CHECKSUM, REPAIR, OPTIMIZE, ANALYZE TABLE t, u …
func recogniseTableList(s *scan) bool {
	access := Write
	switch {
	case s.is("CACHE"), s.is("LOAD"), s.is("ANALYZE") && s.r.Dialect.Flavor == TiDB:
		access = Structure
	case s.is("CHECKSUM"), s.is("CHECK"), s.is("ANALYZE"):
		access = Read
	}
	s.st.Extra.Explained = access != Structure // what is wrong with rows is shown, and quotes them
	at := s.find("TABLE", "TABLES", "VIEW", "INDEX")
	if s.is("LOAD", "INDEX", "INTO", "CACHE") {
		at = 3
	}
	if at < 0 || s.has(0, len(s.st.Tokens), "SELECT") {
		return false
	}
	list := s.is("CACHE") || s.is("LOAD") // CACHE INDEX t INDEX (a), u IN c
	s.i = at + 1
	for {
		schema, name, ok := s.name()
		if !ok {
			return false
		}
		s.st.Extra.Objects = append(s.st.Extra.Objects, Named{schema, name, access})
		if access == Write {
			s.st.Extra.Objects = append(s.st.Extra.Objects, Named{schema, name, Read})
		}
		if comma := s.find(","); comma == s.i || (list && comma > 0) {
			s.i = comma + 1
			continue
		}
		s.st.Extra.Control = access != Read
		return s.left(s.i, s.last())
	}
}

// recogniseLock reads LOCK TABLES t [AS a] READ|WRITE …: no data moves.
func recogniseLock(s *scan) bool {
	s.i = 1
	if s.has(0, len(s.st.Tokens), "SELECT", "(") || s.is("STATS") {
		return false
	}
	s.st.Extra.Control = true
	if !s.acceptAny("TABLES", "TABLE") {
		return true
	}
	for !s.done() {
		schema, name, ok := s.name()
		if !ok {
			return false
		}
		s.st.Extra.Objects = append(s.st.Extra.Objects, Named{schema, name, Structure})
		if s.i = s.find(","); s.i < 0 {
			return true
		}
		s.i++
	}
	return true
}

// recogniseLoadIndex reads LOAD INDEX INTO CACHE t INDEX (a) IGNORE LEAVES, u: no data moves.
func recogniseLoadIndex(s *scan) bool {
	return s.is("LOAD", "INDEX", "INTO", "CACHE") && recogniseTableList(s)
}

// recogniseFlush: FLUSH TABLES t, u names tables; FLUSH … FOR EXPORT hands out a table's file.
func recogniseFlush(s *scan) bool {
	if s.has(0, len(s.st.Tokens), "EXPORT") {
		s.st.Extra.Private = "FLUSH … FOR EXPORT, which hands out a table's file"
		return true
	}
	s.i = 1
	s.acceptAny("LOCAL", "NO_WRITE_TO_BINLOG")
	if s.acceptAny("TABLES", "TABLE") && !s.is("WITH") {
		for {
			schema, name, ok := s.name()
			if !ok {
				break
			}
			s.st.Extra.Objects = append(s.st.Extra.Objects, Named{schema, name, Structure})
			if !s.accept(",") {
				break
			}
		}
	}
	return recogniseControl(s)
}
