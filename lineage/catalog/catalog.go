package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Loader reads definitions from the warehouse, or from wherever they stand.
type Loader interface {
	// Load gives a whole schema; one that does not exist has Exists false.
	Load(ctx context.Context, schema string) (*Schema, error)
	// Clock gives a text that differs after every change of a definition (contract 5, catalog clock).
	Clock(ctx context.Context) (string, error)
	// Folds tells whether names are compared in lower case (lower_case_table_names is not 0).
	Folds(ctx context.Context) (bool, error)
	// Schemas lists the names of all schemas.
	Schemas(ctx context.Context) ([]string, error)
	// Foreign lists the loadable functions, in lower case.
	Foreign(ctx context.Context) ([]string, error)
}

// ByName is a loader that reads one object without its schema: a moment's work, where the whole of a large schema takes
// the warehouse a good part of a second. Both give what Load would give.
type ByName interface {
	// LoadObject gives one object by its key, or nil when there is none. It fails with ErrWhole for one that only
	// Load can tell of.
	LoadObject(ctx context.Context, schema, name string) (*Object, error)
	// LoadPrograms gives a schema's routines and events.
	LoadPrograms(ctx context.Context, schema string) (*Programs, error)
}

// ErrWhole says that an object cannot be read by its name.
var ErrWhole = errors.New("the schema must be read whole")

// DefaultMaxAge is how old the clock's reading may be (contract 5).
const DefaultMaxAge = 250 * time.Millisecond

// Catalog hands out snapshots of the definitions that are never older than its age limit.
type Catalog struct {
	loader  Loader
	maxAge  time.Duration
	current atomic.Pointer[Snapshot]
	read    atomic.Int64 // when the clock was last read: nanoseconds since start
	start   time.Time
	version atomic.Uint64
	dropped atomic.Uint64 // how often definitions were announced as changed
	one     turn          // one reader of the clock at a time
	failure failure       // guarded by one
	wanted  chan wanted   // schemas that Run is to read whole
	bulk    sync.Map      // the keys of the schemas that were asked for whole before
	shared  Shared        // nil: schemas are not shared
	release string
}

// failure is the last failed reading, for those who waited for it.
type failure struct {
	at  time.Duration // since start, when it ended
	err error
}

// turn is a lock whose waiting ends with the context.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// New gives a catalog; maxAge of 0 means DefaultMaxAge.
func New(l Loader, maxAge time.Duration) *Catalog {
	if maxAge <= 0 {
		maxAge = DefaultMaxAge
	}
	return &Catalog{loader: l, maxAge: maxAge, start: time.Now(), one: make(turn, 1), wanted: make(chan wanted, 64)}
}

// readTimeout bounds one reading of the clock with what follows from it, so that a warehouse that hangs is
// an error for all who wait, not a queue.
const readTimeout = 10 * time.Second

// Current gives the newest snapshot. It does no I/O while the clock was read within the age limit,
// and fails when the clock cannot be read.
func (c *Catalog) Current(ctx context.Context) (*Snapshot, error) {
	if s := c.valid(); s != nil {
		return s, nil
	}
	return c.refresh(ctx, func(time.Duration) *Snapshot { return c.valid() })
}

// Latest gives the snapshot as it is now: its clock is read after the call. It is for those who ask seldom and would
// be told of what was made within the age limit as of something that there is not.
func (c *Catalog) Latest(ctx context.Context) (*Snapshot, error) {
	return c.refresh(ctx, func(arrived time.Duration) *Snapshot {
		if time.Duration(c.read.Load()) < arrived {
			return nil
		}
		return c.valid()
	})
}

// Recent tells whether a snapshot that Current gave at a time may still be judged by: reading definitions may
// have taken long since.
func (c *Catalog) Recent(s *Snapshot, given time.Time) bool {
	return time.Since(given) < c.maxAge/2 || c.valid() == s
}

