package gateway

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// crew runs sessions on goroutines that wait for the next client a moment after their own has left. Their stacks have the size
// that a login needs; a new goroutine's is grown several times on the way, and for short sessions that is a part of their cost.
type crew struct {
	session func(net.Conn)
	next    chan net.Conn
	waiting atomic.Int32
	working sync.WaitGroup
}

// maxWaiting bounds the goroutines that wait.
const maxWaiting = 16

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
	select {
	case conn := <-c.next:
		return conn
	case <-ctx.Done():
		return nil
	}
}

// dismiss ends those that wait. It is called now and then, so that they do not wait for long: a timer for each would cost as much
// as a new goroutine.
func (c *crew) dismiss() {
	for range maxWaiting {
		select {
		case c.next <- nil:
		default:
			return
		}
	}
}
