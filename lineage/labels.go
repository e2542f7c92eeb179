package lineage

import (
	"slices"
	"sort"
	"strings"
)

// Labels is what a session's carriers hold: user variables, temporary tables, LAST_INSERT_ID(), open
// handlers … by carrier name, the sources whose data they carry. The zero value is empty. It
// belongs to one session and is not safe for concurrent use.
type Labels struct {
	held map[string][]Source
	all  int  // sources of all carriers together
	odd  bool // some carrier has a name that other spellings may equal
	set  bool // some setting may be made of data
}

// maxLabels bounds the sources that one carrier names. What holds more is taken to hold anything.
const maxLabels = 2000

// maxAllLabels bounds those that all carriers name together, in the same way: a value costs the warehouse less than what it was made
// of costs here.
const maxAllLabels = 200_000

// Reset forgets everything, as the session's end does.
func (l *Labels) Reset() { *l = Labels{} }

// ResetBut forgets everything but what one carrier holds.
func (l *Labels) ResetBut(carrier string) {
	held := slices.Clone(l.heldBy(carrier))
	l.Reset()
	l.Hold(carrier, held...)
}

// Expand gives g with every carrier that it reads replaced by the sources that the carrier holds. It
// gives g itself when it reads none.
func (l *Labels) Expand(g *Graph) *Graph {
	if l.set {
		g = l.underSettings(g)
	}
	found := false
	for i := range g.Flows {
		if g.Flows[i].Source.Kind == CarrierSource {
			found = true
			break
		}
	}
	if !found {
		return g
	}
	out := *g
	out.Flows, out.Carried = nil, nil
	seen := map[string]bool{}
	add := func(f Flow) {
		if k := f.key(); !seen[k] {
			seen[k] = true
			out.Flows = append(out.Flows, f)
		}
	}
	for _, f := range g.Flows {
		if f.Source.Kind != CarrierSource {
			add(f)
			continue
		}
		if !slices.Contains(out.Carried, f.Source.Name) {
			out.Carried = append(out.Carried, f.Source.Name)
		}
		for _, s := range l.heldBy(f.Source.Name) {
			add(Flow{Source: s, Sink: f.Sink, Implicit: f.Implicit})
		}
	}
	sort.Slice(out.Flows, func(i, j int) bool { return out.Flows[i].key() < out.Flows[j].key() })
	return &out
}

// heldBy gives what a carrier holds under any spelling of its name.
func (l *Labels) heldBy(carrier string) []Source {
	if !l.odd && plainName(carrier) {
		return l.held[carrier]
	}
	var out []Source
	for name, sources := range l.held {
		if MayEqual(name, carrier) {
			out = append(out, sources...)
		}
	}
	return out
}

// Absorb takes up what an expanded graph wrote into carriers. It never takes a label off: a
// statement that failed may have assigned some of its variables.
func (l *Labels) Absorb(g *Graph) {
	for i := range g.Flows {
		f := &g.Flows[i]
		if f.Sink.Kind != CarrierSink || f.Source.Kind == CarrierSource {
			continue
		}
		if l.held == nil {
			l.held = make(map[string][]Source)
		}
		l.add(f.Sink.Name, f.Source)
	}
}

func (l *Labels) add(carrier string, s Source) {
	k := s.key()
	for _, have := range l.held[carrier] {
		if have.key() == k {
			return
		}
	}
	l.odd = l.odd || !plainName(carrier)
	l.set = l.set || strings.HasPrefix(carrier, settings)
	held := l.held[carrier]
	switch n := len(held); {
	case n > 0 && held[n-1].Kind == OpaqueSource && held[n-1].Name == beyond.Name:
		return
	case n >= maxLabels || l.all >= maxAllLabels:
		s = beyond
	}
	l.held[carrier] = append(held, s)
	l.all++
}

// beyond stands for what is not told apart any more.
var beyond = Source{Kind: OpaqueSource, Name: "data of more tables than a session is followed over"}

// Clean takes the label off a carrier that a statement certainly overwrote with nothing of any table.
func (l *Labels) Clean(carrier string) {
	l.all -= len(l.held[carrier])
	delete(l.held, carrier)
}

// Hold adds a source to a carrier, for what the session itself knows (diagnostics).
func (l *Labels) Hold(carrier string, sources ...Source) {
	if len(sources) > 0 && l.held == nil {
		l.held = make(map[string][]Source)
	}
	for _, s := range sources {
		l.add(carrier, s)
	}
}
