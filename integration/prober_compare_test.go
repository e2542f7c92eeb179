package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/gateway/wire"
	"sluice/integration/servers"
)

// mirror is a warehouse with a gateway before it and accounts that may do everything.
type mirror struct {
	engine    string
	warehouse *servers.Server
	gateway   *servers.Gateway
	plain     *servers.Gateway // another, for long packets: the race detector looks at every byte of them
}

// newMirror starts both with TLS on every leg that asks for it. The probing account has no password.
func newMirror(t testing.TB, engine string, start func(testing.TB, ...string) *servers.Server) *mirror {
	t.Helper()
	cert, key := certificate(t)
	var args []string
	if engine == "TiDB" {
		settings := filepath.Join(t.TempDir(), "tidb.toml")
		text := fmt.Sprintf("[security]\nssl-cert = %q\nssl-key = %q\n", cert, key)
		if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = []string{"-config=" + settings}
	} else {
		args = []string{"--ssl-cert=" + cert, "--ssl-key=" + key, "--ssl-ca=" + cert, "--max-allowed-packet=100M"}
	}
	warehouse := start(t, args...)
	warehouse.Keys = ", tls: preferred"
	warehouse.Plain = engine == "TiDB" // every packet of the others' protocol is raced
	warehouse.Prepare(t)
	warehouse.Exec(t, "CREATE USER 'probe'@'127.0.0.1' IDENTIFIED BY ''", "GRANT ALL ON *.* TO 'probe'@'127.0.0.1'",
		"CREATE USER 'killer'@'127.0.0.1' IDENTIFIED BY ''", "GRANT ALL ON *.* TO 'killer'@'127.0.0.1'",
		"CREATE USER 'driver'@'127.0.0.1' IDENTIFIED BY 'd-pass'", "GRANT ALL ON *.* TO 'driver'@'127.0.0.1' WITH GRANT OPTION",
		"CREATE DATABASE probe", "CREATE DATABASE gotest", "CREATE DATABASE secret", "CREATE TABLE secret.x (id INT)")
	m := &mirror{engine: engine, warehouse: warehouse}
	redis, settings := servers.Redis(t).Addr, "tls: {cert: "+cert+", key: "+key+"}\nlimits: {statement_bytes: 104857600}\n"
	m.gateway = servers.StartGateway(t, warehouse, redis, settings)
	if m.plain = m.gateway; servers.Raced && !warehouse.Plain {
		warehouse.Plain = true
		m.plain = servers.StartGateway(t, warehouse, redis, settings)
	}
	return m
}

// protect turns the protection of the unrelated project secret on.
func (m *mirror) protect(t testing.TB) {
	t.Helper()
	m.warehouse.Exec(t, "CREATE USER IF NOT EXISTS 'super'@'127.0.0.1' IDENTIFIED BY 's-pass'", "GRANT ALL ON secret.* TO 'super'@'127.0.0.1'")
	c := dialAs(t, m.gateway.Addr, "super", "secret")
	c.do("SET ProjectProtection = true")
	c.close()
}

// mirrors runs f before each engine.
func mirrors(t *testing.T, f func(t *testing.T, m *mirror)) {
	t.Parallel()
	for _, e := range []struct {
		name  string
		start func(testing.TB, ...string) *servers.Server
	}{{"MariaDB", servers.MariaDB}, {"MySQL", servers.MySQL}} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			f(t, newMirror(t, e.name, e.start))
		})
	}
}

// probeWay is how a client asks for its answers.
type probeWay struct {
	name  string
	flags wire.Capability
}

var probeWays = []probeWay{
	{"eof=true", 0},
	{"eof=false", wire.ClientDeprecateEOF},
	{"zlib", wire.ClientDeprecateEOF | wire.ClientCompress},
	{"zstd", wire.ClientDeprecateEOF | wire.ClientZstdCompression},
}

const packedFlags = wire.ClientCompress | wire.ClientZstdCompression

// takes tells whether a case is run in a way: where the same code walks the answers, once is enough.
func (m *mirror) takes(w probeWay, c *probeCase, protected bool) bool {
	pack := w.flags&packedFlags != 0
	switch {
	case c.options["packed"]:
		return pack && !protected
	case c.options["long"] && protected:
		return false
	case c.options["long"] || protected:
		return w.name == "eof=true" || pack && (w.name == "zstd") == (m.engine == "MySQL")
	}
	return true
}

// offers tells whether the warehouse offers compression; through the gateway it is the same.
func (m *mirror) offers(t testing.TB, flags wire.Capability) bool {
	t.Helper()
	if flags&packedFlags == 0 {
		return true
	}
	var offers [2]bool
	for i, addr := range []string{m.warehouse.Addr, m.gateway.Addr} {
		offers[i] = offered(t, addr).Has(flags & packedFlags)
	}
	if offers[0] != offers[1] {
		t.Errorf("compression %x: offered %v by the warehouse, %v through the gateway", flags&packedFlags, offers[0], offers[1])
	}
	return offers[0]
}

// No client can tell that Sluice is there: each case gives the same packets with and without it, while nothing
// is protected and while a project is that the case does not touch.
func TestProber(t *testing.T) {
	mirrors(t, func(t *testing.T, m *mirror) { m.play(t) })
}

// TiDB answers in its own ways: those go through as they are, too.
func TestProberTiDB(t *testing.T) {
	t.Parallel()
	newMirror(t, "TiDB", servers.TiDB).play(t)
}

