package lineage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// The golden cases: `catalog` defines tables, `trace` prints the graph of each statement. Arguments of
// trace: flavor=mariadb|mysql|tidb, schema=name, mode=(ANSI_QUOTES,…), temporary=(s.t,…).
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		defs := ""
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "catalog":
				defs = d.Input
				if _, err := lineage.LoadDefinitions(defs, dialect(""), ""); err != nil {
					return "error: " + err.Error() + "\n"
				}
				return ""
			case "trace":
				return traceCase(t, d, defs)
			default:
				t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
				return ""
			}
		})
	})
}

func dialect(flavor string) parser.Dialect {
	switch flavor {
	case "mysql":
		return parser.Dialect{Flavor: parser.MySQL, Version: 90704}
	case "tidb":
		return parser.Dialect{Flavor: parser.TiDB, Version: 80500}
	default:
		return parser.Dialect{Flavor: parser.MariaDB, Version: 101119}
	}
}

func traceCase(t *testing.T, d *datadriven.TestData, defs string) string {
	rd := parser.Reading{}
	sc := lineage.Scope{}
	flavor := ""
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "flavor":
			flavor = a.Vals[0]
		case "schema":
			sc.Schema = a.Vals[0]
		case "mode":
			rd.Mode = parser.ParseMode(strings.Join(a.Vals, ","))
		case "charset":
			rd.Charset = a.Vals[0]
		case "temporary":
			sc.Temporary = map[lineage.Object]bool{}
			for _, v := range a.Vals {
				s, n, _ := strings.Cut(v, ".")
				sc.Temporary[lineage.Object{Schema: s, Name: n}] = true
			}
		default:
			t.Fatalf("%s: no argument %q", d.Pos, a.Key)
		}
	}
	rd.Dialect = dialect(flavor)
	loader, err := lineage.LoadDefinitions(defs, dialect(""), "")
	if err != nil {
		t.Fatal(err)
	}
	script, err := parser.ParseSent(d.Input, rd)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	snapshot, err := catalog.New(loader, 0).Current(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range script.Statements {
		bound, err := lineage.Resolve(context.Background(), &script.Statements[i], script.Reading, sc, snapshot)
		if err != nil {
			t.Fatal(err)
		}
		printGraph(&b, lineage.Trace(bound))
		if e := unclassified(&script.Statements[i], lineage.Trace(bound), sc.Schema); e != "" {
			t.Errorf("%s: %s", d.Pos, e)
		}
	}
	return b.String()
}

func printEffects(b *strings.Builder, e *lineage.Effects) {
	if d := e.Dynamic; d != nil {
		fmt.Fprintf(b, "  %s %s: %s%s\n", d.Verb, d.Name, d.Text, d.Expression)
	}
	if e.Use != "" {
		fmt.Fprintf(b, "  current schema: %s\n", e.Use)
	}
	for _, o := range e.CreatesTemporary {
		fmt.Fprintf(b, "  new temporary %s\n", o)
	}
	for _, o := range e.DropsTemporary {
		fmt.Fprintf(b, "  no more temporary %s\n", o)
	}
	for _, s := range []string{e.CreatesSchema, e.DropsSchema} {
		if s != "" {
			fmt.Fprintf(b, "  schema: %s\n", s)
		}
	}
	if e.Kill != nil {
		fmt.Fprintf(b, "  kill %d\n", e.Kill.ID)
	}
	if e.Mode {
		b.WriteString("  sql_mode may change\n")
	}
	if e.Charset {
		fmt.Fprintf(b, "  character set may change%s\n", strings.TrimRight(": "+e.CharsetName, ": "))
	}
	if e.LocalFile {
		b.WriteString("  asks the client for a file\n")
	}
	if e.ProcessList {
		b.WriteString("  shows statements of other sessions\n")
	}
	if e.Diagnostics {
		b.WriteString("  reads the diagnostics\n")
	}
}

func printGraph(b *strings.Builder, g *lineage.Graph) {
	fmt.Fprintf(b, "%s (%s)\n", g.Kind, g.Tier)
	for _, f := range g.Flows {
		fmt.Fprintf(b, "  %s\n", f)
	}
	for _, o := range g.Reads {
		if len(g.Flows) == 0 {
			fmt.Fprintf(b, "  reads %s\n", o)
		}
	}
	for _, w := range g.Writes {
		what := "writes"
		if w.Definition {
			what = "defines"
		}
		fmt.Fprintf(b, "  %s %s\n", what, w.Object)
	}
	for _, o := range g.Told {
		fmt.Fprintf(b, "  messages tell of %s\n", o)
	}
	for _, c := range g.Carriers {
		fmt.Fprintf(b, "  changes %s\n", c)
	}
	for _, o := range g.Structure {
		fmt.Fprintf(b, "  looks at %s\n", o)
	}
	for _, o := range g.Opaque {
		fmt.Fprintf(b, "  opaque: %s\n", o)
	}
	if g.Forbidden != "" {
		fmt.Fprintf(b, "  forbidden: %s\n", g.Forbidden)
	}
	if g.Refused != "" {
		fmt.Fprintf(b, "  refused: %s\n", g.Refused)
	}
	printEffects(b, &g.Effects)
}
