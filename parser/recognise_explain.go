package parser

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// recogniseExplain reads EXPLAIN, DESC and DESCRIBE of a statement, with every modifier of every
// engine. What it plans tells about the data (constant subqueries are run), so it all counts as shown.
func recogniseExplain(s *scan) bool {
	s.i = 1
	runs := false
	for {
		switch {
		case s.accept("FORMAT", "="):
			s.i++
		case s.is("ANALYZE"), s.is("EXTENDED"), s.is("PARTITIONS"):
			runs = runs || s.is("ANALYZE")
			s.i++
		case s.is("INTO") && s.i+1 < len(s.st.Tokens) && s.st.Tokens[s.i+1].Kind == UserVariable:
			s.st.Extra.Into = append(s.st.Extra.Into, Variable{Name: s.st.Tokens[s.i+1].variable(s.st.Text), User: true})
			s.i += 2
		case s.is("FOR", "CONNECTION"), s.is("FOR") && !s.is("FOR", "SCHEMA") && !s.is("FOR", "DATABASE"):
			s.st.Extra.Private = "EXPLAIN FOR CONNECTION, which shows another session's statement"
			return true
		default:
			ok := explained(s)
			s.st.Extra.Planned = ok && !runs
			return ok
		}
	}
}

func explained(s *scan) bool {
	if !s.is("(") && !s.is("SELECT") && !s.is("INSERT") && !s.is("REPLACE") && !s.is("UPDATE") &&
		!s.is("DELETE") && !s.is("WITH") && !s.is("TABLE") && !s.is("VALUES") {
		return describe(s)
	}
	into := s.st.Extra.Into
	in, ok := s.inner(s.rest())
	if !ok {
		return false
	}
	s.st.Extra.Explained = true
	if !s.st.adopt(in) {
		return false
	}
	s.st.Extra.Explained = true
	s.st.Extra.Into = append(s.st.Extra.Into, into...)
	s.st.Kind = "explain"
	return true
}

// describe reads DESC table [column]: metadata.
func describe(s *scan) bool {
	schema, name, ok := s.name()
	if !ok || s.last()-s.i > 1 {
		return false
	}
	s.st.Extra.Objects = []Named{{schema, name, Structure}}
	return true
}

// recogniseAnalyze reads ANALYZE [FORMAT=JSON] statement (it runs the statement and shows figures
// of the run) and ANALYZE TABLE.
func recogniseAnalyze(s *scan) bool {
	s.i = 1
	if s.accept("FORMAT", "=") {
		s.i++
	}
	if s.is("TABLE") || s.is("TABLES") || s.is("NO_WRITE_TO_BINLOG") || s.is("LOCAL") {
		s.i = 0 // the list is read by its verb: ANALYZE counts rows and changes none
		return recogniseTableList(s)
	}
	return explained(s)
}

// staysSo tells whether a text that is run under the settings which end before token end means the same under them: one
// that stands there means the same in every sql_mode but those of another grammar.
func (s *scan) staysSo(in *Statement, settings []string, end int) bool {
	for _, name := range settings {
		switch {
		case strings.HasPrefix(name, "character_set"), strings.HasPrefix(name, "collation"):
			return false
		case name != "sql_mode":
			continue
		}
		if len(settings) != 1 || s.st.Tokens[end-1].Kind != String || end != 5 { // SET STATEMENT sql_mode = '…'
			return false
		}
		mode := unquote(s.text(end-1, end))
		if ParseMode(mode)&ForeignGrammar != 0 || strings.ContainsAny(mode, `0123456789\`) || !ModeFree(in.Text) {
			return false
		}
		if d := in.Extra.Dynamic; d != nil && (d.Verb == "execute" || d.Expression != "" || !ModeFree(d.Text)) {
			return false
		}
	}
	return true
}

// recogniseSetStatement reads MariaDB's SET STATEMENT name=value,… FOR statement.
func recogniseSetStatement(s *scan) bool {
	if s.r.Dialect.Flavor != MariaDB || !s.accept("SET", "STATEMENT") {
		return false
	}
	end := s.find("FOR")
	if end < 0 {
		return false
	}
	var more []ast.StmtNode
	var settings []string
	for s.i < end {
		name := strings.ToLower(s.st.Tokens[s.i].name(s.st.Text))
		settings = append(settings, name)
		s.i++
		if !s.acceptAny("=", ":=") {
			return false
		}
		from := s.i
		comma := s.find(",")
		if comma < 0 || comma > end {
			comma = end
		}
		text := s.text(from, comma)
		if s.st.Tokens[from].Kind != Word || comma > from+1 {
			nodes, ok := s.expression(text)
			if !ok {
				return false
			}
			more = append(more, nodes...)
		}
		s.i = comma + 1
	}
	s.i = end + 1
	in, ok := s.inner(s.rest())
	if !ok {
		return false
	}
	// The rest stands in the same text and was read with it; a text that it runs would be read under the new rules.
	if runs := in.Extra.Dynamic != nil || in.Extra.Program != nil; runs && !s.staysSo(in, settings, end) {
		return false
	}
	if !s.st.adopt(in) {
		return false
	}
	s.st.Kind = in.Kind
	s.st.Extra.More = append(s.st.Extra.More, more...)
	s.st.Extra.Settings = append(s.st.Extra.Settings, settings...)
	return true
}
