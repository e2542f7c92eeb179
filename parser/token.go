package parser

import "strings"

// TokenKind is the class of a token.
type TokenKind uint8

// The kinds of token.
const (
	Word           TokenKind = iota + 1 // a keyword or an unquoted name
	QuotedName                          // `name`, or "name" under ANSI_QUOTES
	String                              // 'text', or "text"
	Number                              // 1, 1.5, 1e3, 0x1F
	UserVariable                        // @v, @'v', @`v`
	SystemVariable                      // @@v, @@session.v
	Punctuation                         // an operator or a separator
	Parameter                           // ?
	Hint                                // /*+ … */ of MySQL and TiDB
)

// Token is one token of Statement.Text, from byte Start to before byte End.
type Token struct {
	Kind       TokenKind
	Start, End int32
}

// text gives the token as it is spelt.
func (t Token) text(s string) string { return s[t.Start:t.End] }

// is tells whether the token is this keyword (given in upper case) or this punctuation.
func (t Token) is(s, word string) bool {
	if t.Kind != Word && t.Kind != Punctuation {
		return false
	}
	return len(word) == int(t.End-t.Start) && strings.EqualFold(s[t.Start:t.End], word)
}

// isName tells whether the token can name an object.
func (t Token) isName() bool { return t.Kind == Word || t.Kind == QuotedName }

// name gives the identifier that the token spells, without its quotes.
func (t Token) name(s string) string {
	raw := t.text(s)
	if t.Kind == QuotedName || t.Kind == String {
		return unquote(raw)
	}
	return raw
}

// unquote takes the quotes off and undoubles the quote inside. Backslashes stay: names have none.
func unquote(raw string) string {
	if len(raw) < 2 {
		return raw
	}
	q := raw[:1]
	body := raw[1 : len(raw)-1]
	if !strings.Contains(body, q) {
		return body
	}
	return strings.ReplaceAll(body, q+q, q)
}

// variable gives a user variable's name in lower case, without '@' and quotes.
func (t Token) variable(s string) string {
	raw := strings.TrimPrefix(t.text(s), "@")
	if raw != "" && (raw[0] == '\'' || raw[0] == '"' || raw[0] == '`') {
		raw = unquote(raw)
	}
	return strings.ToLower(raw)
}

// Variables lists the variables that the statement spells, in lower case: "@v" for a user variable, "@@v" for a
// system variable, whatever its scope.
func (s *Statement) Variables(yield func(name string)) {
	for i, t := range s.Tokens {
		switch t.Kind {
		case UserVariable:
			yield("@" + t.variable(s.Text))
		case SystemVariable:
			name := strings.TrimPrefix(t.text(s.Text), "@@")
			if name == "" || strings.HasSuffix(name, ".") { // @@`v`, @@session.`v`
				if i+1 < len(s.Tokens) {
					name += s.Tokens[i+1].name(s.Text)
				}
			}
			name = name[strings.LastIndexByte(name, '.')+1:]
			yield("@@" + strings.ToLower(name))
		}
	}
}

// Spells tells whether one of the words (in upper case) stands in the statement as a keyword could.
func (s *Statement) Spells(words ...string) bool {
	for _, t := range s.Tokens {
		for _, w := range words {
			if t.is(s.Text, w) {
				return true
			}
		}
	}
	return false
}

// Qualified lists every pair of names with a '.' between them that none stands before.
func (s *Statement) Qualified(yield func(first, second string)) {
	point := func(i int) bool {
		return i >= 0 && i < len(s.Tokens) && s.Tokens[i].Kind == Punctuation && s.Tokens[i].text(s.Text) == "."
	}
	for i := 0; i+2 < len(s.Tokens); i++ {
		if s.Tokens[i].isName() && point(i+1) && s.Tokens[i+2].isName() && !point(i-1) {
			yield(s.Tokens[i].name(s.Text), s.Tokens[i+2].name(s.Text))
		}
	}
}

// Anchors lists the tables whose columns give a variable or parameter its type: TYPE OF [s.]t.c and ROW TYPE OF [s.]t.
func (s *Statement) Anchors(yield func(schema, table string)) {
	at := scan{st: s}
	for at.i = 1; at.i+2 < len(s.Tokens); at.i++ {
		if !at.is("TYPE", "OF") {
			continue
		}
		from := at.i
		row := s.Tokens[from-1].is(s.Text, "ROW")
		at.i += 2
		first, second, ok := at.name()
		switch {
		case !ok:
		case row || at.is("."):
			yield(first, second)
		case first != "":
			yield("", first)
		}
		at.i = from
	}
}

// Names lists every identifier that the statement spells, quoted or not, in order; dotted is true
// when a '.' stands before it.
func (s *Statement) Names(yield func(name string, quoted, dotted bool)) {
	for i, t := range s.Tokens {
		if !t.isName() {
			continue
		}
		dotted := i > 0 && s.Tokens[i-1].Kind == Punctuation && s.Tokens[i-1].text(s.Text) == "."
		yield(t.name(s.Text), t.Kind == QuotedName, dotted)
	}
}
