package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/enforcement/store"
	"sluice/integration/servers"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/warehouse"
)

// truths runs a test on each real server of the family, with the stores' account.
func truths(t *testing.T, test func(t *testing.T, s *servers.Server)) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...string) *servers.Server{"MariaDB": servers.MariaDB, "MySQL": servers.MySQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			serviceAccount(t, s)
			test(t, s)
		})
	}
}

func service(t testing.TB, addr string) *warehouse.Pool {
	t.Helper()
	p := warehouse.New(warehouse.Options{Address: addr, User: "sluice", Password: "s", DialTimeout: 2 * time.Second})
	t.Cleanup(p.Close)
	return p
}

// truth gives a store that is not open yet.
func truth(t testing.TB, addr string, edit func(*store.Options)) *store.Store {
	t.Helper()
	o := store.Options{Pool: service(t, addr), Gateway: "g", Lease: 4 * time.Second}
	if edit != nil {
		edit(&o)
	}
	s, err := store.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// live gives a store that is open and runs until the test ends.
func live(t testing.TB, addr string, edit func(*store.Options)) *store.Store {
	t.Helper()
	s := truth(t, addr, edit)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	keep(t, s)
	return s
}

// keep runs a store until the test ends.
func keep(t testing.TB, s *store.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func trust(name string) func(*enforcement.Policy) error {
	return func(p *enforcement.Policy) error { return p.AddTrusted("pay", name) }
}

func trusted(s *store.Store) []string {
	p := s.Current().Project("pay")
	if p == nil {
		return nil
	}
	return slices.Sorted(slices.Values(p.Trusted))
}

func TestSchemaOfTheTruth(t *testing.T) {
	truths(t, func(t *testing.T, server *servers.Server) {
		t.Run("many gateways start at once", func(t *testing.T) {
			var starting sync.WaitGroup
			for i := range 8 {
				s := truth(t, server.Addr, func(o *store.Options) { o.Gateway = fmt.Sprint("g", i) })
				starting.Go(func() {
					if err := s.Open(context.Background()); err != nil || !s.Ready() || !s.Fresh(time.Now()) {
						t.Errorf("gateway %d: ready %v, fresh %v, %v", i, s.Ready(), s.Fresh(time.Now()), err)
					}
				})
			}
			starting.Wait()
			if n := number(t, server, "SELECT COUNT(*) FROM sluice.revision"); n != 1 {
				t.Errorf("%d rows of the revision", n)
			}
		})
		t.Run("two with one name are still two", func(t *testing.T) {
			before := number(t, server, "SELECT COUNT(*) FROM sluice.gateways")
			for range 2 {
				live(t, server.Addr, func(o *store.Options) { o.Gateway = "same" })
			}
			if n := number(t, server, "SELECT COUNT(*) FROM sluice.gateways"); n != before+2 {
				t.Errorf("%d rows, before %d", n, before)
			}
		})
		t.Run("a gateway that ended long ago is forgotten", func(t *testing.T) {
			server.Exec(t, "INSERT INTO sluice.gateways VALUES ('old', 1000, 0, 0)")
			live(t, server.Addr, nil)
			if n := number(t, server, "SELECT COUNT(*) FROM sluice.gateways WHERE id = 'old'"); n != 0 {
				t.Error("its row is still there")
			}
		})
		t.Run("a migration of another gateway is waited for", func(t *testing.T) {
			db := server.Root(t)
			defer db.Close()
			db.SetMaxOpenConns(1)
			for _, q := range []string{"UPDATE sluice.meta SET value = '1' WHERE name = 'version'", "SELECT GET_LOCK('sluice.migrate', 1)"} {
				if _, err := db.Exec(q); err != nil {
					t.Fatal(err)
				}
			}
			opened := make(chan error, 1)
			s := truth(t, server.Addr, nil)
			go func() { opened <- s.Open(context.Background()) }()
			select {
			case err := <-opened:
				t.Fatalf("opened beside a migration: %v", err)
			case <-time.After(300 * time.Millisecond):
			}
			if _, err := db.Exec("SELECT RELEASE_LOCK('sluice.migrate')"); err != nil {
				t.Fatal(err)
			}
			if err := <-opened; err != nil {
				t.Fatal(err)
			}
		})
		t.Run("a schema that is up to date is left alone", func(t *testing.T) {
			defined := func() string {
				clock, err := (&catalog.SQLLoader{Query: service(t, server.Addr).Query}).Clock(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return clock
			}
			before := defined()
			if err := truth(t, server.Addr, nil).Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			if after := defined(); after != before {
				t.Errorf("a gateway that starts moved the catalog clock from %s to %s", before, after)
			}
		})
		t.Run("a migration that stopped half-way goes on", func(t *testing.T) {
			live(t, server.Addr, nil)
			server.Exec(t, "DELETE FROM sluice.meta", "DROP TABLE sluice.audit", "UPDATE sluice.revision SET revision = 7")
			s := live(t, server.Addr, nil)
			if got := s.Current().Revision(); got != 7 {
				t.Errorf("revision %d", got)
			}
			if n := number(t, server, "SELECT COUNT(*) FROM sluice.audit"); n != 0 {
				t.Error("no table of the audit")
			}
		})
		t.Run("a newer schema is refused", func(t *testing.T) {
			server.Exec(t, "UPDATE sluice.meta SET value = '99' WHERE name = 'version'")
			s := truth(t, server.Addr, nil)
			if err := s.Open(context.Background()); !errors.Is(err, store.ErrNewer) || s.Ready() || s.Fresh(time.Now()) {
				t.Errorf("%v, ready %v", err, s.Ready())
			}
		})
	})
}

func number(t testing.TB, s *servers.Server, query string) (n int) {
	t.Helper()
	db := s.Root(t)
	defer db.Close()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Two owners at once both win: each edit sees the newest policy, under modes that a server may be set to.
func TestOwnersAtOnce(t *testing.T) {
	truths(t, func(t *testing.T, server *servers.Server) {
		server.Exec(t, "SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'", "SET GLOBAL autocommit = 0")
		for round, isolation := range []string{"READ COMMITTED", "SERIALIZABLE", "REPEATABLE READ"} {
			server.Exec(t, "SET GLOBAL TRANSACTION ISOLATION LEVEL "+isolation)
			var stores []*store.Store
			for i := range 3 {
				stores = append(stores, live(t, server.Addr, func(o *store.Options) { o.Gateway = fmt.Sprint("g", i) }))
			}
			first := stores[0].Current().Revision()
			before := trusted(stores[0])
			var changing sync.WaitGroup
			for i := range 30 {
				changing.Go(func() {
					name := fmt.Sprintf("p%d_%02d", round, i)
					if _, err := stores[i%3].Change(context.Background(), "owner", "ADD "+name, trust(name)); err != nil {
						t.Errorf("%s: %v", isolation, err)
					}
				})
			}
			changing.Wait()
			for i, s := range stores {
				if got := len(trusted(s)); got != len(before)+30 || s.Current().Revision() != first+30 {
					t.Errorf("%s: gateway %d trusts %d at revision %d, from %d at %d", isolation, i, got, s.Current().Revision(), len(before), first)
				}
			}
		}
		logged, err := live(t, server.Addr, nil).History(t.Context(), 1000)
		if err != nil || len(logged) != 90 {
			t.Fatalf("%d rows of the change log, %v", len(logged), err)
		}
		for i := 1; i < len(logged); i++ { // newest first
			if logged[i-1].Revision != logged[i].Revision+1 || logged[i-1].Before != logged[i].After {
				t.Fatalf("the row of %d does not follow that of %d", logged[i-1].Revision, logged[i].Revision)
			}
		}
	})
}

func TestChange(t *testing.T) {
	truths(t, func(t *testing.T, server *servers.Server) {
		s := live(t, server.Addr, nil)
		t.Run("an error of the edit changes nothing", func(t *testing.T) {
			refused := errors.New("refused")
			before := s.Current()
			_, err := s.Change(t.Context(), "o", "x", func(p *enforcement.Policy) error {
				return errors.Join(trust("lost")(p), refused)
			})
			if !errors.Is(err, refused) || s.Current() != before || number(t, server, "SELECT COUNT(*) FROM sluice.change_log") != 0 {
				t.Errorf("%v, revision %d", err, s.Current().Revision())
			}
		})
		t.Run("any bytes are logged", func(t *testing.T) {
			for _, text := range []string{"it's \"x\" \\ ?", "caf\xe9", "\x00\n\x1a", "日本語 😀", strings.Repeat("x", 1<<20)} {
				if _, err := s.Change(t.Context(), "owner'@'%", text, func(*enforcement.Policy) error { return nil }); err != nil {
					t.Fatal(err)
				}
				logged, err := s.History(t.Context(), 1)
				if want := strings.ToValidUTF8(text, "\uFFFD"); err != nil || logged[0].Statement != want || logged[0].Who != "owner'@'%" {
					t.Errorf("%.40q: logged %+.40v, %v", text, logged, err)
				}
			}
		})
		t.Run("before the truth was read", func(t *testing.T) {
			if _, err := truth(t, server.Addr, nil).Change(t.Context(), "o", "x", trust("lab")); !errors.Is(err, store.ErrUnready) {
				t.Error(err)
			}
		})
		t.Run("a later gateway has it all", func(t *testing.T) {
			if _, err := s.Change(t.Context(), "o", "x", trust("lab")); err != nil {
				t.Fatal(err)
			}
			later := live(t, server.Addr, nil)
			if diff := cmp.Diff(s.Current().Policy(), later.Current().Policy()); diff != "" {
				t.Error(diff)
			}
		})
		t.Run("not acknowledged before Apply took it in", func(t *testing.T) {
			var mu sync.Mutex
			broken := true
			live(t, server.Addr, func(o *store.Options) {
				o.Gateway = "cannot"
				o.Apply = func(_ context.Context, next *enforcement.Snapshot) error {
					mu.Lock()
					defer mu.Unlock()
					if broken && slices.Contains(next.Project("pay").Trusted, "late") {
						return errors.New("not now")
					}
					return nil
				}
			})
			done := make(chan error, 1)
			go func() {
				_, err := s.Change(context.Background(), "o", "x", trust("late"))
				done <- err
			}()
			select {
			case err := <-done:
				t.Fatalf("returned though a gateway that lives has not applied it: %v", err)
			case <-time.After(5 * time.Second): // its lease would be over
			}
			mu.Lock()
			broken = false
			mu.Unlock()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		})
	})
}

// What Redis says is never taken for the truth.
func TestRedisIsNotTrusted(t *testing.T) {
	t.Parallel()
	server := servers.MariaDB(t)
	serviceAccount(t, server)
	cache := servers.Redis(t)
	with := func(o *store.Options) {
		client := shortRedis(cache.Addr)
		t.Cleanup(func() { _ = client.Close() })
		o.Redis = client
	}
	s := live(t, server.Addr, with)
	for _, name := range []string{"one", "two"} {
		if _, err := s.Change(t.Context(), "o", "x", trust(name)); err != nil {
			t.Fatal(err)
		}
	}
	client := shortRedis(cache.Addr)
	defer client.Close()
	keys, err := client.Keys(t.Context(), "sluice:policy:*").Result()
	if err != nil || len(keys) != 2 {
		t.Fatalf("keys %v, %v", keys, err)
	}
	forged := `{"revision":2,"projects":{"pay":{"name":"pay","protection":0,"trusted":["one","two","thief"]}}}`
	for _, poison := range []string{forged, "", "null", "{", strings.Repeat("[", 1<<20)} {
		for _, k := range keys {
			if err := client.Set(t.Context(), k, poison, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if got := trusted(live(t, server.Addr, with)); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("%.20s: trusted %v", poison, got)
		}
	}
	// The text of one revision under the key of another.
	swapped(t, client, s)
	if got := trusted(live(t, server.Addr, with)); !slices.Equal(got, []string{"four", "one", "three", "two"}) {
		t.Errorf("trusted %v", got)
	}
	// A flood of false notices wakes, and does no more.
	for range 200 {
		if err := client.Publish(t.Context(), "sluice:changed", "nobody").Err(); err != nil {
			t.Fatal(err)
		}
	}
	cache.Kill()
	if _, err := s.Change(t.Context(), "o", "x", trust("without")); err != nil {
		t.Errorf("with Redis dead: %v", err)
	}
	if got := trusted(live(t, server.Addr, with)); len(got) != 5 {
		t.Errorf("started with Redis dead: trusted %v", got)
	}
}

// swapped makes two changes and puts the first one's text where the second one's is.
func swapped(t *testing.T, client redis.UniversalClient, s *store.Store) {
	t.Helper()
	var texts, keys []string
	for _, name := range []string{"three", "four"} {
		known, _ := client.Keys(t.Context(), "sluice:policy:*").Result()
		if _, err := s.Change(t.Context(), "o", "x", trust(name)); err != nil {
			t.Fatal(err)
		}
		now, _ := client.Keys(t.Context(), "sluice:policy:*").Result()
		for _, k := range now {
			if !slices.Contains(known, k) {
				keys = append(keys, k)
				texts = append(texts, client.Get(t.Context(), k).Val())
			}
		}
	}
	if len(keys) != 2 || client.Set(t.Context(), keys[1], texts[0], 0).Err() != nil {
		t.Fatalf("keys %v", keys)
	}
}

// line is a wire to a server that can be cut.
type line struct {
	addr  string
	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

// lineTo stands between a client and a server.
func lineTo(t *testing.T, server string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &line{addr: l.Addr().String(), conns: map[net.Conn]struct{}{}}
	var moving sync.WaitGroup
	moving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", server)
			if err != nil || !w.add(c, s) {
				_ = c.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{c, s}, {s, c}} {
				moving.Go(func() {
					_, _ = io.Copy(pair[0], pair[1])
					_, _ = pair[0].Close(), pair[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() { _ = l.Close(); w.set(true); moving.Wait() })
	return w
}

func (w *line) add(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		if w.cut {
			_ = c.Close()
			continue
		}
		w.conns[c] = struct{}{}
	}
	return !w.cut
}

func (w *line) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.conns {
			_ = c.Close()
		}
		clear(w.conns)
	}
}

// Without the warehouse the lease ends and protected data stays in; when it is back, so is everything.
func TestWarehouseLost(t *testing.T) {
	t.Parallel()
	server := servers.MariaDB(t)
	serviceAccount(t, server)
	w := lineTo(t, server.Addr)
	s := live(t, w.addr, func(o *store.Options) { o.Lease = time.Second })
	other := live(t, server.Addr, func(o *store.Options) { o.Gateway = "other" })
	for i := range 3 {
		w.set(true)
		if _, err := s.Change(t.Context(), "o", "x", trust("lost")); err == nil || !strings.Contains(err.Error(), "warehouse") {
			t.Errorf("changed without a warehouse: %v", err)
		}
		begun := time.Now()
		name := fmt.Sprint("meanwhile", i)
		if _, err := other.Change(t.Context(), "o", "x", trust(name)); err != nil {
			t.Fatal(err)
		}
		if s.Fresh(time.Now()) {
			t.Errorf("the other changed in %v while this one's lease holds", time.Since(begun))
		}
		w.set(false)
		eventually(t, "fresh again", func() bool { return s.Fresh(time.Now()) })
		if !slices.Contains(trusted(s), name) {
			t.Errorf("fresh without %s", name)
		}
		if _, err := s.Change(t.Context(), "o", "x", trust(fmt.Sprint("back", i))); err != nil {
			t.Errorf("after the warehouse is back: %v", err)
		}
	}
}

// A gateway may start before its warehouse.
func TestStoreStartsWithoutItsWarehouse(t *testing.T) {
	t.Parallel()
	server := servers.MariaDB(t)
	serviceAccount(t, server)
	w := lineTo(t, server.Addr)
	w.set(true)
	s := truth(t, w.addr, nil)
	if err := s.Open(t.Context()); err == nil || !strings.Contains(err.Error(), w.addr) {
		t.Errorf("opened: %v", err)
	}
	keep(t, s)
	if s.Ready() || s.Fresh(time.Now()) {
		t.Error("ready without a truth")
	}
	w.set(false)
	eventually(t, "ready", func() bool { return s.Ready() && s.Fresh(time.Now()) })
}

// The machine's sleep is seen by the wall clock, a stopped process by the monotonic one.
func TestLeaseByBothClocks(t *testing.T) {
	t.Parallel()
	server := servers.MariaDB(t)
	serviceAccount(t, server)
	s := truth(t, server.Addr, func(o *store.Options) { o.Lease = time.Minute })
	if s.Fresh(time.Now()) {
		t.Error("fresh before the truth was read")
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if !s.Fresh(now) || s.Fresh(now.Add(time.Hour)) || s.Fresh(now.Add(time.Hour).Round(0)) {
		t.Error("the lease does not end with its time")
	}
}

func TestAnnounce(t *testing.T) {
	t.Parallel()
	server := servers.MariaDB(t)
	serviceAccount(t, server)
	heard := make(chan struct{}, 16)
	release := make(chan struct{})
	s := live(t, server.Addr, nil)
	other := truth(t, server.Addr, func(o *store.Options) {
		o.Gateway = "other"
		o.Changed = func() { heard <- struct{}{}; <-release }
	})
	objects := []lineage.Object{{Schema: "pay", Name: "salary"}}
	if err := s.Announce(t.Context(), objects); err != nil { // nobody else is there
		t.Fatal(err)
	}
	if err := other.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	keep(t, other)
	// s has counted it when it has renewed its lease from beginning to end.
	for range 2 {
		const lease = "SELECT MIN(expires) FROM sluice.gateways WHERE id NOT LIKE 'other%'"
		before := number(t, server, lease)
		eventually(t, "the lease is renewed", func() bool { return number(t, server, lease) != before })
	}
	done := make(chan error, 1)
	go func() { done <- s.Announce(context.Background(), objects) }()
	<-heard
	select {
	case err := <-done:
		t.Errorf("returned before the other gateway dropped its copies: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAuditRows(t *testing.T) {
	truths(t, func(t *testing.T, server *servers.Server) {
		s := live(t, server.Addr, nil)
		file := filepath.Join(t.TempDir(), "log")
		l, err := audit.Open(audit.Options{File: file, Text: true, Gateway: "g", Rows: s})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = l.Run(ctx) })
		defer running.Wait()
		defer cancel()
		var want []audit.Entry
		for i := range 300 {
			e := audit.Entry{User: "alice", Host: "%", Client: "10.0.0.1:1", Connection: 1 << 40, SessionProject: "lab", Task: "SQL", Kind: "SELECT", Tier: "tree", Digest: audit.Digest("x"),
				Text: "SELECT 'caf\xe9\\' \" ?'", Flows: []string{"pay.t -> result", "pay.u -> result"}, Projects: []string{"pay", "hr"}, Verdict: "deny", Rule: "none", Reason: "it's", Revision: uint64(i)}
			if i == 150 {
				e.Verdict, e.Projects, e.Flows, e.Text = "permit", nil, nil, strings.Repeat("long ", 1<<20)
			}
			if err := l.Record(ctx, &e); err != nil {
				t.Fatal(err)
			}
			want = append(want, e)
		}
		if err := s.WriteEntries(ctx, want[:10]); err != nil { // again: they are there
			t.Fatal(err)
		}
		got, err := l.Select(ctx, nil, 1000)
		if err != nil || len(got) != 300 {
			t.Fatalf("%d rows, %v", len(got), err)
		}
		slices.Reverse(got)
		for i := range want {
			want[i].Previous, want[i].Hash = "", "" // the chain is the file's
			if i == 150 {
				want[i].Text = want[i].Text[:len(got[i].Text)]
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for _, c := range []struct {
			where []audit.Clause
			limit int
			want  int
		}{
			{[]audit.Clause{{Column: "verdict", Op: "=", Value: "permit"}}, 10, 1},
			{[]audit.Clause{{Column: "project", Op: "=", Value: "hr"}}, 1000, 299},
			{[]audit.Clause{{Column: "project", Op: "=", Value: "h"}}, 1000, 0},
			{[]audit.Clause{{Column: "revision", Op: ">=", Value: "100"}, {Column: "revision", Op: "<", Value: "110"}}, 1000, 10},
			{[]audit.Clause{{Column: "USER", Op: "LIKE", Value: "al%"}}, 7, 7},
			{[]audit.Clause{{Column: "reason", Op: "=", Value: "it's"}, {Column: "id", Op: "=", Value: want[3].ID}}, 10, 1},
			{[]audit.Clause{{Column: "user", Op: "=", Value: "' OR 1=1 -- "}}, 10, 0},
		} {
			if got, err := l.Select(ctx, c.where, c.limit); err != nil || len(got) != c.want {
				t.Errorf("%v: %d rows, %v; want %d", c.where, len(got), err, c.want)
			}
		}
		for _, c := range []audit.Clause{{Column: "id; DROP", Op: "=", Value: ""}, {Column: "id", Op: "OR", Value: ""}} {
			if _, err := l.Select(ctx, []audit.Clause{c}, 1); err == nil {
				t.Errorf("%v: no error", c)
			}
		}
	})
}
