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

// ParseBody reads a stored program's body as the statements that it can run and the expressions
// that it evaluates (each as a DO), in the order of the text; control flow is left out. What cannot
// be read is a statement in TierTokens. Locals lists the names that the body declares.
func ParseBody(body string, r Reading) ([]Statement, []string, error) {
	l, err := lex(body, r)
	if err != nil {
		return nil, nil, err
	}
	b := &bodyReader{scan: scan{st: &Statement{Text: l.text, Tokens: l.tokens}, r: r}}
	b.run()
	return b.out, b.locals, nil
}

type bodyReader struct {
	scan
	out    []Statement
	locals []string
	inside int  // how many IF, CASE and loops are open
	taken  int  // the token behind the last one that a statement or expression was read from
	leapt  bool // the rest may be passed over: something leaves a branch or a loop, or a handler stands above
}

func (b *bodyReader) run() {
	for b.i < len(b.st.Tokens) {
		known := len(b.out)
		b.branches()
		b.step()
		for i := known; i < len(b.out); i++ {
			b.out[i].Branched = b.inside > 0 || b.leapt
		}
	}
	b.take(b.i, b.i)
}

// take notes that tokens from..to-1 are read as a statement or an expression. What stands before them and was taken by nothing is
// control flow, names and types: whatever it may evaluate all the same is kept, and a query in it is not understood.
func (b *bodyReader) take(from, to int) {
	from = min(from, len(b.st.Tokens))
	if from > b.taken {
		k, ok := b.inert(b.taken, from)
		st := Statement{Text: b.text(b.taken, from), Kind: "expression", Tier: TierRecogniser, Branched: true}
		st.Extra.More, st.Extra.Objects = k.more, k.objects
		if !ok {
			st.Tier, st.Tokens, st.Unparsed = TierTokens, nil, "a part of a stored program that cannot be read"
		}
		if !ok || len(k.more)+len(k.objects) > 0 {
			st.Extra.Control = true
			b.out = append(b.out, st)
		}
	}
	b.taken = max(b.taken, to)
}

