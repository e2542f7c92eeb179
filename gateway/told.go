package gateway

import (
	"slices"

	"sluice/gateway/wire"
	"sluice/lineage"
)

// told are the statements that something tells of which the warehouse keeps from one statement to the next: its messages,
// which may hold values, or the number of rows found or changed. What they read is worked out when that is asked for, and judged
// then: the session may stand in another project by that time.
type told []*lineage.Graph

// The carriers that stand for it in graphs.
const (
	messages  = "diagnostics"
	foundRows = "found_rows"
	rowCount  = "row_count"
)

// maxTold bounds the graphs that are kept; what is older becomes labels.
const maxTold = 8

// tell notes that a carrier tells of a statement, and of no older one if alone.
func (st *state) tell(of *told, carrier string, g *lineage.Graph, alone bool) {
	if alone {
		st.labels.Clean(carrier)
		of.forget()
	}
	for _, have := range *of {
		if have == g {
			return
		}
	}
	if len(*of) >= maxTold {
		st.recallAll(of, carrier)
	}
	*of = append(*of, g)
}

func (of *told) forget() {
	clear(*of)
	*of = (*of)[:0]
}

// recallAll makes labels of what the statements read: through the views that they read it through, which may be shared, and
// besides what flowed nowhere.
func (st *state) recallAll(of *told, carrier string) {
	for _, g := range *of {
		flowed := sources(g)
		st.labels.Hold(carrier, flowed...)
		for _, read := range g.Reads {
			if !slices.ContainsFunc(flowed, func(s lineage.Source) bool { return s.Object == read }) {
				st.labels.Hold(carrier, lineage.Source{Kind: lineage.TableSource, Object: read})
			}
		}
		if carrier == messages {
			for _, told := range g.Told {
				st.labels.Hold(carrier, lineage.Source{Kind: lineage.TableSource, Object: told})
			}
		}
	}
	of.forget()
}

// recall labels what a statement is about to read of the statements before it.
func (st *state) recall(g *lineage.Graph) {
	for i := range g.Flows {
		switch source := &g.Flows[i].Source; {
		case source.Kind != lineage.CarrierSource:
		case source.Name == messages:
			st.recallAll(&st.messages, messages)
		case source.Name == foundRows:
			st.recallAll(&st.found, foundRows)
		case source.Name == rowCount:
			st.recallAll(&st.counted, rowCount)
		}
	}
}

// diagnostics notes what the warehouse keeps about a statement. Messages stay until a statement that uses a table, the
// number of rows until a SELECT, and both over USE and COM_INIT_DB.
func (s *Session) diagnostics(t *trip, f *flight) {
	ran := t.succeeded && t.command != wire.ComStmtPrepare
	used := ran && usesTables(f.graph)
	s.state.tell(&s.state.found, foundRows, f.graph, ran && f.graph.Kind == "select")
	s.state.tell(&s.state.counted, rowCount, f.graph, ran)
	s.state.tell(&s.state.messages, messages, f.graph, used)
	s.state.withheld = f.decision.Guarded || s.state.withheld && !used
}

// usesTables tells whether a statement certainly opened a table, upon which the warehouse drops older messages.
func usesTables(g *lineage.Graph) bool {
	switch g.Kind {
	case "select", "insert", "replace", "update", "delete":
		return len(g.Reads)+len(g.Writes) > 0
	}
	return false
}
