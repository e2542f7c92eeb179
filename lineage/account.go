package lineage

import (
	"strings"

	"sluice/parser"
)

// account holds what a recogniser found to the text. A table that the text names by its schema and that nobody spoke of
// belongs to a clause that is not understood: the statement is bounded by its tokens then. Recognisers read forms that
// no grammar of ours checks, so that one which servers learn tomorrow must not pass for one that is known.
func (t *tracer) account(st *parser.Statement) {
	if st.Tier != parser.TierRecogniser || namesFreely[st.Kind] || st.Extra.Private != "" || t.g.Refused != "" || len(t.g.Opaque) > 0 {
		return
	}
	schemas := t.b.snapshot.Names()
	if len(schemas) == 0 {
		return
	}
	if st.Extra.Program != nil || st.Kind == "begin" {
		st.Anchors(t.structure)
	}
	left := false
	st.Qualified(func(schema, name string) {
		if left || !schemas[strings.ToLower(schema)] || IsSystem(schema) {
			return
		}
		if o, def, known := t.object(schema, name); known && def != nil {
			carrier, _, is := t.temporary(o) // which hides the table
			left = !t.speaksOf(o) && !(is && t.speaksOfCarrier(carrier))
		}
	})
	if left {
		t.g.Tier = parser.TierTokens
		t.tokens(st)
	}
}

// namesFreely are statements that name tables and do nothing with their data: rights, and tables to close.
var namesFreely = map[string]bool{"grant": true, "revoke": true, "flush table": true, "flush tables": true}

// speaksOf tells whether the graph has an object.
func (t *tracer) speaksOf(o Object) bool {
	for i := range t.sources.list {
		if t.sources.list[i].Object == o {
			return true
		}
	}
	for i := range t.writes.list {
		if t.writes.list[i].Object == o {
			return true
		}
	}
	for _, list := range [][]Object{t.names.list, t.looks.list} {
		for _, have := range list {
			if have == o {
				return true
			}
		}
	}
	return false
}

// speaksOfCarrier tells whether the graph reads or writes a carrier.
func (t *tracer) speaksOfCarrier(name string) bool {
	for i := range t.sources.list {
		if t.sources.list[i].Kind == CarrierSource && t.sources.list[i].Name == name {
			return true
		}
	}
	for i := range t.sinks.list {
		if t.sinks.list[i].Kind == CarrierSink && t.sinks.list[i].Name == name {
			return true
		}
	}
	return false
}