// branches follows where statements depend on a condition. What it takes for a branch and is none counts as one.
func (b *bodyReader) branches() {
	at := func(i int, words ...string) bool {
		for _, w := range words {
			if i < len(b.st.Tokens) && b.st.Tokens[i].is(b.st.Text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case at(b.i, "IF", "CASE", "WHILE", "LOOP", "REPEAT", "FOR"):
		b.inside++
	case at(b.i, "END") && at(b.i+1, "IF", "CASE", "WHILE", "LOOP", "REPEAT", "FOR"):
		if b.inside--; b.inside < 0 { // it closes what was not seen to open
			b.inside, b.leapt = 0, true
		}
	case at(b.i, "LEAVE", "ITERATE", "EXIT", "CONTINUE", "GOTO", "RETURN", "SIGNAL", "RESIGNAL"):
		b.leapt = b.leapt || b.inside > 0
	case at(b.i, "DECLARE") && (at(b.i+1, "HANDLER") || at(b.i+2, "HANDLER")):
		b.leapt = true
	}
}

// step reads one piece: a keyword of control flow, with its expression, or a statement.
func (b *bodyReader) step() {
	if b.i+1 < len(b.st.Tokens) && b.st.Tokens[b.i].isName() && b.st.Tokens[b.i+1].is(b.st.Text, ":") {
		b.i += 2 // a label
		return
	}
	switch {
	case b.accept(";"), b.accept("ELSE"), b.accept("LOOP"), b.accept("REPEAT"), b.accept("THEN"):
	case b.is("BEGIN", "NOT"):
		b.i += 3
	case b.accept("BEGIN"):
	case b.is("END"):
		b.skipTo(";")
	case b.accept("IF"), b.accept("ELSEIF"), b.accept("ELSIF"):
		b.condition("THEN")
	case b.accept("CASE"):
		if !b.is("WHEN") {
			b.condition("WHEN")
		}
	case b.accept("WHEN"):
		b.condition("THEN")
	case b.accept("WHILE"):
		b.condition("DO", "LOOP")
	case b.accept("UNTIL"):
		b.condition("END")
	case b.accept("RETURN"):
		b.condition(";")
	case b.accept("OPEN"):
		b.open()
	case b.is("LEAVE"), b.is("ITERATE"), b.is("CLOSE"), b.is("EXIT"), b.is("CONTINUE"), b.is("GOTO"):
		b.skipTo(";")
	case b.accept("FETCH"):
		b.fetch()
	case b.accept("DECLARE"):
		b.declare()
	case b.accept("FOR"):
		b.forLoop()
	default:
		b.statement()
	}
}

func (b *bodyReader) skipTo(word string) {
	for b.i < len(b.st.Tokens) && !b.is(word) {
		b.i++
	}
}

// until gives the index of the first of words outside of parentheses and CASE expressions.
func (b *bodyReader) until(words ...string) int {
	depth := 0
	for i := b.i; i < len(b.st.Tokens); i++ {
		t := b.st.Tokens[i]
		if depth == 0 {
			for _, w := range words {
				if t.is(b.st.Text, w) {
					return i
				}
			}
		}
		switch {
		case t.is(b.st.Text, "("), t.is(b.st.Text, "CASE"):
			depth++
		case t.is(b.st.Text, ")"), depth > 0 && t.is(b.st.Text, "END"):
			depth--
		}
	}
	return len(b.st.Tokens)
}

// condition reads an expression up to one of words, which stays.
func (b *bodyReader) condition(words ...string) {
	end := b.until(words...)
	b.take(b.i, end)
	b.evaluate(b.text(b.i, end), "expression")
	b.i = end
	if b.i < len(b.st.Tokens) && !b.is("WHEN") && !b.is("END") {
		b.i++
	}
}

// evaluate adds an expression as a statement.
func (b *bodyReader) evaluate(text, kind string) {
	if text == "" {
		return
	}
	st := Statement{Text: text, Kind: kind, Tier: TierTree}
	nodes, ok := b.expression(text)
	if ok {
		st.Node, st.Extra.More = nodes[0], nodes[1:]
	} else {
		if l, err := lex(text, b.r); err == nil {
			st.Tokens = l.tokens
		}
		st.Tier, st.Unparsed = TierTokens, "an expression of a stored program that cannot be read"
	}
	b.out = append(b.out, st)
}

func (b *bodyReader) fetch() {
	end := b.until(";")
	into := b.i
	for into < end && !b.st.Tokens[into].is(b.st.Text, "INTO") {
		into++
	}
	if into < end {
		b.take(into, end)
		st := Statement{Text: b.text(into, end), Kind: "fetch", Tier: TierRecogniser}
		for i := into + 1; i < end; i++ {
			if t := b.st.Tokens[i]; t.isName() || t.Kind == UserVariable {
				st.Extra.Into = append(st.Extra.Into, Variable{Name: t.variable(b.st.Text), User: t.Kind == UserVariable})
			}
		}
		b.out = append(b.out, st)
	}
	b.i = end
}

// open reads OPEN cursor [(values)], and OPEN cursor FOR query of newer servers.
func (b *bodyReader) open() {
	b.i++
	if end := b.closing(b.i, len(b.st.Tokens)); b.is("(") && end > 0 {
		b.take(b.i, end)
		b.evaluate(b.text(b.i+1, end-1), "expression")
		b.i = end
	}
	if !b.done() && !b.accept("FOR") {
		b.i-- // what is not understood is no statement either
	}
	if !b.done() {
		b.statement()
	}
}

// declare reads DECLARE names type [DEFAULT e], conditions, cursors and handlers.
func (b *bodyReader) declare() {
	switch {
	case b.has(b.i, min(b.i+2, len(b.st.Tokens)), "HANDLER"):
		b.skipTo("FOR")
		b.i++
		b.handlerConditions()
		return // the handler's statement follows
	case b.i+1 < len(b.st.Tokens) && b.st.Tokens[b.i+1].is(b.st.Text, "CURSOR"):
		b.skipTo("FOR")
		b.i++
		b.statement()
		return
	}
	end := b.until(";")
	for i := b.i; i < end && (b.st.Tokens[i].isName() || b.st.Tokens[i].is(b.st.Text, ",")); i++ {
		if b.st.Tokens[i].isName() {
			b.locals = append(b.locals, strings.ToLower(b.st.Tokens[i].name(b.st.Text)))
			if i+1 < end && !b.st.Tokens[i+1].is(b.st.Text, ",") {
				break
			}
		}
	}
	if d := b.until("DEFAULT", ":=", ";"); d < end {
		b.take(d+1, end)
		b.evaluate(b.text(d+1, end), "expression")
	}
	b.i = end
}

// handlerConditions passes SQLSTATE 'x', 1146, NOT FOUND, SQLEXCEPTION … up to the statement.
func (b *bodyReader) handlerConditions() {
	for b.i < len(b.st.Tokens) {
		if b.accept("SQLSTATE") {
			b.accept("VALUE")
		} else if b.accept("NOT") {
			b.accept("FOUND")
			b.i--
		}
		b.i++
		if !b.accept(",") {
			return
		}
	}
}

// forLoop reads MariaDB's FOR i IN a..b DO and FOR rec IN (SELECT …) DO.
func (b *bodyReader) forLoop() {
	if b.i < len(b.st.Tokens) {
		b.locals = append(b.locals, strings.ToLower(b.st.Tokens[b.i].name(b.st.Text)))
	}
	b.skipTo("IN")
	b.i++
	b.accept("REVERSE")
	end := b.until("DO", "LOOP")
	text := b.text(b.i, end)
	b.take(b.i, end)
	b.i = end + 1
	if strings.HasPrefix(text, "(") {
		if in, ok := b.inner(text); ok && in.Kind == "select" && in.Tier != TierTokens {
			b.out = append(b.out, *in)
			return
		}
	}
	for part := range strings.SplitSeq(text, "..") {
		b.evaluate(strings.TrimSpace(part), "expression")
	}
}

// statement reads a statement up to its semicolon.
func (b *bodyReader) statement() {
	end := b.until(";")
	if end == b.i {
		b.i++
		return
	}
	text := b.text(b.i, end)
	b.take(b.i, end)
	b.i = end
	in, ok := b.inner(text)
	if !ok {
		st := Statement{Text: text, Kind: "unknown", Tier: TierTokens, Unparsed: "a statement of a stored program that cannot be read"}
		if l, err := lex(text, b.r); err == nil {
			st.Tokens = l.tokens
		}
		b.out = append(b.out, st)
		return
	}
	b.out = append(b.out, *in)
}
