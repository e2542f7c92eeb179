package parser

import (
	"strings"
	"unicode/utf8"
)

// lineComment passes a comment that runs to the end of its line; n bytes open it.
func (l *lexer) lineComment(n int) error {
	end := strings.IndexByte(l.in[l.pos:], '\n')
	if end < 0 {
		end = len(l.in) - l.pos
	}
	body := l.in[l.pos+n : l.pos+end]
	if l.inside && strings.Contains(body, "*/") {
		return l.fault("comment", "the end of an executable comment inside a line comment has no single meaning")
	}
	if strings.IndexByte(body, 0) >= 0 {
		return l.fault("comment", "it holds a zero byte")
	}
	if strings.IndexByte(body, '\r') >= 0 && !strings.HasSuffix(body, "\r") {
		return l.fault("comment", "a carriage return inside it has no single meaning")
	}
	// Gone from the canonical text, which our readers read.
	l.respell()
	l.setAside(l.in[l.pos:l.pos+end], 0)
	l.remarked = len(l.tokens)
	l.pos += end
	return nil
}

// dashes reads "--": a comment before white space or at the end, two minus signs otherwise.
func (l *lexer) dashes() error {
	switch c := l.peek(2); {
	case l.pos+2 >= len(l.in) || c == ' ' || (c >= '\t' && c <= '\r'):
		return l.lineComment(2)
	case strings.Trim(l.in[l.pos+2:], "; \t\n\v\f\r") == "" && l.r.Dialect.Flavor != TiDB:
		return l.blank(len(l.in) - l.pos) // servers take semicolons and white space off the end of a text first
	case c < ' ' || c == 0x7f || c >= utf8.RuneSelf:
		return l.fault("--", "readers differ over whether this begins a comment")
	default:
		// Spelt apart, so that it is no comment for anybody.
		if err := l.token(Punctuation, 1); err != nil {
			return err
		}
		l.respell()
		if !l.inside && l.signsBefore() {
			l.asides = append(l.asides, aside{l.at(), 1, ""}) // together again when it is sent: it names columns
		}
		l.out.WriteByte(' ')
		return nil
	}
}

// signsBefore tells whether the minus signs from here on stand right before what is a number or a name for every reader.
func (l *lexer) signsBefore() bool {
	rest := strings.TrimLeft(l.in[l.pos:], "-")
	return rest != "" && rest[0] < utf8.RuneSelf && (isWordByte(rest[0]) || strings.IndexByte("(.@", rest[0]) >= 0)
}

// comment reads "/*…": a plain comment becomes a space, an executable one what this warehouse
// would execute.
func (l *lexer) comment() error {
	rest := l.in[l.pos+2:]
	d := l.r.Dialect
	l.executables = l.executables || rest != "" && strings.IndexByte("!MmT+", rest[0]) >= 0
	switch {
	case strings.HasPrefix(rest, "!"):
		return l.executable(3, d.Flavor == MariaDB)
	case hasFold(rest, "M!") && d.Flavor == MariaDB:
		return l.executable(4, false)
	case strings.HasPrefix(rest, "T!") && d.Flavor == TiDB:
		return l.tidbComment()
	case strings.HasPrefix(rest, "+") && d.Flavor != MariaDB && l.hintAllowed():
		return l.hint()
	}
	end := strings.Index(rest, "*/")
	if end < 0 {
		return l.fault("comment", "it is not closed")
	}
	if strings.IndexByte(rest[:end], 0) >= 0 {
		return l.fault("comment", "it holds a zero byte")
	}
	l.remarked = len(l.tokens)
	l.respell()
	l.setAside(l.in[l.pos:l.pos+end+4], 1)
	return l.blank(end + 4)
}

func hasFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// blank puts a space in the place of n bytes.
func (l *lexer) blank(n int) error {
	l.respell()
	l.pos += n
	l.out.WriteByte(' ')
	return nil
}

