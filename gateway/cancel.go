package gateway

import (
	"context"
	"net"
	"syscall"
	"time"
)

// lossAfter is how long a statement runs before its client is looked after.
const lossAfter = time.Second

// checkClient ends the statement of a client that vanished: nobody reads its answer, and with one
// goroutine a session nobody would notice (wire.md 2.4).
func (s *Session) checkClient(ctx context.Context, now time.Time) {
	since := s.pending.Load()
	if since == 0 || now.Sub(time.Unix(0, since)) < lossAfter {
		return
	}
	if alive(s.client.NetConn()) {
		return
	}
	s.g.Log.Info("client vanished during a statement", "connection", s.connection, "client", s.address)
	if err := s.g.Warehouse.Kill(ctx, s.connection, false); err != nil {
		s.g.Log.Warn("kill the statement of a vanished client", "connection", s.connection, "error", err)
	}
	s.abort()
}

// clientLost ends the statement whose answer the client no longer takes.
func (s *Session) clientLost() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if s.g.KillOnLoss && s.pending.Load() != 0 {
		_ = s.g.Warehouse.Kill(ctx, s.connection, false)
	}
}

// alive looks at a socket without taking bytes from it.
func alive(c net.Conn) bool {
	for {
		switch inner := c.(type) {
		case interface{ NetConn() net.Conn }:
			c = inner.NetConn()
			continue
		case syscall.Conn:
			return peek(inner)
		}
		return true
	}
}

func peek(c syscall.Conn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	open := true
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = n > 0 || err == syscall.EAGAIN || err == syscall.EINTR
	})
	return err == nil && open
}
