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
		readLong(t, c, peer)
		if n := lowWaterOf(t, c); n != 1 {
			t.Fatalf("before a wait: %d", n)
		}
		if n := lowWaterInWait(t, c, peer, 1000); (n >= gatherSize/2) != canGather { // half of the receive buffer at most
			t.Errorf("in a wait: %d, and the kernel can: %v", n, canGather)
		}
		if _, err := c.Write([]byte("next")); err != nil {
			t.Fatal(err)
		}
		if n := lowWaterOf(t, c); n != 1 {
			t.Errorf("after the next question: %d", n)
		}
	})
}

// On a kernel that would not tell of waiting bytes nothing is waited for in large pieces.
func TestGatherNotOnOldKernels(t *testing.T) {
	defer func(can bool) { canGather = can }(canGather)
	canGather = false
	c, peer := ways["dialled"](t)
	t.Cleanup(func() { _ = c.Close(); _ = peer.Close() })
	readLong(t, c, peer)
	if n := lowWaterInWait(t, c, peer, 20); n != 1 {
		t.Errorf("in a wait: %d", n)
	}
}

// readLong has c read what makes an answer a long one.
func readLong(t *testing.T, c, peer net.Conn) {
	t.Helper()
	go func() { _, _ = peer.Write(make([]byte, gatherAfter)) }()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.CopyN(io.Discard, c, gatherAfter); err != nil {
		t.Fatal(err)
	}
}

// lowWaterInWait gives the most that c was seen to wait for, in some waits: each is for much for gatherFor alone, in which this
// goroutine may get no turn.
func lowWaterInWait(t *testing.T, c, peer net.Conn, waits int) (most int) {
	t.Helper()
	done := make(chan error)
	for ; waits > 0 && most <= 1; waits-- {
		c.(*directConn).gather.since.Store(gatherAfter)
		go func() {
			_, err := c.Read(make([]byte, 1))
			done <- err
		}()
		for until := time.Now().Add(5 * gatherFor); time.Now().Before(until); {
			most = max(most, lowWaterOf(t, c))
		}
		_, _ = peer.Write([]byte{1})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	return most
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
