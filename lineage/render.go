package lineage

import (
	"slices"
	"sort"
	"strings"
)

// Report is one statement of `proxy lineage --jsonl` (contract 9). Reads and Writes are sorted schema.table names,
// views and programs read through. Every table that the statement names is in one of them: rows that are read,
// definitions that are looked at (also in Structure), rows and definitions that are changed. Refused says
// why the statement is not understood, "" when it is.
type Report struct {
	Kind    string   `json:"kind"`
	Reads   []string `json:"reads"`
	Writes  []string `json:"writes"`
	Tier    string   `json:"tier"`
	Refused string   `json:"refused"`
	Through []string `json:"through,omitempty"` // views and routines that were read through
	// Structure are those of Reads of which no row reaches anything: metadata and definitions.
	Structure []string `json:"structure,omitempty"`
	// Carried are the tables whose data session state brings along: user variables, temporary tables.
	Carried []string `json:"carried,omitempty"`
}

// ReportOf gives the report of a graph; whole is the graph with what the session carries put in (Labels.Expand).
func ReportOf(g, whole *Graph) Report {
	r := Report{Kind: g.Kind, Tier: g.Tier.String(), Refused: g.Refused}
	reads, writes, rows := names{}, names{}, names{}
	for _, o := range g.Reads {
		rows.add(o)
	}
	for i := range g.Flows {
		switch s := &g.Flows[i].Source; s.Kind {
		case SystemSource:
			rows.add(s.Object)
		case CarrierSource:
			rows.temporary(s.Name)
		}
		writes.temporary(g.Flows[i].Sink.Name)
	}
	for name := range rows {
		reads[name] = true
	}
	// Statistics are written, no row is read for anyone: also by ALTER TABLE … ANALYZE PARTITION, which changes no definition.
	tended := g.Kind == "analyze table" || g.Kind == "alter table" && len(g.Writes) == 0
	for _, o := range g.Structure {
		if tended {
			writes.add(o)
			continue
		}
		reads.add(o)
		if name := o.String(); !rows[name] {
			r.Structure = append(r.Structure, name)
		}
	}
	for _, w := range g.Writes {
		writes.add(w.Object)
	}
	for _, list := range [][]Object{g.Effects.CreatesTemporary, g.Effects.DropsTemporary} {
		for _, o := range list {
			writes.add(o)
		}
	}
	for _, name := range g.Carriers {
		writes.temporary(name)
	}
	r.Reads, r.Writes = reads.sorted(), writes.sorted()
	carried := names{}
	for i := range whole.Flows {
		if s := &whole.Flows[i].Source; s.Kind == TableSource && !rows[s.Object.String()] {
			carried.add(s.Object)
		}
	}
	if len(carried) > 0 {
		r.Carried = carried.sorted()
	}
	for _, o := range g.Names {
		r.Through = append(r.Through, o.String())
	}
	switch {
	case g.Forbidden != "":
		r.Refused = g.Forbidden
	case r.Refused == "":
		if dark := darkSources(g); len(dark) > 0 {
			r.Refused = "cannot be read through: " + strings.Join(dark, "; ")
		}
	}
	return r
}

// darkSources lists what nobody can say the tables of: what could not be read through, files of the server, statements that
// move data past all tables.
func darkSources(g *Graph) []string {
	out := slices.Clone(g.Opaque)
	for i := range g.Flows {
		s := &g.Flows[i].Source
		if name := s.Name; (s.Kind == OpaqueSource || s.Kind == SystemSource && s.Object == Object{}) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// names is a set of schema.table names.
type names map[string]bool

func (n names) add(o Object) {
	if o.Schema != "" && o.Name != "" && o.Name != "*" {
		n[o.String()] = true
	}
}

// temporary adds the temporary table that a carrier is, if it is one.
func (n names) temporary(carrier string) {
	if name, is := strings.CutPrefix(carrier, "temporary "); is {
		n[name] = true
	}
}

func (n names) sorted() []string {
	out := make([]string, 0, len(n))
	for name := range n {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// String gives the source for people: a table, or what else it is.
func (s Source) String() string {
	var out string
	switch s.Kind {
	case TableSource:
		out = s.Object.String()
	case CarrierSource:
		out = s.Name
	case SystemSource:
		out = s.Object.String()
		if s.Object == (Object{}) {
			out = s.Name
		}
		out += " (other people's data)"
	default:
		out = s.Name + " (opaque)"
		if s.Object != (Object{}) {
			out = s.Object.String() + " (opaque: " + s.Name + ")"
		}
	}
	for i := len(s.Via) - 1; i >= 0; i-- {
		out += " via " + s.Via[i].String()
	}
	return out
}

// String gives the sink for people.
func (k Sink) String() string {
	switch k.Kind {
	case TableSink:
		return k.Object.String()
	case ResultSink:
		return "result"
	case FileSink:
		return "file " + k.Name
	default:
		return k.Name
	}
}

// String gives the flow as source -> sink: kind.
func (f Flow) String() string {
	kind := "explicit"
	if f.Implicit {
		kind = "implicit"
	}
	return f.Source.String() + " -> " + f.Sink.String() + ": " + kind
}
