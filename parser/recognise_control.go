package parser

import "strconv"

// private marks a statement that moves data past all tables.
func private(what string) func(*scan) bool {
	return func(s *scan) bool {
		s.st.Extra.Private = what
		return true
	}
}

// recogniseImport reads MySQL's IMPORT TABLE. TiDB's IMPORT INTO is read by its tree.
func recogniseImport(s *scan) bool {
	if s.r.Dialect.Flavor == TiDB && s.is("IMPORT", "INTO") {
		return false
	}
	return private("IMPORT TABLE, which takes over files")(s)
}

// replays is why replication is other people's data: the warehouse would run what another server tells it to, past the gateway.
const replays = ", which lets the warehouse run another server's statements"

// recogniseStart reads START TRANSACTION, and what begins replication.
func recogniseStart(s *scan) bool {
	for _, what := range []string{"SLAVE", "REPLICA", "ALL", "GROUP_REPLICATION"} {
		if s.is("START", what) {
			return private("START " + what + replays)(s)
		}
	}
	return recogniseControl(s)
}

// recogniseChange reads CHANGE MASTER and CHANGE REPLICATION SOURCE, and TiDB's CHANGE of its own services.
func recogniseChange(s *scan) bool {
	for _, what := range []string{"MASTER", "REPLICATION"} {
		if s.is("CHANGE", what) {
			return private("CHANGE " + what + replays)(s)
		}
	}
	return recogniseControl(s)
}

// recogniseControl reads statements that move no data of tables. A subquery would: none has one.
func recogniseControl(s *scan) bool {
	if s.is("UNLOCK", "STATS") {
		return false // TiDB's names tables
	}
	if s.is("START", "TRANSACTION") && s.has(0, len(s.st.Tokens), "TIMESTAMP") {
		return false // TiDB's AS OF TIMESTAMP counts
	}
	s.st.Extra.Control = true
	return s.left(1, len(s.st.Tokens))
}

// recogniseBegin takes BEGIN [WORK]; MariaDB's BEGIN NOT ATOMIC runs a body.
func recogniseBegin(s *scan) bool {
	if s.is("BEGIN", "NOT") {
		return recogniseBlock(s)
	}
	return recogniseControl(s)
}

// recogniseAccounts reads GRANT and REVOKE: grants are access, which the warehouse keeps.
// The words before a parenthesis are privileges, whose columns are named in it.
func recogniseAccounts(s *scan) bool {
	s.st.Extra.Control = true
	if on := s.find("ON"); on > 0 && !s.has(0, on, "PROXY") {
		s.i = on + 1
		s.accept("TABLE")
		routine := s.is("FUNCTION") || s.is("PROCEDURE") || s.is("PACKAGE") || s.is("LIBRARY")
		if schema, name, ok := s.name(); ok && !routine && !s.is(".") {
			s.st.Extra.Objects = []Named{{schema, name, Structure}}
		}
	}
	return !s.has(0, len(s.st.Tokens), "SELECT", "VALUES", "WITH") || !s.has(0, len(s.st.Tokens), "(")
}

// recogniseSignal: the condition's items are expressions of literals and variables, and go to the client.
func recogniseSignal(s *scan) bool {
	if s.has(0, len(s.st.Tokens), "SELECT", "(") {
		return false
	}
	for _, t := range s.st.Tokens {
		if t.Kind == UserVariable {
			nodes, ok := s.expression(t.text(s.st.Text))
			if !ok {
				return false
			}
			s.st.Extra.More = append(s.st.Extra.More, nodes...)
		}
	}
	s.st.Extra.Explained = true
	s.st.Extra.Control = len(s.st.Extra.More) == 0
	return true
}

// recogniseDiagnostics reads GET [CURRENT|STACKED] DIAGNOSTICS …: its targets are variables.
func recogniseDiagnostics(s *scan) bool {
	for i, t := range s.st.Tokens {
		if i+1 < len(s.st.Tokens) && s.st.Tokens[i+1].is(s.st.Text, "=") {
			s.st.Extra.Into = append(s.st.Extra.Into, Variable{Name: t.variable(s.st.Text), User: t.Kind == UserVariable})
		} else if t.Kind == UserVariable && !s.left(i, i+1) { // CONDITION @n
			return false
		}
	}
	s.st.Kind = "get diagnostics"
	return len(s.st.Extra.Into) > 0 && !s.has(0, len(s.st.Tokens), "SELECT", "(")
}

// recogniseKill reads every form of KILL that names a connection by a number.
func recogniseKill(s *scan) bool {
	s.i = 1
	s.acceptAny("HARD", "SOFT", "TIDB")
	query := false
	if s.accept("QUERY") {
		query = true
		if s.accept("ID") {
			s.st.Extra.Control = !s.has(0, len(s.st.Tokens), "SELECT", "(")
			return s.st.Extra.Control
		}
	} else {
		s.accept("CONNECTION")
	}
	if s.last() == s.i+1 && s.st.Tokens[s.i].Kind == Number {
		id, err := strconv.ParseUint(s.st.Tokens[s.i].text(s.st.Text), 10, 64)
		if err == nil {
			s.st.Extra.Kill = &Killed{id, query}
		}
	}
	return recogniseControl(s)
}
