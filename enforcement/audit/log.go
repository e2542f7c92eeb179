package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// RowWriter puts entries into the warehouse's audit table, where SHOW FLOW LOG reads them.
type RowWriter interface {
	WriteEntries(ctx context.Context, entries []Entry) error
	ReadEntries(ctx context.Context, where []Clause, limit int) ([]Entry, error)
}

// Clause is one condition of SHOW FLOW LOG.
type Clause struct{ Column, Op, Value string }

// Options say where the log goes.
type Options struct {
	File    string // JSON lines, appended to
	Text    bool   // keep the statements' texts, secrets taken out
	Gateway string
	Rows    RowWriter // nil: the file alone
	Log     *slog.Logger
}

// Log is the decision log. It is safe for concurrent use.
type Log struct {
	o    Options
	mu   sync.Mutex
	file *os.File
	last string
	torn error // a write that failed half-way: nothing more can be chained

	rows    chan Entry
	flush   chan chan struct{}
	overrun sync.Once
}

// queued bounds the entries whose rows are still to be written. The file has them all.
const queued = 1 << 16

// Open continues the log at its end. A last line that a crash left torn is set aside in a file beside it.
func Open(o Options) (*Log, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{o: o, rows: make(chan Entry, queued), flush: make(chan chan struct{})}
	if err := l.reopen(); err != nil {
		return nil, err
	}
	return l, nil
}

// Reopen goes on in a new file of the same name, after the old one was moved away.
func (l *Log) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.file
	last := l.last
	if err := l.reopen(); err != nil {
		l.file, l.last = old, last
		return err
	}
	if l.last == "" {
		l.last = last // the chain goes on over the rotation
	}
	return old.Close()
}

func (l *Log) reopen() error {
	f, err := os.OpenFile(l.o.File, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	last, err := tail(f)
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("read the end of the audit log %s: %w", l.o.File, err)
	}
	l.file, l.last = f, last
	return nil
}

// tail finds the hash of the last whole line and cuts a torn one off, keeping it in a file of its own.
func tail(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	size := info.Size()
	from := max(0, size-1<<20)
	buf := make([]byte, size-from)
	if _, err := f.ReadAt(buf, from); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	whole := bytes.LastIndexByte(buf, '\n') + 1
	if whole < len(buf) {
		if err := os.WriteFile(f.Name()+".torn", buf[whole:], 0o600); err != nil {
			return "", err
		}
		if err := f.Truncate(from + int64(whole)); err != nil {
			return "", err
		}
	}
	lines := bytes.Split(bytes.TrimRight(buf[:whole], "\n"), []byte("\n"))
	line := lines[len(lines)-1]
	if len(line) == 0 {
		return "", nil
	}
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return "", fmt.Errorf("its last line is no entry: %w", err)
	}
	return e.Hash, nil
}

// NewID gives an id for an entry: sortable by time.
func NewID() string { return ulid.Make().String() }

// Record writes an entry and returns when the file has it. It sets the entry's id, if it has none, and its
// place in the chain.
func (l *Log) Record(_ context.Context, e *Entry) error {
	if e.ID == "" {
		e.ID = NewID()
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Gateway = l.o.Gateway
	if l.o.Text {
		e.Text = Redact(e.Text)
	} else {
		e.Text = ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.torn != nil {
		return l.torn
	}
	line, err := e.seal(l.last)
	if err != nil {
		return err
	}
	n, err := l.file.Write(line)
	if err != nil {
		if n > 0 {
			l.undo(int64(n))
		}
		return fmt.Errorf("write the audit log: %w", err)
	}
	l.last = e.Hash
	l.enqueue(*e)
	return nil
}

// undo takes a half-written line off again.
func (l *Log) undo(n int64) {
	info, err := l.file.Stat()
	if err == nil {
		err = l.file.Truncate(info.Size() - n)
	}
	if err != nil {
		l.torn = fmt.Errorf("the audit log ends in a torn line: %w", err)
	}
}

func (l *Log) enqueue(e Entry) {
	if l.o.Rows == nil {
		return
	}
	select {
	case l.rows <- e:
	default:
		l.overrun.Do(func() {
			l.o.Log.Error("audit rows fall behind: entries stand in the file alone", "file", l.o.File)
		})
	}
}

// Run writes rows until ctx ends, and then those that wait.
func (l *Log) Run(ctx context.Context) error {
	if l.o.Rows == nil {
		<-ctx.Done()
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			l.write(last, nil)
			return nil
		case e := <-l.rows:
			l.write(ctx, []Entry{e})
		case done := <-l.flush:
			l.write(ctx, nil)
			close(done)
		}
	}
}

// batch is how many rows one INSERT takes.
const batch = 256

// write inserts the entries that wait. While the warehouse is away it tries again.
func (l *Log) write(ctx context.Context, entries []Entry) {
	for {
		for len(entries) < batch {
			select {
			case e := <-l.rows:
				entries = append(entries, e)
				continue
			default:
			}
			break
		}
		if len(entries) == 0 {
			return
		}
		for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
			err := l.o.Rows.WriteEntries(ctx, entries)
			if err == nil {
				break
			}
			l.o.Log.Warn("write audit rows", "entries", len(entries), "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
		entries = entries[:0]
	}
}

// Select gives entries for SHOW FLOW LOG, newest first, those just recorded included.
func (l *Log) Select(ctx context.Context, where []Clause, limit int) ([]Entry, error) {
	if l.o.Rows == nil {
		return nil, errors.New("the flow log is kept in a file alone")
	}
	done := make(chan struct{})
	wait, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	select {
	case l.flush <- done:
		select {
		case <-done:
		case <-wait.Done():
		}
	case <-wait.Done():
	}
	return l.o.Rows.ReadEntries(ctx, where, limit)
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// Verify reads a log and checks its chain. It gives the number of entries that are whole and, as an
// error, the first line that is not.
func Verify(r io.Reader) (int, error) {
	in := bufio.NewReaderSize(r, 1<<20)
	previous, count := "", 0
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(text) == 0 {
			return count, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return count, err
		}
		var e Entry
		if err := json.Unmarshal(text, &e); err != nil {
			return count, fmt.Errorf("line %d: no entry: %w", line, err)
		}
		if line > 1 && e.Previous != previous {
			return count, fmt.Errorf("line %d: entry %s does not follow the one before: a line is missing or was changed", line, e.ID)
		}
		if err := e.check(); err != nil {
			return count, fmt.Errorf("line %d: %w", line, err)
		}
		previous = e.Hash
		count++
	}
}
