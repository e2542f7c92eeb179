package integration

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/enforcement/store"
	"sluice/integration/servers"
	"sluice/lineage/catalog"
)

// sharedCatalog is a gateway's catalog over a warehouse and a Redis; it counts how often it reads a schema whole.
type sharedCatalog struct {
	*catalog.SQLLoader
	catalog *catalog.Catalog
	loads   int
}

func (s *sharedCatalog) Load(ctx context.Context, schema string) (*catalog.Schema, error) {
	s.loads++
	return s.SQLLoader.Load(ctx, schema)
}

func catalogOf(t testing.TB, s *servers.Server, with redis.UniversalClient) *sharedCatalog {
	t.Helper()
	pool := service(t, s.Addr)
	st := truth(t, s.Addr, func(o *store.Options) { o.Redis, o.Log = with, slog.New(slog.DiscardHandler) })
	if err := st.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := &sharedCatalog{SQLLoader: &catalog.SQLLoader{Query: pool.Query, Detect: true}}
	c.catalog = catalog.New(c, time.Nanosecond)
	c.catalog.Share(st, "this program")
	return c
}

// view gives the definition of d.v by a catalog, and whether the schema had to be read for it.
func (s *sharedCatalog) view(t *testing.T) (definition string, read bool) {
	t.Helper()
	before := s.loads
	snapshot, err := s.catalog.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	schema, err := snapshot.Schema(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ToLower(schema.Objects["v"].Definition), s.loads > before
}

// A schema that one gateway read is taken from Redis by others, as long as it is what the warehouse holds; whatever Redis
// does with it, no gateway takes another definition for it.
func TestDefinitionsAreShared(t *testing.T) {
	truths(t, func(t *testing.T, s *servers.Server) {
		s.Exec(t, "CREATE DATABASE d", "CREATE TABLE d.t (a INT)", "CREATE VIEW d.v AS SELECT 1 AS a", "CREATE PROCEDURE d.p() SELECT 1", "CREATE TRIGGER d.tr BEFORE INSERT ON d.t FOR EACH ROW SET @x = 1")
		cache := servers.Redis(t)
		client := redis.NewClient(&redis.Options{Addr: cache.Addr, MaxRetries: -1, DialTimeout: 200 * time.Millisecond})
		t.Cleanup(func() { client.Close() })
		time.Sleep(4 * time.Second) // a server that has only just started has no state
		expect := func(what string, c *sharedCatalog, want string, wantRead bool) {
			t.Helper()
			if got, read := c.view(t); got != fmt.Sprintf("select %s as `a`", want) || read != wantRead {
				t.Fatalf("%s: %q, read %v", what, got, read)
			}
		}
		first := catalogOf(t, s, client) // opening it makes the tables of the truth, which moves the clock
		expect("the first gateway", first, "1", true)
		second := catalogOf(t, s, client)
		expect("a gateway that starts", second, "1", false)
		whole, err := first.SQLLoader.Load(t.Context(), "d")
		snapshot, _ := second.catalog.Current(t.Context())
		if shared, _ := snapshot.Schema(t.Context(), "d"); err != nil || !reflect.DeepEqual(shared, whole) {
			t.Fatalf("%v: shared %+v, read %+v", err, shared, whole)
		}

		s.Exec(t, "CREATE OR REPLACE VIEW d.v AS SELECT 2 AS a")
		stale := texts(t, client)
		expect("behind a change", second, "2", true)
		expect("another, behind the same change", first, "2", false)

		for what, forge := range map[string]func(text string) string{
			"stale":     func(string) string { return stale[0] },
			"forged":    func(text string) string { return strings.ReplaceAll(text, "2 AS", "3 AS") + " " },
			"truncated": func(text string) string { return text[:len(text)/2] },
			"empty":     func(string) string { return "" },
		} {
			for _, key := range keys(t, client) {
				client.Set(t.Context(), key, forge(client.Get(t.Context(), key).Val()), 0)
			}
			expect(what, catalogOf(t, s, client), "2", true)
			expect("after "+what, catalogOf(t, s, client), "2", false) // who read it put it there again
		}

		s.Exec(t, "CREATE OR REPLACE VIEW d.v AS SELECT 4 AS a")
		cache.Kill()
		begun := time.Now()
		expect("without Redis", catalogOf(t, s, client), "4", true)
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("without Redis it took %v", took)
		}
	})
}

func keys(t *testing.T, client redis.UniversalClient) []string {
	t.Helper()
	found, err := client.Keys(t.Context(), "sluice:definitions:*").Result()
	if err != nil || len(found) == 0 {
		t.Fatalf("no definitions in Redis: %v", err)
	}
	return found
}

func texts(t *testing.T, client redis.UniversalClient) []string {
	t.Helper()
	var out []string
	for _, key := range keys(t, client) {
		out = append(out, client.Get(t.Context(), key).Val())
	}
	return out
}

// A server that begins again counts from nothing: what was read before has another state, although as much was defined since.
func TestDefinitionsOfAServerThatBeganAgain(t *testing.T) {
	t.Parallel()
	s := servers.MariaDB(t)
	serviceAccount(t, s)
	s.Exec(t, "CREATE DATABASE d", "CREATE VIEW d.v AS SELECT 1 AS a")
	cache := servers.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: cache.Addr})
	t.Cleanup(func() { client.Close() })
	time.Sleep(4 * time.Second)
	if _, read := catalogOf(t, s, client).view(t); !read {
		t.Fatal("not read")
	}
	loader := catalogOf(t, s, client).SQLLoader
	state := func() string {
		clock, err := loader.Clock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		state, err := loader.State(t.Context(), clock)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	before := state()
	if before == "" || before != state() {
		t.Fatalf("states %q and %q", before, state())
	}
	s.Exec(t, "FLUSH STATUS")
	if state() != "" {
		t.Fatal("counters that were only just reset name a state")
	}
	time.Sleep(4 * time.Second)
	if after := state(); after == "" || after == before {
		t.Fatalf("counters that were reset name the state %q", after)
	}
}
