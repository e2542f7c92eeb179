package wire

import (
	"io"
	"sync"
)

// windowSize is the size of a pooled read buffer: a small answer in one read, a long one in few. What one read gave is written
// at once, and a write that is longer than the longest segment (65,483 bytes on one machine) sends a short one behind it: with
// 64 KiB a long result cost a fifth more (docs/performance.md).
const windowSize = 48 << 10

var windows = sync.Pool{New: func() any { b := make([]byte, windowSize); return &b }}

// Window is the read buffer that a Walker walks in. It holds pooled memory between the first Fill
// and Release, and grows beyond it only as bytes of one packet arrive. The zero value is ready.
type Window struct {
	pooled     *[]byte
	buf        []byte
	from, upTo int
}

// Bytes gives what was read and not consumed. It holds until the next Fill, Consume or Release.
func (w *Window) Bytes() []byte { return w.buf[w.from:w.upTo] }

// Consume drops the first n of Bytes.
func (w *Window) Consume(n int) {
	if w.from += n; w.from >= w.upTo {
		w.from, w.upTo = 0, 0
	}
}

// shortRest is the most that is moved to make more room for a read: the beginning of a packet whose end is to come.
const shortRest = 4 << 10

// Fill reads once from r behind Bytes, after making room by moving or growing. It reports io.EOF
// only when nothing came.
func (w *Window) Fill(r io.Reader) error {
	w.room()
	n, err := r.Read(w.buf[w.upTo:])
	w.upTo += n
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	default:
		return err
	}
}

func (w *Window) room() {
	if w.buf == nil {
		w.pooled = windows.Get().(*[]byte)
		w.buf = *w.pooled
	}
	rest := w.upTo - w.from
	if w.upTo < len(w.buf) && (w.from == 0 || rest > shortRest) {
		return
	}
	if w.from > 0 {
		w.upTo = copy(w.buf, w.buf[w.from:w.upTo])
		w.from = 0
		return
	}
	grown := make([]byte, 2*len(w.buf))
	copy(grown, w.buf)
	w.giveBack()
	w.buf = grown
}

func (w *Window) giveBack() {
	if w.pooled != nil {
		windows.Put(w.pooled)
		w.pooled = nil
	}
}

// Release gives the memory back and drops what Bytes held.
func (w *Window) Release() {
	w.giveBack()
	*w = Window{}
}
