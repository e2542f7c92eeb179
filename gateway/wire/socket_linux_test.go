package wire

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is accepted and dialled knows its addresses and is set as every connection is to be.
func TestSocketsAreSetUp(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "localhost:0"} {
		l := listen(t, address)
		_, port, _ := net.SplitHostPort(l.Addr().String())
		host, _, _ := net.SplitHostPort(address)
		dialled := must(Dial(t.Context(), "tcp", net.JoinHostPort(host, port), time.Second))(t)
		accepted := must(l.Accept())(t)
		if accepted.RemoteAddr().String() != dialled.LocalAddr().String() || accepted.LocalAddr().String() != dialled.RemoteAddr().String() {
			t.Errorf("%s: %v <- %v, and %v -> %v", address, accepted.LocalAddr(), accepted.RemoteAddr(), dialled.LocalAddr(), dialled.RemoteAddr())
		}
		dialled.(interface{ KeepAlive() }).KeepAlive()
		for _, c := range []net.Conn{dialled, accepted} {
			for name, want := range map[int]int{syscall.TCP_NODELAY: 1, syscall.TCP_KEEPIDLE: 60} {
				if got := option(t, c, syscall.IPPROTO_TCP, name); got != want {
					t.Errorf("%s: option %d is %d, expected %d", address, name, got, want)
				}
			}
			if option(t, c, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) != 1 {
				t.Errorf("%s: a peer that is gone without a word would not be noticed", address)
			}
			_ = c.Close()
		}
	}
}

func option(t *testing.T, c net.Conn, level, name int) (value int) {
	t.Helper()
	raw := must(c.(syscall.Conn).SyscallConn())(t)
	_ = raw.Control(func(fd uintptr) { value, _ = syscall.GetsockoptInt(int(fd), level, name) })
	return value
}

// A dial that fails says why and to where, and leaves nothing open.
func TestDialFails(t *testing.T) {
	before := openFiles(t)
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	_ = l.Close()
	if _, err := Dial(t.Context(), "tcp", address, time.Second); !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), address) {
		t.Errorf("nobody listens: %v", err)
	}
	// A listener whose queue is full does not answer, as one on a far machine that is down.
	full := silent(t)
	start := time.Now()
	if _, err := Dial(t.Context(), "tcp", full, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nobody answers: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, "tcp", full, time.Minute); err == nil {
		t.Error("nobody answers, and yet there is a connection")
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("gave up after %v", took)
	}
	for _, bad := range []string{"nowhere", "127.0.0.1", "127.0.0.1:x"} {
		if _, err := Dial(t.Context(), "tcp", bad, time.Second); err == nil {
			t.Errorf("%s is no address", bad)
		}
	}
	if _, err := Listen("256.0.0.1:0"); err == nil {
		t.Error("listens at no address")
	}
	if now := openFiles(t); now > before+3 { // the listener that is full, and what the poller needs
		t.Errorf("%d files open before, %d after", before, now)
	}
}

// silent gives the address of a listener that takes no connection more.
func silent(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(at.(*syscall.SockaddrInet4).Port))
	filler, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = filler.Close() })
	return address
}

func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// A listener that is closed ends whoever waits for it, and takes nobody any more.
func TestListenerCloses(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	ended := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond)
	_ = l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("waiting for a client: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("it still takes clients")
	}
}
