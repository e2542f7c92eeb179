package lineage_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// respelt gives texts of a text's shape with other literals; nil when it has none.
func respelt(text string, rd parser.Reading) []string {
	shape, ok := parser.AppendShape(nil, []byte(text), rd)
	if !ok {
		return nil
	}
	var out []string
	for _, literals := range [][4]string{
		{"0", "0.5", "''", "'é'"}, {"999999999", "12.000000001", "'SELECT v FROM pay.salary'", "'día'"}, {"7", "7.7", "' -- /* # ; @x '", "'ß' "},
	} {
		var b strings.Builder
		for _, c := range shape {
			if c >= 1 && c <= 4 {
				b.WriteString(literals[c-1])
			} else {
				b.WriteByte(c)
			}
		}
		out = append(out, b.String())
	}
	return out
}

// sameWhenLikened checks that texts of a text's shape have the graph that they have by themselves, and gives how many
// were judged by another one's tree.
func sameWhenLikened(t *testing.T, text string, rd parser.Reading, sc lineage.Scope, loader catalog.Loader) int {
	t.Helper()
	ctx := context.Background()
	variants := respelt(text, rd)
	if variants == nil {
		return 0
	}
	r := lineage.NewReader(catalog.New(loader, time.Hour), 1<<20)
	for range 2 { // a shape is kept when it comes again
		if s, err := r.Parse([]byte(text), rd); err == nil {
			for i := range s.Statements {
				_, _ = r.Graph(ctx, s, i, sc)
			}
		}
	}
	for _, v := range variants {
		alone, wrong := parser.Parse(v, rd)
		likened, err := r.Parse([]byte(v), rd)
		if (wrong == nil) != (err == nil) {
			t.Errorf("%s: by itself %v, likened %v", v, wrong, err)
		}
		if wrong != nil || err != nil {
			continue
		}
		if likened.ModeFree != alone.ModeFree || likened.Statements[0].Text != alone.Statements[0].Text {
			t.Errorf("%s: likened it reads %+v", v, likened.Statements[0].Text)
		}
		for i := range alone.Statements {
			snapshot, err := r.Catalog.Current(ctx)
			if err != nil {
				t.Fatal(err)
			}
			bound, wrong := lineage.Resolve(ctx, &alone.Statements[i], rd, sc, snapshot)
			g, err := r.Graph(ctx, likened, i, sc)
			if wrong != nil || err != nil {
				t.Errorf("%s: by itself %v, likened %v", v, wrong, err)
			} else if want := lineage.Trace(bound); !reflect.DeepEqual(g, want) {
				t.Errorf("%s: likened %+v\nby itself %+v", v, g, want)
			}
		}
	}
	return int(r.Likened())
}

// Every statement of the golden cases means the same with other literals, and nearly all that have a shape share a tree.
func TestLikenedGraphs(t *testing.T) {
	loader, err := lineage.LoadDefinitions(fuzzDefinitions, dialect(""), "")
	if err != nil {
		t.Fatal(err)
	}
	likened := 0
	for _, flavor := range []string{"mariadb", "mysql", "tidb"} {
		for _, text := range goldenTexts(t) {
			likened += sameWhenLikened(t, text, parser.Reading{Dialect: dialect(flavor)}, lineage.Scope{Schema: "lab"}, loader)
		}
	}
	if likened < 1000 {
		t.Errorf("only %d texts were judged by another one's tree", likened)
	}
}

// What quotes its text is read by itself from then on, and kept.
func TestTextsApart(t *testing.T) {
	r, rd, sc := benchReader(t), parser.Reading{Dialect: dialect("")}, lineage.Scope{Schema: "app"}
	for _, name := range []string{"a", "b", "c", "d", "c", "c"} {
		s, err := r.Parse([]byte("SELECT c FROM sbtest1 INTO OUTFILE '/tmp/"+name+"'"), rd)
		if err != nil {
			t.Fatal(err)
		}
		g, err := r.Graph(context.Background(), s, 0, sc)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Flows[0].Sink.Name; got != "/tmp/"+name {
			t.Errorf("%s: it goes to %s", name, got)
		}
	}
}

// A text that comes again is kept by itself: it costs no memory then, and a likened one that comes once costs little.
func TestLikenedTextIsKept(t *testing.T) {
	r, rd, sc := benchReader(t), parser.Reading{Dialect: dialect("")}, lineage.Scope{Schema: "app"}
	text := func(id string) []byte { return []byte("SELECT c FROM sbtest1 WHERE id = " + id) }
	readOnce(t, r, text("0"), rd, sc)
	readOnce(t, r, text("1"), rd, sc)
	known := text("2")
	readOnce(t, r, known, rd, sc)
	readOnce(t, r, known, rd, sc)
	if n := testing.AllocsPerRun(100, func() { readOnce(t, r, known, rd, sc) }); n != 0 {
		t.Errorf("a known text: %v allocations", n)
	}
	if r.Misses() != 2 || r.Likened() != 2 {
		t.Errorf("%d parsed, %d likened", r.Misses(), r.Likened())
	}
}
