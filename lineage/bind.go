package lineage

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// Scope is what the meaning of a statement's names depends on besides the catalog.
type Scope struct {
	// Schema is the session's current schema; "" for none.
	Schema string
	// Temporary are the session's temporary tables. One that certainly exists (true) shadows a base
	// table of its name; one that may exist (false) does not.
	Temporary map[Object]bool
}

// Bound is a statement bound to one version of the catalog.
type Bound struct {
	statement *parser.Statement
	reading   parser.Reading
	scope     Scope
	schemas   map[string]*catalog.Schema
	snapshot  *catalog.Snapshot
	graph     *Graph

	last     *catalog.Schema // that was asked for, by the name lastName
	lastName string
}

// maxRounds bounds how often a statement leads to schemas that were not loaded: each round reads
// one step further through views, triggers and routines.
const maxRounds = 64

// Resolve binds the statement's names, and those of the views, triggers and routines behind them,
// to one catalog snapshot. All I/O is here; it fails when a definition cannot be read.
func Resolve(ctx context.Context, st *parser.Statement, rd parser.Reading, sc Scope, cat *catalog.Snapshot) (*Bound, error) {
	b := &Bound{statement: st, reading: rd, scope: sc, snapshot: cat}
	for range maxRounds {
		missing := b.read()
		if len(missing) == 0 {
			return b, nil
		}
		for name := range missing {
			s, err := cat.Schema(ctx, name)
			if err != nil {
				return nil, fmt.Errorf("read the definitions of schema %s: %w", name, err)
			}
			if b.schemas == nil {
				b.schemas = make(map[string]*catalog.Schema)
			}
			b.schemas[b.fold(name)] = s
		}
	}
	return nil, fmt.Errorf("its views and routines lead through more than %d schemas", maxRounds)
}

// read traces the statement and gives the schemas that must be loaded before the trace is whole.
func (b *Bound) read() map[string]struct{} {
	t := tracers.Get().(*tracer)
	t.b, t.g, t.reading, t.schema = b, newGraph(b.statement), b.reading, b.scope.Schema
	b.graph = t.trace()
	missing := t.missing
	t.release()
	return missing
}

// release puts a tracer back as it was made, but for the lists that no graph keeps.
func (t *tracer) release() {
	sources, sinks := t.sources.list, t.sinks.list
	clear(sources)
	clear(sinks)
	*t = tracer{}
	if cap(sources) <= 4*lookedThrough {
		t.sources.list = sources[:0]
	}
	if cap(sinks) <= 4*lookedThrough {
		t.sinks.list = sinks[:0]
	}
	tracers.Put(t)
}

// tracers are reused: one is larger than what most statements need besides.
var tracers = sync.Pool{New: func() any { return &tracer{} }}

// Trace gives the graph of a bound statement. It is pure: the same bound statement, the same graph.
func Trace(b *Bound) *Graph { return b.graph }

// fold spells a name as the catalog keys it.
func (b *Bound) fold(name string) string {
	if b.snapshot.Folds() {
		return strings.ToLower(name)
	}
	return name
}

// schema gives a schema that is loaded. Most names of a statement stand in one.
func (b *Bound) schema(name string) (*catalog.Schema, bool) {
	if b.last != nil && b.lastName == name {
		return b.last, true
	}
	key := b.fold(name)
	s, ok := b.schemas[key]
	if !ok {
		s, ok = b.snapshot.Loaded(key)
	}
	if ok {
		b.last, b.lastName = s, name
	}
	return s, ok
}
