package enforcement

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxPolicyBytes is the longest text of an exception policy.
const MaxPolicyBytes = 64 << 20

// MaxSetBytes is the longest that SET takes. Its change writes the text and every gateway reads it within the time of a lease,
// so that a larger one of a single owner would hold up all projects.
const MaxSetBytes = 4 << 20

// maxDepth is deeper than any policy goes.
const maxDepth = 16

// PolicyError says where the text of an exception policy is wrong. Line and Column count from 1, the
// column in characters.
type PolicyError struct {
	Line, Column int
	Expected     string // what should stand there
	Found        string // what does
	Hint         string // how to put it right; "" when Expected says it
}

// Error gives the sentence that a client sees.
func (e *PolicyError) Error() string {
	s := fmt.Sprintf("exception policy, line %d, column %d: expected %s, found %s", e.Line, e.Column, e.Expected, e.Found)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// valueKind is the kind of a JSON value.
type valueKind uint8

const (
	stringValue valueKind = iota + 1
	numberValue
	boolValue
	nullValue
	listValue
	objectValue
)

// value is one JSON value with the place where it begins.
type value struct {
	kind  valueKind
	at    int
	text  string // of a string (unescaped), a number, a boolean
	items []value
	keys  []member
}

// member is one key of an object with its value.
type member struct {
	name  string
	at    int
	value value
}

// found describes a value in an error.
func (v *value) found() string {
	switch v.kind {
	case stringValue:
		return quoted(v.text)
	case listValue:
		return "a list"
	case objectValue:
		return "an object"
	case nullValue:
		return "null"
	default:
		return v.text
	}
}

func quoted(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

// document reads JSON strictly: duplicate keys, trailing commas, comments and bad UTF-8 are errors
// that say where they stand.
type document struct {
	src string
	pos int
}

// fault makes the error for a place in the text.
func (d *document) fault(at int, expected, found, hint string) *PolicyError {
	at = min(at, len(d.src))
	line := 1 + strings.Count(d.src[:at], "\n")
	begin := strings.LastIndexByte(d.src[:at], '\n') + 1
	return &PolicyError{
		Line: line, Column: 1 + utf8.RuneCountInString(d.src[begin:at]),
		Expected: expected, Found: found, Hint: hint,
	}
}

// here describes what stands at the reader's place.
func (d *document) here() string {
	if d.pos >= len(d.src) {
		return "the end of the text"
	}
	r, n := utf8.DecodeRuneInString(d.src[d.pos:])
	if r == utf8.RuneError && n <= 1 {
		return fmt.Sprintf("the byte 0x%02x, which is not UTF-8", d.src[d.pos])
	}
	if isWord(byte(r)) && r < utf8.RuneSelf {
		end := d.pos
		for end < len(d.src) && isWord(d.src[end]) && end-d.pos < 40 {
			end++
		}
		return quoted(d.src[d.pos:end])
	}
	return fmt.Sprintf("%q", r)
}

func isWord(c byte) bool {
	return c == '_' || c == '-' || c == '+' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (d *document) space() {
	for d.pos < len(d.src) {
		switch d.src[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// parseDocument reads the whole text as one value.
func parseDocument(src string) (*document, value, *PolicyError) {
	d := &document{src: src}
	if len(src) > MaxPolicyBytes {
		return d, value{}, d.fault(0, fmt.Sprintf("at most %d bytes", MaxPolicyBytes), fmt.Sprintf("%d bytes", len(src)), "")
	}
	if strings.HasPrefix(src, "\ufeff") { // editors on Windows write it
		d.pos = len("\ufeff")
	}
	v, err := d.value(0, "an object that begins with '{'", "")
	if err != nil {
		return d, v, err
	}
	d.space()
	if d.pos < len(src) {
		return d, v, d.fault(d.pos, "the end of the policy", d.here(), "")
	}
	return d, v, nil
}

// value reads one value. What was expected is put together from two parts only when it is missing.
func (d *document) value(depth int, expected, of string) (value, *PolicyError) {
	d.space()
	if depth > maxDepth {
		return value{}, d.fault(d.pos, fmt.Sprintf("at most %d levels", maxDepth), d.here(), "")
	}
	v := value{at: d.pos}
	if d.pos >= len(d.src) {
		return v, d.fault(d.pos, expecting(expected, of), d.here(), "")
	}
	var err *PolicyError
	switch c := d.src[d.pos]; {
	case c == '{':
		v.kind = objectValue
		v.keys, err = d.object(depth)
	case c == '[':
		v.kind = listValue
		v.items, err = d.list(depth)
	case c == '"':
		v.kind = stringValue
		v.text, err = d.string()
	case c == '-' || '0' <= c && c <= '9':
		v.kind = numberValue
		v.text, err = d.number()
	default:
		err = d.literal(&v, expected, of)
	}
	return v, err
}

func expecting(expected, of string) string {
	if of == "" {
		return expected
	}
	return expected + quoted(of)
}

func (d *document) literal(v *value, expected, of string) *PolicyError {
	for _, l := range [...]struct {
		text string
		kind valueKind
	}{{"true", boolValue}, {"false", boolValue}, {"null", nullValue}} {
		rest := d.src[d.pos:]
		if strings.HasPrefix(rest, l.text) && (len(rest) == len(l.text) || !isWord(rest[len(l.text)])) {
			v.kind, v.text = l.kind, l.text
			d.pos += len(l.text)
			return nil
		}
	}
	hint := ""
	switch c := d.src[d.pos]; {
	case c == '\'':
		hint = "JSON strings stand in double quotes"
	case c == '/' || c == '#':
		hint = "JSON has no comments"
	case c == '}' || c == ']':
		hint = "is a value missing?"
	case isWord(c):
		hint = "JSON strings stand in double quotes"
	}
	return d.fault(d.pos, expecting(expected, of), d.here(), hint)
}

func (d *document) object(depth int) ([]member, *PolicyError) {
	d.pos++ // {
	var out []member
	var seen map[string]struct{} // of an object with many keys
	for {
		d.space()
		if d.is('}') && len(out) == 0 {
			d.pos++
			return out, nil
		}
		if d.is('}') {
			return out, d.fault(d.pos, "another key", "'}'", "a comma may not stand before it")
		}
		m, err := d.member(depth)
		if err != nil {
			return out, err
		}
		if seen == nil && len(out) == fewKeys {
			seen = make(map[string]struct{}, 2*fewKeys)
			for i := range out {
				seen[out[i].name] = struct{}{}
			}
		}
		if had(out, seen, m.name) {
			return out, d.fault(m.at, "each key once", "a second "+quoted(m.name), "")
		}
		if seen != nil {
			seen[m.name] = struct{}{}
		}
		out = append(out, m)
		more, err := d.more('}', "',' or '}'")
		if err != nil || !more {
			return out, err
		}
	}
}

// fewKeys is the number of keys up to which an object is looked through one by one.
const fewKeys = 8

func had(out []member, seen map[string]struct{}, name string) bool {
	if seen != nil {
		_, twice := seen[name]
		return twice
	}
	for i := range out {
		if out[i].name == name {
			return true
		}
	}
	return false
}

func (d *document) member(depth int) (member, *PolicyError) {
	m := member{at: d.pos}
	if !d.is('"') {
		hint := ""
		if d.pos < len(d.src) && (isWord(d.src[d.pos]) || d.src[d.pos] == '\'') {
			hint = "keys stand in double quotes"
		}
		return m, d.fault(d.pos, "a key in double quotes", d.here(), hint)
	}
	var err *PolicyError
	if m.name, err = d.string(); err != nil {
		return m, err
	}
	d.space()
	if !d.is(':') {
		return m, d.fault(d.pos, "':' after "+quoted(m.name), d.here(), "")
	}
	d.pos++
	m.value, err = d.value(depth+1, "a value for ", m.name)
	return m, err
}

func (d *document) list(depth int) ([]value, *PolicyError) {
	d.pos++ // [
	var out []value
	for {
		d.space()
		if d.is(']') && len(out) == 0 {
			d.pos++
			return out, nil
		}
		if d.is(']') {
			return out, d.fault(d.pos, "another value", "']'", "a comma may not stand before it")
		}
		v, err := d.value(depth+1, "a value", "")
		if err != nil {
			return out, err
		}
		out = append(out, v)
		more, err := d.more(']', "',' or ']'")
		if err != nil || !more {
			return out, err
		}
	}
}

// more reads a comma (true) or the closing bracket (false).
func (d *document) more(end byte, expected string) (bool, *PolicyError) {
	d.space()
	switch {
	case d.is(','):
		d.pos++
		return true, nil
	case d.is(end):
		d.pos++
		return false, nil
	}
	hint := ""
	if d.is('"') || d.is('{') || d.is('[') {
		hint = "a comma is missing"
	}
	return false, d.fault(d.pos, expected, d.here(), hint)
}

func (d *document) is(c byte) bool { return d.pos < len(d.src) && d.src[d.pos] == c }

// number reads a number as JSON spells it.
func (d *document) number() (string, *PolicyError) {
	begin := d.pos
	d.pass("-", 1)
	whole := d.pos
	digits := d.pass("0123456789", -1)
	ok := digits > 0 && (digits == 1 || d.src[whole] != '0')
	if d.is('.') {
		d.pos++
		ok = ok && d.pass("0123456789", -1) > 0
	}
	if d.is('e') || d.is('E') {
		d.pos++
		d.pass("+-", 1)
		ok = ok && d.pass("0123456789", -1) > 0
	}
	if !ok || d.pos < len(d.src) && isWord(d.src[d.pos]) {
		d.pos = begin
		return "", d.fault(begin, "a number", d.here(), "")
	}
	return d.src[begin:d.pos], nil
}

// pass skips characters of a set, at most limit of them when it is not negative.
func (d *document) pass(set string, limit int) int {
	n := 0
	for n != limit && d.pos < len(d.src) && strings.IndexByte(set, d.src[d.pos]) >= 0 {
		d.pos++
		n++
	}
	return n
}

// string reads a string; one without escapes is a part of the text itself.
func (d *document) string() (string, *PolicyError) {
	begin := d.pos
	d.pos++
	from := d.pos
	var b strings.Builder
	for d.pos < len(d.src) {
		switch c := d.src[d.pos]; {
		case c == '"':
			s := d.src[from:d.pos]
			d.pos++
			if b.Len() > 0 {
				b.WriteString(s)
				return b.String(), nil
			}
			return s, nil
		case c == '\\':
			b.WriteString(d.src[from:d.pos])
			if err := d.escape(&b); err != nil {
				return "", err
			}
			from = d.pos
		case c < ' ':
			return "", d.fault(d.pos, "a closing '\"' or an escape", d.here(), "the string began at its quote and may not go over the line's end")
		case c < utf8.RuneSelf:
			d.pos++
		default:
			r, n := utf8.DecodeRuneInString(d.src[d.pos:])
			if r == utf8.RuneError && n <= 1 {
				return "", d.fault(d.pos, "UTF-8", d.here(), "")
			}
			d.pos += n
		}
	}
	return "", d.fault(begin, "a closing '\"' for this string", "the end of the text", "")
}

const escapes = `"\/bfnrt`

func (d *document) escape(b *strings.Builder) *PolicyError {
	at := d.pos
	d.pos++
	if d.pos >= len(d.src) {
		return d.fault(at, "an escape", "the end of the text", "")
	}
	c := d.src[d.pos]
	d.pos++
	if i := strings.IndexByte(escapes, c); i >= 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		return nil
	}
	if c != 'u' {
		d.pos--
		return d.fault(at, `one of \" \\ \/ \b \f \n \r \t \u`, `'\' and `+d.here(), `a backslash itself is written \\`)
	}
	r, ok := d.hex()
	if ok && utf16.IsSurrogate(r) {
		var low rune
		if ok = strings.HasPrefix(d.src[d.pos:], `\u`); ok {
			d.pos += 2
			low, ok = d.hex()
			r = utf16.DecodeRune(r, low)
			ok = ok && r != utf8.RuneError
		}
	}
	if !ok || r == 0 {
		return d.fault(at, `four hexadecimal digits of a character after \u`, quoted(d.src[at:min(at+6, len(d.src))]), "")
	}
	b.WriteRune(r)
	return nil
}

func (d *document) hex() (rune, bool) {
	if d.pos+4 > len(d.src) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(d.src[d.pos : d.pos+4]) {
		i := strings.IndexByte("0123456789abcdef", lower(c))
		if i < 0 {
			return 0, false
		}
		r = r<<4 | rune(i)
	}
	d.pos += 4
	return r, true
}
