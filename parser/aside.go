package parser

import (
	"slices"
	"strings"
)

// aside is a plain comment of the client's: at is where it stood in the canonical text, and gap how many bytes stand
// there instead. It is put back into what is forwarded, for it shows in stored programs, in columns without an alias,
// in process lists and logs, and in syntax errors.
type aside struct {
	at, gap int32
	text    string
}

// setAside notes a comment that stood at the end of what was read so far, if no reader could see anything else in it.
func (l *lexer) setAside(comment string, gap int32) {
	if !l.inside && l.plainly(comment) {
		l.asides = append(l.asides, aside{l.at(), gap, comment})
	}
}

// plainly tells whether a comment is one for every server, from the same byte to the same byte.
func (l *lexer) plainly(comment string) bool {
	if classOf(l.r.Charset) == unlexable && !isASCII(comment) || strings.IndexByte(comment, 0) >= 0 {
		return false
	}
	switch {
	case comment[0] != '/' && (strings.Contains(comment, "/*") || strings.Contains(comment, "*/")):
		return false
	case comment[0] == '#':
		return true
	case comment[0] == '-':
		return len(comment) == 2 || strings.IndexByte(" \t\n", comment[2]) >= 0
	}
	body := comment[2 : len(comment)-2]
	if strings.Contains(body, "/*") || strings.HasSuffix(body, "/") || strings.HasPrefix(body, "/") {
		return false // nested for some
	}
	first := strings.TrimLeft(body, "*") // "/** … */"
	switch {
	case first == "":
		return body == ""
	case len(first) != len(body):
		return strings.IndexByte(" \t\r\n", first[0]) >= 0
	default:
		// What some server executes: a version, a hint, "M!", "T!".
		return first[0] != '!' && first[0] != '+' && !(len(first) > 1 && first[1] == '!')
	}
}

// sure gives the asides that are to be put back: those with a quote or a backslash only into a text whose quotes end where they
// end whatever the sql_mode, so that no other reading of it begins in a comment.
func (l *lexer) sure(canonical string) []aside {
	if len(l.asides) == 0 || !l.executables && ModeFree(canonical) {
		return l.asides
	}
	return slices.DeleteFunc(l.asides, func(a aside) bool { return strings.ContainsAny(a.text, "'\"`\\") })
}

// asideText is a canonical text with its asides.
type asideText struct {
	text   string
	asides []aside
}

// between gives the bytes from one position to another with the comments that stood there.
func (a asideText) between(from, to int32) string {
	var b strings.Builder
	done := from
	for _, c := range a.asides {
		if c.at < from || c.at+c.gap > to {
			continue
		}
		b.WriteString(a.text[done:c.at])
		b.WriteString(c.text)
		done = c.at + c.gap
	}
	if done == from {
		return a.text[from:to]
	}
	b.WriteString(a.text[done:to])
	return b.String()
}

func (l *lexed) with() asideText { return asideText{l.text, l.asides} }

// putBack gives a part the comments that stood from its beginning to its end.
func (l *lexed) putBack(p *part, begin, end int32) {
	a := l.with()
	if sent := strings.Trim(a.between(begin, end), blanks); sent != p.text {
		p.sent = sent
		p.rest = a.between(end, int32(len(l.text)))
	}
}

// blanks are what every server takes for white space.
const blanks = " \t\r\n\f\v"
