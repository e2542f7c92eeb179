package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// short is a fake that reads objects by name: every name that begins with t, but for "torn" ones.
type short struct {
	fake
	named, programs atomic.Int64
	whole           error
	meanwhile       func()
}

func (s *short) LoadObject(_ context.Context, schema, name string) (*Object, error) {
	s.named.Add(1)
	s.mu.Lock()
	now := s.changes
	s.mu.Unlock()
	if s.meanwhile != nil {
		s.meanwhile()
	}
	if s.whole != nil || !strings.HasPrefix(name, "t") {
		return nil, s.whole
	}
	return &Object{Schema: schema, Name: name, Kind: Table, Engine: fmt.Sprint(now)}, nil
}

func (s *short) LoadPrograms(_ context.Context, schema string) (*Programs, error) {
	s.programs.Add(1)
	return &Programs{Name: schema, Exists: true, Routines: map[string]*Routine{"function f": {}}}, nil
}

func object(t *testing.T, s *Snapshot, schema, name string) *Object {
	t.Helper()
	o, err := s.Object(context.Background(), schema, name)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAnObjectIsReadByItsName(t *testing.T) {
	f := &short{}
	s := current(t, New(f, time.Hour))
	first := object(t, s, "Pay", "t0")
	if first == nil || object(t, s, "Pay", "t0") != first || object(t, s, "Pay", "none") != nil || object(t, s, "Pay", "none") != nil {
		t.Fatal("not read, or read otherwise the second time")
	}
	if f.named.Load() != 2 || f.loads.Load() != 0 {
		t.Fatalf("%d read by name, %d whole", f.named.Load(), f.loads.Load())
	}
	if p, err := s.Programs(context.Background(), "Pay"); err != nil || len(p.Routines) != 1 || f.loads.Load() != 0 {
		t.Fatalf("programs %v, %v", p, err)
	}
	if o, known := s.Held("Pay").Object("t1"); known || o != nil {
		t.Fatal("known without having been read")
	}
	if object(t, s, "nosuch", "t0") != nil || s.Held("nosuch") != nil {
		t.Fatal("an object of a schema that there is not")
	}
	// Once it is read whole, the whole tells of all names.
	schema(t, s, "Pay")
	if o, known := s.Held("Pay").Object("none"); o != nil || !known {
		t.Fatal("the whole does not tell that there is none")
	}
}

func TestWhatCannotBeReadByNameIsReadWhole(t *testing.T) {
	f := &short{whole: ErrWhole}
	if o := object(t, current(t, New(f, time.Hour)), "Pay", "t0"); o == nil || f.loads.Load() != 1 {
		t.Fatalf("got %v after %d loads", o, f.loads.Load())
	}
	fault := errors.New("gone away")
	f = &short{whole: fault}
	if o, err := current(t, New(f, time.Hour)).Object(context.Background(), "Pay", "t0"); !errors.Is(err, fault) {
		t.Fatalf("got %v, %v", o, err)
	}
	plain := &fake{}
	if o := object(t, current(t, New(plain, time.Hour)), "Pay", "t0"); o == nil || plain.loads.Load() != 1 {
		t.Fatalf("got %v after %d loads", o, plain.loads.Load())
	}
}

// An object that was read while the clock moved is the newer one, and its snapshot serves no further statement.
func TestAnObjectReadWhileTheClockMoved(t *testing.T) {
	f := &short{}
	c := New(f, time.Nanosecond)
	s := current(t, c)
	f.meanwhile = sync.OnceFunc(f.change)
	if o := object(t, s, "Pay", "t0"); o.Engine != "1" {
		t.Fatalf("read before the change, kept after it: %v", o.Engine)
	}
	if next := current(t, c); next == s || next.Held("Pay") != nil {
		t.Fatal("a snapshot with a newer object in it was kept")
	}
	f.meanwhile = f.change
	if o, err := current(t, c).Object(context.Background(), "Pay", "t1"); err == nil {
		t.Fatalf("got %v", o)
	}
}

func TestNamesThatMeanNothingAreKeptUpToABound(t *testing.T) {
	f := &short{}
	s := current(t, New(f, time.Hour))
	for i := range keptAbsent + 500 {
		if object(t, s, "Pay", fmt.Sprint("no", i)) != nil {
			t.Fatal("there is one")
		}
	}
	kept := 0
	s.Held("Pay").objects.Range(func(any, any) bool { kept++; return true })
	if kept != keptAbsent {
		t.Fatalf("%d kept", kept)
	}
	if object(t, s, "Pay", "t0") == nil || object(t, s, "Pay", "no1400") != nil {
		t.Fatal("not read")
	}
}

// A schema is read whole beside the statements when it is used for the first time; after a change, when many of its
// objects are.
func TestASchemaIsReadWholeBesideTheStatements(t *testing.T) {
	f := &short{}
	c := New(f, time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	defer run.Wait()
	defer cancel()
	run.Go(func() { _ = c.Run(ctx) })
	loads := func(want int64) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); f.loads.Load() < want && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if got := f.loads.Load(); got != want {
			t.Fatalf("read whole %d times, want %d", got, want)
		}
	}
	object(t, current(t, c), "Pay", "t0")
	loads(1)
	f.change()
	c.Invalidate()
	s := current(t, c)
	for i := range wholeFrom - 1 {
		object(t, s, "Pay", fmt.Sprint("t", i+5))
	}
	time.Sleep(50 * time.Millisecond)
	loads(1)
	for i := range 10 {
		object(t, s, "Pay", fmt.Sprint("t", i+50))
	}
	loads(2)
}

func TestManyReadersGetOneObject(t *testing.T) {
	f := &short{}
	s := current(t, New(f, time.Hour))
	got := make([]*Object, 30)
	var readers sync.WaitGroup
	for i := range got {
		readers.Go(func() { got[i], _ = s.Object(context.Background(), "Pay", "t0") })
	}
	readers.Wait()
	for _, o := range got {
		if o == nil || o != got[0] {
			t.Fatal("readers got different objects")
		}
	}
}
