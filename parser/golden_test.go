package parser_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"sluice/parser"
)

// The golden cases. `read` prints what the text is to each flavor (flavor=… for one; mode=(…), charset=…): its
// statements as kind, tier and canonical text, or why it has no single meaning; with the argument tokens also the
// tokens. `clients` reads each line as a text of its own and wants it understood without tokens. `body` reads a
// stored program's body, `command` a gateway command. «BF» stands for the byte 0xBF.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.Contains(path, "fuzz") {
			return
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			c := newCase(t, d)
			switch d.Cmd {
			case "read":
				return c.read()
			case "clients":
				return c.clients()
			case "body":
				return c.body()
			case "command":
				return c.command()
			default:
				t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
				return ""
			}
		})
	})
}

var dialects = []parser.Dialect{{Flavor: parser.MariaDB, Version: 101119}, {Flavor: parser.MySQL, Version: 90704}, {Flavor: parser.TiDB, Version: 80500}}

type goldenCase struct {
	t        *testing.T
	d        *datadriven.TestData
	dialects []parser.Dialect
	reading  parser.Reading
	tokens   bool
}

func newCase(t *testing.T, d *datadriven.TestData) *goldenCase {
	t.Helper()
	c := &goldenCase{t: t, d: d, dialects: dialects}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "flavor":
			c.dialects = nil
			for _, dialect := range dialects {
				if dialect.Flavor.String() == a.Vals[0] {
					c.dialects = []parser.Dialect{dialect}
				}
			}
		case "version":
			v, err := strconv.Atoi(a.Vals[0])
			if err != nil {
				t.Fatal(err)
			}
			c.dialects = []parser.Dialect{{Flavor: c.dialects[0].Flavor, Version: v}}
		case "mode":
			c.reading.Mode = parser.ParseMode(strings.Join(a.Vals, ","))
		case "charset":
			c.reading.Charset = a.Vals[0]
		case "tokens":
			c.tokens = true
		default:
			t.Fatalf("%s: no argument %q", d.Pos, a.Key)
		}
	}
	c.reading.Dialect = c.dialects[0]
	return c
}

var escapedByte = regexp.MustCompile(`«([0-9A-F]{2})»`)

// text gives the input with its escaped bytes.
func text(input string) string {
	return escapedByte.ReplaceAllStringFunc(input, func(s string) string {
		b, _ := strconv.ParseUint(s[len("«"):len(s)-len("»")], 16, 8)
		return string([]byte{byte(b)})
	})
}

// shown escapes what a text file cannot hold, and line ends.
func shown(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "«%02X»", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// read prints what each flavor reads; flavors that read the same stand together.
func (c *goldenCase) read() string {
	var names, results []string
	for _, dialect := range c.dialects {
		r := c.reading
		r.Dialect = dialect
		result := c.one(text(c.d.Input), r)
		found := false
		for i := range results {
			if results[i] == result {
				names[i] += ", " + dialect.Flavor.String()
				found = true
			}
		}
		if !found {
			names, results = append(names, dialect.Flavor.String()), append(results, result)
		}
	}
	var b strings.Builder
	for i := range names {
		fmt.Fprintf(&b, "%s\n%s", names[i], results[i])
	}
	return b.String()
}

func (c *goldenCase) one(in string, r parser.Reading) string {
	script, err := parser.ParseSent(in, r)
	if err != nil {
		return "  error: " + shown(err.Error()) + "\n"
	}
	var b strings.Builder
	if len(script.Statements) == 0 {
		b.WriteString("  nothing\n")
	}
	for i := range script.Statements {
		st := &script.Statements[i]
		fmt.Fprintf(&b, "  %s (%s): %s\n", st.Kind, st.Tier, shown(st.Text))
		if sent := st.Sent(); sent != st.Bare() {
			fmt.Fprintf(&b, "    sent: %s\n", shown(sent))
			c.sameMeaning(sent, st, r)
		}
		if c.tokens {
			for _, t := range st.Tokens {
				fmt.Fprintf(&b, "    %s %s\n", kinds[t.Kind], shown(st.Text[t.Start:t.End]))
			}
		}
	}
	return b.String()
}

// sameMeaning holds what is forwarded to what was read.
func (c *goldenCase) sameMeaning(sent string, st *parser.Statement, r parser.Reading) {
	again, err := parser.ParseSent(sent, r)
	if err != nil || len(again.Statements) != 1 || !slices.Equal(spellings(&again.Statements[0]), spellings(st)) {
		c.t.Errorf("%s: %q is forwarded as %q, which reads otherwise: %v", c.d.Pos, st.Text, sent, err)
	}
}

func spellings(st *parser.Statement) []string {
	var out []string
	for _, t := range st.Tokens {
		out = append(out, st.Text[t.Start:t.End])
	}
	return out
}

var kinds = map[parser.TokenKind]string{
	parser.Word: "word", parser.QuotedName: "name", parser.String: "string", parser.Number: "number",
	parser.UserVariable: "variable", parser.SystemVariable: "system", parser.Punctuation: "sign",
	parser.Parameter: "parameter", parser.Hint: "hint",
}

// clients prints one line for each text; none may be unreadable or known by its tokens alone.
func (c *goldenCase) clients() string {
	var b strings.Builder
	for line := range strings.SplitSeq(c.d.Input, "\n") {
		for _, dialect := range c.dialects {
			r := c.reading
			r.Dialect = dialect
			script, err := parser.ParseSent(text(line), r)
			if err != nil {
				c.t.Errorf("%s: %s: %s: %v", c.d.Pos, dialect.Flavor, line, err)
				continue
			}
			for i := range script.Statements {
				st := &script.Statements[i]
				if st.Tier == parser.TierTokens {
					c.t.Errorf("%s: %s: %s: known by its tokens alone: %s", c.d.Pos, dialect.Flavor, line, st.Unparsed)
				}
				if dialect == c.dialects[0] {
					fmt.Fprintf(&b, "%s (%s)\n", st.Kind, st.Tier)
				}
			}
			if len(script.Statements) == 0 && dialect == c.dialects[0] {
				b.WriteString("nothing\n")
			}
		}
	}
	return b.String()
}

func (c *goldenCase) body() string {
	statements, locals, err := parser.ParseBody(text(c.d.Input), c.reading)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for i := range statements {
		fmt.Fprintf(&b, "%s (%s): %s\n", statements[i].Kind, statements[i].Tier, shown(statements[i].Text))
	}
	if len(locals) > 0 {
		fmt.Fprintf(&b, "locals: %s\n", strings.Join(locals, ", "))
	}
	return b.String()
}

// command prints the command, and holds its canonical spelling to mean the same.
func (c *goldenCase) command() string {
	script, err := parser.ParseSent(text(c.d.Input), c.reading)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for i := range script.Statements {
		st := &script.Statements[i]
		if st.Command == nil {
			fmt.Fprintf(&b, "no command: %s (%s)\n", st.Kind, st.Tier)
			continue
		}
		canonical := st.Command.String()
		fmt.Fprintf(&b, "%T: %s\n", st.Command, strings.ReplaceAll(canonical, "\n", "«0A»"))
		again, err := parser.Parse(canonical, c.reading)
		if err != nil || len(again.Statements) != 1 || again.Statements[0].Command == nil {
			c.t.Errorf("%s: its canonical spelling %q does not read: %v", c.d.Pos, canonical, err)
			continue
		}
		if got := fmt.Sprintf("%#v", again.Statements[0].Command); got != fmt.Sprintf("%#v", st.Command) {
			c.t.Errorf("%s: %#v comes back as %s", c.d.Pos, st.Command, got)
		}
	}
	return b.String()
}
