package parser

import (
	"regexp"
	"strings"
)

// programKinds are the kinds of stored program.
var programKinds = []string{"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"}

// programKind finds the word that says which stored program a CREATE, ALTER or DROP is about. It
// stands behind OR REPLACE, DEFINER = account, AGGREGATE; any other definable word ends the search.
func (s *scan) programKind() string {
	for n := 0; s.i < len(s.st.Tokens) && n < 20; n++ {
		for _, k := range programKinds {
			if s.accept(k) {
				if k == "PACKAGE" && s.accept("BODY") {
					return "package body"
				}
				return strings.ToLower(k)
			}
		}
		t := s.st.Tokens[s.i]
		if t.Kind == Word && definable[strings.ToLower(t.text(s.st.Text))] {
			return ""
		}
		s.i++
	}
	return ""
}

func recogniseCreateProgram(s *scan) bool {
	s.i = 1
	if s.is("SERVER") {
		s.st.Extra.Private = "CREATE SERVER, which lets tables reach another server"
		return true
	}
	replace := s.accept("OR", "REPLACE")
	kind := s.programKind()
	if kind == "" {
		return false
	}
	s.accept("IF", "NOT", "EXISTS")
	schema, name, ok := s.name()
	if !ok {
		return false
	}
	p := &Program{Kind: kind, Schema: schema, Name: name, Replace: replace}
	s.st.Extra.Program = p
	switch kind {
	case "trigger":
		ok = s.triggerHead(p)
	case "event":
		ok = s.eventHead()
	case "procedure", "function":
		ok = s.routineHead(p)
	default:
		p.Foreign = true
		return true
	}
	if !ok {
		return false
	}
	if !p.Foreign {
		p.Body = s.rest()
	}
	return p.Foreign || p.Body != ""
}

func (s *scan) triggerHead(p *Program) bool {
	if !s.is("BEFORE") && !s.is("AFTER") {
		return false
	}
	p.Time = strings.ToUpper(s.st.Tokens[s.i].text(s.st.Text))
	s.i++
	on := s.find("ON")
	if on < 0 {
		return false
	}
	p.Event = strings.ToUpper(s.text(s.i, on))
	s.i = on + 1
	var ok bool
	if p.TableSchema, p.Table, ok = s.name(); !ok || !s.accept("FOR", "EACH", "ROW") {
		return false
	}
	if s.acceptAny("FOLLOWS", "PRECEDES") {
		s.i++
	}
	return true
}

func (s *scan) eventHead() bool {
	do := s.find("DO")
	if do < 0 || !s.left(s.i, do) { // its schedule is worked out now
		return false
	}
	s.i = do + 1
	return true
}

// routineHead passes parameters, RETURNS and characteristics up to the body.
func (s *scan) routineHead(p *Program) bool {
	if s.accept("RETURNS") || s.has(s.i, len(s.st.Tokens), "SONAME") {
		p.Foreign = true // a loadable function
		return true
	}
	if !s.is("(") {
		return false
	}
	depth := 0
	for ; s.i < len(s.st.Tokens); s.i++ {
		if (s.is("DEFAULT") || s.is(":=") || s.is("=")) && !s.plainDefault() {
			return false // it is evaluated by who leaves the parameter out
		}
		if s.is("(") {
			depth++
		}
		if s.is(")") {
			if depth--; depth == 0 {
				s.i++
				break
			}
		}
		if depth == 1 && s.i > 0 && s.st.Tokens[s.i].Kind == Word && (s.st.Tokens[s.i-1].is(s.st.Text, "(") || s.st.Tokens[s.i-1].is(s.st.Text, ",") || s.st.Tokens[s.i-1].is(s.st.Text, "IN") || s.st.Tokens[s.i-1].is(s.st.Text, "OUT") || s.st.Tokens[s.i-1].is(s.st.Text, "INOUT")) {
			s.st.Extra.Locals = append(s.st.Extra.Locals, strings.ToLower(s.st.Tokens[s.i].text(s.st.Text)))
		}
	}
	for !s.done() {
		if s.accept("LANGUAGE") {
			if !s.accept("SQL") {
				p.Foreign = true
				return true
			}
			continue
		}
		if s.bodyBegins() {
			return true
		}
		s.i++
	}
	return false
}

// plainDefault tells whether a parameter's default is a literal.
func (s *scan) plainDefault() bool {
	i := s.i + 1
	if s.at(i, "-") || s.at(i, "+") {
		i++
	}
	if i+1 >= len(s.st.Tokens) || !s.at(i+1, ",") && !s.at(i+1, ")") {
		return false
	}
	k := s.st.Tokens[i].Kind
	return k == Number || k == String || s.at(i, "NULL") || s.at(i, "TRUE") || s.at(i, "FALSE")
}

