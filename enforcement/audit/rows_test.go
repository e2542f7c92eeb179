package audit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// table is the audit table of a warehouse that can be away.
type table struct {
	mu      sync.Mutex
	away    bool
	tried   chan struct{} // not nil: told of each try
	entries []Entry
	most    int
}

func (w *table) WriteEntries(ctx context.Context, entries []Entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tried != nil {
		select {
		case w.tried <- struct{}{}:
		default:
		}
	}
	if w.away || ctx.Err() != nil {
		return errors.Join(errors.New("the warehouse is away"), ctx.Err())
	}
	w.most = max(w.most, len(entries))
	w.entries = append(w.entries, entries...)
	return nil
}

func (w *table) ReadEntries(context.Context, []Clause, int) ([]Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Entry(nil), w.entries...), nil
}

func (w *table) set(away bool) {
	w.mu.Lock()
	w.away = away
	w.mu.Unlock()
}

// run starts the log's Run; stop ends it and waits.
func run(l *Log) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.Run(ctx)
	}()
	return func() { cancel(); <-done }
}

// inOrder fails unless the table holds count entries, each once, in the order of the file.
func (w *table) inOrder(t *testing.T, count int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.entries) != count {
		t.Fatalf("%d rows, want %d", len(w.entries), count)
	}
	for i := 1; i < count; i++ {
		if w.entries[i].Previous != w.entries[i-1].Hash {
			t.Fatalf("row %d is out of order", i)
		}
	}
}

func TestSelectSeesWhatWasJustRecorded(t *testing.T) {
	rows := &table{}
	l := open(t, Options{File: filepath.Join(t.TempDir(), "log"), Rows: rows, Text: true})
	defer run(l)()
	for i := range 1000 {
		record(t, l, Entry{Text: fmt.Sprint(i)})
	}
	got, err := l.Select(context.Background(), nil, 2000)
	if err != nil || len(got) != 1000 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	rows.inOrder(t, 1000)
	if rows.most > batch {
		t.Errorf("a batch of %d", rows.most)
	}
}

// A statement never waits for the table, and what was recorded while the warehouse was away follows.
func TestRowsFollowWhenTheWarehouseIsBack(t *testing.T) {
	rows := &table{away: true, tried: make(chan struct{}, 1)}
	l := open(t, Options{File: filepath.Join(t.TempDir(), "log"), Rows: rows})
	stop := run(l)
	defer stop()
	for range 600 {
		record(t, l, Entry{})
	}
	<-rows.tried
	rows.set(false)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if got, _ := rows.ReadEntries(context.Background(), nil, 0); len(got) == 600 {
			break
		}
	}
	rows.inOrder(t, 600)
}

// The end of the process takes no row away: neither what waits, nor the batch that was being written.
func TestRowsAreWrittenAtTheEnd(t *testing.T) {
	rows := &table{away: true, tried: make(chan struct{}, 1)}
	l := open(t, Options{File: filepath.Join(t.TempDir(), "log"), Rows: rows})
	stop := run(l)
	record(t, l, Entry{})
	<-rows.tried // the batch is in hand
	for range 300 {
		record(t, l, Entry{})
	}
	rows.set(false)
	stop()
	rows.inOrder(t, 301)
}

func TestSelectWithoutATable(t *testing.T) {
	l := open(t, Options{File: filepath.Join(t.TempDir(), "log")})
	stop := run(l)
	defer stop()
	if _, err := l.Select(context.Background(), nil, 1); err == nil {
		t.Error("entries from no table")
	}
}

// Select answers also while the rows cannot be written: with what the table has, or with its error.
func TestSelectDoesNotHang(t *testing.T) {
	rows := &table{away: true, tried: make(chan struct{}, 1)}
	l := open(t, Options{File: filepath.Join(t.TempDir(), "log"), Rows: rows})
	stop := run(l)
	defer stop()
	record(t, l, Entry{})
	<-rows.tried
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if got, err := l.Select(ctx, nil, 1); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	rows.set(false)
}
