package lineage_test

import (
	"context"
	"slices"
	"testing"

	"sluice/lineage"
	"sluice/parser"
)

// valueKinds are the statements in which a literal may stand where a variable may.
var valueKinds = map[string]bool{
	"select": true, "insert": true, "replace": true, "update": true, "delete": true, "begin": true, "call": true, "do": true, "if": true,
	"explain": true, "handler": true,
}

// A variable in the place of any literal of a golden case is in the graph, or the statement is not understood: what recognisers leave
// out of a tree, and what stands between the statements of a program, evaluates nothing that is not kept.
func TestVariablesInPlaceOfLiterals(t *testing.T) {
	snapshot := fuzzSnapshot(t)
	tried := 0
	for _, flavor := range []string{"mariadb", "mysql", "tidb"} {
		rd := parser.Reading{Dialect: dialect(flavor)}
		for _, text := range goldenTexts(t) {
			script, err := parser.Parse(text, rd)
			if err != nil {
				continue
			}
			for i := range script.Statements {
				st := &script.Statements[i]
				for _, mutant := range withVariables(st) {
					m, err := parser.Parse(mutant, rd)
					if err != nil || len(m.Statements) != 1 {
						continue
					}
					b, err := lineage.Resolve(context.Background(), &m.Statements[0], rd, lineage.Scope{Schema: "lab"}, snapshot)
					if err != nil {
						t.Fatal(err)
					}
					tried++
					if !holdsVariable(lineage.Trace(b)) {
						t.Errorf("%s: the variable of %s is nowhere in the graph", flavor, mutant)
					}
				}
			}
		}
	}
	if tried < 500 {
		t.Errorf("%d statements were tried", tried)
	}
}

// withVariables gives a statement with a variable in the place of each of its literals, but for those that no server lets be any:
// lengths of types, ends of partitions, separators of a file, how many rows are examined, patterns for names of columns.
func withVariables(st *parser.Statement) []string {
	var out []string
	if !valueKinds[st.Kind] || st.Tier == parser.TierTokens || st.Spells("OUTFILE", "TABLE", "EXAMINED", "FORMAT", "DESCRIBE") {
		return nil
	}
	for _, token := range st.Tokens {
		if token.Kind == parser.Number || token.Kind == parser.String {
			out = append(out, st.Text[:token.Start]+" @zq "+st.Text[token.End:])
		}
	}
	return out
}

func holdsVariable(g *lineage.Graph) bool {
	if g.Tier == parser.TierTokens || g.Refused != "" || len(g.Opaque) > 0 || g.Forbidden != "" || slices.Contains(g.Carriers, "@zq") {
		return true
	}
	return slices.ContainsFunc(g.Flows, func(f lineage.Flow) bool {
		return f.Source.Name == "@zq" || f.Source.Kind == lineage.SystemSource
	})
}