// bodyBegins tells whether the token here can begin a body: what stands before it are types and characteristics.
func (s *scan) bodyBegins() bool {
	t := s.st.Tokens[s.i]
	if t.Kind != Word && t.Kind != QuotedName && !s.is("(") {
		return false
	}
	if s.i+1 < len(s.st.Tokens) && s.st.Tokens[s.i+1].is(s.st.Text, ":") {
		return true
	}
	prev := s.st.Tokens[s.i-1]
	if s.is("SET") && (prev.is(s.st.Text, "CHARACTER") || prev.is(s.st.Text, "CHAR") || prev.is(s.st.Text, "RETURNS")) || s.is("SQL") || prev.is(s.st.Text, "CONTAINS") || prev.is(s.st.Text, "READS") || prev.is(s.st.Text, "MODIFIES") {
		return false
	}
	return bodyWords[strings.ToUpper(t.text(s.st.Text))] || s.is("(") && s.st.Extra.Program.Kind == "procedure" // (SELECT …) UNION …
}

var bodyWords = map[string]bool{
	"BEGIN": true, "RETURN": true, "SELECT": true, "INSERT": true, "UPDATE": true, "DELETE": true,
	"REPLACE": true, "SET": true, "CALL": true, "IF": true, "CASE": true, "WHILE": true, "LOOP": true,
	"REPEAT": true, "WITH": true, "DO": true, "CREATE": true, "DROP": true, "ALTER": true,
	"TRUNCATE": true, "EXECUTE": true, "PREPARE": true, "SHOW": true, "SIGNAL": true, "FOR": true,
	"LOAD": true, "OPTIMIZE": true, "ANALYZE": true, "FLUSH": true, "KILL": true, "GRANT": true, "TABLE": true, "VALUES": true,
	"COMMIT": true, "ROLLBACK": true, "START": true, "RENAME": true, "HANDLER": true, "GET": true, "RESIGNAL": true, "LOCK": true, "USE": true,
}

func recogniseAlterProgram(s *scan) bool {
	s.i = 1
	kind := s.programKind()
	if kind == "" {
		return false
	}
	schema, name, ok := s.name()
	if !ok {
		return false
	}
	p := &Program{Kind: kind, Schema: schema, Name: name, Alter: true}
	if kind == "event" {
		schedule := s.last()
		if do := s.find("DO"); do >= 0 {
			p.Body = s.text(do+1, s.last())
			schedule = do
		}
		if !s.left(s.i, schedule) {
			return false
		}
	}
	if at := s.find("RENAME"); kind == "event" && at >= 0 {
		to := *s
		to.i = at + 1
		if !to.accept("TO") {
			return false
		}
		toSchema, toName, ok := to.name()
		if !ok {
			return false
		}
		p.RenameTo = &Named{toSchema, toName, Define}
	}
	s.st.Extra.Program = p
	return !s.has(0, len(s.st.Tokens), "SELECT") || p.Body != ""
}

func recogniseDropProgram(s *scan) bool {
	s.i = 1
	kind := s.programKind()
	if kind == "" {
		return false
	}
	s.accept("IF", "EXISTS")
	schema, name, ok := s.name()
	s.st.Extra.Program = &Program{Kind: kind, Schema: schema, Name: name, Drop: true}
	return ok && s.done()
}

// recogniseBlock reads MariaDB's BEGIN NOT ATOMIC … END, which runs at once: a body with no name.
func recogniseBlock(s *scan) bool {
	s.st.Extra.Program = &Program{Kind: "block", Body: s.st.Text}
	return true
}

// DefinedBody gives the body of a stored program from the statement that creates it.
func DefinedBody(create string, r Reading) (string, error) {
	if r.told && r.wide() != nil {
		create = garbledName.ReplaceAllString(create, "$1 `x`(")
	}
	l, err := lex(create, r)
	if err != nil {
		return "", err
	}
	st := &Statement{Text: l.text, Tokens: l.tokens}
	if len(st.Tokens) == 0 || !st.Tokens[0].is(st.Text, "CREATE") || !recogniseCreateProgram(&scan{st: st, r: r}) || st.Extra.Program.Body == "" {
		return "", &Error{Construct: "definition", Reason: "where its body begins is not understood", Line: 1, Column: 1}
	}
	body := st.Extra.Program.Body
	if r.told && r.wide() != nil && !isASCII(st.Text[:strings.LastIndex(st.Text, body)]) {
		return "", &Error{Construct: "definition", Reason: "its names are garbled where the warehouse shows it", Line: 1, Column: 1}
	}
	return body, nil
}

// garbledName is how a definition begins whose name is beyond ASCII: servers put the bytes of its UTF-8 before a body in the set
// that it was made in, and convert all of it. The quote behind the name may be gone with its last byte.
var garbledName = regexp.MustCompile("^(CREATE DEFINER=`[!-_a-~]*`@`[!-_a-~]*` (?:PROCEDURE|FUNCTION)) `[^(`\\s]*(?:[^(`\\s\x00-\x7f]|\\?)[^(`\\s]*`?\\(")
