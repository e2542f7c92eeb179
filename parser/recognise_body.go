package parser

import "strings"

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
	blocks int  // how many BEGIN were read
	caught Catch
}

// Catch is what a stored program does about an error of one of its statements.
type Catch uint8

const (
	Uncaught   Catch = iota // the program ends with it
	CaughtLast              // a handler takes it, and the program ends
	Caught                  // a handler takes it, and the program may go on
)

func (b *bodyReader) run() {
	for b.i < len(b.st.Tokens) {
		known := len(b.out)
		b.branches()
		b.step()
		for i := known; i < len(b.out); i++ {
			b.out[i].Branched, b.out[i].Caught = b.inside > 0 || b.leapt, b.caught
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
		b.blocks++
	case b.accept("BEGIN"):
		b.blocks++
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
		catch := Caught
		if b.is("EXIT") && b.blocks <= 1 && b.inside == 0 {
			catch = CaughtLast
		}
		b.skipTo("FOR")
		b.i++
		if b.handlerConditions() {
			b.caught = max(b.caught, catch)
		}
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

// handlerConditions passes SQLSTATE 'x', 1146, NOT FOUND, SQLEXCEPTION … up to the statement, and tells whether any is more
// than that a query found nothing.
func (b *bodyReader) handlerConditions() (errors bool) {
	for b.i < len(b.st.Tokens) {
		if b.accept("SQLSTATE") {
			b.accept("VALUE")
			errors = true
		} else if b.accept("NOT") {
			b.accept("FOUND")
			b.i--
		} else {
			errors = true
		}
		b.i++
		if !b.accept(",") {
			return errors
		}
	}
	return true
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
