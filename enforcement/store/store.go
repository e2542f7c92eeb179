package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/enforcement"
	"sluice/warehouse"
)

// Options say where truth and cache are. Pool, Gateway and Build are needed.
type Options struct {
	Pool    *warehouse.Pool
	Measure *warehouse.Pool       // nil: Pool. Tables are measured over it, which waits for whoever locks one; leases are not to wait too
	Redis   redis.UniversalClient // nil: none
	Gateway string                // this gateway's name
	Lease   time.Duration         // how long a gateway may decide without hearing of the truth; 3 s
	Build   enforcement.Options
	// Apply is called with each new snapshot after it became the current one. It returns when nothing
	// that an older snapshot decided can still be forwarded.
	Apply func(ctx context.Context, next *enforcement.Snapshot) error
	// Changed is called when another gateway announced definitions.
	Changed func()
	// ChecksumLimit is the size in bytes up to which a sealed table's content is summed; 64 MiB.
	ChecksumLimit int64
	Log           *slog.Logger
}

// Store is the policy in this process.
type Store struct {
	o       Options
	id      string // of this store's row among the gateways: two with one configured name are still two
	current atomic.Pointer[enforcement.Snapshot]
	lease   atomic.Pointer[time.Time] // until when the lease holds; nil: there is none
	loading sync.Mutex
	sealing sync.Mutex
	applied uint64 // the revision that Apply took in, under loading
	serial  int64  // definitions serial that was heard, under loading
	others  atomic.Int32
	wake    chan struct{}
	ready   atomic.Bool
	begun   sync.Map     // names of statements that others wait for
	paused  atomic.Int64 // until when Redis is not asked for definitions, in Unix nanoseconds
}

const (
	defaultLease  = 3 * time.Second
	defaultSum    = 64 << 20
	channelPolicy = "sluice:changed"
	cachePrefix   = "sluice:policy:"
	cacheFor      = 24 * time.Hour
)

