package audit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two gateways with one file, as two that are started in one folder have: each would chain to its own last line.
func TestOneWriterAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	l := open(t, Options{File: file})
	record(t, l, Entry{})
	refused := func(when string) {
		t.Helper()
		if second, err := Open(Options{File: file}); err == nil {
			t.Errorf("%s: a second writer was let in", when)
			_ = second.Close()
		} else if !strings.Contains(err.Error(), "another process writes it: each gateway needs a file of its own") {
			t.Errorf("%s: %v", when, err)
		}
	}
	refused("while it is open")
	if err := l.Reopen(); err != nil { // nothing was moved
		t.Fatal(err)
	}
	refused("after it was opened again")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	refused("after it was rotated")
	record(t, l, Entry{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	next := open(t, Options{File: file})
	record(t, next, Entry{})
	whole(t, file, 2)
	whole(t, file+".1", 1)
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
