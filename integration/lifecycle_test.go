package integration

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sluice/gateway/wire"
	"sluice/integration/servers"
)

// lone is a MariaDB with a probing account without password, for gateways of several settings.
func lone(t testing.TB, args ...string) *servers.Server {
	t.Helper()
	warehouse := servers.MariaDB(t, args...)
	warehouse.Prepare(t)
	warehouse.Exec(t, "CREATE USER 'probe'@'127.0.0.%' IDENTIFIED BY ''", "GRANT ALL ON *.* TO 'probe'@'127.0.0.%'",
		"CREATE DATABASE probe", "CREATE TABLE probe.pairs (a INT, b INT)")
	return warehouse
}

// patience is how long a test waits for what happens at once on a machine that does nothing else.
const patience = time.Minute

func within(t testing.TB, what string, patience time.Duration, done func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !done() {
		if time.Since(start) > patience {
			t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(start)
}

// running counts the statements of the probing account that hold a text.
func running(t testing.TB, warehouse *servers.Server, text string) int {
	t.Helper()
	db := warehouse.Root(t)
	defer db.Close()
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'probe' AND info LIKE '%" + text + "%'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A client that vanishes during a statement takes the statement with it, unless the configuration leaves it alone.
func TestVanishedClient(t *testing.T) {
	t.Parallel()
	warehouse := lone(t)
	for i, kill := range []bool{true, false, true} {
		compress := wire.ClientCompress * wire.Capability(i/2)
		t.Run(fmt.Sprintf("kill_on_client_loss=%v compress=%v", kill, i == 2), func(t *testing.T) {
			g := servers.StartGateway(t, warehouse, "", fmt.Sprintf("kill_on_client_loss: %v\n", kill))
			p, err := dialProber(g.Addr, "probe", "probe", probeCaps|compress, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			p.begin()
			if err := p.send(append([]byte{byte(wire.ComQuery)}, "SELECT SLEEP(120)"...)); err != nil {
				t.Fatal(err)
			}
			within(t, "the statement runs", patience, func() bool { return running(t, warehouse, "SLEEP(120)") == 1 })
			_ = p.conn.Close()
			if kill {
				took := within(t, "the statement ends", patience, func() bool { return running(t, warehouse, "SLEEP(120)") == 0 })
				t.Logf("ended after %v", took)
				return
			}
			time.Sleep(3 * time.Second)
			if running(t, warehouse, "SLEEP(120)") != 1 {
				t.Error("the statement was ended")
			}
			warehouse.Exec(t, fmt.Sprintf("KILL %d", p.id))
		})
	}
}

// On SIGTERM the gateway stops being ready, closes its listener, lets transactions end and then their connections: no
// statement is cut inside a transaction.
func TestDrain(t *testing.T) {
	t.Parallel()
	warehouse := lone(t)
	g := servers.StartGateway(t, warehouse, "", "drain: {wait: 3s, grace: 60s}\n")
	var commits, cut, accepted atomic.Int64
	var stopping atomic.Bool
	var workers sync.WaitGroup
	for i := range 8 {
		workers.Go(func() {
			db, err := sql.Open("mysql", servers.DSN(g.Addr, "probe", "", "probe")+fmt.Sprintf("&compress=%v", i%2 == 1))
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			for {
				err := transaction(db, i, &cut)
				if err == nil {
					commits.Add(1)
					if stopping.Load() {
						accepted.Add(1)
					}
					continue
				}
				if !stopping.Load() {
					t.Errorf("before the signal: %v", err)
				}
				if !refusing(g.Addr) {
					continue // an idle connection was closed: the pool makes another
				}
				return
			}
		})
	}
	within(t, "transactions are committed", patience, func() bool { return commits.Load() >= 100 })
	before := commits.Load()
	stopping.Store(true)
	start := time.Now()
	g.Signal(t, syscall.SIGTERM)
	within(t, "readiness goes", patience, func() bool { return status(g, "/readyz") != http.StatusOK })
	if refusing(g.Addr) {
		t.Error("the listener closed before load balancers could notice")
	}
	within(t, "the listener closes", patience, func() bool { return refusing(g.Addr) })
	workers.Wait()
	g.Wait(t, 2*patience)
	t.Logf("%d transactions before the signal, %d after it; the process ended %v after it", before, accepted.Load(), time.Since(start))
	if cut.Load() != 0 {
		t.Errorf("%d transactions were cut", cut.Load())
	}
	if before == 0 || accepted.Load() == 0 {
		t.Error("nothing ran before the signal, or while the gateway was to stop")
	}
	db := warehouse.Root(t)
	defer db.Close()
	var odd int
	if err := db.QueryRow("SELECT COUNT(*) FROM (SELECT a, b, COUNT(*) AS n FROM probe.pairs GROUP BY a, b HAVING n <> 2) x").Scan(&odd); err != nil || odd != 0 {
		t.Errorf("%d transactions are half there, %v", odd, err)
	}
}

var pairs atomic.Int64

// transaction writes a pair of rows. An error after BEGIN is a cut.
func transaction(db *sql.DB, worker int, cut *atomic.Int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	b := pairs.Add(1)
	for range 2 {
		if _, err := tx.ExecContext(ctx, "INSERT INTO pairs VALUES (?, ?)", worker, b); err != nil {
			cut.Add(1)
			_ = tx.Rollback()
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := tx.Commit(); err != nil {
		cut.Add(1)
		return err
	}
	return nil
}

func status(g *servers.Gateway, path string) int {
	r, err := http.Get("http://" + g.Admin + path)
	if err != nil {
		return 0
	}
	_ = r.Body.Close()
	return r.StatusCode
}

// refusing tells whether nobody listens at an address.
func refusing(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return true
	}
	_ = c.Close()
	return false
}

// When grace is over, what still runs is told so and killed.
func TestDrainEnds(t *testing.T) {
	t.Parallel()
	warehouse := lone(t)
	g := servers.StartGateway(t, warehouse, "", "drain: {grace: 1s}\n")
	p, err := dialProber(g.Addr, "probe", "probe", probeCaps|wire.ClientCompress, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	run := &probing{prober: p}
	go func() {
		within(t, "the statement runs", patience, func() bool { return running(t, warehouse, "SLEEP(120)") == 1 })
		g.Signal(t, syscall.SIGTERM)
	}()
	out, err := run.run([]string{"query SELECT SLEEP(120)"})
	if err != nil || !strings.Contains(strings.Join(out, " "), "Server shutdown in progress") {
		t.Errorf("the client is to hear of the shutdown: %v, %v", out, err)
	}
	within(t, "the statement ends", patience, func() bool { return running(t, warehouse, "SLEEP(120)") == 0 })
	g.Wait(t, patience)
}

// Limits answer in place of the greeting, and silent clients do not hold a connection of the warehouse.
func TestLimits(t *testing.T) {
	t.Parallel()
	warehouse := lone(t)
	g := servers.StartGateway(t, warehouse, "", "limits: {connections: 2, login_timeout: 5s, idle_timeout: 8s}\n")
	first, err := dialProber(g.Addr, "probe", "", probeCaps, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := io.ReadFull(silent, make([]byte, 4)); err != nil {
		t.Fatalf("no greeting: %v", err)
	}
	third, err := net.Dial("tcp", g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(third)
	if len(answer) < 7 || answer[4] != wire.HeaderERR || int(answer[5])|int(answer[6])<<8 != 1040 {
		t.Errorf("the third client is to get 1040 in place of the greeting, got %q", answer)
	}
	start := time.Now()
	_ = silent.SetReadDeadline(start.Add(patience))
	if _, err := io.ReadAll(silent); err != nil {
		t.Errorf("a client that says nothing is to be closed: %v", err)
	}
	within(t, "its place is free", patience, func() bool {
		p, err := dialProber(g.Addr, "probe", "", probeCaps, 0, false)
		if err == nil {
			_ = p.conn.Close()
		}
		return err == nil
	})
	if rest := first.rest(); !strings.HasSuffix(rest, "closed") {
		t.Errorf("an idle client is to be closed: %s", rest)
	}
	// The warehouse counts connects that end before login by host, and blocks it when there are too many.
	within(t, "the warehouse's connections end", patience, func() bool {
		db := warehouse.Root(t)
		defer db.Close()
		var n int
		return db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE user IN ('probe', 'unauthenticated user')").Scan(&n) == nil && n == 0
	})
}

// The client's address comes from the load balancer's PROXY header, if that is one of those listed, and goes on to
// the warehouse in another.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	warehouse := lone(t, "--proxy-protocol-networks=127.0.0.1")
	g := servers.StartGateway(t, warehouse, "", "proxy_protocol: {listen_from: [127.0.0.1/32], send: true}\n")
	binary := string(wire.ProxyHeader(netip.MustParseAddrPort("127.0.0.77:4711"), netip.MustParseAddrPort("127.0.0.1:3306")))
	for _, parts := range [][]string{
		{"PROXY TCP4 127.0.0.77 127.0.0.1 4711 3306\r\n"},
		{"P", "ROXY TCP4 127.0.0.77 12", "7.0.0.1 4711 3306\r", "\n"}, // TCP may cut it anywhere
		{binary},
		{binary[:5], binary[5:14], binary[14:20], binary[20:]},
	} {
		conn, err := net.Dial("tcp", g.Addr)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range parts {
			if i > 0 {
				time.Sleep(50 * time.Millisecond)
			}
			if _, err := io.WriteString(conn, part); err != nil {
				t.Fatal(err)
			}
		}
		p := &prober{conn: conn}
		if err := p.login("probe", "probe", probeCaps, 0, false); err != nil {
			t.Fatal(err)
		}
		out, err := (&probing{prober: p}).run([]string{"query SELECT USER()"})
		if err != nil || !strings.Contains(strings.Join(out, " "), "probe@127.0.0.77") {
			t.Errorf("the warehouse is to see 127.0.0.77: %v, %v", out, err)
		}
		_ = conn.Close()
	}
	// Without a header a listed network is not let in.
	conn, err := net.Dial("tcp", g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("no header at all, but long enough\n")); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if answer, _ := io.ReadAll(conn); len(answer) > 0 && answer[4] != wire.HeaderERR {
		t.Errorf("a client without PROXY header is let in: %q", answer)
	}
}
