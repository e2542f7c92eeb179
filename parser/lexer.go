package parser

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Error is a text that has no single meaning, or that no reader of ours understands.
type Error struct {
	Construct    string
	Reason       string
	Line, Column int // from 1
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s at line %d column %d: %s", e.Construct, e.Line, e.Column, e.Reason)
}

// maxTokens and maxDepth bound what one statement may cost.
const (
	maxTokens = 1 << 21
	maxDepth  = 1000
)

// lexer reads a text as the warehouse would. It writes the canonical text and its tokens.
type lexer struct {
	in  string
	pos int
	r   Reading

	out      strings.Builder
	respelt  bool // the canonical text differs from the client's
	tokens   []Token
	room     []Token // for the tokens in the end, if they are few
	inside   bool    // within an executed comment
	depth    int
	modeFree bool
	asides   []aside
	// executables: a comment was read that some server executes.
	executables bool
	remarked    int // tokens before the last comment that is none to execute
}

// lexed is one text in canonical spelling.
type lexed struct {
	text     string
	tokens   []Token
	asides   []aside
	modeFree bool
	tail     bool // a comment stands behind the last semicolon, and nothing else
}

func lex(text string, r Reading) (lexed, error) { return lexInto(nil, text, r) }

// lexInto is lex whose tokens come to stand in a room, if it is large enough.
func lexInto(room []Token, text string, r Reading) (lexed, error) {
	l := &lexer{in: text, r: r, room: room, modeFree: ModeFree(text)}
	if len(text) > 1<<30 {
		return lexed{}, l.fault("text", "it is too long")
	}
	if r.Charset == "swe7" && (strings.ContainsAny(text, "[\\]^{|}~") || strings.Contains(text, "``") || strings.ContainsAny(text, "`\"") && strings.Contains(text, "@")) {
		return lexed{}, l.fault("character set swe7", "letters stand in the place of signs there; SET NAMES utf8mb4")
	}
	if r.told && r.Dialect.Flavor == MySQL && r.wide() != nil && strings.IndexByte(text, '?') >= 0 { // which takes a quote along in some sets
		return lexed{}, l.fault("text", "a question mark may stand for bytes that are no character of the set that it was written in")
	}
	buffer := tokenBuffers.Get().(*[]Token)
	l.tokens = (*buffer)[:0]
	defer l.giveBack(buffer)
	if err := l.run(); err != nil {
		return lexed{}, err
	}
	return l.result()
}

// result gives what was read, once all of it was.
func (l *lexer) result() (lexed, error) {
	if l.inside {
		return lexed{}, l.fault("executable comment", "it is not closed")
	}
	out := l.in
	if l.respelt {
		out = l.out.String()
	}
	if l.r.Mode&ForeignGrammar != 0 && !leavesMode(out, l.tokens) {
		l.pos = 0
		return lexed{}, l.fault("sql_mode", "ORACLE, MSSQL, DB2, POSTGRESQL and MAXDB change the grammar itself and are not understood; set another sql_mode")
	}
	n := len(l.tokens)
	tail := n > 0 && l.remarked == n && out[l.tokens[n-1].Start:l.tokens[n-1].End] == ";"
	return lexed{text: out, tokens: l.kept(), asides: l.sure(out), modeFree: l.modeFree, tail: tail}, nil
}

// kept gives the tokens in memory of their own.
func (l *lexer) kept() []Token {
	if len(l.tokens) > cap(l.room) {
		return slices.Clone(l.tokens)
	}
	return append(l.room[:0], l.tokens...)
}

// tokenBuffers are reused: how many tokens a text has is known when they were read.
var tokenBuffers = sync.Pool{New: func() any { return &[]Token{} }}

// keptTokens is the largest buffer that is kept.
const keptTokens = 1 << 14

func (l *lexer) giveBack(buffer *[]Token) {
	if cap(l.tokens) <= keptTokens {
		*buffer = l.tokens
		tokenBuffers.Put(buffer)
	}
}

