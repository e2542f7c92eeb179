package wire

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A connection that is closed says goodbye at once, by a call that the scheduler is not told of, and its file is given back a moment later,
// together with others. Giving one back is the one call of a short session that the scheduler is told of, and after such a
// call the runtime looks every 20 µs for one that lasts, for as long as anything runs: a tenth of what a connection costs.

// giveBackAfter is how long a closed file is kept at most.
const giveBackAfter = 5 * time.Millisecond

// graves are the files to give back.
var graves struct {
	mu    sync.Mutex
	files []*os.File
}

func bury(f *os.File) {
	graves.mu.Lock()
	defer graves.mu.Unlock()
	if graves.files = append(graves.files, f); len(graves.files) == 1 {
		time.AfterFunc(giveBackAfter, giveBack)
	}
}

func giveBack() {
	graves.mu.Lock()
	files := graves.files
	graves.files = nil
	graves.mu.Unlock()
	for _, f := range files {
		_ = f.Close()
	}
}

// closing is how far a connection is closed.
type closing struct {
	begun atomic.Bool
	reset atomic.Bool // the peer is to see a reset
}

// Close ends the connection: whoever reads or writes gets net.ErrClosed, and the peer what was written before, and then the end.
func (c *directConn) Close() error {
	if !c.closing.begun.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	f, ours := c.stream.(*file)
	if !ours || c.closing.reset.Load() {
		return c.stream.Close()
	}
	_ = c.raw.Control(func(fd uintptr) {
		_, _, _ = syscall.RawSyscall(syscall.SYS_SHUTDOWN, fd, syscall.SHUT_RDWR, 0)
	})
	bury(f.File)
	return nil
}

// ResetOnClose has the end of the connection be a reset.
func (c *directConn) ResetOnClose() {
	c.closing.reset.Store(true)
	_ = c.raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	})
}
