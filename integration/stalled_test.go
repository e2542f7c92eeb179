package integration

import (
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"sluice/gateway/wire"
	"sluice/integration/servers"
)

// longAnswer is a result of 64 MB: its warehouse's bytes are waited for in large pieces.
const longAnswer = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 256) SELECT a.n, REPEAT('x', 1000) FROM r a, r b"

const longRows = 256 * 256

// A long answer whose warehouse stops, goes on, is told to stop or dies in the middle of it comes, and ends, as it would without Sluice;
// whether the legs are encrypted or compressed.
func TestLongAnswerThatStops(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	for _, way := range []struct {
		name, tls string
		caps      wire.Capability
	}{{"plain", "disabled", 0}, {"compressed", "disabled", wire.ClientCompress}, {"encrypted", "required", 0}, {"both", "required", wire.ClientCompress}} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			warehouse := lone(t, "--ssl-cert="+cert, "--ssl-key="+key)
			warehouse.Keys = ", tls: " + way.tls
			g := servers.StartGateway(t, warehouse, "", "")
			stalled(t, warehouse, g, way.caps)
		})
	}
}

func stalled(t *testing.T, warehouse *servers.Server, g *servers.Gateway, caps wire.Capability) {
	begin := func() *prober {
		t.Helper()
		p, err := dialProber(g.Addr, "probe", "probe", probeCaps|caps, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.conn.Close() })
		if err := p.ask(longAnswer); err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, p.conn, 8); n != 8 { // the column count, then what begins
			t.Fatal(err)
		}
		return p
	}
	rest := func(p *prober, patience time.Duration) (int64, error) {
		_ = p.conn.SetReadDeadline(time.Now().Add(patience))
		return io.Copy(io.Discard, p.conn)
	}

	p := begin()
	warehouse.Signal(t, syscall.SIGSTOP)
	before, err := rest(p, 300*time.Millisecond)
	if ending(err) != "TIMEOUT" {
		t.Errorf("the answer of a warehouse that stands still ends: %v", err)
	}
	warehouse.Signal(t, syscall.SIGCONT)
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	if after, err := io.CopyN(io.Discard, p.conn, longRows*1000-before); err != nil {
		t.Errorf("%d bytes came before it went on, %d behind that: %v", before, after, err)
	}
	_, _ = rest(p, time.Second) // the connection lives on behind it
	if p.begin(); p.send([]byte{byte(wire.ComPing)}) != nil {
		t.Error("the connection is of no use")
	}

	p = begin()
	dialWith(t, g.Addr, "probe", "", "probe").do(fmt.Sprintf("KILL QUERY %d", p.id))
	if n, _ := rest(p, 2*time.Second); n >= longRows*1000 && caps == 0 { // compressed, it all lies in buffers before it is killed
		t.Errorf("%d bytes came of a statement that was killed", n)
	}

	p = begin()
	warehouse.Signal(t, syscall.SIGSTOP)
	_, _ = rest(p, 300*time.Millisecond)
	_ = p.conn.Close()
	warehouse.Signal(t, syscall.SIGCONT)
	within(t, "the session of a client that left ends", patience, func() bool { return metric(t, g, "sluice_sessions") <= 3 })

	p = begin()
	warehouse.Kill()
	if _, err := rest(p, 10*time.Second); err != nil && ending(err) == "TIMEOUT" {
		t.Error("the client waits for a warehouse that died")
	}
	within(t, "the sessions of a dead warehouse end", patience, func() bool { return metric(t, g, "sluice_sessions") == 0 })
	t.Logf("%v goroutines are left", metric(t, g, "go_goroutines"))
}
