package parser

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	"golang.org/x/sync/semaphore"
)

// maxParsed is the size above which a statement is not given to the tree parser: it costs about 70 ns
// a byte. Larger ones are INSERT … VALUES of bulk loaders, which their own recogniser reads.
const maxParsed = 16 << 20

// treeParsers are reused: one costs more to make than most statements cost to parse.
var treeParsers = sync.Pool{New: func() any {
	p := parser.New()
	p.SetParserConfig(parser.ParserConfig{EnableWindowFunction: true, EnableStrictDoubleTypeCheck: false, SkipPositionRecording: true})
	return p
}}

// longTexts is how much text is parsed at a time in statements of more than longText bytes: a tree takes up to 35 times its text in
// memory. They wait for one another in the order in which they came.
var longTexts = semaphore.NewWeighted(maxParsed)

const longText = 256 << 10

// Parse reads a text as one warehouse would under the given session settings. It fails with an
// *Error for a text that has no single meaning and with a *CommandError for a gateway command
// that is misspelt; a statement that no reader understands comes back in TierTokens.
func Parse(text string, r Reading) (*Script, error) { return parseNested(text, r, 0) }

// maxNesting is how many statements may stand within each other (SET STATEMENT … FOR EXPLAIN …): each
// level reads the rest of the text again.
const maxNesting = 4

func parseNested(text string, r Reading, nesting int) (*Script, error) {
	if strings.IndexByte(text, ';') < 0 {
		return parseLone(text, r, nesting)
	}
	l, err := lex(text, r)
	if err != nil {
		return nil, err
	}
	script := &Script{ModeFree: l.modeFree, Tail: l.tail, Reading: r}
	parts := split(&l)
	script.Statements = make([]Statement, len(parts))
	for i, part := range parts {
		st := &script.Statements[i]
		if err := parseStatement(st, part, r, nesting); err != nil {
			return nil, err
		}
		st.Rest = part.rest
	}
	if len(script.Statements) == 1 {
		whole(&script.Statements[0], text, &l, parts[0])
	}
	return script, nil
}

// fewTokens are the tokens of a lone statement that are kept beside it.
const fewTokens = 12

// parseLone is parseNested for a text without any semicolon, as most are: what is kept of it is one piece of memory.
func parseLone(text string, r Reading, nesting int) (*Script, error) {
	one := &struct {
		Script
		statement [1]Statement
		tokens    [fewTokens]Token
	}{}
	l, err := lexInto(one.tokens[:], text, r)
	if err != nil {
		return nil, err
	}
	one.ModeFree, one.Reading = l.modeFree, r
	if len(l.tokens) == 0 {
		return &one.Script, nil
	}
	one.Statements = one.statement[:]
	p := cut(&l, 0, len(l.tokens))
	if err := parseStatement(&one.statement[0], p, r, nesting); err != nil {
		return nil, err
	}
	whole(&one.statement[0], text, &l, p)
	return &one.Script, nil
}

// whole gives a lone statement the client's own bytes, with white space and semicolon around it.
func whole(st *Statement, text string, l *lexed, p part) {
	if st.Command != nil {
		return
	}
	if len(l.asides) > 0 && !l.tail && l.with().between(0, int32(len(l.text))) == text {
		st.sent = text
	}
	if l.text != text {
		return
	}
	shift := p.from
	st.Text = text
	if shift == 0 {
		return
	}
	for i := range st.Tokens {
		st.Tokens[i].Start += shift
		st.Tokens[i].End += shift
	}
}

// part is one statement of a batch; its tokens count from the start of its text.
type part struct {
	text   string
	tokens []Token
	from   int32
	rest   string
	sent   string // text with its asides, if it has any
}

// split cuts a text at its semicolons. A stored program's definition keeps those of its body. Nothing
// rests on the cut being where the warehouse would cut: each part is sent by itself to a warehouse
// that was told to take one statement a text.
func split(l *lexed) []part {
	var parts []part
	first := 0
	for i := 0; i <= len(l.tokens); i++ {
		if i < len(l.tokens) && !isSemicolon(l, i) {
			continue
		}
		if i < len(l.tokens) && compound(l.text, l.tokens[first:]) {
			i = compoundEnd(l, first)
		}
		if i > first {
			parts = append(parts, cut(l, first, i))
		}
		first = i + 1
	}
	return parts
}

func isSemicolon(l *lexed, i int) bool {
	t := l.tokens[i]
	return t.Kind == Punctuation && l.text[t.Start] == ';'
}

