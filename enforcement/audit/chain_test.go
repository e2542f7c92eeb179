package audit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func record(t testing.TB, l *Log, e Entry) Entry {
	t.Helper()
	if err := l.Record(context.Background(), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// whole fails unless the file holds count entries in an unbroken chain.
func whole(t testing.TB, file string, count int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := Verify(bytes.NewReader(text))
	n := chain.Entries
	if err != nil || n != count {
		t.Fatalf("%d entries, %v; want %d", n, err, count)
	}
}

// example is a log of three entries, one line each.
func example(t testing.TB) (file string, lines []string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "log")
	l := open(t, Options{File: file, Text: true, Gateway: "g1"})
	for i := range 3 {
		record(t, l, Entry{User: "alice", Verdict: "deny", Text: fmt.Sprintf("SELECT %d", i), Flows: []string{"a.t -> result"}})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return file, strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
}

func TestVerifyNamesTheLineAndTheFault(t *testing.T) {
	_, lines := example(t)
	lines[2] += "\n"
	for name, c := range map[string]struct {
		edit  func(l []string) string
		count int
		want  string
	}{
		"edited":           {func(l []string) string { return l[0] + strings.Replace(l[1], "deny", "permit", 1) + l[2] }, 1, "line 2: entry "},
		"left out":         {func(l []string) string { return l[0] + l[2] }, 1, "line 2: entry "},
		"swapped":          {func(l []string) string { return l[1] + l[0] + l[2] }, 1, "line 2: entry "},
		"twice":            {func(l []string) string { return l[0] + l[0] }, 1, "does not follow"},
		"no JSON":          {func(l []string) string { return l[0] + "{]\n" + l[1] }, 1, "line 2: no entry"},
		"empty line":       {func(l []string) string { return l[0] + "\n" + l[1] }, 1, "line 2: no entry"},
		"torn":             {func(l []string) string { return l[0] + l[1][:len(l[1])-9] }, 1, "line 2: the line is torn"},
		"end cut":          {func(l []string) string { return l[0] + strings.TrimSuffix(l[1], "\n") }, 1, "line 2: the line is torn"},
		"added member":     {func(l []string) string { return strings.Replace(l[0], "{", `{"note":"x",`, 1) + l[1] }, 0, "line 1: entry "},
		"doubled member":   {func(l []string) string { return l[0] + strings.Replace(l[1], "{", `{"verdict":"permit",`, 1) }, 1, "more than the entry"},
		"spaces":           {func(l []string) string { return l[0] + strings.Replace(l[1], `,`, `, `, 1) }, 1, "more than the entry"},
		"respelled member": {func(l []string) string { return l[0] + strings.Replace(l[1], `"user"`, `"User"`, 1) }, 1, "more than the entry"},
	} {
		t.Run(name, func(t *testing.T) {
			chain, err := Verify(strings.NewReader(c.edit(lines)))
			n := chain.Entries
			if err == nil || n != c.count || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d entries, %v; want %d, an error with %q", n, err, c.count, c.want)
			}
		})
	}
	if c, err := Verify(strings.NewReader(strings.Join(lines, ""))); c.Entries != 3 || err != nil {
		t.Errorf("the unedited log: %d entries, %v", c.Entries, err)
	}
	if c, err := Verify(strings.NewReader("")); c.Entries != 0 || err != nil {
		t.Errorf("the empty log: %d entries, %v", c.Entries, err)
	}
}

// A log that was rotated is one chain over its files: none may be missing, shortened or in another place.
func TestVerifyOverFiles(t *testing.T) {
	_, lines := example(t)
	lines[2] = strings.TrimSuffix(lines[2], "\n") + "\n"
	first, err := Verify(strings.NewReader(lines[0]))
	if err != nil || first.After != "" {
		t.Fatalf("%+v, %v", first, err)
	}
	rest, err := VerifyNext(strings.NewReader(lines[1]+lines[2]), first)
	if err != nil || rest.Entries != 2 || rest.After != first.Last {
		t.Errorf("%+v, %v", rest, err)
	}
	if c, err := VerifyNext(strings.NewReader(""), first); err != nil || c.Last != first.Last {
		t.Errorf("an empty file between: %+v, %v", c, err)
	}
	if _, err := VerifyNext(strings.NewReader(lines[2]), first); err == nil || !strings.Contains(err.Error(), "file before") {
		t.Errorf("a file that begins too late: %v", err)
	}
	if c, err := Verify(strings.NewReader(lines[1] + lines[2])); err != nil || c.After == "" {
		t.Errorf("a file alone tells that something stood before it: %+v, %v", c, err)
	}
}

// A changed byte anywhere shows.
func TestVerifyFindsEveryChangedByte(t *testing.T) {
	_, lines := example(t)
	text := strings.Join(lines, "") + "\n"
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		to := rapid.Byte().Filter(func(b byte) bool { return b != text[at] }).Draw(t, "to")
		edited := []byte(text)
		edited[at] = to
		if c, err := Verify(bytes.NewReader(edited)); err == nil {
			t.Fatalf("byte %d from %q to %q: %d entries, no error", at, text[at], to, c.Entries)
		}
	})
}

func TestLogGoesOnAfterARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	for i := range 4 {
		l := open(t, Options{File: file, Text: true})
		record(t, l, Entry{Text: fmt.Sprintf("SELECT %d", i)})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	whole(t, file, 4)
}

