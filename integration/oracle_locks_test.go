package integration

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"sluice/lineage"
	"sluice/parser"
)

// The metadata-lock oracle: whatever the server locks to run a statement, through views, triggers, functions, procedures,
// cascades and MERGE tables, stands in the graph, as read where it is locked to read and as written where it is locked to write.
func TestOracleMetadataLocks(t *testing.T) {
	onEngines(t, []oracleEngine{oracleMariaDB, oracleMySQL}, metadataLocks)
}

func metadataLocks(t *testing.T, engine oracleEngine) {
	w := newOracleWorld(t, engine)
	g := w.generator()
	g.effects, g.sequences = true, engine.dialect.Flavor == parser.MariaDB
	seen, graphNames, unlocked := oracleTally{}, 0, 0
	statements := statementsOf(t, 3000)
	for i := range statements {
		if i%200 == 0 {
			w.reset()
		}
		text, graph := w.statement(g, i, nil)
		if graph == nil {
			continue
		}
		locks, err := w.locked(text)
		if err != nil {
			seen["fail on the server: "+errorNumber(err)]++
			if os.Getenv("SLUICE_ORACLE_VERBOSE") != "" {
				t.Logf("%v\n%s", err, text)
			}
			if strings.Contains(err.Error(), "Error 1064") {
				t.Errorf("statement %d in %s: %v\n%s", i, w.schema, err, text)
			}
		} else {
			seen["run"]++
		}
		if miss := w.missing(graph, locks); miss != "" {
			t.Errorf("statement %d in %s: the server %s, the graph does not know\n%s", i, w.schema, miss, text)
		}
		if err == nil {
			for _, o := range named(graph) {
				graphNames++
				if !slices.ContainsFunc(locks, func(l lock) bool { return l.object == o }) {
					unlocked++
					seen["named in the graph, untouched by the server: "+o]++
				}
			}
		}
	}
	seen.log(t, "locks")
	t.Logf("%d statements, %d names in graphs, of which the server did not touch %d (%.2f %%)", statements, graphNames, unlocked, 100*float64(unlocked)/float64(max(graphNames, 1)))
	if seen["run"] < statements*8/10 {
		t.Errorf("only %d of %d statements ran: the generator is off", seen["run"], statements)
	}
	if unlocked*100 > graphNames*engine.untouched {
		t.Errorf("the graphs name %d tables that the server does not touch, of %d", unlocked, graphNames)
	}
}

// exists tells whether there is a table or view: the server locks names too that turn out to mean nothing.
func (w *oracleWorld) exists(schema, name string) bool {
	s, err := w.snapshot.Schema(context.Background(), schema)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Objects[name] != nil
}

// lock is a table that the server locked.
type lock struct {
	object string
	write  bool
}

// locked runs a statement in a transaction and gives the tables that it locked.
func (w *oracleWorld) locked(text string) ([]lock, error) {
	w.must("BEGIN")
	_, failure := w.run(text)
	if w.crashed(failure, text) {
		return nil, failure
	}
	rows := w.must(w.engine.locks)
	w.must("ROLLBACK")
	var out []lock
	for _, r := range rows {
		if w.exists(r[1], r[2]) {
			out = append(out, lock{r[1] + "." + r[2], !strings.HasSuffix(r[0], "SHARED_READ") && !strings.HasSuffix(r[0], "MDL_SHARED") && r[0] != "SHARED"})
		}
	}
	return out, failure
}

// missing says which lock the graph does not explain. The children of a foreign key whose parent is written are locked
// in case its key changes; whether it does, and they are read, the interference oracle judges. All tables of a multi-table
// UPDATE are locked to write, and what a plan would write; MySQL locks along what their triggers and keys would touch.
func (w *oracleWorld) missing(g *lineage.Graph, locks []lock) string {
	together, kept := g.Kind == "update" || g.Kind == "explain", map[string]bool{}
	reads, writes, through := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, o := range g.Reads {
		reads[o.String()] = true
		if together && w.engine.dialect.Flavor == parser.MySQL {
			for _, along := range w.updates(o.String()) {
				kept[along] = true
			}
		}
	}
	for _, o := range g.Names {
		through[o.String()] = true
	}
	for _, x := range g.Writes {
		writes[x.Object.String()] = true
		for _, child := range oracleChildren[x.Object.String()] {
			kept[child] = true
		}
	}
	for _, l := range locks {
		switch {
		case through[l.object], kept[l.object]:
		case l.write && together && reads[l.object]:
		case l.write && !writes[l.object]:
			return "writes " + l.object
		case !l.write && !reads[l.object]:
			return "reads " + l.object
		}
	}
	return ""
}

// updates gives what an UPDATE of a table would touch.
func (w *oracleWorld) updates(table string) []string {
	along, known := w.along[table]
	if !known {
		if g, _ := w.trace("UPDATE "+table+" SET id = 1, n = 1, s = 'x'", nil); g != nil {
			along = append(named(g), oracleChildren[table]...)
		}
		w.along[table] = along
	}
	return along
}

// named lists the tables that a graph reads or writes.
func named(g *lineage.Graph) []string {
	var out []string
	for _, o := range g.Reads {
		out = append(out, o.String())
	}
	for _, x := range g.Writes {
		out = append(out, x.Object.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// reset puts the rows of tables without transactions back.
func (w *oracleWorld) reset() {
	for _, q := range []string{"TRUNCATE oa.m1", "TRUNCATE oc.m2", "INSERT INTO oa.m1 VALUES (1, 1, 'm1')", "INSERT INTO oc.m2 VALUES (2, 2, 'm2')"} {
		w.must(q)
	}
}

// errorNumber gives the number that a server's error begins with.
func errorNumber(err error) string {
	number, _, _ := strings.Cut(err.Error(), ":")
	return number
}
