package catalog

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Snapshot is the catalog at one reading of its clock. Definitions are read when first asked for and stay as they were.
type Snapshot struct {
	catalog *Catalog
	loader  Loader
	byName  ByName // the loader, if it reads objects by name
	clock   string
	version uint64
	folds   bool
	names   map[string]bool
	spelt   []string // the schemas' names as the warehouse spells them, sorted
	foreign map[string]bool
	stale   atomic.Bool
	schemas sync.Map // string -> *Held

	identities sync.Map // [2]string -> Identity, of the tables that were compared
}

// Version tells snapshots apart: it grows with each.
func (s *Snapshot) Version() uint64 { return s.version }

// Folds tells whether names are compared in lower case.
func (s *Snapshot) Folds() bool { return s.folds }

// Names are the schemas' names in lower case. The map must not be changed.
func (s *Snapshot) Names() map[string]bool { return s.names }

// Spelt gives a schema's name as the warehouse spells it: the name itself if there is such a schema, else one that
// differs from it in case, else "".
func (s *Snapshot) Spelt(name string) string {
	if _, is := slices.BinarySearch(s.spelt, name); is {
		return name
	}
	if i := slices.IndexFunc(s.spelt, func(spelt string) bool { return strings.EqualFold(spelt, name) }); i >= 0 {
		return s.spelt[i]
	}
	return ""
}

// Foreign tells whether a name, in any case, is a loadable function.
func (s *Snapshot) Foreign(name string) bool {
	return len(s.foreign) > 0 && s.foreign[strings.ToLower(name)]
}

// Rewrites tells whether the server may run another statement than the one that it is sent.
func (s *Snapshot) Rewrites() bool { return strings.HasPrefix(s.clock, rewriting) }

// Held gives what was read of a schema, by its key; nil for nothing.
func (s *Snapshot) Held(key string) *Held {
	h, ok := s.schemas.Load(key)
	if !ok {
		return nil
	}
	return h.(*Held)
}

// key spells a name as definitions are kept by it.
func (s *Snapshot) key(name string) string {
	if s.folds {
		return strings.ToLower(name)
	}
	return name
}

// held gives the place for what is read of a schema; nil for a schema that there is not. Nothing is kept of such a
// one: clients may ask for any number of names. To create the schema moves the clock.
func (s *Snapshot) held(key string) *Held {
	if !s.names[strings.ToLower(key)] {
		return nil
	}
	h, ok := s.schemas.Load(key)
	if !ok {
		h, _ = s.schemas.LoadOrStore(key, &Held{one: make(turn, 1)})
	}
	return h.(*Held)
}

// Schema gives a schema, reading it whole if it was not read whole before. When the clock moves while it is
// read, what was read may be torn: it is read again.
func (s *Snapshot) Schema(ctx context.Context, name string) (*Schema, error) {
	key := s.key(name)
	h := s.held(key)
	if h == nil {
		return &Schema{Programs: Programs{Name: key}}, nil
	}
	if schema, is := h.Whole(); is {
		return schema, nil
	}
	if err := h.one.take(ctx); err != nil {
		return nil, fmt.Errorf("wait for the definitions of %s: %w", key, err)
	}
	defer h.one.give()
	if schema, is := h.Whole(); is {
		return schema, nil
	}
	s.catalog.bulk.Store(key, true)
	schema, err := s.readWhole(ctx, key)
	if err != nil {
		return nil, err
	}
	if !schema.Exists {
		s.schemas.Delete(key) // as above: another spelling of a name
		return schema, nil
	}
	h.whole.Store(schema)
	return schema, nil
}

// ofOthers gives a schema as another gateway read it at this reading of the clock; nil when none has.
func (s *Snapshot) ofOthers(ctx context.Context, key string) (schema *Schema, clock, state string, err error) {
	if clock, state, err = s.catalog.stated(ctx); err != nil {
		return nil, "", "", err
	}
	schema = s.catalog.find(ctx, key, state)
	if schema != nil && clock != s.clock {
		s.stale.Store(true) // as in untorn
	}
	return schema, clock, state, nil
}

// readWhole gives a schema as another gateway read it, or reads it.
func (s *Snapshot) readWhole(ctx context.Context, key string) (*Schema, error) {
	shared, before, state, err := s.ofOthers(ctx, key)
	if shared != nil || err != nil {
		return shared, err
	}
	schema, stood, err := untorn(ctx, s, key, before, func() (*Schema, error) { return s.loader.Load(ctx, key) })
	if err == nil && stood == before && schema.Exists {
		s.catalog.offer(ctx, schema, before, state)
	}
	return schema, err
}

// Object gives one object of a schema; nil for none. Where the schema was not read whole, the object alone is read.
func (s *Snapshot) Object(ctx context.Context, schema, name string) (*Object, error) {
	key, object := s.key(schema), s.key(name)
	h := s.held(key)
	if h == nil {
		return nil, nil
	}
	if o, known := h.Object(object); known {
		return o, nil
	}
	if s.byName == nil {
		return s.ofWhole(ctx, key, object)
	}
	o, _, err := untorn(ctx, s, key, s.clock, func() (*Object, error) { return s.byName.LoadObject(ctx, key, object) })
	if errors.Is(err, ErrWhole) {
		return s.ofWhole(ctx, key, object)
	}
	if err != nil {
		return nil, err
	}
	s.wish(key, h)
	return h.keep(object, o), nil
}

func (s *Snapshot) ofWhole(ctx context.Context, schema, name string) (*Object, error) {
	whole, err := s.Schema(ctx, schema)
	if err != nil {
		return nil, err
	}
	return whole.Objects[name], nil
}

// Programs gives the routines and events of a schema.
func (s *Snapshot) Programs(ctx context.Context, schema string) (*Programs, error) {
	key := s.key(schema)
	h := s.held(key)
	if h == nil {
		return &Programs{Name: key}, nil
	}
	if p, known := h.Programs(); known {
		return p, nil
	}
	if s.byName == nil {
		whole, err := s.Schema(ctx, key)
		if err != nil {
			return nil, err
		}
		return &whole.Programs, nil
	}
	p, _, err := untorn(ctx, s, key, s.clock, func() (*Programs, error) { return s.byName.LoadPrograms(ctx, key) })
	if err != nil {
		return nil, err
	}
	if !p.Exists {
		return p, nil
	}
	h.programs.CompareAndSwap(nil, p)
	p, _ = h.Programs()
	return p, nil
}

// loadAttempts bounds how often definitions are read again because they changed meanwhile.
const loadAttempts = 5

// untorn reads definitions until nothing changed meanwhile: the clock stands where it stood before, or, where other
// definitions change all the time, two readings in a row are equal. It gives the reading at which the clock stood.
func untorn[T any](ctx context.Context, s *Snapshot, key, before string, read func() (T, error)) (got T, stood string, err error) {
	var none, last T
	for i := range loadAttempts {
		got, err := read()
		if err != nil {
			return none, "", err
		}
		after, err := s.loader.Clock(ctx)
		if err != nil {
			return none, "", fmt.Errorf("read the catalog clock: %w", err)
		}
		if after != s.clock {
			s.stale.Store(true) // right, but newer than the rest: the next statement starts afresh
		}
		if before == after {
			return got, after, nil
		}
		if i > 0 && reflect.DeepEqual(got, last) {
			return got, "", nil
		}
		before, last = after, got
	}
	return none, "", fmt.Errorf("definitions of %s change too fast to be read", key)
}
