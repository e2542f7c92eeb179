package parser

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
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

// afterName tells whether a '.' here qualifies a name, as in `t.1a`.
func (l *lexer) afterName() bool {
	if len(l.tokens) == 0 {
		return false
	}
	last := l.tokens[len(l.tokens)-1]
	return last.isName() && last.End == l.at()
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || (c|0x20 >= 'a' && c|0x20 <= 'z') || isDigit(c)
}

// dollarProbe is how the mysql client asks a server at start-up whether it knows dollar quotes.
const dollarProbe = "SELECT $$"

// dollarQuotes tells whether MySQL may read a dollar-quoted string from here on: $tag$. With no second dollar
// sign in the same run of ASCII every version reads a name.
func (l *lexer) dollarQuotes() bool {
	if l.in[l.pos] != '$' || l.r.Dialect.Flavor != MySQL || strings.TrimSpace(l.in) == dollarProbe {
		return false
	}
	for i := l.pos + 1; i < len(l.in) && isWordByte(l.in[i]); i++ {
		if l.in[i] == '$' || l.in[i] >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// word reads a keyword or an unquoted name. Bytes above ASCII must be letters of UTF-8: readers
// differ over anything else (sql.md 2.3).
func (l *lexer) word() error {
	if l.dollarQuotes() {
		return l.fault("$", "a name that begins with a dollar sign must be quoted: MySQL may read a dollar-quoted string")
	}
	n := 0
	for l.pos+n < len(l.in) && isWordByte(l.in[l.pos+n]) {
		size, err := l.letter(n)
		if err != nil {
			return err
		}
		n += size
	}
	return l.token(Word, n)
}

// letter gives the length of the letter n bytes on, as a part of an unquoted name.
func (l *lexer) letter(n int) (int, error) {
	if l.in[l.pos+n] < utf8.RuneSelf {
		return 1, nil
	}
	fault := func(reason string) (int, error) {
		l.pos += n
		return 0, l.fault("name", reason)
	}
	if classOf(l.r.Charset) != unicodeSet {
		return fault("a name beyond ASCII needs the client character set utf8mb4")
	}
	r, size := utf8.DecodeRuneInString(l.in[l.pos+n:])
	if (r == utf8.RuneError && size == 1) || r > 0xFFFF || unicode.IsSpace(r) || unicode.IsControl(r) || r == 0xFEFF {
		return fault("this character outside of quotes has no single meaning")
	}
	if l.r.bare != nil && !l.r.bare.word(r) {
		return fault("this character of the client's character set must stand in quotes")
	}
	return size, nil
}

func (l *lexer) number() error {
	n := 0
	for l.pos+n < len(l.in) {
		c := l.in[l.pos+n]
		exponentSign := (c == '+' || c == '-') && n > 0 && l.in[l.pos+n-1]|0x20 == 'e' && !strings.HasPrefix(strings.ToLower(l.in[l.pos:l.pos+n]), "0x")
		if exponentSign && (n < 2 || !isDigit(l.peek(n+1)) || !digitsBefore(l.in[l.pos:l.pos+n-1])) {
			break
		}
		if !isWordByte(c) && c != '.' && !exponentSign {
			break
		}
		if c >= utf8.RuneSelf {
			if l.in[l.pos] == '.' {
				return l.fault("number", "a letter beyond ASCII behind it has no single meaning")
			}
			if l.r.wide() != nil { // MySQL begins to count characters at the second byte of the first one
				return l.fault("name", "one that begins with a digit must be quoted in the client's character set")
			}
			return l.word()
		}
		if c == '.' && n > 0 && !digitsBefore(l.in[l.pos:l.pos+n]) {
			break
		}
		n++
	}
	if brokenExponent(l.in[l.pos : l.pos+n]) {
		return l.fault("number", "an exponent without digits has no single meaning: MySQL passes over 1.e as if it were not there")
	}
	kind := Number
	if hasLetter(l.in[l.pos : l.pos+n]) {
		// 1a is a name, 1e3 and 0x1F are numbers; a name that may be a number is told as a name,
		// which can only add to what the statement is taken to touch.
		kind = Word
		if isNumberWord(l.in[l.pos : l.pos+n]) {
			kind = Number
		}
	}
	return l.token(kind, n)
}

// brokenExponent tells whether s is a number with a point, an 'e', and no digits behind it.
func brokenExponent(s string) bool {
	e := strings.IndexAny(s, "eE")
	if e < 0 || strings.IndexByte(s[:e], '.') < 0 || !digitsBefore(s[:e]) {
		return false
	}
	rest := strings.TrimLeft(s[e+1:], "+-")
	return rest == "" || !isDigit(rest[0])
}

func digitsBefore(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) && s[i] != '.' {
			return false
		}
	}
	return true
}

func hasLetter(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) && s[i] != '.' && s[i] != '+' && s[i] != '-' {
			return true
		}
	}
	return false
}