// valid gives the snapshot if its clock was read within the age limit.
func (c *Catalog) valid() *Snapshot {
	if s := c.current.Load(); s != nil && !s.stale.Load() && c.age() < c.maxAge {
		return s
	}
	return nil
}

func (c *Catalog) now() time.Duration { return time.Since(c.start) }

func (c *Catalog) age() time.Duration { return c.now() - time.Duration(c.read.Load()) }

// refresh reads the clock, and makes a new snapshot when it moved. Who waits for another's reading takes its
// result, if it is good enough for who arrived at a time, also its failure.
func (c *Catalog) refresh(ctx context.Context, good func(arrived time.Duration) *Snapshot) (*Snapshot, error) {
	arrived := c.now()
	if err := c.one.take(ctx); err != nil {
		return nil, fmt.Errorf("wait for the catalog clock: %w", err)
	}
	defer c.one.give()
	if s := good(arrived); s != nil {
		return s, nil
	}
	if c.failure.err != nil && c.failure.at > arrived {
		return nil, c.failure.err
	}
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	s, err := c.renew(bounded)
	c.failure = failure{}
	if err != nil && ctx.Err() == nil { // a reader who went away is no failure of the warehouse
		c.failure = failure{c.now(), err}
	}
	return s, err
}

// renew reads the clock; the caller has the turn.
func (c *Catalog) renew(ctx context.Context) (*Snapshot, error) {
	begun := c.now() // the reading is as old as the moment before it was asked for
	dropped := c.dropped.Load()
	clock, err := c.loader.Clock(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the catalog clock: %w", err)
	}
	s := c.current.Load()
	if s == nil || s.stale.Load() || s.clock != clock {
		if s, err = c.fresh(ctx, clock); err != nil {
			return nil, err
		}
		c.current.Store(s)
		if c.dropped.Load() != dropped {
			s.stale.Store(true) // good for those who asked before the announcement, not for those who ask after it
		}
	}
	c.read.Store(int64(begun))
	return s, nil
}

func (c *Catalog) fresh(ctx context.Context, clock string) (*Snapshot, error) {
	folds, err := c.loader.Folds(ctx)
	if err != nil {
		return nil, fmt.Errorf("read how names are compared: %w", err)
	}
	s := &Snapshot{catalog: c, loader: c.loader, clock: clock, version: c.version.Add(1), folds: folds}
	s.byName, _ = c.loader.(ByName)
	names, err := c.loader.Schemas(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the schemas: %w", err)
	}
	foreign, err := c.loader.Foreign(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the loadable functions: %w", err)
	}
	s.names, s.foreign = set(names), set(foreign)
	s.spelt = slices.Sorted(slices.Values(names))
	return s, nil
}

func set(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[strings.ToLower(n)] = true
	}
	return out
}

// Invalidate drops what is known: a definition is about to change, or has changed. The schemas say where;
// a view elsewhere may rest on them, so all is resolved afresh.
func (c *Catalog) Invalidate(...string) {
	c.dropped.Add(1)
	if s := c.current.Load(); s != nil {
		s.stale.Store(true)
	}
}

// Run reads the clock several times within the age limit until ctx ends, so that statements do not wait for it, and reads
// schemas whole that are used more and more.
func (c *Catalog) Run(ctx context.Context) error {
	var bulk sync.WaitGroup
	defer bulk.Wait()
	bulk.Go(func() { c.readWhole(ctx) })
	tick := time.NewTicker(c.maxAge / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.beat(ctx)
		}
	}
}

// beat reads the clock once; a fault shows as age, which Current acts on.
func (c *Catalog) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 4*c.maxAge)
	defer cancel()
	s := c.current.Load()
	if s == nil {
		return // nobody asked yet
	}
	begun := c.now()
	clock, err := c.loader.Clock(ctx)
	if err != nil || c.one.take(ctx) != nil {
		return
	}
	defer c.one.give()
	switch {
	case c.current.Load() != s:
	case s.clock != clock:
		s.stale.Store(true)
	case int64(begun) > c.read.Load():
		c.read.Store(int64(begun))
	}
}