// executable reads "/*!" and, on MariaDB, "/*M!": open bytes open it. Under gap, MariaDB's "/*!", the versions
// 50700 to 99999 belong to MySQL and are skipped (measured on 10.11.19).
func (l *lexer) executable(open int, gap bool) error {
	if l.inside {
		return l.fault("executable comment", "it stands inside another one")
	}
	if strings.HasPrefix(l.in[l.pos+2:], "m!") {
		return l.fault("executable comment", "/*m! has no single meaning; write /*M!")
	}
	version, digits, err := l.version(open)
	if err != nil {
		return err
	}
	execute := version <= l.r.Dialect.Version && !(gap && version >= 50700 && version <= 99999)
	if l.r.Dialect.Flavor == TiDB {
		execute = true
	}
	if !execute {
		return l.skipComment(open)
	}
	if err := l.blank(open + digits); err != nil {
		return err
	}
	l.inside = true
	return nil
}

// version reads the digits behind the opening: none, five or six.
func (l *lexer) version(open int) (version, digits int, err error) {
	s := l.in[l.pos+open:]
	for digits < len(s) && isDigit(s[digits]) {
		version = version*10 + int(s[digits]-'0')
		if digits++; digits > 6 {
			break
		}
	}
	after := byte(' ')
	if digits < len(s) {
		after = s[digits]
	}
	space := after == ' ' || (after >= '\t' && after <= '\r')
	switch {
	case digits == 0:
		return 0, 0, nil
	case digits == 5:
		return version, 5, nil
	case digits == 6 && space && l.r.Dialect.Flavor != TiDB:
		return version, 6, nil
	case digits == 6 && l.r.Dialect.Flavor == MariaDB:
		return version, 6, nil
	case digits == 6 && l.r.Dialect.Flavor == MySQL && version/10 > l.r.Dialect.Version:
		return version, 6, nil // skipped by its five digits as by its six: mariadb-dump's /*!999999\- …
	default:
		return 0, 0, l.fault("executable comment", "its version has neither five nor six digits")
	}
}

// skipComment drops an executable comment that this warehouse does not execute.
func (l *lexer) skipComment(open int) error {
	body := l.in[l.pos+open:]
	end := strings.Index(body, "*/")
	if end < 0 {
		return l.fault("executable comment", "it is not closed")
	}
	if strings.Contains(body[:end+1], "/*") { // also the "/*/" that one reader takes for the end, another for a beginning
		return l.fault("executable comment", "a comment inside it has no single meaning")
	}
	return l.blank(open + end + 2)
}

// tidbComment reads "/*T!" on TiDB. A feature list is executed only by versions that know it, which
// we cannot tell.
func (l *lexer) tidbComment() error {
	if l.inside {
		return l.fault("executable comment", "it stands inside another one")
	}
	n := 4
	if strings.HasPrefix(l.in[l.pos+n:], "[") {
		end := strings.IndexByte(l.in[l.pos+n:], ']')
		if end < 0 {
			return l.fault("executable comment", "its feature list is not closed")
		}
		for feature := range strings.SplitSeq(l.in[l.pos+n+1:l.pos+n+end], ",") {
			if !tidbFeatures[feature] {
				return l.fault("executable comment", "the feature "+feature+" is not known here")
			}
		}
		n += end + 1
	}
	if err := l.blank(n); err != nil {
		return err
	}
	l.inside = true
	return nil
}

// tidbFeatures are the features that every TiDB 8 executes.
var tidbFeatures = map[string]bool{
	"auto_rand": true, "auto_id_cache": true, "auto_rand_base": true, "clustered_index": true,
	"force_inc": true, "placement": true, "ttl": true, "resource_group": true,
}

// hintAllowed: a hint stands behind a verb; anywhere else it is a plain comment.
func (l *lexer) hintAllowed() bool {
	if len(l.tokens) == 0 {
		return false
	}
	last := l.tokens[len(l.tokens)-1]
	text := l.in
	if l.respelt {
		text = l.out.String()
	}
	for _, verb := range []string{"SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE"} {
		if last.is(text, verb) {
			return true
		}
	}
	return false
}

// hint keeps an optimizer hint. Quotes inside would end it in different places for different readers.
func (l *lexer) hint() error {
	end := strings.Index(l.in[l.pos:], "*/")
	if end < 0 {
		return l.fault("hint", "it is not closed")
	}
	body := l.in[l.pos+3 : l.pos+end]
	if strings.IndexByte(body, 0) >= 0 {
		return l.fault("hint", "it holds a zero byte")
	}
	if strings.ContainsAny(body, "'\"`\\") || strings.Contains(body, "/*") || l.r.wide() != nil && !isASCII(body) {
		return l.blank(end + 2)
	}
	l.take(end + 2)
	return nil
}
