package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/lineage"
	"sluice/parser"
)

// The interference oracle: run a statement, change a source, run it again. Where a result, a table or a variable came out
// otherwise, the graph must hold a flow to it from what was changed. Half of the changes are of one cell or row; half
// turn over every table that the graph takes for no source at all.
func TestOracleNoninterference(t *testing.T) {
	onEngines(t, []oracleEngine{oracleMariaDB, oracleMySQL, oracleTiDB}, interferences)
}

func interferences(t *testing.T, engine oracleEngine) {
	w := newOracleWorld(t, engine)
	i := &interference{oracleWorld: w, seen: oracleTally{}}
	i.prepare()
	g := w.generator()
	g.plain, g.effects = true, true
	if engine.dialect.Flavor == parser.TiDB {
		g.variables = false // it runs the branches of a UNION side by side: what they assign is anybody's guess
	}
	if engine.programs {
		g.temporary, i.temporary = []string{"oa.t2", "ob.tmp"}, oracleTemporary
	}
	statements := statementsOf(t, 1200/engine.slower)
	for n := range statements {
		if text, graph := w.statement(g, n, i.temporary); graph != nil {
			i.judge(n, text, graph)
		}
	}
	i.seen.log(t, "interference")
	if ran := i.seen["statements that ran"]; ran < statements*8/10 {
		t.Errorf("only %d of %d statements ran: the generator is off", ran, statements)
	}
	if i.seen["sinks that changed, as the graph says"] < statements/6 {
		t.Error("hardly any change reached a sink: the oracle sees nothing")
	}
}

type interference struct {
	*oracleWorld
	seen    oracleTally
	initial state
	server  any // whose session was prepared
	// temporary are the session's temporary tables.
	temporary map[lineage.Object]bool
}

// state is what every table, temporary table and variable holds, by the name that the graph has for it.
type state map[string]string

const resultSink = "result"

// oracleTemporary are the session's temporary tables; one hides a base table.
var oracleTemporary = map[lineage.Object]bool{{Schema: "oa", Name: "t2"}: true, {Schema: "ob", Name: "tmp"}: true}

// prepare makes the session's temporary tables, after a view that still reaches the table that one of them hides.
func (i *interference) prepare() {
	i.must("SET group_concat_max_len = 1000000")
	if i.engine.dialect.Flavor == parser.TiDB {
		i.must("SET tidb_executor_concurrency = 1, tidb_distsql_scan_concurrency = 1") // rows in one order
	}
	if i.engine.programs {
		i.hide()
	}
	i.server = i.oracleWorld.server
	i.must("BEGIN")
	i.reset()
	i.initial = i.look()
	i.must("ROLLBACK")
}

// hide makes temporary tables.
func (i *interference) hide() {
	i.oracleWorld.server.Exec(i.t, "CREATE OR REPLACE VIEW oc.hidden AS SELECT id, n, s FROM oa.t2")
	for _, q := range []string{
		"CREATE TEMPORARY TABLE oa.t2 (id INT, n INT, s VARCHAR(100)) ENGINE=InnoDB", "CREATE TEMPORARY TABLE ob.tmp LIKE oa.t2",
		"INSERT INTO oa.t2 VALUES (1, 1, 'temporary_one'), (2, 2, 'temporary_two')", "INSERT INTO ob.tmp VALUES (1, 1, 'tmp_one'), (3, 3, 'tmp_two')",
	} {
		i.must(q)
	}
}

// reset puts back what a rollback does not.
func (i *interference) reset() { i.must("SET @u1 = 1, @u2 = 'u2', foreign_key_checks = 1") }

// places are what the statement to read each thing's rows is, by the graph's name for it.
func (i *interference) places() map[string]string {
	out := map[string]string{}
	for _, table := range i.tables {
		out[table] = table
	}
	if i.engine.programs {
		out["oa.m1"], out["oc.m2"] = "oa.m1", "oc.m2"
		out["oa.t2"] = "oc.hidden"
		out["temporary oa.t2"], out["temporary ob.tmp"] = "oa.t2", "ob.tmp"
	}
	return out
}

// look reads everything.
func (i *interference) look() state {
	var parts []string
	for name, table := range i.places() {
		parts = append(parts, "SELECT '"+name+"', GROUP_CONCAT(CONCAT(IFNULL(id, '-'), ' ', IFNULL(n, '-'), ' ', IFNULL(s, '-')) ORDER BY 1 SEPARATOR '; ') FROM (SELECT * FROM "+table+" ORDER BY id, n, s LIMIT 10000) d")
	}
	s := state{}
	for _, row := range i.must(strings.Join(parts, " UNION ALL ") + " UNION ALL SELECT '@u1', @u1 UNION ALL SELECT '@u2', @u2") {
		s[row[0]] = row[1]
	}
	return s
}

// outcome is what a run of a statement came to.
type outcome struct {
	before, after state
	err           error
}

// attempt runs a statement after some changes, looks, and takes everything back.
func (i *interference) attempt(changes []string, text string) (o outcome, ok bool) {
	i.must("BEGIN")
	i.reset()
	if len(changes) > 0 {
		i.must("SET foreign_key_checks = 0")
		for _, q := range changes {
			if _, err := i.run(q); err != nil {
				i.must("ROLLBACK")
				return o, false
			}
		}
		i.must("SET foreign_key_checks = 1")
		o.before = i.look()
	} else {
		o.before = i.initial
	}
	rows, err := i.run(text)
	o.err = err
	if i.crashed(err, text) {
		i.prepare()
		return o, false
	}
	o.after = i.look()
	o.after[resultSink] = flat(rows)
	i.must("ROLLBACK")
	if slices.ContainsFunc(changes, func(q string) bool { return strings.Contains(q, ".m") }) {
		i.oracleWorld.reset()
	}
	return o, true
}

