package lineage

import (
	"cmp"
	"slices"
	"strings"
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
	key      sourceKey
	explicit bool
}

// sourceKey tells sources apart.
type sourceKey struct {
	kind      SourceKind
	object    Object
	name, via string
}

// sourceSet keeps each source once.
type sourceSet struct {
	list  []source
	index map[sourceKey]int
}

func (s *sourceSet) add(from Source, explicit bool) {
	key := sourceKey{from.Kind, from.Object, from.Name, viaKey(from.Via)}
	at := s.find(key)
	if at < 0 {
		at = len(s.list)
		s.list = append(s.list, source{Source: from, key: key})
		if s.index != nil {
			s.index[key] = at
		} else if at > lookedThrough {
			s.index = make(map[sourceKey]int, 4*lookedThrough)
			for i := range s.list {
				s.index[s.list[i].key] = i
			}
		}
	}
	s.list[at].explicit = s.list[at].explicit || explicit
}

func (s *sourceSet) find(key sourceKey) int {
	if s.index != nil {
		if at, is := s.index[key]; is {
			return at
		}
		return -1
	}
	return slices.IndexFunc(s.list, func(have source) bool { return have.key == key })
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

func viaKey(via []Object) string {
	switch len(via) {
	case 0:
		return ""
	case 1:
		return via[0].String()
	}
	var b strings.Builder
	for _, o := range via {
		b.WriteString(o.String())
		b.WriteByte(' ')
	}
	return b.String()
}

func compareObjects(a, b Object) int {
	return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Name, b.Name))
}

func compareSources(a, b *sourceKey) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), compareObjects(a.object, b.object), strings.Compare(a.name, b.name), strings.Compare(a.via, b.via))
}

func compareSinks(a, b Sink) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), compareObjects(a.Object, b.Object), strings.Compare(a.Name, b.Name))
}

// compareWrites puts a definition before the rows of the same object.
func compareWrites(a, b Write) int {
	if o := compareObjects(a.Object, b.Object); o != 0 || a.Definition == b.Definition {
		return o
	}
	if a.Definition {
		return -1
	}
	return 1
}

// finish makes the flows: every source to every sink, sorted.
func (t *tracer) finish() *Graph {
	g := t.g
	if len(t.sinks.list) == 0 && len(t.sources.list) > 0 {
		// Nothing comes to rest, but messages tell about what was read (DO).
		t.carrierSink("diagnostics")
	}
	slices.SortFunc(t.sources.list, func(a, b source) int { return compareSources(&a.key, &b.key) })
	slices.SortFunc(t.sinks.list, compareSinks)
	slices.SortFunc(t.writes.list, compareWrites)
	slices.SortFunc(t.names.list, compareObjects)
	slices.SortFunc(t.looks.list, compareObjects)
	if n := len(t.sources.list) * len(t.sinks.list); n > 0 {
		g.Flows = make([]Flow, 0, n)
	}
	for i := range t.sources.list {
		s := &t.sources.list[i]
		if s.Kind == TableSource && (len(g.Reads) == 0 || g.Reads[len(g.Reads)-1] != s.Object) {
			g.Reads = append(g.Reads, s.Object)
		}
		for _, k := range t.sinks.list {
			if k.Kind == CarrierSink && s.Kind == CarrierSource && k.Name == s.Name {
				continue
			}
			g.Flows = append(g.Flows, Flow{Source: s.Source, Sink: k, Implicit: !s.explicit})
		}
	}
	for _, k := range t.sinks.list {
		if k.Kind == CarrierSink {
			g.Carriers = append(g.Carriers, k.Name)
		}
	}
	g.Writes, g.Names, g.Structure = t.writes.list, t.names.list, t.looks.list
	slices.Sort(g.Opaque)
	return g
}