// A line that a crash left torn, at whatever byte, is kept beside the log, and the chain goes on without it.
func TestTornLastLineIsSetAside(t *testing.T) {
	_, lines := example(t)
	for cut := 1; cut < len(lines[2]); cut += 7 {
		file := filepath.Join(t.TempDir(), "log")
		torn := lines[2][:cut]
		if err := os.WriteFile(file, []byte(lines[0]+lines[1]+torn), 0o600); err != nil {
			t.Fatal(err)
		}
		record(t, open(t, Options{File: file}), Entry{})
		whole(t, file, 3)
		kept, err := os.ReadFile(file + ".torn")
		if err != nil || string(kept) != torn+"\n" {
			t.Fatalf("cut at %d: kept %q, %v; want %q", cut, kept, err, torn)
		}
	}
}

// Statements, and so lines, are longer than any buffer.
func TestLongLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	long := strings.Repeat("x", 3<<20)
	l := open(t, Options{File: file, Text: true})
	record(t, l, Entry{Text: "short"})
	record(t, l, Entry{Text: long})
	_ = l.Close()

	l = open(t, Options{File: file, Text: true})
	record(t, l, Entry{Text: long})
	_ = l.Close()
	whole(t, file, 3)

	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, info.Size()-1<<20); err != nil {
		t.Fatal(err)
	}
	record(t, open(t, Options{File: file, Text: true}), Entry{Text: "after the crash"})
	whole(t, file, 3)
}

func TestLogWhoseEndWasChangedIsNotContinued(t *testing.T) {
	file, lines := example(t)
	for name, last := range map[string]string{
		"edited":  strings.Replace(lines[2], "deny", "permit", 1),
		"no JSON": "hello",
	} {
		if err := os.WriteFile(file, []byte(lines[0]+lines[1]+last+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{File: file}); err == nil || !strings.Contains(err.Error(), "its last line") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Clients write statements in other character sets; the log is UTF-8 and must still verify.
func TestTextThatIsNoUTF8(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	l := open(t, Options{File: file, Text: true})
	e := record(t, l, Entry{Text: "SELECT 'caf\xe9'", User: "\xff", Schema: "sch\xe9ma"})
	if e.Text != "SELECT 'caf\uFFFD'" || e.User != "\uFFFD" {
		t.Errorf("text %q, user %q", e.Text, e.User)
	}
	record(t, l, Entry{Text: "SELECT '\uFFFD \u2028 <&>'"})
	whole(t, file, 2)
}

func TestAnyEntryVerifies(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		file := filepath.Join(dir, fmt.Sprint(n))
		l := open(t, Options{File: file, Text: true})
		count := rapid.IntRange(1, 4).Draw(rt, "count")
		for range count {
			text := string(rapid.SliceOf(rapid.Byte()).Draw(rt, "text"))
			record(t, l, Entry{Text: text, Reason: rapid.String().Draw(rt, "reason"), Flows: rapid.SliceOf(rapid.String()).Draw(rt, "flows"), Connection: rapid.Uint64().Draw(rt, "connection")})
		}
		_ = l.Close()
		whole(t, file, count)
	})
}

func TestRotation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	l := open(t, Options{File: file})
	first := record(t, l, Entry{})
	if err := l.Reopen(); err != nil { // nothing was moved
		t.Fatal(err)
	}
	last := record(t, l, Entry{})
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	next := record(t, l, Entry{})
	whole(t, file+".1", 2)
	whole(t, file, 1)
	if last.Previous != first.Hash || next.Previous != last.Hash {
		t.Error("the chain does not go on over the rotation")
	}
	if err := os.RemoveAll(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil {
		t.Error("reopened in a folder that is gone")
	}
	record(t, l, Entry{}) // the old file still takes entries
}

func TestConcurrentEntriesAreOneChain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	l := open(t, Options{File: file, Text: true})
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 100 {
				e := Entry{Text: fmt.Sprint(w, i)}
				if err := l.Record(context.Background(), &e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	whole(t, file, 800)
}

// No entry, no permit: a log that cannot be written says so.
func TestRecordFailsWithItsFile(t *testing.T) {
	l := open(t, Options{File: filepath.Join(t.TempDir(), "log")})
	_ = l.Close()
	if err := l.Record(context.Background(), &Entry{}); err == nil {
		t.Error("recorded in a closed file")
	}
	if _, err := Open(Options{File: filepath.Join(t.TempDir(), "none", "log")}); err == nil {
		t.Error("opened in a folder that is not there")
	}
}

func TestTextIsKeptOnlyWhenAsked(t *testing.T) {
	l := open(t, Options{File: filepath.Join(t.TempDir(), "log"), Gateway: "g7"})
	e := record(t, l, Entry{Text: "SELECT 1", Digest: Digest("SELECT 1")})
	if e.Text != "" || e.Digest == "" || e.Gateway != "g7" || e.ID == "" || time.Since(e.Time) > time.Minute {
		t.Errorf("%+v", e)
	}
}

func BenchmarkRecord(b *testing.B) {
	l := open(b, Options{File: filepath.Join(b.TempDir(), "log"), Text: true})
	e := Entry{User: "alice", Host: "%", Client: "10.0.0.1:5000", Verdict: "deny", Kind: "SELECT", Text: "SELECT * FROM pay.salary WHERE amount > 10", Flows: []string{"pay.salary -> result"}}
	b.ReportAllocs()
	for b.Loop() {
		again := e
		if err := l.Record(context.Background(), &again); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	_, lines := example(f)
	f.Add([]byte(strings.Join(lines, "")))
	f.Add([]byte(lines[0] + "{}\n"))
	f.Add([]byte("\n\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Verify(bytes.NewReader(text))
		if lines := bytes.Count(text, []byte("\n")); c.Entries > lines || err == nil && c.Entries != lines {
			t.Errorf("%d entries in %d lines, %v", c.Entries, lines, err)
		}
	})
}
