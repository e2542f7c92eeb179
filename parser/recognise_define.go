package parser

import "strings"

// recogniseCreateTable reads CREATE [OR REPLACE] [TEMPORARY] TABLE with types, character sets and
// options that the tree parser lacks. Column definitions can hold no subquery; what reads or names
// tables are LIKE, REFERENCES, UNION and the SELECT behind.
func recogniseCreateTable(s *scan) bool {
	if !s.accept("CREATE") {
		return false
	}
	replace := s.accept("OR", "REPLACE")
	temporary := s.accept("TEMPORARY")
	if !s.accept("TABLE") {
		return false
	}
	s.accept("IF", "NOT", "EXISTS")
	schema, name, ok := s.name()
	if !ok {
		return false
	}
	e := &s.st.Extra
	e.Table = &TableDefinition{Schema: schema, Name: name, Temporary: temporary, Replace: replace}
	if sel := s.queryBehind(); sel >= 0 {
		in, ok := s.inner(strings.TrimSpace(s.queryText(sel)))
		if !ok || in.Node == nil || in.Tier == TierTokens {
			return false
		}
		table := e.Table
		s.st.Node = in.Node
		s.st.Extra = in.Extra
		s.st.Extra.Table = table
		return s.knownOptions(s.i, sel) && s.columnState(s.i, sel) && s.tableNames(s.i, sel)
	}
	return s.knownOptions(s.i, s.last()) && s.columnState(s.i, s.last()) && s.tableNames(s.i, s.last())
}

// columnState keeps the variables and sequences that defaults and generated columns read: rows that come along with the
// definition, and those of an altered table, get their values.
func (s *scan) columnState(from, to int) bool {
	for i := from; i < to; i++ {
		t := s.st.Tokens[i]
		end := i + 1
		switch {
		case t.Kind == UserVariable && !s.isHost(i), t.Kind == SystemVariable:
		case s.at(i, "VALUE") && s.at(i+1, "FOR"):
			end = to
		case s.at(i+1, "(") && (s.at(i, "NEXTVAL") || s.at(i, "LASTVAL") || s.at(i, "SETVAL")):
			end = to
		default:
			continue
		}
		k, ok := s.inert(i, end)
		if !ok {
			return false
		}
		s.st.Extra.More = append(s.st.Extra.More, k.more...)
		s.st.Extra.Objects = append(s.st.Extra.Objects, k.objects...)
		i = end - 1
	}
	return true
}

// queryBehind gives the index of the token that begins the query of CREATE TABLE … [AS] SELECT, or -1.
func (s *scan) queryBehind() int {
	depth := 0
	for i := s.i; i < s.last(); i++ {
		t := s.st.Tokens[i]
		switch {
		case t.is(s.st.Text, "("):
			depth++
		case t.is(s.st.Text, ")"):
			depth--
		case t.is(s.st.Text, "SELECT"), t.is(s.st.Text, "WITH") && depth == 0 && !s.has(i, min(i+2, s.last()), "SYSTEM"), t.is(s.st.Text, "VALUES") && depth == 0, t.is(s.st.Text, "TABLE"):
			for i > 0 && s.st.Tokens[i-1].is(s.st.Text, "(") {
				i--
			}
			return i
		}
	}
	return -1
}

func (s *scan) queryText(from int) string { return s.text(from, s.last()) }

// tableNames collects the tables and the reach that a definition's options name.
func (s *scan) tableNames(from, to int) bool {
	table := s.st.Extra.Table
	for i := from; i < to; i++ {
		s.i = i
		switch {
		case s.accept("REFERENCES"), s.accept("LIKE"):
			schema, name, ok := s.name()
			if !ok {
				continue // LIKE in a CHECK
			}
			s.st.Extra.Objects = append(s.st.Extra.Objects, Named{schema, name, Structure})
		case s.accept("UNION"):
			s.accept("=")
			if !s.accept("(") {
				return false
			}
			for !s.accept(")") {
				schema, name, ok := s.name()
				if !ok {
					return false
				}
				table.Union = append(table.Union, Named{schema, name, Structure})
				s.accept(",")
			}
		case s.accept("ENGINE"), s.accept("TYPE", "="):
			s.accept("=")
			if !s.done() {
				table.Engine = strings.ToUpper(strings.Trim(s.st.Tokens[s.i].text(s.st.Text), "'\"`"))
			}
		case s.is("CONNECTION"), s.is("DIRECTORY"):
			table.Reaches = strings.ToUpper(s.st.Tokens[i].text(s.st.Text))
		}
	}
	return true
}

// recogniseAlterTable reads ALTER [ONLINE] [IGNORE] TABLE with clauses that the tree parser lacks.
func recogniseAlterTable(s *scan) bool {
	if !s.accept("ALTER") {
		return false
	}
	s.accept("ONLINE")
	s.accept("IGNORE")
	if !s.accept("TABLE") || s.has(s.i, len(s.st.Tokens), "SELECT") {
		return false
	}
	s.accept("IF", "EXISTS")
	schema, name, ok := s.name()
	if !ok {
		return false
	}
	s.st.Extra.Table = &TableDefinition{Schema: schema, Name: name, Alter: true}
	from := s.i
	if !s.knownClauses(from) {
		return false
	}
	for i := from; i < s.last(); i++ {
		s.i = i
		switch {
		case s.accept("RENAME"):
			if s.is("COLUMN") || s.is("INDEX") || s.is("KEY") {
				continue
			}
			s.acceptAny("TO", "AS", "=")
			toSchema, to, ok := s.name()
			if !ok {
				return false
			}
			s.st.Extra.Table.RenameTo = &Named{toSchema, to, Define}
		case s.accept("WITH", "TABLE"):
			exSchema, ex, ok := s.name()
			if !ok {
				return false
			}
			s.st.Extra.Table.Exchange = &Named{exSchema, ex, ReadWrite}
		case s.is("CHECK", "PARTITION"), s.is("REPAIR", "PARTITION"), s.is("OPTIMIZE", "PARTITION"), s.is("ANALYZE", "PARTITION"):
			s.st.Extra.Objects = append(s.st.Extra.Objects, Named{schema, name, Read})
			s.st.Extra.Explained = true
		case s.is("TABLESPACE"):
			s.st.Extra.Private = "ALTER TABLE … TABLESPACE, which takes over or gives up a table's file"
		case s.is("CONVERT", "TABLE"), s.is("CONVERT", "PARTITION"):
			if !s.convert() {
				return false
			}
		}
	}
	return s.columnState(from, s.last()) && s.tableNames(from, s.last())
}

