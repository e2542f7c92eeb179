package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The ways to a direct connection: of a listener and of a dialler of our own, and over one of package net.
var ways = map[string]func(testing.TB) (direct, peer net.Conn){
	"accepted": func(t testing.TB) (direct, peer net.Conn) {
		l := listen(t, "127.0.0.1:0")
		peer = must(net.Dial("tcp", l.Addr().String()))(t)
		return must(l.Accept())(t), peer
	},
	"dialled": func(t testing.TB) (direct, peer net.Conn) {
		l := listen(t, "127.0.0.1:0")
		direct = must(Dial(t.Context(), "tcp", l.Addr().String(), time.Second))(t)
		return direct, must(l.Accept())(t).(*directConn).stream
	},
	"of package net": func(t testing.TB) (direct, peer net.Conn) {
		l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
		defer l.Close()
		direct = Direct(must(net.Dial("tcp", l.Addr().String()))(t))
		return direct, must(l.Accept())(t)
	},
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l := must(Listen(address))(t)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// eachWay runs a test over every kind of direct connection.
func eachWay(t *testing.T, test func(t *testing.T, pair func() (direct, peer net.Conn))) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			test(t, func() (direct, peer net.Conn) {
				direct, peer = way(t)
				t.Cleanup(func() { _ = direct.Close(); _ = peer.Close() })
				return direct, peer
			})
		})
	}
}

// setLinger has a close reset the connection.
func setLinger(c net.Conn) {
	raw, _ := c.(syscall.Conn).SyscallConn()
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	})
}

func closeWrite(c net.Conn) {
	raw, _ := c.(syscall.Conn).SyscallConn()
	_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_WR) })
}

// What is written comes back, whatever the sizes: the socket's buffers fill and both ends wait.
func TestDirectCarriesEveryByte(t *testing.T) { eachWay(t, carriesEveryByte) }

func carriesEveryByte(t *testing.T, pair func() (direct, peer net.Conn)) {
	c, peer := pair()
	sent := make([]byte, 8<<20)
	_, _ = rand.NewChaCha8([32]byte{1, 2}).Read(sent)
	sizes := []int{1, 7, 1000, 32 << 10, directSize, directSize + 1, 300 << 10}
	var working sync.WaitGroup
	working.Go(func() { // echoes, slowly at first
		time.Sleep(20 * time.Millisecond)
		_, _ = io.Copy(peer, peer)
	})
	working.Go(func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), sizes[len(rest)%len(sizes)])
			if wrote, err := c.Write(rest[:n]); err != nil || wrote != n {
				t.Errorf("wrote %d of %d: %v", wrote, n, err)
				return
			}
			rest = rest[n:]
		}
	})
	got := make([]byte, len(sent))
	for at := 0; at < len(got); {
		n, err := c.Read(got[at:min(len(got), at+sizes[at%len(sizes)])])
		if err != nil {
			t.Fatalf("after %d bytes: %v", at, err)
		}
		at += n
	}
	if !bytes.Equal(got, sent) {
		t.Error("other bytes came back")
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("a read of nothing: %d, %v", n, err)
	}
	closeWrite(peer)
	if n, err := c.Read(got); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	_ = c.Close()
	working.Wait()
}

// The errors are those of any connection: who reads and writes tells a deadline, a close and a reset by them.
func TestDirectErrors(t *testing.T) { eachWay(t, directErrors) }

func directErrors(t *testing.T, pair func() (direct, peer net.Conn)) {
	c, peer := pair()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	var ne net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("a read past its deadline: %v", err)
	}
	_ = c.SetDeadline(time.Now().Add(30 * time.Millisecond))
	wrote := 0
	for err = nil; err == nil; { // nobody reads
		var n int
		n, err = c.Write(make([]byte, directSize))
		wrote += n
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || wrote == 0 {
		t.Errorf("wrote %d, then %v", wrote, err)
	}
	_ = c.SetDeadline(time.Time{})
	setLinger(peer)
	_ = peer.Close() // resets
	if _, err = c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a read of what the peer reset: %v", err)
	}
	if _, err = c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a write to what the peer reset: %v", err)
	}

	c, _ = pair()
	ended := make(chan error, 2)
	for range 2 { // the second waits for its turn
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
	}
	time.Sleep(10 * time.Millisecond)
	_ = c.Close()
	for range 2 {
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("a read of what was closed meanwhile: %v", err)
		}
	}
	if _, err = c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write to what is closed: %v", err)
	}
}

// A connection that is closed ends for its peer at once, behind what was written to it, or by a reset where that is asked for; its
// file is given back soon.
func TestDirectCloses(t *testing.T) {
	for name, way := range ways {
		if name == "of package net" {
			continue // closed by package net
		}
		before := openFiles(t)
		c, peer := way(t)
		_, _ = c.Write([]byte("farewell"))
		if err := c.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: closed twice: %v", name, err)
		}
		if got, err := io.ReadAll(peer); string(got) != "farewell" || err != nil {
			t.Errorf("%s: the peer gets %q, %v", name, got, err)
		}
		_ = peer.Close()

		c, peer = way(t)
		c.(*directConn).ResetOnClose()
		_ = c.Close()
		if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: the peer is to see a reset: %v", name, err)
		}
		_ = peer.Close()
		for deadline := time.Now().Add(5 * time.Second); openFiles(t) > before+2 && time.Now().Before(deadline); { // and two listeners
			time.Sleep(giveBackAfter)
		}
		if now := openFiles(t); now > before+2 {
			t.Errorf("%s: %d files open before, %d after", name, before, now)
		}
	}
}

// What is no TCP connection is left as it is.
func TestDirectLeavesOthers(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if Direct(a) != a {
		t.Error("a pipe is no socket")
	}
}

// A read and a write of a short packet allocate nothing.
func TestDirectAllocatesNothing(t *testing.T) { eachWay(t, allocatesNothing) }

func allocatesNothing(t *testing.T, pair func() (direct, peer net.Conn)) {
	c, peer := pair()
	p := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() { pingPong(t, c, peer, p) }); n != 0 && !raced {
		t.Errorf("%v allocations for each turn", n)
	}
}

func pingPong(t testing.TB, a, b net.Conn, p []byte) {
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		if _, err := way[0].Write(p); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(way[1], p); err != nil {
			t.Fatal(err)
		}
	}
}
