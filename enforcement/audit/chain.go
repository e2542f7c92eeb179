package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Chain is what a log, or one file of it, holds.
type Chain struct {
	Entries int
	// After is the hash that the first entry follows: "" at the very beginning of a log, that of the last entry
	// of the file before in a log that was rotated.
	After string
	Last  string // the last entry's hash
	// Newest gives each gateway's newest id.
	Newest map[string]string
}

// Verify reads a log and checks its chain. It gives what is whole of it and, as an error, the first line that is not.
// Lines that are missing at the end do not show in a file alone, and lines that are missing at the beginning only as
// After.
func Verify(r io.Reader) (Chain, error) { return verify(r, nil) }

// VerifyNext checks the file that goes on where another ends: a log that was rotated is one chain.
func VerifyNext(r io.Reader, before Chain) (Chain, error) { return verify(r, &before.Last) }

func verify(r io.Reader, after *string) (Chain, error) {
	in := bufio.NewReaderSize(r, 1<<20)
	c := Chain{Newest: map[string]string{}}
	if after != nil {
		c.After, c.Last = *after, *after
	}
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(text) == 0 {
			return c, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return c, fmt.Errorf("line %d: %w", line, err)
		}
		if err != nil {
			return c, fmt.Errorf("line %d: the line is torn: it has no end", line)
		}
		e, err := checkLine(text)
		if err != nil {
			return c, fmt.Errorf("line %d: %w", line, err)
		}
		if line == 1 && after == nil {
			c.After = e.Previous
		} else if e.Previous != c.Last {
			if line == 1 {
				return c, fmt.Errorf("line 1: entry %s does not follow the last one of the file before", e.ID)
			}
			return c, fmt.Errorf("line %d: entry %s does not follow the one before: a line is missing or was changed", line, e.ID)
		}
		c.Last = e.Hash
		c.Newest[e.Gateway] = max(c.Newest[e.Gateway], e.ID) // ids are given before the place in the file
		c.Entries++
	}
}

// checkLine reads one line and tells whether it is, byte for byte, what was sealed.
func checkLine(line []byte) (*Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, fmt.Errorf("no entry: %w", err)
	}
	again := e
	sealed, err := again.seal(e.Previous)
	if err != nil {
		return nil, err
	}
	if again.Hash != e.Hash {
		return nil, fmt.Errorf("entry %s: its content does not fit its hash", e.ID)
	}
	if !bytes.Equal(sealed, line) {
		return nil, fmt.Errorf("entry %s: the line holds more than the entry that was sealed", e.ID)
	}
	return &e, nil
}

// tail finds the hash of the last whole line and cuts a torn one off, keeping it in a file beside the log.
func (l *Log) tail(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	whole, err := lineStart(f, info.Size())
	if err != nil {
		return "", err
	}
	if whole < info.Size() {
		if err := l.setAside(f, whole, info.Size()); err != nil {
			return "", fmt.Errorf("set a torn last line aside: %w", err)
		}
	}
	if whole == 0 {
		return "", nil
	}
	from, err := lineStart(f, whole-1)
	if err != nil {
		return "", err
	}
	line := make([]byte, whole-from)
	if _, err := f.ReadAt(line, from); err != nil {
		return "", err
	}
	e, err := checkLine(line)
	if err != nil {
		return "", fmt.Errorf("its last line: %w", err)
	}
	return e.Hash, nil
}

// lineStart gives the offset behind the last line end before end, 0 when there is none. A line can be as long
// as the longest statement.
func lineStart(f *os.File, end int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for end > 0 {
		from := max(0, end-int64(len(buf)))
		part := buf[:end-from]
		if _, err := f.ReadAt(part, from); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, nil
}

// setAside moves the bytes from whole to size to the end of a file of their own.
func (l *Log) setAside(f *os.File, whole, size int64) error {
	aside, err := os.OpenFile(f.Name()+".torn", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(aside, io.NewSectionReader(f, whole, size-whole))
	if err == nil {
		_, err = aside.Write([]byte("\n"))
	}
	if err = errors.Join(err, aside.Close()); err != nil {
		return err
	}
	l.o.Log.Warn("the audit log ended in a torn line: set aside", "file", f.Name(), "bytes", size-whole, "kept", aside.Name())
	return f.Truncate(whole)
}