// convert reads CONVERT PARTITION p TO TABLE t and CONVERT TABLE t TO PARTITION p …, of which there is one.
func (s *scan) convert() bool {
	table := s.st.Extra.Table
	if table.Becomes != nil || table.Takes != nil {
		return false
	}
	if s.accept("CONVERT", "TABLE") {
		schema, name, ok := s.name()
		table.Takes = &Named{schema, name, ReadWrite}
		return ok && s.accept("TO", "PARTITION")
	}
	s.accept("CONVERT", "PARTITION")
	if _, _, ok := s.name(); !ok || !s.accept("TO", "TABLE") {
		return false
	}
	schema, name, ok := s.name()
	table.Becomes = &Named{schema, name, ReadWrite}
	return ok
}

// otherDefinitions are definitions without any table data: accounts, space, resources, servers' parts.
var otherDefinitions = map[string]bool{
	"user": true, "role": true, "tablespace": true, "logfile": true, "undo": true, "resource": true,
	"spatial": true, "instance": true, "library": true, "server": true,
}

func recogniseOtherDefinition(s *scan) bool {
	if !s.acceptAny("CREATE", "ALTER", "DROP", "RENAME", "SET") || s.has(0, len(s.st.Tokens), "SELECT", "TABLE", "VIEW", "INDEX") {
		return false
	}
	if s.st.Tokens[0].is(s.st.Text, "SET") {
		switch {
		case s.is("ROLE"), s.is("PASSWORD"), s.is("DEFAULT", "ROLE"), s.is("RESOURCE", "GROUP"):
			s.st.Extra.Control = true
			return s.assignsNothing()
		case s.is("NAMES"), s.is("CHARACTER", "SET"), s.is("CHARSET"):
			s.st.Extra.Control = true
			s.st.Extra.Settings = []string{"names"} // in a set that the tree parser lacks
			return s.assignsNothing()
		}
		return recogniseSet(s)
	}
	s.accept("OR", "REPLACE")
	if s.i < len(s.st.Tokens) && otherDefinitions[strings.ToLower(s.st.Tokens[s.i].text(s.st.Text))] {
		s.st.Extra.Control = true
		return true
	}
	return false
}

// assignsNothing tells whether SET ROLE, PASSWORD, NAMES … stands alone: a list may go on with assignments.
func (s *scan) assignsNothing() bool {
	for i, t := range s.st.Tokens {
		if t.Kind == SystemVariable || t.is(s.st.Text, ":=") || t.Kind == UserVariable && !s.isHost(i) {
			return false
		}
	}
	return s.left(1, len(s.st.Tokens))
}

// recogniseSet reads SET PERSIST and assignments to local variables and to NEW.column, as
// expressions and their targets.
func recogniseSet(s *scan) bool {
	for !s.done() {
		global := s.is("PERSIST") || s.is("PERSIST_ONLY") || s.is("GLOBAL")
		for s.acceptAny("PERSIST", "PERSIST_ONLY", "GLOBAL", "SESSION", "LOCAL") {
		}
		from := s.i
		for !s.done() && !s.is("=") && !s.is(":=") {
			s.i++
		}
		if s.done() || s.i == from {
			return false
		}
		target := s.text(from, s.i)
		s.i++
		end := s.find(",")
		if end < 0 {
			end = s.last()
		}
		nodes, ok := s.expression(s.text(s.i, end))
		if !ok && end != s.i+1 {
			return false
		}
		s.st.Extra.More = append(s.st.Extra.More, nodes...)
		lower := strings.ToLower(target)
		global = global || strings.HasPrefix(lower, "@@global.") || strings.HasPrefix(lower, "@@persist")
		v := Variable{Global: global, Name: strings.ToLower(strings.TrimPrefix(target, "@")), User: strings.HasPrefix(target, "@") && !strings.HasPrefix(target, "@@")}
		s.st.Extra.Into = append(s.st.Extra.Into, v)
		if v.Name == "sql_mode" || strings.HasPrefix(v.Name, "@sql_mode") || strings.Contains(v.Name, "character_set") {
			s.st.Extra.Settings = append(s.st.Extra.Settings, strings.TrimLeft(v.Name, "@"))
		}
		s.i = end
		s.accept(",")
	}
	return true
}

// recogniseTransaction reads COMMIT and ROLLBACK in the forms that the tree parser lacks, such as ROLLBACK WORK.
func recogniseTransaction(s *scan) bool {
	if !s.acceptAny("COMMIT", "ROLLBACK") || s.has(0, len(s.st.Tokens), "(", "SELECT") {
		return false
	}
	return recogniseControl(s)
}
