// Package servers starts real servers for tests: MariaDB, MySQL, TiDB and Redis, each on a free loopback port in a
// temporary folder. What a test started is stopped when the test ends, and dies with the test process.
//
// Under CI=true a server that cannot be had fails the test; otherwise the test is skipped with the reason.
package servers

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the tests' own connections
)

// Server is a running server.
type Server struct {
	Name   string
	Addr   string // host:port
	Socket string
	Dir    string
	root   string // the data source name of root, "" for the socket
	Keys   string // more keys of a gateway's warehouse: {…}, such as ", tls: required"
	Plain  bool   // gateways before it are as users get them, not under the race detector
	cmd    *exec.Cmd
	log    string
	ended  chan struct{}
}

// Missing fails a test that cannot get what it needs under CI=true, and skips it elsewhere.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// given are the ports that this process gave away.
var given sync.Map

// FreePort gives a port of 127.0.0.1 that nothing listens on now, and that is given once. It is below those that the
// kernel gives to outgoing connections, one of which could take it before its server does, and so is the port 10,000
// above it, which a Redis Cluster listens on too.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 10000 + rand.IntN(10000)
		if _, had := given.LoadOrStore(port, true); had {
			continue
		}
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port of 127.0.0.1 is free")
	return 0
}

// start runs a server and waits until ready says so.
func start(t testing.TB, name, dir string, ready func() error, command string, args ...string) *Server {
	t.Helper()
	s := &Server{Name: name, Dir: dir, log: filepath.Join(dir, "log"), ended: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(command, args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	// In a session of its own, a server is scheduled as a service is: the kernel shares processors out by session first.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: os.Getenv("SLUICE_SESSIONS") != ""}
	if err := s.cmd.Start(); err != nil {
		Missing(t, "start %s: %v", name, err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(s.Kill) // nobody needs its data any more, and some take seconds to end by themselves
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ready()
		if err == nil {
			return s
		}
		select {
		case <-s.ended:
			t.Fatalf("%s ended at once:\n%s", name, s.tail())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready: %v\n%s", name, err, s.tail())
		}
	}
}

func (s *Server) tail() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	if len(text) > 4000 {
		text = text[len(text)-4000:]
	}
	return string(text)
}

// Stop ends the server.
func (s *Server) Stop() {
	select {
	case <-s.ended:
		return
	default:
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		s.Kill()
	}
}

// Resident gives the resident memory of the server's process in bytes.
func (s *Server) Resident(t testing.TB) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatalf("resident memory cannot be read: %v", err)
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// Wait waits for a server that was told to end.
func (s *Server) Wait(t testing.TB, patience time.Duration) {
	t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		t.Fatalf("%s does not end:\n%s", s.Name, s.tail())
	}
}

// Kill ends the server the hard way.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// Signal sends a signal to the server's process.
func (s *Server) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

var installing sync.Mutex

// program finds a program, installing Debian packages for it where that is possible.
func program(t testing.TB, name string, packages ...string) string {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	if path := lookup(name); path != "" {
		return path
	}
	if os.Geteuid() == 0 && os.Getenv("CI") == "true" {
		args := append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)
		cmd := exec.Command("apt-get", args...)
		// RUNLEVEL=1 keeps package scripts from starting daemons.
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("install %s: %v\n%s", strings.Join(packages, " "), err, out)
		}
	}
	path := lookup(name)
	if path == "" {
		Missing(t, "%s is not installed (Debian packages: %s)", name, strings.Join(packages, " "))
	}
	return path
}

func lookup(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return ""
}

// scratch is a folder that outlives the server's stop: cleanups run last in, first out.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// MariaDB starts a MariaDB of its own for the test; root has no password.
func MariaDB(t testing.TB, args ...string) *Server {
	t.Helper()
	install := program(t, "mariadb-install-db", "mariadb-server-core", "mariadb-client-core", "mariadb-server")
	daemon := program(t, "mariadbd", "mariadb-server-core")
	dir := scratch(t)
	port := FreePort(t)
	data := filepath.Join(dir, "data")
	fast := []string{"--no-defaults", "--user=" + username(), "--skip-log-bin", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
		"--innodb-use-native-aio=0", "--innodb-flush-method=nosync", "--aria-pagecache-buffer-size=8M", "--performance-schema=OFF", "--skip-name-resolve"}
	dataFolder(t, data, daemon, fast, func(data string) *exec.Cmd {
		return exec.Command(install, append(slices.Clone(fast), "--datadir="+data, "--tmpdir="+filepath.Dir(data), "--auth-root-authentication-method=normal", "--skip-test-db", "--cross-bootstrap")...)
	})
	socket := filepath.Join(dir, "s.sock")
	// A MariaDB that starts deletes every #sql file of its tmpdir, those of other servers too, which crash by it.
	all := append(slices.Clone(fast), "--datadir="+data, "--tmpdir="+dir, "--bind-address=127.0.0.1", "--port="+strconv.Itoa(port), "--socket="+socket, "--pid-file="+filepath.Join(dir, "pid"), "--plugin-maturity=unknown", "--local-infile=ON", "--max-connections=400")
	all = append(all, args...)
	s := start(t, "MariaDB", dir, func() error { return ping(socket) }, daemon, all...)
	s.Addr, s.Socket = "127.0.0.1:"+strconv.Itoa(port), socket
	return s
}

func username() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	return os.Getenv("USER")
}

// ping asks as root over the socket, which every server lets in.
func ping(socket string) error {
	db, err := sql.Open("mysql", "root@unix("+socket+")/")
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Ping()
}

// Redis starts a Redis of its own for the test.
func Redis(t testing.TB) *Server {
	t.Helper()
	return RedisAt(t, FreePort(t))
}

// Exec runs statements as root over the socket.
func (s *Server) Exec(t testing.TB, statements ...string) {
	t.Helper()
	db := s.Root(t)
	defer db.Close()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %s: %v", s.Name, q, err)
		}
	}
}

// Root gives connections as root, past any gateway.
func (s *Server) Root(t testing.TB) *sql.DB {
	t.Helper()
	root := s.root
	if root == "" {
		root = "root@unix(" + s.Socket + ")/"
	}
	db, err := sql.Open("mysql", root+"?multiStatements=true")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// DSN is a data source name for an account at an address.
func DSN(addr, user, password, schema string) string {
	return fmt.Sprintf("%s:%s@tcp(%s)/%s?allowNativePasswords=true&allowCleartextPasswords=false&multiStatements=true&interpolateParams=false", user, password, addr, url.PathEscape(schema))
}
