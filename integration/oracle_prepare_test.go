package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/lineage/catalog"
)

// The PREPARE oracle: of a server with no table at all, tables are made for exactly the names that the graph has of a
// statement; then the server must not miss any when it prepares the statement.
func TestOraclePrepare(t *testing.T) {
	onEngines(t, []oracleEngine{oracleMariaDB, oracleMySQL}, prepares)
}

func prepares(t *testing.T, engine oracleEngine) {
	w := &oracleWorld{t: t, engine: engine, seed: seedOf(t), bare: true}
	w.begin(2)
	w.start()
	var err error
	if w.snapshot, err = catalog.New(everyTable{}, time.Hour).Current(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := &generator{random: w.random, flavor: engine.dialect.Flavor, variables: true} // names that dummy tables can stand for
	seen, have := oracleTally{}, []string(nil)
	statements := statementsOf(t, 1000)
	for n := range statements {
		text, graph := w.statement(g, n, nil)
		if graph == nil {
			continue
		}
		have = w.only(have, named(graph))
		_, err := w.run("PREPARE p FROM '" + strings.ReplaceAll(text, "'", "''") + "'")
		switch {
		case err == nil:
			seen["prepared"]++
		case w.crashed(err, text):
			have = nil
		case strings.Contains(err.Error(), "Error 1146") || strings.Contains(err.Error(), "Error 1064"):
			t.Errorf("statement %d in %s: %v, the graph names %v\n%s", n, w.schema, err, have, text)
		default:
			seen["not prepared: "+errorNumber(err)]++
		}
	}
	seen.log(t, "prepare")
	if seen["prepared"] < statements*9/10 {
		t.Errorf("only %d of %d statements were prepared: the generator is off", seen["prepared"], statements)
	}
}

// everyTable is a catalog in which every name that the generator may use is a table: a common table expression that only
// some server would see hides none of them.
type everyTable struct{}

func (everyTable) Load(_ context.Context, schema string) (*catalog.Schema, error) {
	s := &catalog.Schema{Programs: catalog.Programs{Name: schema, Exists: true}, Objects: map[string]*catalog.Object{}}
	names := slices.Clone(clashes)
	for i := range 200 {
		names = append(names, fmt.Sprintf("za%d", i))
	}
	for _, table := range oracleTables {
		_, name, _ := strings.Cut(table, ".")
		names = append(names, name)
	}
	for _, name := range names {
		s.Objects[name] = &catalog.Object{Schema: schema, Name: name, Kind: catalog.Table}
	}
	return s, nil
}

func (everyTable) Clock(context.Context) (string, error)     { return "", nil }
func (everyTable) Folds(context.Context) (bool, error)       { return false, nil }
func (everyTable) Schemas(context.Context) ([]string, error) { return []string{"oa", "ob", "oc"}, nil }
func (everyTable) Foreign(context.Context) ([]string, error) { return nil, nil }

// only makes the server's tables just those that are wanted.
func (w *oracleWorld) only(have, want []string) []string {
	for _, name := range have {
		if !slices.Contains(want, name) {
			w.must("DROP TABLE " + name)
		}
	}
	for _, name := range want {
		if !slices.Contains(have, name) {
			w.must("CREATE TABLE " + name + " (id INT, n INT, s VARCHAR(10)) ENGINE=MEMORY")
		}
	}
	return want
}
