package servers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// HAProxy starts a HAProxy in TCP mode before a server: the line that moves bytes and reads nothing.
func HAProxy(t testing.TB, to *Server) *Server {
	t.Helper()
	daemon := program(t, "haproxy", "haproxy")
	dir := scratch(t)
	addr := "127.0.0.1:" + strconv.Itoa(FreePort(t))
	file := filepath.Join(dir, "haproxy.cfg")
	text := fmt.Sprintf("global\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\nlisten warehouse\n  bind %s\n  server warehouse %s\n", addr, to.Addr)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "HAProxy", dir, func() error {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err
	}, daemon, "-db", "-f", file)
	s.Addr = addr
	return s
}

// Sysbench gives the path of the load generator.
func Sysbench(t testing.TB) string {
	t.Helper()
	return program(t, "sysbench", "sysbench")
}

// CPU gives the processor time that the server's process used so far.
func (s *Server) CPU(t testing.TB) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		t.Fatalf("processor time cannot be read: %v", err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / clockTicks
}

// clockTicks is how Linux counts in /proc: USER_HZ is 100 on every platform that Go knows.
const clockTicks = 100
