package parser

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// slowly lexes a text without plain.
func slowly(text string, r Reading) (lexed, error) {
	l := &lexer{in: text, r: r, modeFree: ModeFree(text)}
	for l.pos < len(l.in) {
		if err := l.next(); err != nil {
			return lexed{}, err
		}
	}
	return l.result()
}

// The quick reader of plain text reads what the reader of all text reads.
func alikeRead(t *testing.T, text string, r Reading) {
	t.Helper()
	quick, err := lex(text, r)
	slow, slowErr := slowly(text, r)
	switch {
	case (err == nil) != (slowErr == nil), err != nil && err.Error() != slowErr.Error():
		t.Errorf("%q under %+v: %v, without plain %v", text, r, err, slowErr)
	case err == nil && (quick.text != slow.text || quick.tail != slow.tail || len(quick.tokens)+len(slow.tokens) > 0 && !reflect.DeepEqual(quick.tokens, slow.tokens)):
		t.Errorf("%q under %+v: %+v, without plain %+v", text, r, quick, slow)
	}
}

var plainReadings = []Reading{
	{Dialect: Dialect{MariaDB, 101119}}, {Dialect: Dialect{MySQL, 90704}, Mode: ANSIQuotes}, {Dialect: Dialect{TiDB, 80500}, Mode: NoBackslashEscapes, Charset: "latin1"},
	{Dialect: Dialect{MariaDB, 101119}, Mode: ForeignGrammar, Charset: "gbk"},
}

// plainPieces are put together in all orders of three.
var plainPieces = []string{" ", "\n", "a", "_b$1", "$c", "1", "0x1f", "1e5", "1.5", ".", ".5", "1a", "é", "'d'", "'e''f'", `'g\'h'`, "'é'", "'\"'", "`i`", "`j``k`", "`é`", `"l"`, `"m\"n"`, "@o", "@'p'", "@@q.r",
	"?", "(", ")", ",", ";", "=", "<=", ">", ":=", ":", "||", "|", "&", "-", "--", "-- s\n", "#t\n", "/*u*/", "/*!v*/", "/*!99999w*/", "/*M!x", "*/", "*", "/", "+", "%", "^", "~", "!", "\\N", "\\", "\x00", "\x01", "\x7f", "\xff", "'", "`", "\"", "{", "[", "->", "->>"}

func TestPlain(t *testing.T) {
	for _, r := range plainReadings {
		for _, a := range plainPieces {
			for _, b := range plainPieces {
				for _, c := range plainPieces {
					alikeRead(t, a+b+c, r)
				}
			}
		}
	}
	alikeRead(t, strings.Repeat("(", maxDepth)+strings.Repeat(")", maxDepth)+strings.Repeat("(", maxDepth+1), plainReadings[0])
}

// Also in every line of the golden cases.
func TestPlainOnCases(t *testing.T) {
	files, err := filepath.Glob("../*/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			for _, r := range plainReadings {
				alikeRead(t, line, r)
			}
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, p := range plainPieces {
		f.Add(p+p, uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, reading uint8) {
		alikeRead(t, text, plainReadings[int(reading)%len(plainReadings)])
	})
}
