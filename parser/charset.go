package parser

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// ParseSent is Parse for a text as a client sent it. A text in another character set than UTF-8 is read in UTF-8, if we have its
// table: names then are what the catalog calls them. [Statement.Sent] gives the client's bytes, and
// [Script.Reading] what the statements, and texts within them, were read by.
func ParseSent(text string, r Reading) (*Script, error) {
	if isASCII(text) {
		return Parse(text, r)
	}
	if r.Unicode() {
		return Parse(text, r.unicode(text))
	}
	set := r.own()
	if set == nil {
		return Parse(text, r)
	}
	decoded, ok := set.decode(text)
	if !ok {
		return Parse(text, r) // a byte that is no character: it may stand in a string
	}
	decodedBy := r.Decoded()
	decodedBy.told = false
	script, err := Parse(decoded, decodedBy)
	if err != nil {
		return nil, err
	}
	script.ModeFree = false // it depends on the character set
	for i := range script.Statements {
		st := &script.Statements[i]
		st.set = set
		if st.Command != nil && holdsStandIn(st.Text) {
			return nil, &Error{"command", "a character of it is none of the character set " + r.Charset, 1, 1}
		}
		if st.bare, ok = set.encode(st.Text); ok && st.sent != "" {
			st.sent, ok = set.encode(st.sent)
		}
		if !ok {
			return nil, &Error{"text", "it cannot be spelt in the character set " + r.Charset, 1, 1}
		}
		st.Rest, _ = set.encode(st.Rest)
	}
	return script, nil
}

// Sent is the statement in the client's character set, with its plain comments: what is forwarded.
func (st *Statement) Sent() string {
	if st.sent != "" {
		return st.sent
	}
	return st.Bare()
}

// Bare is Sent without the comments.
func (st *Statement) Bare() string {
	if st.set == nil {
		return st.Text
	}
	return st.bare
}

// SentPart gives a part of Text in the client's character set.
func (st *Statement) SentPart(part string) string {
	if st.set == nil {
		return part
	}
	sent, _ := st.set.encode(part) // as Text could be
	return sent
}

// Encode spells a text of UTF-8 as a client would send it under this reading; ok is false where that is not known.
func (r Reading) Encode(text string) (sent string, ok bool) {
	if isASCII(text) {
		return text, true
	}
	if r.Unicode() {
		return text, utf8.ValidString(text)
	}
	if set := r.own(); set != nil && !holdsStandIn(text) {
		return set.encode(text)
	}
	return "", false
}

// Decode gives a text in the client character set in UTF-8; ok is false where that is not known.
func (r Reading) Decode(sent string) (text string, ok bool) {
	if r.Unicode() || isASCII(sent) {
		return sent, true
	}
	if set := r.own(); set != nil {
		text, ok = set.decode(sent)
		return text, ok && !holdsStandIn(text)
	}
	return "", false
}

// Show spells a text of UTF-8 in the character set, if we have its table, with '?' for what the set lacks.
func (r Reading) Show(text string) string {
	if isASCII(text) || r.Unicode() {
		return text
	}
	set := r.own()
	if set == nil {
		return text
	}
	if sent, ok := r.Encode(text); ok {
		return sent
	}
	var b strings.Builder
	for _, c := range text {
		if sent, ok := r.Encode(string(c)); ok {
			b.WriteString(sent)
		} else {
			b.WriteByte('?')
		}
	}
	return b.String()
}

// Faithful tells whether a literal's value, as it was read, holds nothing but characters of the client's set.
func (r Reading) Faithful(value string) bool { return r.Unicode() || !holdsStandIn(value) }

// holdsStandIn tells whether a text holds what may stand for bytes that are no character.
func holdsStandIn(text string) bool {
	return strings.IndexFunc(text, func(c rune) bool { return c >= standIn }) >= 0
}

// Respelt tells whether the text was put into UTF-8 from another character set.
func (r Reading) Respelt() bool { return r.bare != nil }

// Unicode tells whether texts of the client are UTF-8. TiDB takes what comes in latin1 for UTF-8.
func (r Reading) Unicode() bool {
	return classOf(r.Charset) == unicodeSet || r.Charset == "latin1" && r.Dialect.Flavor == TiDB
}

// unicode is the reading of a text under a character set whose texts are UTF-8: TiDB's latin1 is as long as this text is.
func (r Reading) unicode(text string) Reading {
	if classOf(r.Charset) != unicodeSet && utf8.ValidString(text) {
		r.Charset = "utf8mb4"
	}
	return r
}

// Decoded is the reading of a text in UTF-8 that was written under this one, such as a program's body in the catalog.
func (r Reading) Decoded() Reading {
	if set := r.own(); set != nil {
		r.Charset, r.bare, r.told = "utf8mb4", set, true
	}
	return r
}

// ownSet is a character set that we have the table of.
type ownSet interface {
	// decode gives a text in UTF-8; ok is false when that is not known.
	decode(text string) (decoded string, ok bool)
	// encode gives the bytes of what decode gave.
	encode(text string) (sent string, ok bool)
	// word tells whether a character may stand in a name without quotes.
	word(r rune) bool
}

// own gives the table of the client character set, or nil.
func (r Reading) own() ownSet {
	if r.Dialect.Flavor == TiDB && r.Charset != "gbk" {
		return nil // it knows no other, or reads it in its own way
	}
	if set := narrowSets()[r.Charset]; set != nil {
		return set
	}
	if set := wideSets()[r.Charset]; set != nil {
		return set
	}
	return nil
}

// wide gives the set of several bytes that the text was put into UTF-8 from, or nil.
func (r *Reading) wide() *wideSet {
	set, _ := r.bare.(*wideSet)
	return set
}

// narrowSet is a character set of one byte for each character, ASCII below 0x80.
type narrowSet struct {
	runes [128]rune // of the bytes from 0x80 on; U+FFFD for none
	bytes map[rune]byte
	words string // what may stand in a name without quotes
}

var narrowSets = sync.OnceValue(func() map[string]*narrowSet {
	sets := make(map[string]*narrowSet, len(charsetTable))
	for name, row := range charsetTable {
		set := &narrowSet{bytes: make(map[rune]byte, 128), words: row[1]}
		for i, r := range []rune(row[0]) {
			set.runes[i] = r
			if r != utf8.RuneError {
				set.bytes[r] = byte(0x80 + i)
			}
		}
		sets[name] = set
	}
	return sets
})

func (s *narrowSet) word(r rune) bool { return strings.ContainsRune(s.words, r) }

// decode gives the text in UTF-8; ok is false when a byte is no character.
func (s *narrowSet) decode(text string) (decoded string, ok bool) {
	var b strings.Builder
	b.Grow(len(text) + len(text)/4)
	for i := range len(text) {
		c := text[i]
		if c < utf8.RuneSelf {
			b.WriteByte(c)
			continue
		}
		r := s.runes[c-0x80]
		if r == utf8.RuneError {
			return "", false
		}
		b.WriteRune(r)
	}
	return b.String(), true
}

func (s *narrowSet) encode(text string) (sent string, ok bool) {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		if r < utf8.RuneSelf {
			b.WriteByte(byte(r))
			continue
		}
		c, known := s.bytes[r]
		if !known {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), true
}
