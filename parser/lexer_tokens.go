package parser

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

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

// dollarProbe is how the mysql client asks a server at start-up whether it knows dollar quotes, of late in small letters.
const dollarProbe = "SELECT $$"

// dollarQuotes tells whether MySQL may read a dollar-quoted string from here on: $tag$. With no second dollar
// sign in the same run of ASCII every version reads a name.
func (l *lexer) dollarQuotes() bool {
	if l.in[l.pos] != '$' || l.r.Dialect.Flavor != MySQL || strings.EqualFold(strings.TrimSpace(l.in), dollarProbe) {
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
// differ over anything else.
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
		if c == '.' && n > 0 && (!digitsBefore(l.in[l.pos:l.pos+n]) || l.peek(n+1) == '.' && l.r.Dialect.Flavor == MariaDB) { // 0..n
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
		// Readers differ over a backslash here whatever the mode.
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
