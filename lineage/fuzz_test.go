package lineage_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

const fuzzDefinitions = `
CREATE TABLE pay.salary (id INT, amount INT);
CREATE TABLE lab.t (id INT, x INT);
CREATE VIEW lab.v AS SELECT id FROM pay.salary;
CREATE TRIGGER lab.tr AFTER INSERT ON lab.t FOR EACH ROW INSERT INTO lab.log SELECT amount FROM pay.salary;
CREATE FUNCTION lab.f() RETURNS INT RETURN (SELECT MAX(amount) FROM pay.salary);
CREATE PROCEDURE lab.p() BEGIN DECLARE x INT; SELECT MAX(id) INTO x FROM pay.salary; INSERT INTO lab.t VALUES (1, x); END;`

// fuzzSnapshot is a catalog of these definitions.
func fuzzSnapshot(t testing.TB) *catalog.Snapshot {
	t.Helper()
	loader, err := lineage.LoadDefinitions(fuzzDefinitions, dialect("mariadb"), "")
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := catalog.New(loader, 0).Current(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// goldenTexts are the statements of the golden cases.
func goldenTexts(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	var out []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq(string(text), "\ntrace") {
			_, block, _ = strings.Cut(block, "\n")
			statement, _, found := strings.Cut(block, "\n----")
			if found {
				out = append(out, statement)
			}
		}
	}
	return out
}

// Whatever a text is: reading it ends, and every table that its tree names is in the graph, or it is refused.
func FuzzTrace(f *testing.F) {
	for i, text := range goldenTexts(f) {
		f.Add(text, uint8(i%3), uint8(0))
	}
	dialects := []parser.Dialect{dialect("mariadb"), dialect("mysql"), dialect("tidb")}
	snapshot := fuzzSnapshot(f)
	f.Fuzz(func(t *testing.T, text string, flavor, mode uint8) {
		rd := parser.Reading{Dialect: dialects[int(flavor)%len(dialects)], Mode: parser.Mode(mode)}
		script, err := parser.Parse(text, rd)
		if err != nil {
			return
		}
		for i := range script.Statements {
			st := &script.Statements[i]
			if st.Command != nil {
				continue
			}
			b, err := lineage.Resolve(context.Background(), st, rd, lineage.Scope{Schema: "lab"}, snapshot)
			if err != nil {
				continue
			}
			if e := unclassified(st, lineage.Trace(b), "lab"); e != "" {
				t.Errorf("%s: %s", st.Text, e)
			}
		}
	})
}
