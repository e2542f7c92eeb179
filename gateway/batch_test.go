package gateway

import (
	"strings"
	"testing"

	"sluice/parser"
)

// A syntax error inside a batch quotes what the warehouse would have quoted of the whole text.
func TestNearInBatch(t *testing.T) {
	long := "; " + strings.Repeat("x", 200)
	for _, c := range []struct{ message, text, rest, want string }{
		{"use near 'SELEC' at line 1", "SELEC", "; SELECT 2", "use near 'SELEC; SELECT 2' at line 1"},
		{"use near '' at line 1", "SELECT", "; SELECT 2", "use near '; SELECT 2' at line 1"},
		{"use near 'other' at line 1", "SELEC", "; SELECT 2", "use near 'other' at line 1"}, // not from this text
		{"use near 'BAR' at line 1", "BAR", "; FOO ;\n; ", "use near 'BAR; FOO' at line 1"}, // servers drop what ends a text
		{"no quotation", "SELEC", "; SELECT 2", "no quotation"},
		{"use near 'b' at line 1", "a b", long, "use near 'b" + long[:nearLimit-1] + "' at line 1"}, // cut where servers cut
	} {
		if got := nearInBatch(c.message, &parser.Statement{Text: c.text, Rest: c.rest}); got != c.want {
			t.Errorf("%q: %q, want %q", c.message, got, c.want)
		}
	}
}

// An empty statement is one between two semicolons, not what stands behind the last.
func TestEmptyNext(t *testing.T) {
	for rest, want := range map[string]bool{"; SELECT 2": false, " ; SELECT 2": false, "\n;SELECT 2": false, "; ; SELECT 2": true, " ;; SELECT 2": true, ";;": true, ";": false, "": false} {
		if _, got := emptyNext(&parser.Statement{Rest: rest}); got != want {
			t.Errorf("%q: %v", rest, got)
		}
	}
}
