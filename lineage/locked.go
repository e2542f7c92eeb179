package lineage

import "sluice/parser"

// locked adds the tables whose rows a locking read locks: other sessions see which they are (SKIP LOCKED, NOWAIT), and
// whatever else is read may have chosen them. Tables of one schema alone tell nobody else.
func (t *tracer) locked() {
	if !t.locks && !spellsLock(t.b.statement) {
		return
	}
	var tables []Object
	alone := true
	for i := range t.sources.list {
		s := &t.sources.list[i]
		if s.Kind == TableSource {
			tables = append(tables, s.Object)
		}
		alone = alone && s.Kind == TableSource && s.Object.Schema == t.sources.list[0].Object.Schema
	}
	if alone {
		return
	}
	for _, o := range tables {
		t.sink(Sink{Kind: TableSink, Object: o})
	}
}

// spellsLock tells whether a query that is not read by its tree alone may lock: clauses are taken out of it.
func spellsLock(st *parser.Statement) bool {
	return st != nil && st.Kind == "select" && st.Tier != parser.TierTree && st.Spells("SHARE", "UPDATE")
}
