package enforcement

import (
	"strings"
	"unicode/utf8"
)

// text is what a pattern is matched against: a string, or bytes on the stack of a decision.
type text interface{ ~string | ~[]byte }

// glob tells whether a text matches a pattern in which '*' stands for any run and, when single is
// set, '?' for any one character. Time is linear in pattern times text; nothing is allocated.
func glob[T text](pattern string, s T, single bool) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && single && pattern[p] == '?':
			p++
			i += width(s, i)
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark += width(s, mark)
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// width is the length of the character at i: '?' stands for a character, not a byte.
func width[T text](s T, i int) int {
	if s[i] < utf8.RuneSelf {
		return 1
	}
	n := 1
	for i+n < len(s) && n < utf8.UTFMax && !utf8.RuneStart(s[i+n]) {
		n++
	}
	return n
}

// after gives what is left of a pattern with '*' once it has matched prefix: a text prefix+x matches
// pattern exactly when x matches one of the answers. None means that nothing that begins with
// prefix can match. Case counts only when fold is not set.
func after(pattern, prefix string, fold bool) []string {
	if n := len(prefix); len(pattern) >= n && !wild(pattern[:n]) {
		if pattern[:n] == prefix || fold && strings.EqualFold(pattern[:n], prefix) {
			return []string{pattern[n:]}
		}
		return nil
	}
	at := map[int]struct{}{}
	advance(pattern, 0, at)
	for i := 0; i < len(prefix); i++ {
		next := map[int]struct{}{}
		for p := range at {
			switch {
			case p == len(pattern):
			case pattern[p] == '*':
				advance(pattern, p, next)
			case pattern[p] == prefix[i] || fold && lower(pattern[p]) == lower(prefix[i]):
				advance(pattern, p+1, next)
			}
		}
		at = next
	}
	return remains(pattern, at)
}

// advance adds a position and those that a '*' there can be passed over to.
func advance(pattern string, p int, to map[int]struct{}) {
	to[p] = struct{}{}
	for p < len(pattern) && pattern[p] == '*' {
		p++
		to[p] = struct{}{}
	}
}

// remains turns positions into patterns, first position first; one that begins with '*' covers all
// that the passes over it left.
func remains(pattern string, at map[int]struct{}) []string {
	var out []string
	for p := 0; p <= len(pattern); p++ {
		if _, ok := at[p]; !ok {
			continue
		}
		if p > 0 && pattern[p-1] == '*' {
			if _, ok := at[p-1]; ok {
				continue
			}
		}
		out = append(out, pattern[p:])
	}
	return out
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func wild(pattern string) bool { return strings.IndexByte(pattern, '*') >= 0 }
