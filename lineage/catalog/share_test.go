package catalog

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// stated is a fake whose clock names a state, on a server that may begin again.
type stated struct {
	fake
	server string
	fault  error
	names  string // the table's name, if it is another
}

func (s *stated) State(_ context.Context, clock string) (string, error) {
	if s.server == "" {
		return "", s.fault
	}
	return s.server + " " + clock, s.fault
}

func (s *stated) Load(ctx context.Context, schema string) (*Schema, error) {
	got, err := s.fake.Load(ctx, schema)
	if err == nil && s.names != "" {
		got.Objects = map[string]*Object{s.names: {Name: s.names}}
	}
	return got, err
}

// shelf is a place where schemas are shared.
type shelf struct {
	mu   sync.Mutex
	kept map[string][]byte
	puts int
}

func (s *shelf) Find(_ context.Context, schema, state string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[schema+" "+state]
}

func (s *shelf) Keep(_ context.Context, schema, state string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string][]byte{}
	}
	s.kept[schema+" "+state] = text
	s.puts++
}

func (s *shelf) Kept(_ context.Context, state string) (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.kept {
		if schema, at, _ := strings.Cut(k, " "); at == state {
			out = append(out, schema)
		}
	}
	return out
}

func sharing(l Loader, s Shared, release string) *Catalog {
	c := New(l, time.Nanosecond)
	c.Share(s, release)
	return c
}

func TestASchemaIsReadOnceForAll(t *testing.T) {
	place, first, second := &shelf{}, &stated{server: "a"}, &stated{server: "a"}
	want := schema(t, current(t, sharing(first, place, "r")), "Pay")
	got := schema(t, current(t, sharing(second, place, "r")), "Pay")
	if first.loads.Load() != 1 || second.loads.Load() != 0 || !reflect.DeepEqual(want, got) {
		t.Fatalf("read %d and %d times: %+v, %+v", first.loads.Load(), second.loads.Load(), want, got)
	}
	second.change() // as the first does not see it, there are two states
	if got := schema(t, current(t, sharing(second, place, "r")), "Pay"); got.Objects["t1"] == nil || second.loads.Load() != 1 {
		t.Fatalf("an older schema was taken: %v", got.Objects)
	}
}

// A gateway that starts takes over what others read, before it is asked.
func TestAGatewayStartsWarm(t *testing.T) {
	place, other, l := &shelf{}, &stated{server: "a"}, &stated{server: "a"}
	schema(t, current(t, sharing(other, place, "r")), "Pay")
	c := New(l, time.Hour)
	c.Share(place, "r")
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	defer run.Wait()
	defer cancel()
	run.Go(func() { _ = c.Run(ctx) })
	for deadline := time.Now().Add(10 * time.Second); !holds(current(t, c), "Pay"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not taken over")
		}
	}
	if l.loads.Load() != 0 {
		t.Fatalf("read %d times", l.loads.Load())
	}
}

// Another server, another start of it, another program: what they read is not taken.
func TestWhatIsNotShared(t *testing.T) {
	place := &shelf{}
	schema(t, current(t, sharing(&stated{server: "a"}, place, "r")), "Pay")
	for name, c := range map[string]struct {
		l       *stated
		release string
	}{
		"another server": {&stated{server: "b"}, "r"}, "another program": {&stated{server: "a"}, "s"},
		"no state": {&stated{}, "r"}, "a state that cannot be read": {&stated{server: "a", fault: errors.New("gone away")}, "r"},
	} {
		schema(t, current(t, sharing(c.l, place, c.release)), "Pay")
		if c.l.loads.Load() != 1 {
			t.Errorf("%s: not read", name)
		}
	}
	if place.puts != 3 {
		t.Errorf("kept %d times", place.puts)
	}
}

// A schema that was read while something changed, or across a start of the server, is not offered.
func TestWhatIsNotOffered(t *testing.T) {
	place := &shelf{}
	moving := &stated{server: "a"}
	moving.during = sync.OnceFunc(moving.change)
	schema(t, current(t, sharing(moving, place, "r")), "Pay")
	restarted := &stated{server: "a"}
	restarted.during = sync.OnceFunc(func() { restarted.server = "a again" })
	schema(t, current(t, sharing(restarted, place, "r")), "Pay")
	odd := &stated{server: "a", names: "no text: \xff"}
	schema(t, current(t, sharing(odd, place, "r")), "Pay")
	if place.puts != 0 {
		t.Fatalf("kept %d times", place.puts)
	}
	doubtful := &Schema{Objects: map[string]*Object{"m": {External: unreadMembers}}}
	if certain(doubtful) || certain(&Schema{Objects: map[string]*Object{"v": {Kind: View}}}) {
		t.Error("a schema that was read with a fault is offered")
	}
}

