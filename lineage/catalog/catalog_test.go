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

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a warehouse whose schema "pay" has one table, named after the number of changes so far.
type fake struct {
	mu      sync.Mutex
	changes int
	fault   error
	folds   bool
	hang    chan struct{} // Clock waits for it, if there is one
	during  func()        // runs in the middle of Load

	clocks, loads atomic.Int64
}

func (f *fake) change() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes++
}

func (f *fake) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = err
}

func (f *fake) Load(_ context.Context, schema string) (*Schema, error) {
	f.loads.Add(1)
	f.mu.Lock()
	table := fmt.Sprint("t", f.changes)
	f.mu.Unlock()
	if f.during != nil {
		f.during()
	}
	if strings.ToLower(schema) != "pay" {
		return &Schema{Programs: Programs{Name: schema}}, nil
	}
	return &Schema{Programs: Programs{Name: schema, Exists: true}, Objects: map[string]*Object{table: {Schema: schema, Name: table, Kind: Table}}}, nil
}

func (f *fake) Clock(ctx context.Context) (string, error) {
	f.clocks.Add(1)
	if f.hang != nil {
		select {
		case <-f.hang:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.changes), f.fault
}

func (f *fake) Folds(context.Context) (bool, error)       { return f.folds, nil }
func (f *fake) Schemas(context.Context) ([]string, error) { return []string{"Pay"}, nil }
func (f *fake) Foreign(context.Context) ([]string, error) { return []string{"sys_exec"}, nil }

func current(t *testing.T, c *Catalog) *Snapshot {
	t.Helper()
	s, err := c.Current(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func schema(t *testing.T, s *Snapshot, name string) *Schema {
	t.Helper()
	got, err := s.Schema(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func holds(s *Snapshot, key string) bool {
	h := s.Held(key)
	if h == nil {
		return false
	}
	_, whole := h.Whole()
	return whole
}

func TestOneSnapshotWhileTheClockStands(t *testing.T) {
	f := &fake{}
	c := New(f, time.Hour)
	first := current(t, c)
	if current(t, c) != first || f.clocks.Load() != 1 {
		t.Fatalf("%d readings of the clock within the age limit, want 1", f.clocks.Load())
	}
	c = New(f, time.Nanosecond)
	first = current(t, c)
	if current(t, c) != first {
		t.Fatal("another snapshot although the clock stood")
	}
}

func TestAMovedClockGivesANewSnapshot(t *testing.T) {
	f := &fake{}
	c := New(f, time.Nanosecond)
	first := current(t, c)
	if got := schema(t, first, "Pay"); got.Objects["t0"] == nil {
		t.Fatalf("got %v", got.Objects)
	}
	f.change()
	second := current(t, c)
	if second == first || second.Version() <= first.Version() {
		t.Fatalf("versions %d, then %d", first.Version(), second.Version())
	}
	if got := schema(t, second, "Pay"); got.Objects["t1"] == nil {
		t.Fatalf("stale definitions: %v", got.Objects)
	}
	if got := schema(t, first, "Pay"); got.Objects["t0"] == nil {
		t.Fatal("a snapshot changed")
	}
}

// Who asks for the latest is told of what was made a moment ago, at one reading of the clock and nothing read anew
// while it stands.
func TestLatestReadsTheClock(t *testing.T) {
	f := &fake{}
	c := New(f, time.Hour)
	first := current(t, c)
	latest := func() *Snapshot {
		t.Helper()
		s, err := c.Latest(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if latest() != first || f.clocks.Load() != 2 {
		t.Fatalf("%d readings of a clock that stands, want 2 and the same snapshot", f.clocks.Load())
	}
	f.change()
	if current(t, c) != first {
		t.Fatal("the clock was read within the age limit")
	}
	if s := latest(); s == first || schema(t, s, "Pay").Objects["t1"] == nil {
		t.Fatal("the latest snapshot is the one before the change")
	}
}

func TestAClockThatCannotBeReadIsAnError(t *testing.T) {
	f := &fake{}
	c := New(f, time.Nanosecond)
	first := current(t, c)
	fault := errors.New("gone away")
	f.fail(fault)
	if _, err := c.Current(context.Background()); !errors.Is(err, fault) {
		t.Fatalf("got %v", err)
	}
	f.fail(nil)
	if current(t, c) != first {
		t.Fatal("the clock stood, but the snapshot was thrown away")
	}
}

func TestWaitersShareAFailure(t *testing.T) {
	f := &fake{hang: make(chan struct{})}
	f.fail(errors.New("gone away"))
	c := New(f, time.Hour)
	var waiters sync.WaitGroup
	var asked atomic.Int64
	for range 20 {
		waiters.Go(func() {
			asked.Add(1)
			if _, err := c.Current(context.Background()); err == nil {
				t.Error("no error")
			}
		})
	}
	for f.clocks.Load() == 0 || asked.Load() < 20 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // let the others arrive behind the first
	close(f.hang)
	waiters.Wait()
	if n := f.clocks.Load(); n > 10 {
		t.Fatalf("%d readings for 20 who waited", n)
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	f := &fake{hang: make(chan struct{})}
	c := New(f, time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	var waiters sync.WaitGroup
	for range 3 {
		waiters.Go(func() {
			if _, err := c.Current(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
	for f.clocks.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	waiters.Wait()
	f.hang = nil
	current(t, c) // one who went away is no failure for the next
}

func TestRecent(t *testing.T) {
	c := New(&fake{}, time.Hour)
	s := current(t, c)
	long := time.Now().Add(-time.Hour)
	if !c.Recent(s, long) {
		t.Error("a snapshot whose clock was read just now is not recent")
	}
	c.Invalidate()
	if c.Recent(s, long) {
		t.Error("a dropped snapshot given long ago is recent")
	}
	if !c.Recent(s, time.Now()) {
		t.Error("a snapshot given just now is not recent")
	}
}

func TestInvalidate(t *testing.T) {
	f := &fake{}
	c := New(f, time.Hour)
	first := current(t, c)
	schema(t, first, "Pay")
	c.Invalidate("pay")
	second := current(t, c)
	if second == first {
		t.Fatal("the snapshot outlived an announcement")
	}
	if holds(second, "Pay") {
		t.Fatal("definitions outlived an announcement")
	}
}

// announcing invalidates the catalog in the middle of the making of a snapshot.
type announcing struct {
	*fake
	announce func()
}

func (a *announcing) Schemas(ctx context.Context) ([]string, error) {
	if a.announce != nil {
		a.announce()
	}
	return a.fake.Schemas(ctx)
}

func TestInvalidateWhileASnapshotIsMade(t *testing.T) {
	a := &announcing{fake: &fake{}}
	c := New(a, time.Hour)
	a.announce = func() { c.Invalidate() }
	first := current(t, c)
	a.announce = nil
	if current(t, c) == first {
		t.Fatal("a snapshot begun before the announcement served a statement after it")
	}
}

func TestASchemaReadWhileTheClockMovedIsNotKept(t *testing.T) {
	f := &fake{}
	c := New(f, time.Nanosecond)
	s := current(t, c)
	once := sync.OnceFunc(f.change)
	f.during = once
	if got := schema(t, s, "Pay"); got.Objects["t1"] == nil {
		t.Fatalf("read before the change, kept after it: %v", got.Objects)
	}
	if next := current(t, c); next == s {
		t.Fatal("a snapshot with a newer schema in it was kept")
	}
}

func TestDefinitionsThatNeverStandAreAnError(t *testing.T) {
	f := &fake{}
	s := current(t, New(f, time.Hour))
	f.during = f.change
	if got, err := s.Schema(context.Background(), "Pay"); err == nil {
		t.Fatalf("got %v", got.Objects)
	}
}

// elsewhere moves the clock with every reading while schema pay stands.
type elsewhere struct{ fake }

func (e *elsewhere) Load(context.Context, string) (*Schema, error) {
	e.change()
	return &Schema{Programs: Programs{Name: "pay", Exists: true}, Objects: map[string]*Object{"t": {Name: "t"}}}, nil
}

func TestChangesElsewhereDoNotHoldASchemaUp(t *testing.T) {
	s := current(t, New(&elsewhere{}, time.Hour))
	if got := schema(t, s, "pay"); got.Objects["t"] == nil {
		t.Fatalf("got %v", got.Objects)
	}
}

func TestASchemaIsLoadedOnce(t *testing.T) {
	f := &fake{}
	s := current(t, New(f, time.Hour))
	var readers sync.WaitGroup
	for range 30 {
		readers.Go(func() {
			if _, err := s.Schema(context.Background(), "Pay"); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	if n := f.loads.Load(); n != 1 {
		t.Fatalf("loaded %d times", n)
	}
}

func TestUnknownSchemasAreNotKept(t *testing.T) {
	f := &fake{}
	s := current(t, New(f, time.Hour))
	for i := range 1000 {
		if got := schema(t, s, fmt.Sprint("nosuch", i)); got.Exists {
			t.Fatal("exists")
		}
	}
	if got := schema(t, s, "pAY"); got.Exists != true { // this fake finds it by any spelling
		t.Fatal("not read")
	}
	kept := 0
	s.schemas.Range(func(any, any) bool { kept++; return true })
	if kept != 1 || f.loads.Load() != 1 {
		t.Fatalf("%d kept after %d loads", kept, f.loads.Load())
	}
}

func TestKeysFold(t *testing.T) {
	for _, folds := range []bool{false, true} {
		s := current(t, New(&fake{folds: folds}, time.Hour))
		schema(t, s, "Pay")
		lower, given := holds(s, "pay"), holds(s, "Pay")
		if lower != folds || given == folds {
			t.Errorf("folds %v: keyed pay %v, Pay %v", folds, lower, given)
		}
	}
}

func TestNamesAndForeign(t *testing.T) {
	s := current(t, New(&fake{}, time.Hour))
	if !s.Names()["pay"] || s.Names()["Pay"] || !s.Foreign("sys_exec") || s.Foreign("abs") {
		t.Fatalf("names %v", s.Names())
	}
}

func TestSpelt(t *testing.T) {
	s := &Snapshot{spelt: []string{"PRJ", "Pay", "pay", "prj2"}}
	for name, want := range map[string]string{"pay": "pay", "Pay": "Pay", "PAY": "Pay", "Prj2": "prj2", "prj": "PRJ", "prj3": "", "": ""} {
		if got := s.Spelt(name); got != want {
			t.Errorf("%q is spelt %q, wanted %q", name, got, want)
		}
	}
}

func TestRunKeepsTheClockRead(t *testing.T) {
	f := &fake{}
	c := New(f, 60*time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	var loop sync.WaitGroup
	loop.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	first := current(t, c)
	deadline := time.Now().Add(10 * time.Second)
	for f.clocks.Load() < 5 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if f.clocks.Load() < 5 {
		t.Error("the loop does not read the clock")
	}
	f.change()
	for !first.stale.Load() && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if !first.stale.Load() {
		t.Error("the loop did not notice the change")
	}
	cancel()
	loop.Wait()
}

func TestTheCommonCaseAllocatesNothing(t *testing.T) {
	c := New(&fake{}, time.Hour)
	ctx := context.Background()
	schema(t, current(t, c), "Pay")
	n := testing.AllocsPerRun(100, func() {
		s, err := c.Current(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !holds(s, "Pay") {
			t.Fatal("not loaded")
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkCurrent(b *testing.B) {
	c := New(&fake{}, time.Hour)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		s, err := c.Current(ctx)
		if err != nil {
			b.Fatal(err)
		}
		holds(s, "pay")
	}
}
