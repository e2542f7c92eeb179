package lineage

import (
	"fmt"
	"io"
	"strings"

	"sluice/parser"
)

// Report is one statement of `proxy lineage --jsonl` (contract 9). Reads and Writes are sorted
// schema.table names: tables whose rows are read or changed, views and programs read through;
// Refused says why the statement is not understood, "" when it is.
type Report struct {
	Kind    string   `json:"kind"`
	Reads   []string `json:"reads"`
	Writes  []string `json:"writes"`
	Tier    string   `json:"tier"`
	Refused string   `json:"refused"`
	Through []string `json:"through,omitempty"` // views and routines that were read through
}

// ReportOf gives the report of a graph.
func ReportOf(g *Graph) Report {
	r := Report{Kind: g.Kind, Tier: g.Tier.String(), Refused: g.Refused, Reads: []string{}, Writes: []string{}}
	for _, o := range g.Reads {
		if o.Name != "*" {
			r.Reads = append(r.Reads, o.String())
		}
	}
	last := ""
	for _, w := range g.Writes {
		if s := w.Object.String(); s != last {
			r.Writes = append(r.Writes, s)
			last = s
		}
	}
	for _, o := range g.Names {
		r.Through = append(r.Through, o.String())
	}
	switch {
	case g.Forbidden != "":
		r.Refused = g.Forbidden
	case r.Refused == "" && len(g.Opaque) > 0:
		r.Refused = "cannot be read through: " + strings.Join(g.Opaque, "; ")
	case r.Refused == "" && g.Tier == parser.TierTokens:
		r.Refused = ""
	}
	return r
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

// Draw writes the graph as a picture for a terminal: sources on the left, sinks on the right.
func Draw(w io.Writer, text string, g *Graph) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", strings.TrimSpace(text))
	fmt.Fprintf(&b, "  %s, read by %s\n", strings.ToUpper(g.Kind), map[string]string{"tree": "the syntax tree", "recogniser": "a recogniser", "tokens": "its tokens only"}[g.Tier.String()])
	width := 0
	for _, f := range g.Flows {
		width = max(width, len([]rune(f.Source.String())))
	}
	for i, f := range g.Flows {
		source := f.Source.String()
		if i > 0 && g.Flows[i-1].Source.String() == source {
			source = ""
		}
		line := "──────▶"
		if f.Implicit {
			line = "╌╌╌╌╌╌▶"
		}
		fmt.Fprintf(&b, "  %-*s %s %s\n", width, source, line, f.Sink)
	}
	if len(g.Flows) == 0 {
		b.WriteString("  no data flows\n")
	}
	for _, wr := range g.Writes {
		what := "rows of"
		if wr.Definition {
			what = "definition of"
		}
		fmt.Fprintf(&b, "  changes the %s %s\n", what, wr.Object)
	}
	for _, o := range g.Opaque {
		fmt.Fprintf(&b, "  opaque: %s\n", o)
	}
	if why := g.Forbidden + g.Refused; why != "" {
		fmt.Fprintf(&b, "  refused: %s\n", why)
	}
	if g.Unread != "" {
		fmt.Fprintf(&b, "  not parsed: %s\n", g.Unread)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}
