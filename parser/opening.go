package parser

import "strings"

// Opening tells whether a text is of those few forms that clients open a session with, or see with whether it lives: SELECT of
// numbers, plain strings, system variables and the session's own facts; SET NAMES and SET autocommit; transactions that begin
// and end. Such a text holds nothing that sql_mode or a client character set changes (no comment, double quote, backslash,
// operator or byte above 0x7F), names no table and calls nothing that is defined in a schema.
//
// It allocates nothing and takes the text for what it says to a server of any of our kinds; everything else gives false.
func Opening(text string) bool {
	if len(text) > longestOpening {
		return false
	}
	o := opening{rest: strings.TrimLeft(text, blanks)}
	ok := false
	switch {
	case o.is("select"):
		ok = o.items() && o.limit()
	case o.is("set"):
		ok = o.assignment()
	case o.is("start"):
		ok = o.is("transaction")
	default:
		ok = o.is("begin") || o.is("commit") || o.is("rollback")
	}
	o.sign(';')
	return ok && o.rest == ""
}

// longestOpening is above what drivers ask at once: Connector/J names twenty variables in 1.3 KB.
const longestOpening = 4096

// opening is what is left of a text to read. Every step takes the blanks behind what it reads.
type opening struct{ rest string }

func (o *opening) take(n int) string {
	t := o.rest[:n]
	o.rest = strings.TrimLeft(o.rest[n:], blanks)
	return t
}

// word takes letters, digits and underscores that begin with a letter; "" for none.
func (o *opening) word() string {
	n := 0
	for n < len(o.rest) && (isLetter(o.rest[n]) || n > 0 && isDigit(o.rest[n])) {
		n++
	}
	return o.take(n)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

// is takes one word if it is that one.
func (o *opening) is(word string) bool {
	saved := o.rest
	if strings.EqualFold(o.word(), word) {
		return true
	}
	o.rest = saved
	return false
}

func (o *opening) sign(c byte) bool {
	if o.rest == "" || o.rest[0] != c {
		return false
	}
	o.take(1)
	return true
}

func (o *opening) number() bool {
	n := 0
	for n < len(o.rest) && isDigit(o.rest[n]) {
		n++
	}
	if n == 0 || n < len(o.rest) && (isLetter(o.rest[n]) || o.rest[n] == '.' || o.rest[n] == '$') {
		return false // 1e5, 0x41, 1.5, and names that begin with digits
	}
	o.take(n)
	return true
}

// plainString takes a string of letters, digits, blanks and signs that mean nothing anywhere.
func (o *opening) plainString() bool {
	if o.rest == "" || o.rest[0] != '\'' {
		return false
	}
	end := strings.IndexByte(o.rest[1:], '\'') + 1
	for i := 1; i < end; i++ {
		if c := o.rest[i]; !isLetter(c) && !isDigit(c) && !strings.ContainsRune(" .,:-+", rune(c)) {
			return false
		}
	}
	if end < 1 || end+1 < len(o.rest) && o.rest[end+1] == '\'' {
		return false
	}
	o.take(end + 1)
	return true
}

// variable takes @@name, @@session.name and their kind, without blanks.
func (o *opening) variable() bool {
	if !strings.HasPrefix(o.rest, "@@") {
		return false
	}
	n := 2
	for parts := 1; ; parts++ {
		if n >= len(o.rest) || !isLetter(o.rest[n]) {
			return false
		}
		for n < len(o.rest) && (isLetter(o.rest[n]) || isDigit(o.rest[n])) {
			n++
		}
		if n >= len(o.rest) || o.rest[n] != '.' || parts > 1 {
			break
		}
		n++
	}
	if n < len(o.rest) && strings.IndexByte(blanks+",;", o.rest[n]) < 0 {
		return false
	}
	o.take(n)
	return true
}

// ownFacts are functions that tell of the session alone. Nobody can define one of these names in their place.
var ownFacts = map[string]bool{
	"connection_id": true, "version": true, "database": true, "user": true, "current_user": true,
	"row_count": true, "found_rows": true, "last_insert_id": true,
}

// fact takes a call of one of them, its parentheses right behind the name.
func (o *opening) fact() bool {
	at := strings.Index(o.rest, "()")
	if at < 0 || at > len("last_insert_id") || !ownFacts[strings.ToLower(o.rest[:at])] {
		return false
	}
	o.take(at + 2)
	return true
}

// items takes what a SELECT lists.
func (o *opening) items() bool {
	for {
		if !o.number() && !o.plainString() && !o.variable() && !o.fact() {
			return false
		}
		if o.is("as") && o.word() == "" {
			return false
		}
		if !o.sign(',') {
			return true
		}
	}
}

func (o *opening) limit() bool { return !o.is("limit") || o.number() }

// assignment takes what follows SET.
func (o *opening) assignment() bool {
	if o.is("names") {
		return (o.word() != "" || o.plainString()) && (!o.is("collate") || o.word() != "" || o.plainString())
	}
	return o.is("autocommit") && o.sign('=') && (o.number() || o.is("on") || o.is("off") || o.is("true") || o.is("false"))
}
