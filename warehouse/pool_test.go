package warehouse

import (
	"context"
	"net"
	"testing"
	"time"
)

// A warehouse that takes connections and says nothing holds nobody up for longer than the context allows.
func TestDialEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p := New(Options{Address: l.Addr().String(), User: "sluice"})
	defer p.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := p.Query(ctx, "SELECT 1")
		failed <- err
	}()
	select {
	case err := <-failed:
		if err == nil {
			t.Fatal("a silent warehouse answered")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a silent warehouse holds up who asks it")
	}
}
