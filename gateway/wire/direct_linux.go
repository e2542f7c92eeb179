package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// directSize is the most that one call moves: the kernel copies it in a moment, whatever comes.
const directSize = windowSize

// Direct gives a connection whose short reads and writes are system calls that the scheduler is not told of; one that
// is no TCP connection it gives back as it is.
//
// The scheduler is told of a call so that another thread can go on while it blocks, and takes the processor away from one
// that lasts for 20 µs. A socket here never blocks, but a write on one machine runs the receiver's half too and wakes it, and
// where the kernel then lets the receiver go first, the write lasts longer. So each answer was followed by a change of
// threads that helped nobody: a third of what a relayed query cost (docs/performance.md).
func Direct(c net.Conn) net.Conn {
	t, is := c.(*net.TCPConn)
	if !is {
		return c
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return c
	}
	return directed(t, raw)
}

func directed(c stream, raw syscall.RawConn) *directConn {
	d := &directConn{stream: c, raw: raw}
	d.in.step, d.out.step = d.fill, d.drain
	return d
}

// stream is a socket that is open.
type stream interface {
	net.Conn
	syscall.Conn
}

type directConn struct {
	stream
	raw     syscall.RawConn
	in, out transfer
	gather  gathering
	closing closing
	stuck   atomic.Int64 // since when a write waits for the peer to read, in Unix nanoseconds; 0: none does
}

// transfer is a read or a write under way. Its step is kept, so that none is made for each call.
type transfer struct {
	one   sync.Mutex
	p     []byte // what is to be filled, or is still to be written
	n     int    // what was read
	errno syscall.Errno
	step  func(fd uintptr) bool // reports false to wait until the socket is ready
}

func (t *transfer) call(trap, fd uintptr) (n int, wait bool) {
	for {
		// Neither call knows a flag of the other's; this one says that a write after the end is an error and no signal.
		got, _, errno := syscall.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.p))), uintptr(min(len(t.p), directSize)), syscall.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return int(got), false
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true
		default:
			t.errno = errno
			return 0, false
		}
	}
}

func (c *directConn) fill(fd uintptr) bool {
	n, wait := c.in.call(syscall.SYS_RECVFROM, fd)
	c.in.n = n
	if wait {
		c.awaitMany(fd)
	}
	return !wait
}

// drain writes, and notes since when the peer takes nothing.
func (c *directConn) drain(fd uintptr) bool {
	left := len(c.out.p)
	done := c.out.write(fd)
	switch since := c.stuck.Load(); {
	case done && since != 0:
		c.stuck.Store(0)
	case !done && (since == 0 || len(c.out.p) < left):
		c.stuck.Store(time.Now().UnixNano())
	}
	return done
}

// Stuck tells since when a write waits for the peer to read; the zero time when none does.
func (c *directConn) Stuck() time.Time {
	if since := c.stuck.Load(); since != 0 {
		return time.Unix(0, since)
	}
	return time.Time{}
}

func (t *transfer) write(fd uintptr) bool {
	for len(t.p) > 0 && t.errno == 0 {
		n, wait := t.call(syscall.SYS_SENDTO, fd)
		if wait {
			return false
		}
		t.p = t.p[n:]
	}
	return true
}

// begin takes the turn for p; end gives it back, and what failed.
func (t *transfer) begin(p []byte) {
	t.one.Lock()
	t.p, t.n, t.errno = p, 0, 0
}

func (t *transfer) end(c *directConn, call string, err error) error {
	errno := t.errno
	t.p = nil
	t.one.Unlock()
	switch {
	case err == nil && errno == 0:
		return nil
	case c.closing.begun.Load():
		return net.ErrClosed
	case err != nil:
		return asClosed(err)
	}
	return &net.OpError{Op: call, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(call, errno)}
}

// asClosed gives the error of a wait for a socket, which package os calls by other names than package net where it was closed.
func asClosed(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return err
	}
	return net.ErrClosed
}

// Read reads what there is, waiting for the first byte.
func (c *directConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.closing.begun.Load() {
		return 0, net.ErrClosed
	}
	c.in.begin(p)
	err := c.raw.Read(c.in.step)
	n := c.in.n
	c.gather.since.Add(int64(n))
	if err = c.in.end(c, "read", err); err != nil || n > 0 {
		return n, err
	}
	if c.closing.begun.Load() {
		return 0, net.ErrClosed
	}
	return 0, io.EOF
}

// Write writes all of p.
func (c *directConn) Write(p []byte) (int, error) {
	if c.closing.begun.Load() {
		return 0, net.ErrClosed
	}
	c.asked()
	c.out.begin(p)
	err := c.raw.Write(c.out.step)
	n := len(p) - len(c.out.p)
	if err != nil {
		c.stuck.Store(0)
	}
	return n, c.out.end(c, "write", err)
}
