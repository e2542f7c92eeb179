package gateway

import (
	"context"
	"net"
	"os"
	"syscall"
)

// hangups notices connections that their peer closes while nobody reads from them. It costs no goroutine,
// no memory and no system call for a session that lives: the kernel reports the end alone.
type hangups struct {
	epoll *os.File // nil where there is none: ends are then noticed at the next statement
}

func newHangups() *hangups {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return &hangups{}
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return &hangups{}
	}
	return &hangups{epoll: os.NewFile(uintptr(fd), "hangups")} // non-blocking: the runtime's poller waits for it
}

// add watches a connection. Closing it ends that.
func (h *hangups) add(c net.Conn, id uint64) {
	conn := rawConn(c)
	if h.epoll == nil || conn == nil {
		return
	}
	epoll, err := h.epoll.SyscallConn()
	if err != nil {
		return
	}
	_ = epoll.Control(func(set uintptr) {
		_ = conn.Control(func(fd uintptr) {
			event := syscall.EpollEvent{Events: syscall.EPOLLRDHUP | oneShot, Fd: int32(id), Pad: int32(id >> 32)}
			if syscall.EpollCtl(int(set), syscall.EPOLL_CTL_ADD, int(fd), &event) == syscall.EEXIST {
				_ = syscall.EpollCtl(int(set), syscall.EPOLL_CTL_MOD, int(fd), &event)
			}
		})
	})
}

const oneShot = 1 << 30 // EPOLLONESHOT

// run reports the number of each watched connection that ended, until ctx ends.
func (h *hangups) run(ctx context.Context, hungUp func(id uint64)) {
	if h.epoll == nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = h.epoll.Close() })
	defer stop()
	epoll, err := h.epoll.SyscallConn()
	if err != nil {
		return
	}
	var events [64]syscall.EpollEvent
	for ctx.Err() == nil {
		n := 0
		if err := epoll.Read(func(set uintptr) bool {
			n, _ = syscall.EpollWait(int(set), events[:], 0)
			return n > 0
		}); err != nil {
			return
		}
		for _, e := range events[:max(n, 0)] {
			hungUp(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32)
		}
	}
}
