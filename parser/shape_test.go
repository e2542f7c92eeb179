package parser_test

import (
	"strings"
	"testing"

	"sluice/parser"
)

// The shapes of texts, with the marks spelt I, D, S and U.
func TestShape(t *testing.T) {
	for _, c := range []struct{ text, shape string }{
		{"SELECT c FROM t1 WHERE id = 4711", "SELECT c FROM t1 WHERE id = I"},
		{"SELECT c FROM t WHERE a IN (1,2.5,'x')", "SELECT c FROM t WHERE a IN (I,D,S)"},
		{"INSERT INTO t VALUES (1, 'é', '')", "INSERT INTO t VALUES (I, U, S)"},
		// Names with digits, also behind a point, are names.
		{"SELECT t1.c, t.1a, `5`, t.`5`, db . 7 FROM t1", "SELECT t1.c, t.1a, `5`, t.`5`, db . 7 FROM t1"},
		// Longer numbers, exponents, hexadecimal and a leading or closing point are other terminals.
		{"SELECT 1234567890, 1e5, 0x1F, .5, 5., 1.5.2", "SELECT 1234567890, 1e5, 0x1F, .5, 5., 1.5.2"},
		{"SELECT 5 - 3, a->'$.x', 5/2", "SELECT I - I, a->S, I/I"},
		{"SELECT 'a' 'b'", "SELECT S S"},
	} {
		got, ok := parser.AppendShape(nil, []byte(c.text), parser.Reading{})
		if spelt := strings.NewReplacer("\x01", "I", "\x02", "D", "\x03", "S", "\x04", "U").Replace(string(got)); !ok || spelt != c.shape {
			t.Errorf("%s: %q, %v", c.text, spelt, ok)
		}
	}
}

// Texts that readers could take apart in two ways have no shape.
func TestNoShape(t *testing.T) {
	for _, text := range []string{
		`SELECT "a"`, `SELECT 'a\'b'`, "SELECT 'a''b'", "SELECT x'41'", "SELECT _utf8'a'", "SELECT N'a'", "SELECT 'a'b", "SELECT 1 -- x", "SELECT 1 # x",
		"SELECT /* x */ 1", "SELECT /*! 1 */", "SELECT 1; SELECT 2", "SELECT @a", "SELECT @'a'", "SELECT 'a", "SELECT `a", "SELECT \x03", "SELECT '\x00'", "SELECT '\xff'", "SELECT 5'a'",
		"SELECT `a`'b'", "SELECT 'a'`b`", "SELECT t.'a'",
	} {
		if got, ok := parser.AppendShape(nil, []byte(text), parser.Reading{}); ok {
			t.Errorf("%q: %q", text, got)
		}
	}
	if _, ok := parser.AppendShape(nil, []byte("SELECT 'é'"), parser.Reading{Charset: "latin1"}); ok {
		t.Error("bytes beyond ASCII have a shape in latin1")
	}
}

// FuzzShape: texts of one shape are lexed into the same tokens, but for the text of literals, and read in the same tier.
func FuzzShape(f *testing.F) {
	for i, s := range fuzzTexts(f) {
		f.Add(s, "12", "x", uint8(i), uint8(0), uint8(0))
	}
	f.Add("SELECT 'a' FROM t.1 WHERE a = 1.5", "000", " -- ", uint8(0), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, text, number, quoted string, flavor, mode, charset uint8) {
		r := fuzzReading(flavor, mode, charset)
		shape, ok := parser.AppendShape(nil, []byte(text), r)
		if !ok || len(text) > 1<<12 {
			return
		}
		other := withLiterals(shape, number, quoted)
		if again, ok := parser.AppendShape(nil, []byte(other), r); !ok || string(again) != string(shape) {
			return // these literals are of another shape
		}
		a, errA := parser.Parse(text, r)
		b, errB := parser.Parse(other, r)
		if (errA == nil) != (errB == nil) {
			t.Fatalf("%q: %v; %q: %v", text, errA, other, errB)
		}
		if errA != nil {
			return
		}
		if len(a.Statements) != len(b.Statements) {
			t.Fatalf("%q and %q read differently", text, other)
		}
		for i := range a.Statements {
			sameButLiterals(t, &a.Statements[i], &b.Statements[i])
		}
	})
}

func withLiterals(shape []byte, number, quoted string) string {
	var b strings.Builder
	for _, c := range shape {
		switch c {
		case 1:
			b.WriteString(number)
		case 2:
			b.WriteString(number + "." + number)
		case 3, 4:
			b.WriteString("'" + quoted + "'")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func sameButLiterals(t *testing.T, a, b *parser.Statement) {
	t.Helper()
	if len(a.Tokens) != len(b.Tokens) || a.Tier != b.Tier || a.Kind != b.Kind {
		t.Fatalf("%q (%v, %s) and %q (%v, %s) read differently", a.Text, a.Tier, a.Kind, b.Text, b.Tier, b.Kind)
	}
	for i := range a.Tokens {
		x, y := a.Tokens[i], b.Tokens[i]
		if x.Kind != y.Kind {
			t.Fatalf("token %d of %q is a %v, of %q a %v", i, a.Text, x.Kind, b.Text, y.Kind)
		}
		if x.Kind != parser.String && x.Kind != parser.Number && a.Text[x.Start:x.End] != b.Text[y.Start:y.End] {
			t.Fatalf("token %d of %q and %q differ", i, a.Text, b.Text)
		}
	}
}
