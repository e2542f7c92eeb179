package gateway

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// crew runs sessions on goroutines that wait for the next client a moment after their own has left. Their stacks have the size
// that a login needs; a new goroutine's is grown several times on the way, and for short sessions that is a part of their cost.
type crew struct {
	session func(net.Conn)
	next    chan net.Conn
	waiting atomic.Int32
	working sync.WaitGroup
}

// The bounds of the waiting.
const (
	maxWaiting = 16
	waitNext   = 100 * time.Millisecond
)

func newCrew(session func(net.Conn)) *crew {
	return &crew{session: session, next: make(chan net.Conn)}
}

// take has a session run for a client.
func (c *crew) take(ctx context.Context, conn net.Conn) {
	select {
	case c.next <- conn:
	default:
		c.working.Go(func() { c.work(ctx, conn) })
	}
}

// work runs one session after the other. When ctx ends it waits for no more.
func (c *crew) work(ctx context.Context, conn net.Conn) {
	for conn != nil {
		c.session(conn)
		conn = c.await(ctx)
	}
}

// await gives the next client, nil when none comes.
func (c *crew) await(ctx context.Context) net.Conn {
	defer c.waiting.Add(-1)
	if c.waiting.Add(1) > maxWaiting {
		return nil
	}
	patience := time.NewTimer(waitNext)
	defer patience.Stop()
	select {
	case conn := <-c.next:
		return conn
	case <-patience.C:
	case <-ctx.Done():
	}
	return nil
}
