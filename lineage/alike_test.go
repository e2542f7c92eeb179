package lineage

import "testing"

// Names that some warehouse takes for the same are the same here; ideographs are themselves.
func TestMayEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"x", "X", true}, {"é", "e", true}, {"É", "é", true}, {"ſ", "s", true}, {"e ", "e", true}, {"K", "k", true},
		{"a", "b", false}, {"e", "ee", false}, {"名", "a", false}, {"名", "前", false}, {"", "", true},
	} {
		if got := MayEqual(c.a, c.b); got != c.want {
			t.Errorf("MayEqual(%q, %q) = %t", c.a, c.b, got)
		}
	}
}

// A label comes out under every spelling of its carrier's name; a letter beyond ASCII is taken for any.
func TestLabelsUnderEverySpelling(t *testing.T) {
	salary := Source{Kind: TableSource, Object: Object{"pay", "salary"}}
	var l Labels
	l.Hold("@é", salary)
	for name, want := range map[string]int{"@e": 1, "@É": 1, "@é ": 1, "@ee": 0} {
		g := &Graph{Flows: []Flow{{Source: Source{Kind: CarrierSource, Name: name}, Sink: Sink{Kind: ResultSink}}}}
		if got := len(l.Expand(g).Flows); got != want {
			t.Errorf("%s carries %d sources, not %d", name, got, want)
		}
	}
}
