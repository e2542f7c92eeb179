package gateway

import (
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// TiDB looks at keys only when a transaction ends, where the session or the transaction says so (tidb_txn_mode,
// tidb_constraint_check_in_place_pessimistic). The error of a COMMIT, or of whatever else ends a transaction, quotes
// what earlier statements wrote then, and so does @@tidb_last_txn_info behind it.

// transaction is the carrier of what the open transaction wrote.
const transaction = "transaction"

// writes notes what a statement wrote in a transaction that goes on, and forgets it when the warehouse says that there is none.
func (s *Session) writes(f *flight) {
	if s.state.reading.Dialect.Flavor != parser.TiDB {
		return
	}
	switch st := &s.state; {
	case st.status&wire.StatusInTransaction == 0:
		st.labels.Clean(transaction)
		st.uncommitted.forget()
	case len(f.graph.Writes) > 0:
		st.tell(&st.uncommitted, transaction, f.graph, false)
	}
}

// quotes notes that the text of an error may quote what the statement and those of its transaction wrote. It tells whether the
// session may not see that.
func (s *Session) quotes(f *flight) bool {
	if s.state.reading.Dialect.Flavor != parser.TiDB {
		return false
	}
	st := &s.state
	st.recallAll(&st.uncommitted, transaction)
	g := &lineage.Graph{Kind: "commit", Flows: []lineage.Flow{{Source: lineage.Source{Kind: lineage.CarrierSource, Name: transaction}, Sink: lineage.Sink{Kind: lineage.ResultSink}}}}
	written := sources(st.labels.Expand(g))
	hidden := len(written) > 0 && !s.mayShow(g)
	st.labels.Hold(messages, written...)
	st.withheld = st.withheld || hidden
	if len(f.graph.Writes) > 0 {
		written = append(written, sources(f.graph)...)
	}
	for _, carrier := range []string{"@@", "@@tidb_last_txn_info"} {
		st.labels.Hold(carrier, written...)
	}
	return hidden
}