func isNumberWord(s string) bool {
	lower := strings.ToLower(s)
	if rest, ok := strings.CutPrefix(lower, "0x"); ok {
		return rest != "" && strings.Trim(rest, "0123456789abcdef") == ""
	}
	if rest, ok := strings.CutPrefix(lower, "0b"); ok {
		return rest != "" && strings.Trim(rest, "01") == ""
	}
	mantissa, exponent, ok := strings.Cut(lower, "e")
	return ok && digitsBefore(mantissa) && exponent != "" && strings.Trim(exponent, "+-0123456789") == ""
}

// quoted reads a string or a quoted name that begins offset bytes from here.
func (l *lexer) quoted(kind TokenKind, offset int) error {
	q := l.in[l.pos+offset]
	escapes := kind == String && l.r.Mode&NoBackslashEscapes == 0
	for i := l.pos + offset + 1; i < len(l.in); i++ {
		switch c := l.in[i]; {
		case c == q && i+1 < len(l.in) && l.in[i+1] == q:
			i++
		case c == q:
			if offset > 0 {
				kind = UserVariable
			}
			return l.token(kind, i+1-l.pos)
		case c == '\\' && kind == QuotedName && q == '"':
			l.pos = i
			return l.fault("backslash in a quoted name", `inside "…" under ANSI_QUOTES readers differ over it`)
		case c == '\\' && escapes:
			if err := l.escape(i); err != nil {
				return err
			}
			i++
		case c == 0 && kind == QuotedName:
			l.pos = i
			return l.fault("quoted name", "it holds a zero byte")
		case c >= utf8.RuneSelf && classOf(l.r.Charset) == unlexable:
			l.pos = i
			return l.fault("character set "+l.r.Charset, "text beyond ASCII cannot be read soundly in it; SET NAMES utf8mb4")
		case c >= utf8.RuneSelf && (kind == QuotedName || offset > 0) && classOf(l.r.Charset) != unicodeSet:
			l.pos = i
			return l.fault("name", "a name beyond ASCII needs the client character set utf8mb4")
		case c >= 0xF0 && (kind == QuotedName || offset > 0) && l.r.wide() != nil:
			l.pos = i
			return l.fault("name", "a character of it is not known in the client's character set")
		}
	}
	return l.fault("quoted text", "it is not closed")
}

// escape looks at a backslash in a string, at i, that escapes what is behind it.
func (l *lexer) escape(i int) error {
	set := l.r.wide()
	switch {
	case set == nil:
		return nil
	case l.r.told && (set.blurs || set.slips && i+1 < len(l.in) && (l.in[i+1] >= utf8.RuneSelf || l.in[i+1] == '?')), set.slippedBy(l.in[i+1:]):
		l.pos = i
		return l.fault("backslash", "before a character of several bytes it has no single meaning in the client's character set")
	}
	return nil
}

func (l *lexer) variable() error {
	if l.peek(1) == '@' {
		if c := l.peek(2); !isWordByte(c) && c != '`' && c != '"' {
			return l.fault("@@", "no name stands behind it")
		}
		n := 2
		for l.pos+n < len(l.in) && (isWordByte(l.in[l.pos+n]) || l.in[l.pos+n] == '.') && l.in[l.pos+n] < utf8.RuneSelf {
			n++
		}
		return l.token(SystemVariable, n)
	}
	switch l.peek(1) {
	case '\'':
		return l.quoted(String, 1)
	case '`':
		return l.quoted(QuotedName, 1)
	case '"':
		// Readers differ over a backslash here whatever the mode (sql.md 2.4 B).
		if end := strings.IndexByte(l.in[l.pos+2:], '"'); end < 0 || strings.IndexByte(l.in[l.pos+2:l.pos+2+end], '\\') >= 0 {
			return l.fault("user variable", `a backslash inside @"…" has no single meaning`)
		}
		return l.quoted(QuotedName, 1)
	}
	n := 1
	for l.pos+n < len(l.in) && (isWordByte(l.in[l.pos+n]) || l.in[l.pos+n] == '.') {
		if l.in[l.pos+n] >= utf8.RuneSelf && l.r.bare != nil {
			return l.fault("user variable", "a name beyond ASCII must be quoted here")
		}
		size, err := l.letter(n)
		if err != nil {
			return err
		}
		n += size
	}
	return l.token(UserVariable, n)
}

func (l *lexer) punctuation() error {
	switch l.in[l.pos] {
	case '(':
		if l.depth++; l.depth > maxDepth {
			return l.fault("parentheses", "they are nested too deeply")
		}
	case ')':
		l.depth--
	case '\\':
		if l.peek(1) == 'N' {
			return l.token(Word, 2)
		}
	}
	if l.pos+1 < len(l.in) {
		switch l.in[l.pos : l.pos+2] {
		case ":=", "||", "&&", "<=", ">=", "<>", "!=", "<<", ">>", "->":
			return l.token(Punctuation, 2)
		}
	}
	return l.token(Punctuation, 1)
}
