package lineage

import (
	"cmp"
	"slices"
	"strings"

	"sluice/parser"
)

// distinct keeps values in the order in which they came, each once. Most statements have a handful: they are looked through
// one by one until there are many.
type distinct[T comparable] struct {
	list  []T
	index map[T]struct{}
}

// lookedThrough is how many values are looked through before an index is made.
const lookedThrough = 24

func (s *distinct[T]) add(v T) {
	if s.index != nil {
		if _, is := s.index[v]; is {
			return
		}
		s.index[v] = struct{}{}
	} else if slices.Contains(s.list, v) {
		return
	}
	s.list = append(s.list, v)
	if s.index == nil && len(s.list) > lookedThrough {
		s.index = make(map[T]struct{}, 4*lookedThrough)
		for _, have := range s.list {
			s.index[have] = struct{}{}
		}
	}
}

// drop takes out the values that gone tells of.
func (s *distinct[T]) drop(gone func(T) bool) {
	s.list, s.index = slices.DeleteFunc(s.list, gone), nil
}

// source is what a statement reads; explicit if some of it is copied.
type source struct {
	Source
	explicit bool
}

// sourceSet keeps each source once.
type sourceSet struct {
	list  []source
	index map[string]int
}

func (s *sourceSet) add(from Source, explicit bool) {
	at := s.find(&from)
	if at < 0 {
		at = len(s.list)
		s.list = append(s.list, source{Source: from})
		if s.index != nil {
			s.index[from.key()] = at
		} else if at > lookedThrough {
			s.index = make(map[string]int, 4*lookedThrough)
			for i := range s.list {
				s.index[s.list[i].key()] = i
			}
		}
	}
	s.list[at].explicit = s.list[at].explicit || explicit
}

func (s *sourceSet) find(from *Source) int {
	if s.index != nil {
		if at, is := s.index[from.key()]; is {
			return at
		}
		return -1
	}
	for i := range s.list {
		if compareSources(&s.list[i].Source, from) == 0 {
			return i
		}
	}
	return -1
}

// dropFrom takes out those behind the first n that gone tells of.
func (s *sourceSet) dropFrom(n int, gone func(*source) bool) {
	kept := s.list[:n]
	for i := n; i < len(s.list); i++ {
		if !gone(&s.list[i]) {
			kept = append(kept, s.list[i])
		}
	}
	s.list, s.index = kept, nil
}

func compareObjects(a, b Object) int {
	if c := strings.Compare(a.Schema, b.Schema); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

func compareSources(a, b *Source) int {
	if c := cmp.Compare(a.Kind, b.Kind); c != 0 {
		return c
	}
	if c := compareObjects(a.Object, b.Object); c != 0 {
		return c
	}
	if c := strings.Compare(a.Name, b.Name); c != 0 || len(a.Via)+len(b.Via) == 0 {
		return c
	}
	return slices.CompareFunc(a.Via, b.Via, compareObjects)
}

func compareSinks(a, b Sink) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), compareObjects(a.Object, b.Object), strings.Compare(a.Name, b.Name))
}

// compareWrites puts a definition before the rows of the same object.
func compareWrites(a, b Write) int {
	if o := compareObjects(a.Object, b.Object); o != 0 {
		return o
	}
	if a.Definition != b.Definition {
		if a.Definition {
			return -1
		}
		return 1
	}
	return cmp.Compare(b.Change, a.Change)
}

// sort puts all that was gathered in order.
func (t *tracer) sort() {
	if len(t.sources.list) > 1 {
		slices.SortFunc(t.sources.list, func(a, b source) int { return compareSources(&a.Source, &b.Source) })
	}
	if len(t.sinks.list) > 1 {
		slices.SortFunc(t.sinks.list, compareSinks)
	}
	if len(t.writes.list)+len(t.names.list)+len(t.looks.list) > 1 {
		slices.SortFunc(t.writes.list, compareWrites)
		t.writes.list = slices.CompactFunc(t.writes.list, func(a, b Write) bool { return a.Object == b.Object && a.Definition == b.Definition }) // the most
		slices.SortFunc(t.names.list, compareObjects)
		slices.SortFunc(t.looks.list, compareObjects)
	}
}

// newGraph makes an empty graph, with room for the one flow that many statements have.
func newGraph(st *parser.Statement) *Graph {
	small := &struct {
		Graph
		flows [1]Flow
		reads [1]Object
	}{Graph: Graph{Kind: st.Kind, Tier: st.Tier}}
	small.Flows, small.Reads = small.flows[:0], small.reads[:0]
	return &small.Graph
}

// finish makes the flows: every source to every sink, sorted.
func (t *tracer) finish() *Graph {
	g := t.g
	t.counts()
	if len(t.sinks.list) == 0 && len(t.sources.list) > 0 {
		// Nothing comes to rest, but messages tell about what was read (DO).
		t.carrierSink("diagnostics")
	}
	t.locked()
	t.sort()
	if n := len(t.sources.list) * len(t.sinks.list); n > cap(g.Flows) {
		g.Flows = make([]Flow, 0, n)
	}
	for i := range t.sources.list {
		s := &t.sources.list[i]
		if s.Kind == TableSource && (len(g.Reads) == 0 || g.Reads[len(g.Reads)-1] != s.Object) {
			if len(g.Reads) == 0 && cap(g.Reads) < len(t.sources.list)-i {
				g.Reads = make([]Object, 0, len(t.sources.list)-i)
			}
			g.Reads = append(g.Reads, s.Object)
		}
		for _, k := range t.sinks.list {
			g.Flows = append(g.Flows, Flow{Source: s.Source, Sink: k, Implicit: !s.explicit})
		}
	}
	g.Flows = append(g.Flows, t.shaped()...)
	for _, k := range t.sinks.list {
		if k.Kind == CarrierSink {
			g.Carriers = append(g.Carriers, k.Name)
		}
	}
	t.sources.index, t.sinks.index = nil, nil
	g.Writes, g.Names, g.Structure = t.writes.list, t.names.list, t.looks.list
	if len(g.Opaque) > 1 {
		slices.Sort(g.Opaque)
	}
	return g
}