// leavesMode tells whether a text is SET [SESSION] sql_mode = 'text' | DEFAULT, which means the same in every grammar: the
// way out of one that is not understood.
func leavesMode(text string, tokens []Token) bool {
	i := 0
	accept := func(words ...string) bool {
		for _, w := range words {
			if i < len(tokens) && (tokens[i].is(text, w) || tokens[i].Kind == SystemVariable && strings.EqualFold(tokens[i].text(text), w)) {
				i++
				return true
			}
		}
		return false
	}
	if !accept("SET") {
		return false
	}
	accept("SESSION", "LOCAL")
	if !accept("sql_mode", "@@sql_mode", "@@session.sql_mode", "@@local.sql_mode") || !accept("=", ":=") {
		return false
	}
	if i < len(tokens) && tokens[i].Kind == String {
		i++
	} else if !accept("DEFAULT") {
		return false
	}
	accept(";")
	return i == len(tokens)
}

func (l *lexer) fault(construct, reason string) error {
	line := 1 + strings.Count(l.in[:l.pos], "\n")
	column := 1 + l.pos - (strings.LastIndexByte(l.in[:l.pos], '\n') + 1)
	return &Error{Construct: construct, Reason: reason, Line: line, Column: column}
}

// respell begins a canonical text of its own, equal so far to what was read.
func (l *lexer) respell() {
	if !l.respelt {
		l.respelt = true
		l.out.WriteString(l.in[:l.pos])
	}
}

// at is the position in the canonical text.
func (l *lexer) at() int32 {
	if l.respelt {
		return int32(l.out.Len())
	}
	return int32(l.pos)
}

// take copies n bytes of the text to the canonical text.
func (l *lexer) take(n int) {
	if l.respelt {
		l.out.WriteString(l.in[l.pos : l.pos+n])
	}
	l.pos += n
}

func (l *lexer) token(kind TokenKind, n int) error {
	if len(l.tokens) >= maxTokens {
		return l.fault("statement", "it has too many tokens")
	}
	start := l.at()
	l.take(n)
	l.tokens = append(l.tokens, Token{kind, start, start + int32(n)})
	return nil
}

func (l *lexer) peek(n int) byte {
	if l.pos+n < len(l.in) {
		return l.in[l.pos+n]
	}
	return 0
}

func (l *lexer) run() error {
	for l.pos < len(l.in) {
		if !l.respelt {
			if l.plain(); l.pos == len(l.in) {
				break
			}
		}
		if err := l.next(); err != nil {
			return err
		}
	}
	return nil
}

func (l *lexer) next() error {
	c := l.in[l.pos]
	switch {
	case c == ' ' || (c >= '\t' && c <= '\r'):
		l.take(1)
		return nil
	case c == 0 && l.pos == len(l.in)-1 && !l.inside:
		l.respell() // C programs send the byte that ends their text: servers end there, too
		l.pos++
		return nil
	case c < ' ' || c == 0x7f:
		return l.fault("control byte", fmt.Sprintf("0x%02X outside of a string has no single meaning", c))
	case c == '/' && l.peek(1) == '*':
		return l.comment()
	case c == '*' && l.peek(1) == '/' && l.inside:
		l.respell()
		l.pos += 2
		l.out.WriteByte(' ')
		l.inside = false
		return nil
	case c == '#':
		return l.lineComment(1)
	case c == '-' && l.peek(1) == '-':
		return l.dashes()
	case c == '\'':
		return l.quoted(String, 0)
	case c == '"':
		if l.r.Mode&ANSIQuotes != 0 {
			return l.quoted(QuotedName, 0)
		}
		return l.quoted(String, 0)
	case c == '`':
		return l.quoted(QuotedName, 0)
	case c == '@':
		return l.variable()
	case c >= '0' && c <= '9', c == '.' && isDigit(l.peek(1)) && !l.afterName():
		return l.number()
	case isWordByte(c):
		return l.word()
	case c == '?':
		return l.token(Parameter, 1)
	default:
		return l.punctuation()
	}
}
