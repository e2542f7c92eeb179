package audit

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// A full disk takes half a line: the half is taken back, and the chain goes on when there is room again.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	file := filepath.Join(t.TempDir(), "log")
	l := open(t, Options{File: file})
	record(t, l, Entry{})
	roomy := l.file
	l.file = full
	if err := l.Record(context.Background(), &Entry{}); err == nil {
		t.Error("recorded on a full disk")
	}
	l.file = roomy
	if _, err := l.file.WriteString(`{"id":"ha`); err != nil {
		t.Fatal(err)
	}
	l.undo(9)
	record(t, l, Entry{})
	whole(t, file, 2)
}
