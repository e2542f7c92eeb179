package lineage

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Draw writes the graph as a picture for a terminal: sources on the left, sinks on the right, and below what else
// the statement does. whole is the graph with what the session carries put in (Labels.Expand).
func Draw(w io.Writer, text string, g, whole *Graph) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", strings.TrimSpace(text))
	how := map[string]string{"tree": "read by its syntax tree", "recogniser": "read by a recogniser", "tokens": "not parsed, bounded by its tokens"}
	fmt.Fprintf(&b, "  %s, %s\n", strings.ToUpper(g.Kind), how[g.Tier.String()])
	drawFlows(&b, g)
	drawNotes(&b, g, whole)
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// end is one source or sink of the picture.
type end struct {
	name     string
	implicit bool
}

// ends lists the sources and the sinks. Every source reaches every sink.
func ends(g *Graph) (sources, sinks []end) {
	seen := map[string]int{}
	for i := range g.Flows {
		f := &g.Flows[i]
		name := f.Source.String()
		if at, ok := seen["from "+name]; ok {
			sources[at].implicit = sources[at].implicit && f.Implicit
		} else {
			seen["from "+name] = len(sources)
			sources = append(sources, end{name, f.Implicit})
		}
		name = f.Sink.String()
		if _, ok := seen["to "+name]; !ok {
			seen["to "+name] = len(sinks)
			sinks = append(sinks, end{name: name})
		}
	}
	return sources, sinks
}

func drawFlows(b *strings.Builder, g *Graph) {
	sources, sinks := ends(g)
	if len(sources) == 0 {
		b.WriteString("  no data flows\n")
		return
	}
	width := 0
	for _, s := range sources {
		width = max(width, utf8.RuneCountInString(s.name))
	}
	rows := max(len(sources), len(sinks))
	for i := range rows {
		name, line, sink := "", "   ", ""
		if i < len(sources) {
			name, line = sources[i].name, " ━━"
			if sources[i].implicit {
				line = " ╌╌" // it decides what comes, and is not copied itself
			}
		}
		if i < len(sinks) {
			sink = "━▶ " + sinks[i].name
		}
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(name))
		fmt.Fprintf(b, "  %s%s%s%s%s\n", name, pad, line, joint(i, rows, i < len(sources), i < len(sinks)), sink)
	}
}

// joint is the piece of the line that joins all sources to all sinks.
func joint(row, rows int, left, right bool) string {
	switch {
	case rows == 1:
		return "━"
	case row == 0:
		return "┳"
	case row == rows-1 && left && right:
		return "┻"
	case row == rows-1 && left:
		return "┛"
	case row == rows-1:
		return "┗"
	case left && right:
		return "╋"
	case left:
		return "┫"
	default:
		return "┣"
	}
}

func drawNotes(b *strings.Builder, g, whole *Graph) {
	note := func(what string, items []string) {
		if len(items) > 0 {
			fmt.Fprintf(b, "  %s %s\n", what, strings.Join(items, ", "))
		}
	}
	var rows, definitions, looks []string
	for _, w := range g.Writes {
		if w.Definition {
			definitions = append(definitions, w.Object.String())
		} else {
			rows = append(rows, w.Object.String())
		}
	}
	for _, o := range g.Structure {
		looks = append(looks, o.String())
	}
	note("carried along:", ReportOf(g, whole).Carried)
	note("changes rows of", rows)
	note("changes the definition of", definitions)
	note("looks only at the definition of", looks)
	for _, o := range g.Opaque {
		fmt.Fprintf(b, "  cannot be read through: %s\n", o)
	}
	if why := g.Forbidden + g.Refused; why != "" {
		fmt.Fprintf(b, "  refused: %s\n", why)
	}
	if g.Unread != "" {
		fmt.Fprintf(b, "  not parsed: %s\n", strings.TrimSpace(g.Unread))
	}
}