// New gives a store that knows nothing yet: Current is a snapshot under which nothing is fresh, so that
// protected data stays in until Run has read the truth.
func New(o Options) (*Store, error) {
	if o.Lease <= 0 {
		o.Lease = defaultLease
	}
	if o.ChecksumLimit <= 0 {
		o.ChecksumLimit = defaultSum
	}
	if o.Measure == nil {
		o.Measure = o.Pool
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Apply == nil {
		o.Apply = func(context.Context, *enforcement.Snapshot) error { return nil }
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	s := &Store{o: o, id: instance(o.Gateway), wake: make(chan struct{}, 1)}
	empty, err := enforcement.Build(&enforcement.Policy{Projects: map[string]*enforcement.Project{}}, o.Build)
	if err != nil {
		return nil, err
	}
	s.current.Store(empty)
	return s, nil
}

// instance gives a name that no other store has, recognisable by its gateway's.
func instance(gateway string) string { return short(gateway, 48) + "~" + rand.Text()[:12] }

// Open migrates the schema, takes a lease and reads the policy. It fails when the warehouse cannot be
// reached; Run tries again.
func (s *Store) Open(ctx context.Context) error {
	if err := migrate(ctx, s.o.Pool); err != nil {
		return err
	}
	rows, err := s.o.Pool.Query(ctx, "SELECT @@lower_case_table_names")
	if err != nil {
		return fmt.Errorf("ask how the warehouse compares names: %w", err)
	}
	s.loading.Lock()
	s.o.Build.Folds = len(rows) == 1 && value(rows[0], 0) != "0"
	s.loading.Unlock()
	if err := s.beat(ctx); err != nil {
		return err
	}
	s.ready.Store(true)
	s.prune(ctx)
	return nil
}

// Ready tells whether the truth was read.
func (s *Store) Ready() bool { return s.ready.Load() }

// Current gives the snapshot that decides the next statement.
func (s *Store) Current() *enforcement.Snapshot { return s.current.Load() }

// Fresh tells whether the lease on the snapshot holds at now, by this process's own clocks. The monotonic one
// goes on while the process is stopped but not while the machine sleeps; the wall clock shows the sleep.
func (s *Store) Fresh(now time.Time) bool {
	until := s.lease.Load()
	return until != nil && now.Before(*until) && now.UnixNano() < until.UnixNano()
}

// Run renews the lease and hears of changes until ctx ends, and gives the lease back then.
func (s *Store) Run(ctx context.Context) error {
	var listening sync.WaitGroup
	defer listening.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.o.Redis != nil {
		listening.Add(1)
		go func() {
			defer listening.Done()
			s.listen(ctx)
		}()
	}
	tick := time.NewTicker(s.interval())
	defer tick.Stop()
	var told time.Time // when a fault was told: it comes again with each tick
	for {
		select {
		case <-ctx.Done():
			s.leave()
			return nil
		case <-tick.C:
		case <-s.wake:
		}
		switch err := s.tick(ctx); {
		case err == nil && !told.IsZero():
			s.o.Log.Info("the lease on the policy is renewed again")
			told = time.Time{}
		case err != nil && ctx.Err() == nil && time.Since(told) > faultPause:
			s.o.Log.Warn("renew the lease on the policy", "error", err)
			told = time.Now()
		}
	}
}

// faultPause is how long a warehouse that stays away is not told of again.
const faultPause = 10 * time.Second

// interval is how often the truth is asked when no notice comes.
func (s *Store) interval() time.Duration { return min(s.o.Lease/6, 200*time.Millisecond) }

func (s *Store) tick(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Lease)
	defer cancel()
	if !s.ready.Load() {
		return s.Open(ctx)
	}
	return s.beat(ctx)
}

// leave gives the lease back, so that changes need not wait for it.
func (s *Store) leave() {
	s.lease.Store(nil)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s.ready.Load() {
		_, _ = s.o.Pool.Exec(ctx, "DELETE FROM sluice.gateways WHERE id = ?", s.id)
	}
}

// prune forgets gateways that ended a day ago without giving their leases back. Nobody waits for them.
func (s *Store) prune(ctx context.Context) {
	_, err := s.o.Pool.Exec(ctx, "DELETE FROM sluice.gateways WHERE expires < "+warehouseNow+" - ?", (24 * time.Hour).Milliseconds())
	if err != nil {
		s.o.Log.Warn("forget gateways that ended", "error", err)
	}
}

// Begin gives a name to a statement under way that other gateways wait for.
func (s *Store) Begin() string {
	name := s.id + "/" + rand.Text()[:12]
	s.begun.Store(name, true)
	return name
}

// End forgets a statement that Begin named.
func (s *Store) End(name string) { s.begun.Delete(name) }

// Lives tells whether a statement may still be under way: its gateway holds a lease, and has not ended it.
func (s *Store) Lives(ctx context.Context, name string) (bool, error) {
	id := name[:max(0, strings.LastIndexByte(name, '/'))]
	if id == s.id {
		_, begun := s.begun.Load(name)
		return begun, nil
	}
	rows, err := s.o.Pool.Query(ctx, "SELECT COUNT(*) FROM sluice.gateways WHERE id = ? AND expires > "+warehouseNow, id)
	return err == nil && len(rows) == 1 && value(rows[0], 0) != "0", err
}

// truth is what the revision row says.
type truth struct {
	revision    uint64
	digest      string
	definitions int64
}

// beat renews the lease, and loads what changed. The lease counts from before it was asked for, and only
// when the revision that was read after the renewal is the one that this process decides by.
func (s *Store) beat(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	begun := time.Now()
	var now truth
	err := s.o.Pool.Repeat(ctx, func(t *warehouse.Tx) error {
		if err := s.renew(t); err != nil {
			return err
		}
		// Who else lives is asked in the same statement: a beat comes several times a second.
		rows, err := t.Query("SELECT "+truthColumns+", (SELECT COUNT(*) FROM sluice.gateways WHERE id <> ? AND expires > "+warehouseNow+") FROM sluice.revision WHERE id = 1", s.id)
		if now, err = truthOf(rows, err); err != nil {
			return err
		}
		others, err := strconv.ParseInt(value(rows[0], 3), 10, 32)
		s.others.Store(int32(others))
		return err
	})
	if err != nil {
		return err
	}
	return s.follow(ctx, now, begun)
}

// renew writes this gateway's row: until when others must wait for it, by the warehouse's clock. They wait a tenth longer
// than this process trusts its lease: no two clocks run alike.
func (s *Store) renew(t *warehouse.Tx) error {
	_, err := t.Exec("REPLACE INTO sluice.gateways (id, expires, revision, definitions) VALUES (?, "+warehouseNow+" + ?, ?, ?)",
		s.id, (s.o.Lease + s.o.Lease/10).Milliseconds(), s.applied, s.serial)
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	return nil
}

// warehouseNow is the warehouse's time in milliseconds: the one clock that all gateways share. It is asked
// for in UTC, since local time jumps when summer ends.
const warehouseNow = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000"

const truthColumns = "revision, digest, definitions"

func readTruth(t *warehouse.Tx, lock string) (truth, error) {
	return truthOf(t.Query("SELECT " + truthColumns + " FROM sluice.revision WHERE id = 1" + lock))
}

func truthOf(rows [][]*string, err error) (truth, error) {
	if err != nil {
		return truth{}, fmt.Errorf("read the policy's revision: %w", err)
	}
	if len(rows) != 1 {
		return truth{}, errors.New("read the policy's revision: the row is missing")
	}
	revision, err := strconv.ParseUint(value(rows[0], 0), 10, 64)
	if err != nil {
		return truth{}, err
	}
	definitions, err := strconv.ParseInt(value(rows[0], 2), 10, 64)
	return truth{revision, value(rows[0], 1), definitions}, err
}

func value(row []*string, i int) string {
	if i < len(row) && row[i] != nil {
		return *row[i]
	}
	return ""
}

// follow brings this process to the truth, acknowledges it, and extends the lease.
func (s *Store) follow(ctx context.Context, now truth, begun time.Time) error {
	news := false
	if now.definitions != s.serial {
		s.o.Changed()
		s.serial, news = now.definitions, true
	}
	if s.applied != now.revision || !s.ready.Load() {
		if err := s.load(ctx, now); err != nil {
			return err
		}
		news = true
	}
	if news {
		if _, err := s.o.Pool.Exec(ctx, "UPDATE sluice.gateways SET revision = ?, definitions = ? WHERE id = ?", s.applied, s.serial, s.id); err != nil {
			return fmt.Errorf("acknowledge revision %d: %w", now.revision, err)
		}
	}
	until := begun.Add(s.o.Lease)
	s.lease.Store(&until)
	return nil
}

// load reads the policy of a revision, from Redis if what it has is what the truth says, and makes it
// the current snapshot.
func (s *Store) load(ctx context.Context, now truth) error {
	policy, err := s.fetch(ctx, now)
	if err != nil {
		return fmt.Errorf("load policy revision %d: %w", now.revision, err)
	}
	next, err := enforcement.Build(policy, s.o.Build)
	if err != nil {
		return fmt.Errorf("build policy revision %d: %w", policy.Revision, err)
	}
	return s.adopt(ctx, next)
}

// adopt makes a snapshot the one that decides. Its revision is acknowledged only when Apply has taken it in.
func (s *Store) adopt(ctx context.Context, next *enforcement.Snapshot) error {
	s.current.Store(next)
	if err := s.o.Apply(ctx, next); err != nil {
		return fmt.Errorf("apply policy revision %d: %w", next.Revision(), err)
	}
	s.applied = next.Revision()
	return nil
}

func (s *Store) fetch(ctx context.Context, now truth) (*enforcement.Policy, error) {
	if p := s.cached(ctx, now); p != nil {
		return p, nil
	}
	var policy *enforcement.Policy
	err := s.o.Pool.Tx(ctx, func(t *warehouse.Tx) error {
		read, err := readTruth(t, "")
		if err != nil {
			return err
		}
		policy, err = readPolicy(t, read.revision, "")
		return err
	})
	return policy, err
}

func readPolicy(t *warehouse.Tx, revision uint64, lock string) (*enforcement.Policy, error) {
	rows, err := t.Query("SELECT name, document FROM sluice.projects" + lock)
	if err != nil {
		return nil, fmt.Errorf("read the projects: %w", err)
	}
	p := &enforcement.Policy{Revision: revision, Projects: make(map[string]*enforcement.Project, len(rows))}
	for _, r := range rows {
		project := &enforcement.Project{}
		if err := json.Unmarshal([]byte(value(r, 1)), project); err != nil {
			return nil, fmt.Errorf("read project %s: %w", value(r, 0), err)
		}
		p.Projects[value(r, 0)] = project
	}
	return p, nil
}

// digestOf is the digest of a policy as it is cached: over its JSON, whose order is fixed.
func digestOf(p *enforcement.Policy) (digest string, text []byte, err error) {
	text, err = json.Marshal(p)
	if err != nil {
		return "", nil, fmt.Errorf("encode the policy: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), text, nil
}
