package gateway

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Every client is served once, by a goroutine that waited or by a new one, and none is left behind.
func TestCrew(t *testing.T) {
	var served atomic.Int32
	c := newCrew(func(net.Conn) {
		served.Add(1)
		time.Sleep(time.Millisecond)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	conn, peer := net.Pipe()
	defer peer.Close()
	const clients = 400
	var senders sync.WaitGroup
	for range 40 {
		senders.Go(func() {
			for range clients / 40 {
				c.take(ctx, conn)
			}
		})
	}
	senders.Wait()
	done := make(chan struct{})
	go func() { c.working.Wait(); close(done) }()
	for ended, late := false, time.After(20*time.Second); !ended; {
		c.dismiss()
		select {
		case <-done:
			ended = true
		case <-late:
			t.Fatalf("%d goroutines still wait", c.waiting.Load())
		case <-time.After(time.Millisecond):
		}
	}
	if served.Load() != clients || c.waiting.Load() != 0 {
		t.Errorf("%d of %d clients served, %d wait", served.Load(), clients, c.waiting.Load())
	}

	// Those that wait end with the gateway.
	c.take(ctx, conn)
	for c.waiting.Load() == 0 {
		time.Sleep(time.Millisecond / 4)
	}
	cancel()
	c.working.Wait()
}

// Short sessions, one after the other, take turns on one goroutine.
func TestCrewGoesOn(t *testing.T) {
	var started atomic.Int32
	ended := make(chan struct{}, 1)
	c := newCrew(func(net.Conn) { ended <- struct{}{} })
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { cancel(); c.working.Wait() }()
	conn, peer := net.Pipe()
	defer peer.Close()
	reused := 0
	for range 50 {
		for deadline := time.Now().Add(50 * time.Millisecond); c.waiting.Load() == 0 && started.Load() > 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond / 10)
		}
		if c.waiting.Load() > 0 {
			reused++
		}
		c.take(ctx, conn)
		started.Add(1)
		<-ended
	}
	if reused == 0 {
		t.Error("every session got a goroutine of its own")
	}
}
