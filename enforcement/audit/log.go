package audit

import (
	"context"
	"errors"
	"fmt"
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
	end  int64     // where the last line ended that this process wrote or read; the file is longer when another one wrote
	held time.Time // when another process was last found to hold the file
	torn error     // a write that failed half-way: nothing more can be chained

	rows    chan *Entry
	flush   chan chan struct{}
	overrun sync.Once
}

// queued bounds the entries whose rows are still to be written. The file has them all.
const queued = 1 << 16

// Open continues the log at its end. A last line that a crash left torn is set aside in a file beside it. Several processes
// may write one log: it is one chain all the same.
func Open(o Options) (*Log, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{o: o, rows: make(chan *Entry, queued), flush: make(chan chan struct{})}
	f, err := l.openFile()
	if err != nil {
		return nil, err
	}
	if err := l.goOn(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return l, nil
}

// Reopen goes on in a new file of the same name, after the old one was moved away. While it was not, its end is read
// again: a line that a full disk left torn is set aside.
func (l *Log) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := l.openFile()
	if err != nil {
		return err
	}
	old := l.file
	if !sameFile(old, f) {
		// The chain goes on behind what others wrote to the old file. If that cannot be read any more, behind the last line known.
		if err := l.locked(old, l.catchUp); err != nil {
			l.o.Log.Warn("read the end of the audit log that was moved away", "error", err)
		}
	}
	if err := l.goOn(f); err != nil {
		l.file = old
		_ = f.Close()
		return err
	}
	l.torn = nil
	return old.Close()
}

func (l *Log) openFile() (*os.File, error) {
	f, err := os.OpenFile(l.o.File, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	return f, nil
}

// goOn takes a file for the log's own and chains to its last line, or, if it has none, to what was written last.
func (l *Log) goOn(f *os.File) error {
	l.file, l.end = f, -1
	if err := l.locked(f, l.catchUp); err != nil {
		return fmt.Errorf("read the end of the audit log %s: %w", l.o.File, err)
	}
	return nil
}

// lockPatience is how long another process may take to write one line.
const lockPatience = 2 * time.Second

// locked runs do while no other process writes the file. Where one was waited for in vain a moment ago nobody waits again: all
// sessions that have something to record stand behind the one that does.
func (l *Log) locked(f *os.File, do func() error) error {
	patience := lockPatience
	if time.Since(l.held) < lockPatience {
		patience = 0
	}
	if err := lock(f, patience); err != nil {
		l.held = time.Now()
		return err
	}
	l.held = time.Time{}
	defer unlock(f)
	return do()
}

// catchUp chains to the last line of the file where another process wrote it.
func (l *Log) catchUp() error {
	info, err := l.file.Stat()
	if err != nil || info.Size() == l.end {
		return err
	}
	last, err := l.tail(l.file)
	if err != nil {
		return err
	}
	if last != "" {
		l.last = last
	}
	return l.endHere()
}

func (l *Log) endHere() error {
	info, err := l.file.Stat()
	if err == nil {
		l.end = info.Size()
	}
	return err
}

func sameFile(a, b *os.File) bool {
	one, err := a.Stat()
	if err != nil {
		return false
	}
	other, err := b.Stat()
	return err == nil && os.SameFile(one, other)
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
	if err := l.locked(l.file, func() error { return l.append(e) }); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	l.enqueue(*e)
	return nil
}

// append writes an entry behind the last line, whoever wrote that.
func (l *Log) append(e *Entry) error {
	if err := l.catchUp(); err != nil {
		return err
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
		return err
	}
	l.last, l.end = e.Hash, l.end+int64(n)
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
	case l.rows <- &e:
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
	var left []Entry
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if left = l.write(last, left); len(left)+len(l.rows) > 0 {
				l.o.Log.Error("audit rows were not written: entries stand in the file alone", "entries", len(left)+len(l.rows), "file", l.o.File)
			}
			return nil
		case e := <-l.rows:
			left = l.write(ctx, append(left, *e)) // what an ended context left over goes first
		case done := <-l.flush:
			left = l.write(ctx, left)
			close(done)
		}
	}
}

// batch is how many rows are written at a time.
const batch = 256

// write inserts entries and those that wait. While the warehouse is away it tries again; when ctx ends
// meanwhile it gives back the entries that are in no row yet.
func (l *Log) write(ctx context.Context, entries []Entry) []Entry {
	for {
		if entries = l.gather(entries); len(entries) == 0 {
			return nil
		}
		for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
			err := l.o.Rows.WriteEntries(ctx, entries)
			if err == nil {
				break
			}
			if ctx.Err() == nil {
				l.o.Log.Warn("write audit rows", "entries", len(entries), "error", err)
			}
			select {
			case <-ctx.Done():
				return entries
			case <-time.After(wait):
			}
		}
		entries = entries[:0]
	}
}

// gather fills a batch with what waits.
func (l *Log) gather(entries []Entry) []Entry {
	for len(entries) < batch {
		select {
		case e := <-l.rows:
			entries = append(entries, *e)
		default:
			return entries
		}
	}
	return entries
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
