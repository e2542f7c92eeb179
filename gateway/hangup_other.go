//go:build !linux

package gateway

import (
	"context"
	"net"
	"sync"
	"time"
)

// hangups notices connections that their peer closes while nobody reads from them, by looking at each of
// them once a second.
type hangups struct {
	mu      sync.Mutex
	watched map[uint64]net.Conn
}

func newHangups() *hangups { return &hangups{watched: make(map[uint64]net.Conn)} }

// add watches a connection. Its end ends that.
func (h *hangups) add(c net.Conn, id uint64) {
	h.mu.Lock()
	h.watched[id] = c
	h.mu.Unlock()
}

// run reports the number of each watched connection that ended, until ctx ends.
func (h *hangups) run(ctx context.Context, hungUp func(id uint64)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var ended []uint64
		h.mu.Lock()
		for id, c := range h.watched {
			if !alive(c) {
				ended = append(ended, id)
				delete(h.watched, id)
			}
		}
		h.mu.Unlock()
		for _, id := range ended {
			hungUp(id)
		}
	}
}
