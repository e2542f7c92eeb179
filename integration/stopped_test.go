package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/gateway/wire"
	"sluice/integration/servers"
)

// stopped are clients that stop half way, each where the gateway waits for them.
var stopped = []struct {
	name string
	caps wire.Capability // that it logs in with besides; 0: it does not log in
	stop func(p *prober) error
}{
	{"before it reads the greeting", 0, func(*prober) error { return nil }},
	{"in the handshake response", 0, func(p *prober) error { return p.write([]byte{100, 0, 0, 1, 0x85, 0xa6}) }},
	{"in the hello of TLS", 0, func(p *prober) error {
		ssl := binary.LittleEndian.AppendUint32(nil, uint32(probeCaps|wire.ClientSSL))
		return p.write(append(append([]byte{32, 0, 0, 1}, append(ssl, make([]byte, 28)...)...), 0x16, 3, 1, 2, 0))
	}},
	{"in a packet's header", probeCaps, func(p *prober) error { return p.write([]byte{5, 0}) }},
	{"in a packet of 16 MiB", probeCaps, func(p *prober) error {
		return p.write(append([]byte{0xff, 0xff, 0xff, 0, byte(wire.ComQuery)}, bytes.Repeat([]byte("x"), 1<<20)...))
	}},
	{"in a compressed packet's header", probeCaps | wire.ClientCompress, func(p *prober) error { return p.raw([]byte{5, 0}) }},
	{"in a compressed packet", probeCaps | wire.ClientCompress, func(p *prober) error { return p.raw([]byte{0, 0x40, 0, 0, 0, 0x80, 0, 0x78}) }},
	{"in a long compressed packet", probeCaps | wire.ClientCompress, func(p *prober) error { return p.raw([]byte{0, 0, 0x40, 0, 0, 0, 0x80, 0x78, 0x9c}) }},
	{"in COM_CHANGE_USER", probeCaps, func(p *prober) error {
		p.begin()
		return p.send([]byte("\x11probe\x00\x00prj2\x00\x2d\x00no_such_plugin\x00"))
	}},
	{"in a file for the warehouse", probeCaps, func(p *prober) error { return p.ask("LOAD DATA LOCAL INFILE 'x' INTO TABLE prj3.t") }},
	{"in a file for Sluice", probeCaps, func(p *prober) error { return p.ask("SET ProjectProtection = true WITH EXCEPTION policy.json") }},
	{"in an answer of many rows", probeCaps, func(p *prober) error {
		return p.ask("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 500) SELECT a.n, REPEAT('x', 1000) FROM r a, r b")
	}},
	{"in many short answers", probeCaps, func(p *prober) error {
		for range 2000 {
			if err := p.ask("SELECT REPEAT('x', 20000)"); err != nil {
				return err
			}
		}
		return nil
	}},
}

func (p *prober) ask(text string) error {
	p.begin()
	return p.send(append([]byte{byte(wire.ComQuery)}, text...))
}

// raw writes below the compression.
func (p *prober) raw(b []byte) error {
	conn := p.conn
	if p.packed != nil {
		conn = p.packed.Conn
	}
	_, err := conn.Write(b)
	return err
}

// stopAll has each client come as far as it goes.
func stopAll(t *testing.T, addr string) {
	for _, c := range stopped {
		var p *prober
		var err error
		if c.caps == 0 {
			p = &prober{}
			p.conn, err = net.Dial("tcp", addr)
		} else {
			p, err = dialProber(addr, "probe", "myprj", c.caps, 0, false)
		}
		if err == nil {
			t.Cleanup(func() { _ = p.conn.Close() })
			if !strings.Contains(c.name, "greeting") && c.caps == 0 {
				_, err = p.packet()
			}
		}
		if err == nil {
			err = c.stop(p)
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
}

func stoppedWorld(t *testing.T, extra string) *world {
	cert, key := certificate(t)
	w := newWorld(t, servers.MariaDB(t, "--max-connect-errors=100000"), extra+fmt.Sprintf("tls: {cert: %s, key: %s}\n", cert, key))
	w.warehouse.Exec(t, "CREATE USER 'probe'@'127.0.0.%' IDENTIFIED BY ''", "GRANT ALL ON *.* TO 'probe'@'127.0.0.%'")
	w.as(t, "owner", "myprj").do("ADD OWNER probe")
	return w
}

// A client that stops half way is waited for as long as the configuration says, and nobody waits with it.
func TestClientsThatStop(t *testing.T) {
	t.Parallel()
	w := stoppedWorld(t, "limits: {login_timeout: 3s, write_timeout: 3s}\n")
	owner, alice := w.as(t, "owner", "myprj"), w.as(t, "alice", "prj2")
	owner.do("SET ProjectProtection = true")
	before := metric(t, w.gateway, "sluice_sessions")
	stopAll(t, w.gateway.Addr)
	if there := metric(t, w.gateway, "sluice_sessions") - before; int(there) != len(stopped) {
		t.Errorf("%v clients of %d have stopped: the test does not do what it is for", there, len(stopped))
	}
	var slowest time.Duration
	timed := func(f func()) {
		begun := time.Now()
		f()
		slowest = max(slowest, time.Since(begun))
	}
	for range 10 {
		timed(func() { owner.do("ADD TRUSTEDPROJECT prj2") })
		timed(func() { alice.do("SELECT id FROM myprj.table1") })
		timed(func() { owner.do("REMOVE TRUSTEDPROJECT prj2") })
		timed(func() { alice.refused("SELECT id FROM myprj.table1") })
	}
	t.Logf("beside %d clients that stopped, the slowest statement took %v", len(stopped), slowest)
	if slowest > 2*time.Second {
		t.Error("others wait for them")
	}
	took := within(t, "they are ended", patience, func() bool { return metric(t, w.gateway, "sluice_sessions") <= before })
	t.Logf("all were ended %v later", took)
}

// A drain waits for none of them longer than its time of grace.
func TestDrainEndsClientsThatStop(t *testing.T) {
	t.Parallel()
	w := stoppedWorld(t, "limits: {login_timeout: 120s, write_timeout: 120s}\ndrain: {wait: 0s, grace: 1s}\n")
	stopAll(t, w.gateway.Addr)
	begun := time.Now()
	w.gateway.Signal(t, syscall.SIGTERM)
	w.gateway.Wait(t, patience)
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("the gateway ended after %v", took)
	} else {
		t.Logf("the gateway ended after %v", took)
	}
}