// play compares every case in every way.
func (m *mirror) play(t *testing.T) {
	cases := probeCases(t)
	meant := meantDifferences(t)
	for _, mode := range []string{"nothing protected", "another project protected"} {
		if mode != "nothing protected" {
			m.protect(t)
		}
		for _, c := range cases {
			if c.only != "" && c.only != m.engine || slices.Contains(c.without, m.engine) {
				continue
			}
			for _, w := range probeWays {
				if m.takes(w, &c, mode != "nothing protected") && m.offers(t, w.flags) {
					t.Run(mode+"/"+c.name+"/"+w.name, func(t *testing.T) { m.compare(t, &c, w.flags, meant) })
				}
			}
		}
	}
}

// compare plays a case to the warehouse and through the gateway.
func (m *mirror) compare(t *testing.T, c *probeCase, way wire.Capability, meant *differences) {
	t.Helper()
	var transcripts [2][]string
	gateway := m.gateway
	if c.options["long"] {
		gateway = m.plain
	}
	for i, addr := range []string{m.warehouse.Addr, gateway.Addr} {
		m.reset(t)
		p, err := dialProber(addr, "probe", "probe", c.capabilities(way), c.extended(), c.options["tls"])
		if err != nil {
			t.Fatalf("%s: %v", addr, err)
		}
		run := &probing{prober: p}
		out, err := run.run(c.steps)
		if err != nil {
			out = append(out, "! "+err.Error())
		}
		if transcripts[i] = append(p.hello(), out...); os.Getenv("SLUICE_TRANSCRIPT") != "" {
			t.Logf("%s\n%s", addr, strings.Join(transcripts[i], "\n"))
		}
		_ = p.conn.Close()
	}
	direct, through := meant.take(c.name, m.engine, transcripts[0]), meant.take(c.name, m.engine, transcripts[1])
	if strings.Join(direct, "\n") != strings.Join(through, "\n") {
		t.Errorf("%s", contrasted(direct, through))
	}
	for _, l := range direct {
		if strings.HasPrefix(l, "!") || strings.Contains(l, "TIMEOUT") {
			t.Errorf("the case does not run: %s", l)
		}
	}
}

// hello is what a client sees of the connection phase, but for the thread id and the salt.
func (p *prober) hello() []string {
	g, err := wire.ParseGreeting(p.greeting)
	if err != nil {
		return []string{err.Error()}
	}
	return []string{
		fmt.Sprintf("greeting %s collation %d status %x plugin %s salt %d", g.Version, g.Collation, g.Status, g.AuthPlugin, len(g.AuthData)),
		fmt.Sprintf("login %s", p.dialogue[len(p.dialogue)-1]),
	}
}

var stored = regexp.MustCompile("^CREATE (TRIGGER|PROCEDURE|FUNCTION)")

// reset makes the tables that cases use.
func (m *mirror) reset(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile("testdata/prober/reset.sql")
	if err != nil {
		t.Fatal(err)
	}
	var statements []string
	for q := range strings.SplitSeq(strings.TrimSpace(string(text)), ";\n") {
		if m.engine == "TiDB" && stored.MatchString(q) {
			continue // it has no stored programs
		}
		statements = append(statements, q)
	}
	m.warehouse.Exec(t, statements...)
}

func (c *probeCase) capabilities(way wire.Capability) wire.Capability {
	caps := probeCaps | way
	for name, flag := range map[string]wire.Capability{
		"multi": wire.ClientMultiStatements, "track": wire.ClientSessionTrack, "foundrows": wire.ClientFoundRows,
		"attributes": wire.ClientConnectAttrs, "interactive": wire.ClientInteractive, "queryattributes": wire.ClientQueryAttributes,
	} {
		if c.options[name] {
			caps |= flag
		}
	}
	return caps
}

func (c *probeCase) extended() wire.ExtCapability {
	var ext wire.ExtCapability
	if c.options["extended"] {
		ext |= wire.ExtExtendedMetadata
	}
	if c.options["bulk"] {
		ext |= wire.ExtStmtBulk
	}
	return ext
}

// contrasted shows two transcripts where they differ.
func contrasted(direct, through []string) string {
	var b strings.Builder
	for i := range max(len(direct), len(through)) {
		d, g := "(nothing)", "(nothing)"
		if i < len(direct) {
			d = direct[i]
		}
		if i < len(through) {
			g = through[i]
		}
		if d == g {
			if strings.HasPrefix(d, ">") {
				b.WriteString(d + "\n")
			}
			continue
		}
		fmt.Fprintf(&b, "  warehouse: %s\n  gateway:   %s\n", d, g)
	}
	return b.String()
}

// differences are those that are meant: testdata/prober/meant.lst.
type differences struct {
	lines map[string][]string // by case: "engine|prefix of a step"
}

// meantDifferences reads lines of "case engine|* step": the answer to that step is not compared.
func meantDifferences(t testing.TB) *differences {
	t.Helper()
	text, err := os.ReadFile("testdata/prober/meant.lst")
	if err != nil {
		t.Fatal(err)
	}
	d := &differences{map[string][]string{}}
	for line := range strings.SplitSeq(string(text), "\n") {
		words := strings.SplitN(line, " ", 3)
		if strings.HasPrefix(line, "#") || len(words) < 3 {
			continue
		}
		d.lines[words[0]] = append(d.lines[words[0]], words[1]+"|"+words[2])
	}
	return d
}

// take leaves the answers out whose difference is meant.
func (d *differences) take(name, engine string, transcript []string) []string {
	var out []string
	skipping := false
	for _, l := range transcript {
		if step, ok := strings.CutPrefix(l, "> "); ok {
			skipping = false
			for _, m := range d.lines[name] {
				e, wanted, _ := strings.Cut(m, "|")
				skipping = skipping || (e == "*" || e == engine) && strings.HasPrefix(step, wanted)
			}
		} else if skipping {
			continue
		}
		out = append(out, l)
	}
	return out
}
