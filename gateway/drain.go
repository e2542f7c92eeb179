package gateway

import (
	"context"
	"net"
	"time"
)

// killTime bounds the killing of what still runs when grace is over.
const killTime = 5 * time.Second

// Drain stops accepting on l, lets each session finish its transaction, and returns when all have
// ended or grace is over; those left are then cut with an ERR packet, and what they run is killed.
func (g *Gateway) Drain(ctx context.Context, l net.Listener, grace time.Duration) {
	g.draining.Store(true)
	_ = l.Close()
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for g.sessions.count() > 0 {
		g.sessions.closeIdle()
		select {
		case <-ctx.Done():
			g.cut()
			return
		case <-deadline.C:
			g.cut()
			return
		case <-tick.C:
		}
	}
}

// cut ends every session, whatever it is doing. The warehouse would go on with a statement whose answer nobody
// reads.
func (g *Gateway) cut() {
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	var running []uint64
	g.sessions.each(func(s *Session) {
		if s.pending.Load() != 0 {
			running = append(running, s.connection)
		}
		s.abort()
	})
	for _, id := range running {
		if err := g.Warehouse.Kill(ctx, id, false); err != nil {
			g.Log.Warn("kill what still runs after the time of grace", "connection", id, "error", err)
		}
	}
}

func (g *Gateway) awaitSessions(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for g.sessions.count() > 0 && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Draining tells readiness probes that this gateway is to get no new clients.
func (g *Gateway) Draining() bool { return g.leaving.Load() || g.draining.Load() }

// StartDraining turns readiness off while the listener still accepts, so that load balancers notice before
// clients do. Pools that ask whether a connection lives are told to leave it, outside of transactions.
func (g *Gateway) StartDraining() { g.leaving.Store(true) }
