package parser

import "unicode/utf8"

// What stands for a literal in a shape. A shape is no text to be read: these bytes are refused outside of strings,
// and a string of a shape holds nothing.
const (
	shapeInteger = 0x01 // up to nine digits: one terminal of every grammar (NUM)
	shapeDecimal = 0x02 // digits, a point, digits
	shapeASCII   = 0x03 // a string
	shapeString  = 0x04 // a string with characters beyond ASCII
)

// maxDigits keeps an integer below 2^31, from where on grammars tell longer ones apart.
const maxDigits = 9

// AppendShape appends a text to dst with its plain literals taken out: the rest is there byte by byte. Two texts of
// one shape are read as one tree, but for the values of literals, by every reader that is known: only numbers of
// few digits, and strings in single quotes without backslash or quote, are taken out, and only where neither a
// letter, a point nor another quote touches them. ok is false for a text that has no shape: one with a comment, a
// double quote, a backslash, a variable, several statements or control bytes.
//
// It is no digest: names, keywords and white space count (two texts with one digest may mean different things).
func AppendShape(dst, text []byte, r Reading) (shape []byte, ok bool) {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case isRun[c]:
			n := runEnd(text, i)
			dst = appendRun(dst, text, i, n)
			i = n
		case c == '\'':
			n, mark := plainString(text, i, r)
			if n < 0 {
				return dst, false
			}
			dst = append(dst, mark)
			i = n
		case c == '`':
			n := i + 1
			for n < len(text) && text[n] != '`' {
				n++
			}
			if n == len(text) {
				return dst, false
			}
			dst = append(dst, text[i:n+1]...)
			i = n + 1
		case c == '-' || c == '/':
			if i+1 < len(text) && (text[i+1] == '-' || text[i+1] == '*') {
				return dst, false
			}
			dst = append(dst, c)
			i++
		case c < ' ' && c != '\n' && c != '\t' && c != '\r', c == 0x7f, c == '"', c == '\\', c == '@', c == '#', c == ';':
			return dst, false
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst, true
}

// isRun holds the bytes that names and numbers consist of.
var isRun = func() (table [256]bool) {
	for c := range table {
		table[c] = isWordByte(byte(c)) || c == '.'
	}
	return
}()

func runEnd(text []byte, i int) int {
	for i < len(text) && isRun[text[i]] {
		i++
	}
	return i
}

// appendRun appends a name or number: text[from:to].
func appendRun(dst, text []byte, from, to int) []byte {
	run := text[from:to]
	if isDigit(run[0]) && !behindPoint(dst) && (to == len(text) || text[to] != '\'') {
		whole := digits(run)
		switch {
		case whole == len(run) && whole <= maxDigits:
			return append(dst, shapeInteger)
		case whole <= maxDigits && run[whole] == '.' && len(run)-whole-1 <= maxDigits && whole+1 < len(run) && digits(run[whole+1:]) == len(run)-whole-1:
			return append(dst, shapeDecimal)
		}
	}
	return append(dst, run...)
}

func digits(run []byte) int {
	n := 0
	for n < len(run) && isDigit(run[n]) {
		n++
	}
	return n
}

// behindPoint tells whether what comes next may be a name that a point qualifies.
func behindPoint(dst []byte) bool {
	for i := len(dst) - 1; i >= 0; i-- {
		if c := dst[i]; c != ' ' && (c < '\t' || c > '\r') {
			return c == '.'
		}
	}
	return false
}

// plainString gives the end of the string that begins at i and its mark; -1 when it is not plain.
func plainString(text []byte, i int, r Reading) (end int, mark byte) {
	if i > 0 && (isRun[text[i-1]] || text[i-1] == '`' || text[i-1] == '\'') {
		return -1, 0 // x'41', _utf8'…', N'…'
	}
	high := false
	n := i + 1
	for ; n < len(text) && text[n] != '\''; n++ {
		c := text[n]
		if c == '\\' || c == 0x7f || c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			return -1, 0
		}
		high = high || c >= utf8.RuneSelf
	}
	switch {
	case n == len(text), n+1 < len(text) && (text[n+1] == '\'' || text[n+1] == '`' || isRun[text[n+1]]):
		return -1, 0
	case !high:
		return n + 1, shapeASCII
	case classOf(r.Charset) != unicodeSet || !utf8.Valid(text[i+1:n]):
		return -1, 0
	}
	return n + 1, shapeString
}

// Likenable tells whether texts of this script's shape may share its tree: it holds one statement that only works on
// rows, read by the tree parser as it stands.
func (s *Script) Likenable() bool {
	if len(s.Statements) != 1 {
		return false
	}
	st := &s.Statements[0]
	if st.set != nil || st.Tier != TierTree || st.Command != nil || st.Node == nil || st.Rest != "" || !st.Extra.empty() {
		return false
	}
	switch st.Kind {
	case "select", "insert", "replace", "update", "delete":
		return true
	}
	return false
}