func TestWhatIsFoundIsASchema(t *testing.T) {
	for _, text := range []string{"", "{", "null", "[]", `{"Name":"Other","Exists":true}`, `{"Name":"Pay"}`} {
		l, place := &stated{server: "a"}, &constant{text}
		if got := schema(t, current(t, sharing(l, place, "r")), "Pay"); got.Objects["t0"] == nil || l.loads.Load() != 1 {
			t.Errorf("%s: got %v", text, got.Objects)
		}
	}
}

type constant struct{ text string }

func (c *constant) Find(context.Context, string, string) []byte  { return []byte(c.text) }
func (c *constant) Kept(context.Context, string) []string        { return nil }
func (c *constant) Keep(context.Context, string, string, []byte) {}

// A schema comes back as it was read, with all that it may hold.
func TestASchemaComesBack(t *testing.T) {
	place := &shelf{}
	l := &SQLLoader{Query: mysql("0").query}
	whole, err := l.Load(context.Background(), "Pay")
	if err != nil {
		t.Fatal(err)
	}
	whole.Objects["Hidden"].Definition = "select 1"
	c := sharing(&stated{server: "a"}, place, "r")
	c.offer(context.Background(), whole, "0", c.state(context.Background(), "0"))
	if got := c.find(context.Background(), "Pay", c.state(context.Background(), "0")); !reflect.DeepEqual(got, whole) {
		t.Fatalf("got %+v, %d kept", got, place.puts)
	}
}

func TestState(t *testing.T) {
	s := mysql("0")
	s.answers["information_schema.global_status"] = "UPTIME|1000|50\nUPTIME_SINCE_FLUSH_STATUS|1000|50"
	s.answers["@@hostname"] = "h|3306|1|/data|10.11|sluice@%"
	l := &SQLLoader{Query: s.query}
	state := func(clock string) string {
		got, err := l.State(context.Background(), clock)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := state("0 create_table 7;")
	if first == "" || first != state("3 create_table 7;") || first == state("0 create_table 8;") {
		t.Fatalf("got %q", first)
	}
	if state("0 ") == "" {
		t.Error("a server that counted nothing yet has no state")
	}
	for part, answer := range map[string]string{
		"information_schema.global_status": "UPTIME|1001|50\nUPTIME_SINCE_FLUSH_STATUS|1001|50", "@@hostname": "h|3306|1|/data|10.11|other@%",
	} {
		before := s.answers[part]
		s.answers[part] = answer
		if state("0 create_table 7;") == first {
			t.Errorf("%s: the state is the same", answer)
		}
		s.answers[part] = before
	}
	for _, clock := range []string{"0 create_table 7;running 0a", "0 running 0a", "digest 0a", "schema version 7, 1", "", "0"} {
		if got := state(clock); got != "" {
			t.Errorf("%s: has the state %q", clock, got)
		}
	}
	for _, young := range []string{"UPTIME|1000|2\nUPTIME_SINCE_FLUSH_STATUS|1000|2", "UPTIME|1000|50\nUPTIME_SINCE_FLUSH_STATUS|1049|1", "UPTIME|1000|50", ""} {
		s.answers["information_schema.global_status"] = young
		if got := state("0 create_table 7;"); got != "" {
			t.Errorf("%q: has the state %q", young, got)
		}
	}
	s.faults["information_schema.global_status"] = errors.New("unknown table")
	s.answers["performance_schema.global_status"] = "Uptime|1000|50\nUptime_since_flush_status|1000|50"
	if state("0 create_table 7;") == "" {
		t.Error("MySQL has no state")
	}
	s.faults["performance_schema.global_status"] = errors.New("gone away")
	if got, err := l.State(context.Background(), "0 create_table 7;"); err == nil {
		t.Errorf("got %q", got)
	}
	if got, _ := (&SQLLoader{Query: s.query, TiDB: true}).State(context.Background(), "0 create_table 7;"); got != "" {
		t.Errorf("TiDB has the state %q", got)
	}
	if !strings.Contains(first, "create_table 7;") {
		t.Errorf("got %q", first)
	}
}
