package audit

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Two gateways with one file, as two that are started in one folder have, write one chain.
func TestManyWritersOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	logs := []*Log{open(t, Options{File: file, Gateway: "a"}), open(t, Options{File: file, Gateway: "b"})}
	const each = 50
	both := func() {
		t.Helper()
		var writers sync.WaitGroup
		for _, l := range logs {
			writers.Go(func() {
				for range each {
					record(t, l, Entry{})
				}
			})
		}
		writers.Wait()
	}
	both()
	whole(t, file, 2*each)
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	for _, l := range logs {
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	both()
	whole(t, file+".1", 2*each)
	whole(t, file, 2*each)
	follows(t, file+".1", file)
}

// A file that was moved away is caught up with before the chain goes on in the new one.
func TestReopenBehindAnothersLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	one, other := open(t, Options{File: file}), open(t, Options{File: file})
	record(t, one, Entry{})
	record(t, other, Entry{})
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := one.Reopen(); err != nil {
		t.Fatal(err)
	}
	record(t, one, Entry{})
	follows(t, file+".1", file)
}

// follows holds that the second file goes on where the first ends.
func follows(t *testing.T, first, second string) {
	t.Helper()
	before := verified(t, first, Verify)
	verified(t, second, func(r io.Reader) (Chain, error) { return VerifyNext(r, before) })
}

func verified(t *testing.T, file string, verify func(io.Reader) (Chain, error)) Chain {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	c, err := verify(f)
	if err != nil {
		t.Error(err)
	}
	return c
}

// Who holds the lock and does nothing costs the entry, not the gateway.
func TestLockThatIsHeld(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	l := open(t, Options{File: file})
	holder, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close() }()
	if err := lock(holder, 0); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 100 { // one of them waits
		if err := l.Record(context.Background(), &Entry{}); err == nil {
			t.Error("recorded in a file that another one holds")
		}
	}
	if took := time.Since(began); took > 10*lockPatience {
		t.Errorf("a hundred entries waited for %v", took)
	}
	unlock(holder)
	record(t, l, Entry{})
	whole(t, file, 1)
}

// A log that ends in a torn line takes no entry until it is opened again: moved away or not.
func TestReopenHealsATornLog(t *testing.T) {
	for _, moved := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "log")
		l := open(t, Options{File: file})
		record(t, l, Entry{})
		if _, err := l.file.WriteString(`{"id":"ha`); err != nil {
			t.Fatal(err)
		}
		l.torn = os.ErrInvalid
		if moved {
			if err := os.Rename(file, file+".1"); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
		record(t, l, Entry{})
		whole(t, file, map[bool]int{false: 2, true: 1}[moved])
	}
}
