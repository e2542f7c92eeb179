package parser

// privateShows are the SHOW statements that give other people's data (contract 2, side doors).
var privateShows = [][]string{
	{"BINLOG", "EVENTS"}, {"RELAYLOG", "EVENTS"}, {"PROFILES"}, {"QUERY_RESPONSE_TIME"}, {"SESSION_STATES"},
	{"EXPLAIN"}, {"ANALYZE"}, {"SLOW"}, {"STATS_HISTOGRAMS"}, {"STATS_BUCKETS"}, {"STATS_TOPN"},
	{"HISTOGRAMS_IN_FLIGHT"}, {"COLUMN_STATS_USAGE"}, {"BINDINGS"},
}

// recogniseShow classes SHOW by its words. SHOW with a WHERE is left to the tree: the condition may
// hold subqueries.
func recogniseShow(s *scan) bool {
	if s.has(0, len(s.st.Tokens), "SELECT") {
		return false
	}
	s.i = 1
	s.acceptAny("FULL", "GLOBAL", "SESSION", "LOCAL", "EXTENDED")
	s.acceptAny("FULL")
	for _, words := range privateShows {
		if s.is(words...) {
			s.st.Extra.Private = "SHOW " + words[0] + ", which shows other sessions' data"
			return true
		}
	}
	if s.is("TABLE") && s.has(0, len(s.st.Tokens), "REGIONS") {
		s.st.Extra.Private = "SHOW TABLE … REGIONS, which shows keys of rows"
		return true
	}
	switch {
	case s.is("PROCESSLIST"):
		s.st.Kind = "show processlist"
	case (s.is("SLAVE") || s.is("REPLICA") || s.is("ALL")) && s.has(s.i, len(s.st.Tokens), "STATUS"):
		s.st.Kind = "show replica status"
	case s.is("ENGINE"):
		if s.has(s.i, len(s.st.Tokens), "STATUS", "MUTEX", "LOGS") {
			s.st.Extra.Private = "SHOW ENGINE … STATUS, which shows other sessions' statements"
			return true
		}
	case s.is("VARIABLES"):
		s.st.Kind = "show variables"
	case s.is("WARNINGS"), s.is("ERRORS"), s.is("COUNT"):
		s.st.Kind = "show warnings"
	case s.is("CREATE"):
		return showCreate(s)
	case s.is("COLUMNS"), s.is("FIELDS"), s.is("INDEX"), s.is("INDEXES"), s.is("KEYS"):
		if !showParts(s) {
			return false
		}
	}
	s.st.Extra.Control = true
	if !s.has(0, len(s.st.Tokens), "WHERE") {
		return s.left(1, len(s.st.Tokens))
	}
	// Which rows come tells about what the condition reads.
	s.st.Extra.Explained = true
	return !s.has(0, len(s.st.Tokens), "(") && s.left(1, len(s.st.Tokens))
}

// showParts names the table of SHOW COLUMNS|INDEX FROM t [FROM schema].
func showParts(s *scan) bool {
	s.i++
	if !s.acceptAny("FROM", "IN") {
		return false
	}
	schema, name, ok := s.name()
	if ok && s.acceptAny("FROM", "IN") {
		_, schema, ok = s.name()
	}
	s.st.Extra.Objects = []Named{{schema, name, Structure}}
	return ok
}

// showCreate names its object, so that a statement about the policy's own schema is noticed.
func showCreate(s *scan) bool {
	s.i++
	if !s.acceptAny("TABLE", "VIEW", "SEQUENCE") {
		s.st.Extra.Control = true
		return true
	}
	s.accept("IF", "NOT", "EXISTS")
	schema, name, ok := s.name()
	s.st.Extra.Objects = []Named{{schema, name, Structure}}
	return ok
}
