package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"sluice/gateway/wire"
)

// lossAfter is how long a statement runs before its client is looked after.
const lossAfter = time.Second

// checkClient ends the statement of a client that vanished: nobody reads its answer, and with one
// goroutine a session nobody would notice.
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

// watchWarehouse has the end of the session's warehouse connection reported, also that of a warehouse that is gone without a word. Short sessions leave before they are watched.
func (s *Session) watchWarehouse() {
	if s.watched {
		return
	}
	if !s.mu.TryLock() {
		return // the next time
	}
	w, in := s.warehouse, s.public.Connection != 0
	s.mu.Unlock()
	if in {
		s.watched = true
		wire.KeepAlive(innermost(w.NetConn()))
		s.g.hangups.add(w.NetConn(), s.id)
	}
}

// checkStuck ends a session whose client takes nothing of its answer for too long. It would hold what it has until its client goes.
func (s *Session) checkStuck(now time.Time) {
	if !s.watched {
		return // it is not known to have logged in, which has a time of its own
	}
	socket, can := innermost(s.client.NetConn()).(interface{ Stuck() time.Time })
	if !can {
		return
	}
	if since := socket.Stuck(); !since.IsZero() && now.Sub(since) > s.g.Limits.WriteTimeout {
		s.g.Log.Info("client takes no answer", "connection", s.connection, "client", s.address)
		s.abort()
	}
}

// hungUp passes on what the warehouse said last to a client that it closed on between two commands
// (wait_timeout, KILL), and closes: as without the gateway, the client notices now and not at its next statement.
// A busy session sees the end by itself, or when it is idle again.
func (s *Session) hungUp() {
	s.gone.Store(true)
	if !s.phase.CompareAndSwap(phaseIdle, phaseClosed) {
		return
	}
	deadline := time.Now().Add(time.Second)
	_ = s.warehouse.SetDeadline(deadline)
	_ = s.client.SetWriteDeadline(deadline)
	// Both legs are compressed or neither: the bytes mean the same on both.
	last, err := io.ReadAll(io.LimitReader(s.warehouse.Raw(), maxFarewell))
	if len(last) > 0 {
		_, _ = s.client.NetConn().Write(last)
	} else if errors.Is(err, syscall.ECONNRESET) {
		resetOnClose(s.client.NetConn())
	}
	_ = s.client.Close()
}

// resetOnClose makes the end of a connection a reset, as MariaDB ends those that were idle too long: its clients tell a server that
// has gone (2006, connect again) by that from one that was lost over a statement (2013).
func resetOnClose(c net.Conn) {
	switch socket := innermost(c).(type) {
	case interface{ ResetOnClose() }:
		socket.ResetOnClose()
	case *net.TCPConn:
		_ = socket.SetLinger(0)
	}
}

// maxFarewell bounds what a warehouse says unasked: one ERR packet.
const maxFarewell = 4 << 10

// alive looks at a socket without taking bytes from it.
func alive(c net.Conn) bool {
	raw := rawConn(c)
	if raw == nil {
		return true
	}
	open := true
	err := raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = n > 0 || err == syscall.EAGAIN || err == syscall.EINTR
	})
	return err == nil && open
}

// rawConn gives the socket under TLS and PROXY headers, nil when there is none.
func rawConn(c net.Conn) syscall.RawConn {
	if socket, is := innermost(c).(syscall.Conn); is {
		if raw, err := socket.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// innermost gives what TLS and PROXY headers are read from.
func innermost(c net.Conn) net.Conn {
	for {
		switch inner := c.(type) {
		case interface{ NetConn() net.Conn }:
			c = inner.NetConn()
		case interface{ Raw() net.Conn }:
			c = inner.Raw()
		default:
			return c
		}
	}
}
