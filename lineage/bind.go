package lineage

import (
	"context"
	"fmt"
	"strings"

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
}

// maxRounds bounds how often a statement leads to schemas that were not loaded: each round reads
// one step further through views, triggers and routines.
const maxRounds = 64

// Resolve binds the statement's names, and those of the views, triggers and routines behind them,
// to one catalog snapshot. All I/O is here; it fails when a definition cannot be read.
func Resolve(ctx context.Context, st *parser.Statement, rd parser.Reading, sc Scope, cat *catalog.Snapshot) (*Bound, error) {
	b := &Bound{statement: st, reading: rd, scope: sc, snapshot: cat, schemas: make(map[string]*catalog.Schema, 4)}
	for range maxRounds {
		t := newTracer(b)
		b.graph = t.trace()
		if len(t.missing) == 0 {
			return b, nil
		}
		for name := range t.missing {
			s, err := cat.Schema(ctx, name)
			if err != nil {
				return nil, fmt.Errorf("read the definitions of schema %s: %w", name, err)
			}
			b.schemas[b.fold(name)] = s
		}
	}
	return nil, fmt.Errorf("its views and routines lead through more than %d schemas", maxRounds)
}

// Trace gives the graph of a bound statement. It is pure: the same bound statement, the same graph.
func Trace(b *Bound) *Graph { return b.graph }

// fold spells a name as the catalog keys it.
func (b *Bound) fold(name string) string {
	if b.snapshot.Folds() {
		return strings.ToLower(name)
	}
	return name
}

// schema gives a schema that is loaded.
func (b *Bound) schema(name string) (*catalog.Schema, bool) {
	key := b.fold(name)
	if s, ok := b.schemas[key]; ok {
		return s, true
	}
	if s, ok := b.snapshot.Loaded(key); ok {
		b.schemas[key] = s
		return s, true
	}
	return nil, false
}
