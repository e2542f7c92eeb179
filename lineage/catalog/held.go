package catalog

import (
	"context"
	"sync"
	"sync/atomic"
)

// Held is what a snapshot holds of one schema: all of it, or the objects that were asked for by name.
type Held struct {
	one      turn // one reader of the whole at a time
	whole    atomic.Pointer[Schema]
	programs atomic.Pointer[Programs]
	objects  sync.Map     // string -> *Object; a nil *Object for a name that means nothing
	named    atomic.Int32 // how many objects were read by name
	absent   atomic.Int32 // how many of them there are not
	wished   atomic.Bool  // that it be read whole, since many were read by name
}

// Whole gives the schema, if it was read whole.
func (h *Held) Whole() (*Schema, bool) {
	s := h.whole.Load()
	return s, s != nil
}

// Object gives an object by its key, and whether it is known if there is one.
func (h *Held) Object(name string) (*Object, bool) {
	if s := h.whole.Load(); s != nil {
		return s.Objects[name], true
	}
	if h.named.Load() == 0 {
		return nil, false
	}
	o, known := h.objects.Load(name)
	if !known {
		return nil, false
	}
	return o.(*Object), true
}

// Programs gives the routines and events of the schema, if they were read.
func (h *Held) Programs() (*Programs, bool) {
	if s := h.whole.Load(); s != nil {
		return &s.Programs, true
	}
	p := h.programs.Load()
	return p, p != nil
}

// keptAbsent bounds the names of a schema that are kept although they mean nothing: clients may ask for any number.
const keptAbsent = 1000

// keep keeps an object that was read by name, and gives the one that all readers are given.
func (h *Held) keep(name string, o *Object) *Object {
	if o == nil && h.absent.Add(1) > keptAbsent {
		return nil
	}
	kept, _ := h.objects.LoadOrStore(name, o)
	h.named.Add(1)
	return kept.(*Object)
}

// wanted is a schema that is to be read whole.
type wanted struct {
	s   *Snapshot
	key string
}

// wholeFrom is how many objects of a schema are read by name before it is read whole.
const wholeFrom = 32

// wish has a schema read whole beside the statements: one that is used for the first time, since others of its objects will be,
// and one of which many objects are used. Where definitions changed, most are not asked for again before the next change.
func (s *Snapshot) wish(key string, h *Held) {
	if _, before := s.catalog.bulk.LoadOrStore(key, true); before && (h.named.Load() < wholeFrom || h.wished.Swap(true)) {
		return
	}
	select {
	case s.catalog.wanted <- wanted{s, key}:
	default: // Run has enough to do, or does not run
	}
}

// readWhole reads the schemas that are wanted whole, one after the other. A fault shows to the statement that asks next.
func (c *Catalog) readWhole(ctx context.Context) {
	c.warm(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-c.wanted:
			if c.current.Load() == w.s && !w.s.stale.Load() {
				_, _ = w.s.Schema(ctx, w.key)
			}
		}
	}
}