func cut(l *lexed, first, last int) part {
	from, to := l.tokens[first].Start, l.tokens[last-1].End
	begin, end := int32(0), int32(len(l.text)) // of what stands between two semicolons
	if first > 0 {
		begin = l.tokens[first-1].End
	}
	if last < len(l.tokens) {
		end = l.tokens[last].Start
	}
	tokens := l.tokens[first:last:last] // nobody looks back at them in the whole text
	for i := 0; from > 0 && i < len(tokens); i++ {
		tokens[i].Start -= from
		tokens[i].End -= from
	}
	p := part{text: l.text[from:to], tokens: tokens, from: from, rest: l.text[to:]}
	if len(l.asides) > 0 {
		l.putBack(&p, begin, end)
	}
	return p
}

// compound tells whether tokens begin a statement whose body may hold semicolons.
func compound(text string, tokens []Token) bool {
	at := func(i int, words ...string) bool {
		for _, w := range words {
			if i < len(tokens) && tokens[i].is(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case at(0, "BEGIN") && at(1, "NOT"), at(0, "IF", "CASE", "WHILE", "LOOP", "REPEAT", "FOR", "DECLARE"):
		return true
	case at(0, "SET") && at(1, "STATEMENT"): // SET STATEMENT … FOR BEGIN NOT ATOMIC …
		for i := 2; i < len(tokens) && !at(i, ";"); i++ {
			if at(i, "FOR") && !at(i+1, "SET") && compound(text, tokens[i+1:]) {
				return true
			}
		}
		return false
	case !at(0, "CREATE", "ALTER"):
		return false
	}
	for i := 1; i < len(tokens) && i < 24; i++ {
		if at(i, "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE") {
			return hasBlock(text, tokens[i:])
		}
		if at(i, "TABLE", "VIEW", "INDEX", "DATABASE", "SCHEMA", "USER", "(") && !at(i-1, "=") && !at(i-1, "CURRENT_USER") {
			return false
		}
	}
	return false
}

// hasBlock tells whether a definition's body opens a block before its first semicolon.
func hasBlock(text string, tokens []Token) bool {
	for i, t := range tokens {
		switch {
		case t.is(text, ";"):
			return false
		case t.is(text, "BEGIN"), t.is(text, "CASE"), t.is(text, "WHILE"), t.is(text, "LOOP"), t.is(text, "REPEAT"), t.is(text, "THEN"):
			return true
		case t.is(text, "FOR") && i+2 < len(tokens) && tokens[i+2].is(text, "IN"):
			return true
		}
	}
	return false
}

// parseStatement reads one statement: a gateway command, a tree, a recogniser's find, or tokens.
func parseStatement(st *Statement, p part, r Reading, nesting int) error {
	st.Text, st.Tokens, st.Tier, st.sent = p.text, p.tokens, TierTokens, p.sent
	st.Kind = kindOf(st)
	if st.Kind == "select" { // most statements are one, and no command is
		readStatement(st, r, nesting)
		return nil
	}
	command, err := parseCommand(p.text, p.tokens)
	if err != nil {
		return err
	}
	if command != nil {
		st.Command, st.Kind, st.Tier = command, "command", TierTree
		return nil
	}
	readStatement(st, r, nesting)
	return nil
}

// readStatement fills in what can be understood of st.
func readStatement(st *Statement, r Reading, nesting int) {
	if err := tooTangled(st); err != nil {
		st.Unparsed = err.Error()
		return
	}
	if recogniseFirst(st, r, nesting) {
		return
	}
	node, err := tree(st.Text, r)
	if err == nil {
		st.Node, st.Tier = node, TierTree
		return
	}
	st.Unparsed = err.Error()
	recogniseRest(st, r, nesting)
}

// Bounds for statements of very many tokens: the tree parser takes quadratic time over a chain of joins
// (and no warehouse joins more than 64 tables), and whoever walks a tree needs stack for its depth.
const (
	manyBytes = 20_000
	maxJoins  = 5000
	maxLevels = 50_000
)

func tooTangled(st *Statement) error {
	if len(st.Tokens) < maxJoins {
		return nil
	}
	joins := 0
	for _, t := range st.Tokens {
		if t.is(st.Text, "JOIN") || t.is(st.Text, "STRAIGHT_JOIN") {
			joins++
		}
	}
	if joins > maxJoins {
		return fmt.Errorf("it joins more than %d tables", maxJoins)
	}
	return nil
}

func tooDeep(text string, node ast.StmtNode) error {
	if len(text) < manyBytes {
		return nil
	}
	d := &depth{}
	node.Accept(d)
	if d.most > maxLevels {
		return fmt.Errorf("it nests more than %d expressions", maxLevels)
	}
	return nil
}

// depth measures how deep a tree is.
type depth struct{ now, most int }

func (d *depth) Enter(n ast.Node) (ast.Node, bool) {
	d.now++
	d.most = max(d.most, d.now)
	return n, false
}

func (d *depth) Leave(n ast.Node) (ast.Node, bool) {
	d.now--
	return n, true
}

// tree gives a text that holds one statement to the tree parser. Nothing that it meets there may end the process.
func tree(text string, r Reading) (node ast.StmtNode, err error) {
	if len(text) > maxParsed {
		return nil, fmt.Errorf("the statement is longer than %d bytes", maxParsed)
	}
	if size := int64(len(text)); size > longText {
		if err := longTexts.Acquire(context.Background(), size); err != nil {
			return nil, err // never: each is shorter than all may be together
		}
		defer longTexts.Release(size)
	}
	p := treeParsers.Get().(*parser.Parser)
	defer func() {
		if fault := recover(); fault != nil {
			node, err = nil, fmt.Errorf("the parser failed: %v", fault)
			return // the parser is not put back
		}
		treeParsers.Put(p)
	}()
	p.SetSQLMode(treeMode(r.Mode))
	p.SetMariaDB(r.Dialect.Flavor == MariaDB)
	nodes, _, err := p.ParseSQL(text)
	switch {
	case err != nil:
		return nil, shortened(err)
	case len(nodes) != 1:
		return nil, fmt.Errorf("it reads as %d statements", len(nodes))
	}
	return nodes[0], tooDeep(text, nodes[0])
}

func treeMode(m Mode) mysql.SQLMode {
	var out mysql.SQLMode
	if m&ANSIQuotes != 0 {
		out |= mysql.ModeANSIQuotes
	}
	if m&NoBackslashEscapes != 0 {
		out |= mysql.ModeNoBackslashEscapes
	}
	if m&PipesAsConcat != 0 {
		out |= mysql.ModePipesAsConcat
	}
	if m&HighNotPrecedence != 0 {
		out |= mysql.ModeHighNotPrecedence
	}
	if m&IgnoreSpace != 0 {
		out |= mysql.ModeIgnoreSpace
	}
	return out
}

// shortened keeps what tells where the parser stopped.
func shortened(err error) error {
	s := err.Error()
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return fmt.Errorf("%s", s)
}

// kindOf names a statement by its first words.
func kindOf(st *Statement) string {
	if len(st.Tokens) > 0 && st.Tokens[0].is(st.Text, "SELECT") {
		return "select" // most statements are
	}
	var buffer [4]string
	words := buffer[:0]
	for _, t := range st.Tokens {
		if t.Kind != Word || len(words) == 4 {
			if t.is(st.Text, "(") && len(words) == 0 {
				continue
			}
			break
		}
		words = append(words, strings.ToLower(t.text(st.Text)))
	}
	if len(words) == 0 {
		return "unknown"
	}
	switch words[0] {
	case "with":
		return mainVerb(st)
	case "values", "table":
		return "select"
	case "desc", "describe":
		return "explain"
	case "create", "alter", "drop", "rename":
		for i, t := range st.Tokens {
			if w := strings.ToLower(t.text(st.Text)); i > 0 && i < 32 && t.Kind == Word && definable[w] {
				return words[0] + " " + strings.TrimSuffix(w, "s") // DROP TABLES is DROP TABLE
			}
		}
		return words[0]
	case "truncate":
		return "truncate table"
	case "analyze", "check", "checksum", "optimize", "repair":
		if i := (&scan{st: st}).find("TABLE", "TABLES", "VIEW"); i > 0 && i < 4 {
			return words[0] + " table"
		}
	case "show":
		if len(words) > 2 && scopes[words[1]] {
			words = words[1:]
		}
		if len(words) > 1 {
			return "show " + words[1]
		}
	case "start", "lock", "unlock", "load", "xa", "flush":
		if len(words) > 1 {
			return words[0] + " " + words[1]
		}
	}
	return words[0]
}

// scopes are words of SHOW that say how much, not what.
var scopes = map[string]bool{"full": true, "global": true, "session": true, "local": true, "extended": true}

// mainVerb finds what stands behind a WITH list.
func mainVerb(st *Statement) string {
	s := &scan{st: st}
	if i := s.find("SELECT", "UPDATE", "DELETE", "INSERT", "REPLACE"); i > 0 {
		return strings.ToLower(s.text(i, i+1))
	}
	return "select"
}

var definable = map[string]bool{
	"table": true, "tables": true, "view": true, "index": true, "database": true, "schema": true, "procedure": true,
	"function": true, "trigger": true, "event": true, "package": true, "user": true, "role": true,
	"sequence": true, "resource": true, "binding": true, "server": true, "tablespace": true,
}