func flat(rows [][]string) string {
	lines := make([]string, len(rows))
	for n, r := range rows {
		lines[n] = strings.Join(r, "|")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// judge holds one statement's graph to what changes do to it.
func (i *interference) judge(n int, text string, graph *lineage.Graph) {
	first, ok := i.attempt(nil, text)
	if !ok || first.err != nil {
		i.seen["statements that the server refused"]++
		return
	}
	i.seen["statements that ran"]++
	for _, changes := range [][]string{i.one(graph), i.one(nil), i.all(graph)} {
		second, ok := i.attempt(changes, text)
		if len(changes) == 0 || !ok || second.err != nil {
			i.seen["changes that failed or made the statement fail"]++
			continue
		}
		i.compare(n, text, graph, changes, first, second)
	}
}

func (i *interference) compare(n int, text string, graph *lineage.Graph, changes []string, first, second outcome) {
	changed := map[string]bool{}
	for name, have := range second.before {
		if have != i.initial[name] {
			changed[name] = true
		}
	}
	for sink, have := range second.after {
		if changed[sink] || have == first.after[sink] {
			continue
		}
		if flows(graph, changed, sink) {
			i.seen["sinks that changed, as the graph says"]++
			continue
		}
		if !i.repeats(nil, text, sink, first) || !i.repeats(changes, text, sink, second) {
			i.seen["statements that do not repeat themselves"]++
			continue
		}
		i.t.Errorf("statement %d in %s: after %s, %s came out otherwise; the graph lacks the flow\n%s\nfirst:  %s\nsecond: %s", n, i.schema, strings.Join(changes, "; "), sink, text, short(first.after[sink]), short(have))
	}
}

// repeats tells whether a sink comes out the same time and again after the same changes: TiDB works side by side, and a
// REPLACE of two rows with one key keeps the one that came last. Either outcome may be the rare one.
func (i *interference) repeats(changes []string, text, sink string, before outcome) bool {
	for range 16 {
		if again, ok := i.attempt(changes, text); !ok || again.err != nil || again.after[sink] != before.after[sink] {
			return false
		}
	}
	return true
}

func short(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

// flows tells whether a graph holds a flow from something changed to a sink.
func flows(g *lineage.Graph, changed map[string]bool, sink string) bool {
	for i := range g.Flows {
		f := &g.Flows[i]
		from, to := f.Source.Name, f.Sink.Name
		if f.Source.Kind == lineage.TableSource {
			from = f.Source.Object.String()
		}
		switch f.Sink.Kind {
		case lineage.TableSink:
			to = f.Sink.Object.String()
		case lineage.ResultSink:
			to = resultSink
		}
		if changed[from] && to == sink {
			return true
		}
	}
	return false
}

// one changes a cell, a row or a variable: of a source of the graph, or of anything.
func (i *interference) one(g *lineage.Graph) []string {
	r := i.random
	if r.IntN(12) == 0 {
		return []string{fmt.Sprintf("SET @u%d = %d", 1+r.IntN(2), 5+r.IntN(9))}
	}
	var names []string
	if g != nil {
		for k := range g.Flows {
			for _, name := range []string{g.Flows[k].Source.Name, g.Flows[k].Source.Object.String()} {
				if i.places()[name] != "" {
					names = append(names, name)
				}
			}
		}
	}
	if len(names) == 0 {
		for name := range i.places() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return []string{disturbance(i.places()[names[r.IntN(len(names))]], r.IntN(9), 1+r.IntN(3))}
}

const turnedOver = " SET n = n + 7, s = CONCAT('turned over ', s), id = id + 10"

func disturbance(table string, kind, id int) string {
	switch kind {
	case 0:
		return fmt.Sprintf("UPDATE %s SET n = n + 7 WHERE id = %d", table, id)
	case 1:
		return fmt.Sprintf("UPDATE %s SET s = CONCAT('changed ', s) WHERE id = %d", table, id)
	case 2:
		return fmt.Sprintf("UPDATE %s SET id = id + 10 WHERE id = %d", table, id)
	case 3:
		return fmt.Sprintf("DELETE FROM %s WHERE id = %d", table, id)
	case 4:
		return fmt.Sprintf("INSERT INTO %s VALUES (%d, %d, 'new one')", table, 20+id, 20+id)
	case 5, 6, 7:
		return "UPDATE " + table + turnedOver
	default:
		return fmt.Sprintf("UPDATE %s SET n = NULL, s = NULL WHERE id = %d", table, id)
	}
}

// all turns over every table that the graph neither reads nor writes.
func (i *interference) all(g *lineage.Graph) []string {
	used := map[string]bool{}
	for k := range g.Flows {
		f := &g.Flows[k]
		used[f.Source.Name], used[f.Source.Object.String()] = true, true
		used[f.Sink.Name], used[f.Sink.Object.String()] = true, true
	}
	var out []string
	for name, table := range i.places() {
		if !used[name] && !used[strings.TrimPrefix(name, "temporary ")] && !strings.Contains(name, ".m") {
			out = append(out, "UPDATE "+table+turnedOver)
		}
	}
	slices.Sort(out)
	return out
}
