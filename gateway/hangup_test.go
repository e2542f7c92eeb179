package gateway

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The end of a watched connection is told once, with its number; data is not; and nothing is left running.
func TestHangups(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	here, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	told, done := make(chan uint64, 4), make(chan struct{})
	h := newHangups()
	go func() {
		defer close(done)
		h.run(ctx, func(id uint64) { told <- id })
	}()
	const id = 1<<40 | 7
	h.add(here, id)
	if _, err := there.Write([]byte("data")); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-told:
		t.Errorf("data is told as an end of %d", got)
	case <-time.After(100 * time.Millisecond):
	}
	if _, err := here.Read(make([]byte, 4)); err != nil { // what polls must not take unread bytes for life
		t.Fatal(err)
	}
	_ = there.Close()
	select {
	case got := <-told:
		if got != id {
			t.Errorf("the end of %d is told, not of %d", got, uint64(id))
		}
	case <-time.After(10 * time.Second):
		t.Error("the end is not told")
	}
	cancel()
	<-done
}
