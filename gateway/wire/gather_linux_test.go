package wire

import (
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A long answer is waited for in large pieces, the next one is not.
func TestGather(t *testing.T) {
	eachWay(t, func(t *testing.T, pair func() (direct, peer net.Conn)) {
		c, peer := pair()
		if !canGather {
			t.Skip("the kernel's poll does not heed SO_RCVLOWAT")
		}
		got := make([]byte, gatherAfter)
		fill := func(n int) {
			t.Helper()
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.ReadFull(c, got[:n]); err != nil {
				t.Fatal(err)
			}
		}
		go func() { _, _ = peer.Write(make([]byte, gatherAfter)) }()
		fill(gatherAfter)
		if n := lowWaterOf(t, c); n > 1 {
			t.Fatalf("before a wait: %d", n)
		}
		high := make(chan int, 1)
		go func() {
			for end := time.Now().Add(10 * time.Second); lowWaterOf(t, c) == 1 && time.Now().Before(end); {
			}
			high <- lowWaterOf(t, c)
			_, _ = peer.Write([]byte{1, 2, 3})
		}()
		for len(high) == 0 { // each time that the time is up it takes some more bytes to try again
			c.(*directConn).gather.since.Store(gatherAfter)
			_ = c.SetReadDeadline(time.Now().Add(gatherFor / 2))
			if n, _ := c.Read(got[:1]); n == 1 {
				fill(2)
			}
		}
		if n := <-high; n < gatherSize/2 {
			t.Errorf("in a wait: %d", n)
		}
		if _, err := c.Write([]byte("next")); err != nil {
			t.Fatal(err)
		}
		if n := lowWaterOf(t, c); n != 1 {
			t.Errorf("after the next question: %d", n)
		}
	})
}

func lowWaterOf(t *testing.T, c net.Conn) int {
	n := 0
	_ = c.(*directConn).raw.Control(func(fd uintptr) {
		var err error
		if n, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT); err != nil {
			t.Error(err)
		}
	})
	return n
}

// However an answer stops and goes on, and however late this process gets its turn, each byte arrives.
func TestGatherNeverForgetsAByte(t *testing.T) {
	if testing.Short() {
		t.Skip("works both processors for seconds")
	}
	const connections, rounds = 12, 60
	// More threads than processors: any of them may stand still between two calls.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4 * runtime.NumCPU()))
	var done atomic.Bool
	defer done.Store(true)
	for range 4 * runtime.NumCPU() {
		go func() {
			for !done.Load() {
				continue
			}
		}()
	}
	var working sync.WaitGroup
	for seed := range connections {
		c, peer := ways["dialled"](t)
		t.Cleanup(func() { _ = c.Close(); _ = peer.Close() })
		random := rand.New(rand.NewPCG(1, uint64(seed)))
		pieces := make([]int, rounds)
		total := 0
		for i := range pieces {
			pieces[i] = 1 + random.IntN(1<<(1+random.IntN(20)))
			total += pieces[i]
		}
		working.Go(func() {
			_, _ = peer.Write(make([]byte, gatherAfter))
			for _, n := range pieces {
				time.Sleep(time.Duration(random.Int64N(int64(2 * gatherFor))))
				_, _ = peer.Write(make([]byte, n))
			}
		})
		working.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
			if n, err := io.CopyN(io.Discard, c, int64(gatherAfter+total)); err != nil {
				t.Errorf("after %d of %d bytes: %v", n, gatherAfter+total, err)
			}
		})
	}
	working.Wait()
}

func TestKernelRelease(t *testing.T) {
	for release, want := range map[string]bool{
		"6.18.44-x": true, "4.18.0-553.el8": true, "5.0": true, "10.1": true,
		"4.17.9": false, "4.4.0": false, "3.10.0-1160.el7": false, "": false, "6": false, "six.eighteen": false, "4.x": false,
	} {
		if got := atLeast(release, 4, 18); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
}
