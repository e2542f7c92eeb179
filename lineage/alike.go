package lineage

import "unicode"

// Warehouses compare the names of routines, user variables, prepared statements and handlers by a collation
// that disregards letter case, accents and, on some, blanks at the end: é is e, ſ is s. Its tables differ
// by engine and version, so names are taken for the same wherever they may be.

// MayEqual tells whether a warehouse may take two names for the same.
func MayEqual(a, b string) bool {
	x, y := []rune(trimBlanks(a)), []rune(trimBlanks(b))
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if p, q := unicode.ToLower(x[i]), unicode.ToLower(y[i]); p != q && !foldable(p) && !foldable(q) {
			return false
		}
	}
	return true
}

// plainName tells whether a name equals no other spelling but in letter case.
func plainName(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return s == "" || s[len(s)-1] != ' '
}

func trimBlanks(s string) string {
	for len(s) > 0 && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return s
}

// foldable tells whether a rune may equal a letter or digit of another form. Ideographs and syllables do not.
func foldable(r rune) bool {
	return r >= 0x80 && (r < 0x2e80 || r >= 0xa640 && r < 0xac00 || r >= 0xf900)
}
