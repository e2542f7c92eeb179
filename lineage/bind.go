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
	snapshot  *catalog.Snapshot
	graph     *Graph

	// What was read for it, whether or not the snapshot keeps it.
	objects  map[Object]*catalog.Object
	programs map[string]*catalog.Programs
	schemas  map[string]*catalog.Schema

	last     *catalog.Held // what is held of the schema lastName, the last that was asked for
	lastName string
}

// lack is what must be read before a trace is whole: an object, the programs of a schema, or all of a schema.
type lack struct {
	schema, object  string // keys
	programs, whole bool
}

const (
	// maxRounds bounds how often a statement leads to definitions that were not read: each round reads one step further
	// through views, triggers and routines.
	maxRounds = 64
	// byNames is how many objects of a schema are read by name in one round, and roundsByName in how many rounds. What
	// takes more is quicker to read whole.
	byNames      = 12
	roundsByName = 12
)

// Resolve binds the statement's names, and those of the views, triggers and routines behind them,
// to one catalog snapshot. All I/O is here; it fails when a definition cannot be read.
func Resolve(ctx context.Context, st *parser.Statement, rd parser.Reading, sc Scope, cat *catalog.Snapshot) (*Bound, error) {
	b := &Bound{statement: st, reading: rd, scope: sc, snapshot: cat}
	for round := range maxRounds {
		missing := b.read()
		if len(missing) == 0 {
			return b, nil
		}
		if err := b.load(ctx, missing, round >= roundsByName); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("its views and routines lead through more than %d steps", maxRounds)
}

// load reads what a trace lacked.
func (b *Bound) load(ctx context.Context, missing map[lack]struct{}, whole bool) error {
	count := map[string]int{}
	for l := range missing {
		count[l.schema]++
		if l.whole || whole {
			count[l.schema] = byNames + 1
		}
	}
	for l := range missing {
		var err error
		switch {
		case count[l.schema] > byNames:
			if b.schemas[l.schema] == nil {
				var s *catalog.Schema
				s, err = b.snapshot.Schema(ctx, l.schema)
				put(&b.schemas, l.schema, s)
			}
		case l.programs:
			var p *catalog.Programs
			p, err = b.snapshot.Programs(ctx, l.schema)
			put(&b.programs, l.schema, p)
		default:
			var o *catalog.Object
			o, err = b.snapshot.Object(ctx, l.schema, l.object)
			put(&b.objects, Object{l.schema, l.object}, o)
		}
		if err != nil {
			return fmt.Errorf("read the definitions of schema %s: %w", l.schema, err)
		}
	}
	return nil
}

func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = make(map[K]V)
	}
	(*m)[key] = value
}

// read traces the statement and gives what must be read before the trace is whole.
func (b *Bound) read() map[lack]struct{} {
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

// held gives what the snapshot holds of a schema. Most names of a statement stand in one.
func (b *Bound) held(schema string) *catalog.Held {
	if b.last == nil || b.lastName != schema {
		b.last, b.lastName = b.snapshot.Held(schema), schema
	}
	return b.last
}

// object gives an object by its key, nil when there is none, and whether that is known.
func (b *Bound) object(o Object) (*catalog.Object, bool) {
	if s := b.schemas[o.Schema]; s != nil {
		return s.Objects[o.Name], true
	}
	if def, known := b.objects[o]; known {
		return def, true
	}
	if h := b.held(o.Schema); h != nil {
		return h.Object(o.Name)
	}
	return nil, false
}

// programsOf gives the routines and events of a schema, by its key, if they were read.
func (b *Bound) programsOf(schema string) (*catalog.Programs, bool) {
	if s := b.schemas[schema]; s != nil {
		return &s.Programs, true
	}
	if p := b.programs[schema]; p != nil {
		return p, true
	}
	if h := b.held(schema); h != nil {
		return h.Programs()
	}
	return nil, false
}

// whole gives a schema, by its key, if it was read whole.
func (b *Bound) whole(schema string) (*catalog.Schema, bool) {
	if s := b.schemas[schema]; s != nil {
		return s, true
	}
	if h := b.held(schema); h != nil {
		return h.Whole()
	}
	return nil, false
}
