package integration

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/gateway/wire"
	"sluice/integration/servers"
)

// Each client that can compress does so through the gateway, is refused the seed's statement with the reason, and goes on.
func TestCompressedClients(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		p, pass := port(w), accounts["alice"]
		mysqlCLI := servers.MySQLClient(t)
		script := ctas + ";\nSELECT v FROM prj2.t;\nSELECT LENGTH(REPEAT('long ', 100000)), '" + strings.Repeat("x ", 50000) + "';\nSHOW SESSION STATUS LIKE 'Compression%';\n"
		check := func(t *testing.T, out string, wanted ...string) {
			t.Helper()
			for _, part := range append(wanted, "project 'myprj' is protected", "seven", "Compression\tON") {
				if !strings.Contains(out, part) {
					t.Errorf("the output lacks %q:\n%s", part, out[:min(len(out), 2000)])
				}
			}
			if strings.Contains(out, canary) {
				t.Errorf("protected data came out")
			}
		}
		account := []string{"-h127.0.0.1", "-P" + p, "-ualice", "-p" + pass, "--force", "prj2"}
		t.Run("mariadb", func(t *testing.T) {
			out, _ := try(script, need(t, "mariadb"), append([]string{"--compress"}, account...)...)
			check(t, out, "500000")
		})
		algorithms := map[string][]string{"zlib": {"--compression-algorithms=zlib"}, "both": {"--compression-algorithms=zstd,zlib"}}
		if offered(t, w.gateway.Addr).Has(wire.ClientZstdCompression) {
			algorithms["zstd"] = []string{"--compression-algorithms=zstd", "--zstd-compression-level=7"}
		}
		for name, args := range algorithms {
			t.Run("mysql "+name, func(t *testing.T) {
				out, _ := try(script, mysqlCLI, append(append(args, "--get-server-public-key"), account...)...)
				check(t, out, "500000")
				if name == "zstd" {
					check(t, out, "Compression_algorithm\tzstd", "Compression_level\t7")
				}
			})
		}
		t.Run("mysql2", func(t *testing.T) {
			cmd := exec.Command(need(t, "node"), "client.js", p, pass, "compress", accounts["bob"])
			cmd.Dir = npm(t)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("node: %v\n%s", err, out)
			}
			check(t, string(out), "bob@", "500000")
		})
		t.Run("JDBC", func(t *testing.T) {
			check(t, run(t, "", need(t, "java"), "-cp", "/usr/share/java/mariadb-java-client.jar", "testdata/clients/Client.java", p, pass, "compress"), "500000")
		})
		t.Run("go-sql-driver", func(t *testing.T) { goDriver(t, w) })
	})
}

// offered gives the capabilities that clients are greeted with.
func offered(t testing.TB, addr string) wire.Capability {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	greeting, err := (&prober{conn: conn}).packet()
	if err != nil {
		t.Fatal(err)
	}
	g, err := wire.ParseGreeting(greeting)
	if err != nil {
		t.Fatal(err)
	}
	return g.Capabilities
}

// goDriver moves text, rows and a file through a compressed connection.
func goDriver(t *testing.T, w *world) {
	c := dialAs(t, w.gateway.Addr, "alice", "prj2", "&compress=true&maxAllowedPacket=0")
	if got := c.do("SHOW SESSION STATUS LIKE 'Compression'"); got[0] != "Compression|ON" {
		t.Errorf("%v", got)
	}
	c.refused(ctas)
	c.do("CREATE TABLE bulk (a INT, v VARCHAR(1000))")
	sum := sha256.New()
	file := "packed " + w.warehouse.Name
	mysql.RegisterReaderHandler(file, func() io.Reader { return &lines{rows: 3000, sum: sum} })
	defer mysql.DeregisterReaderHandler(file)
	if w.warehouse.Exec(t, "SET GLOBAL local_infile = 1"); t.Failed() {
		return
	}
	c.do("LOAD DATA LOCAL INFILE 'Reader::" + file + "' INTO TABLE bulk FIELDS TERMINATED BY ','")
	got := sha256.New()
	for _, row := range c.do("SELECT a, v FROM bulk ORDER BY a") {
		fmt.Fprintln(got, strings.Replace(row, "|", ",", 1))
	}
	if string(got.Sum(nil)) != string(sum.Sum(nil)) {
		t.Error("the file came back otherwise")
	}
	if rows := c.do("SELECT LENGTH(?), v FROM t", strings.Repeat("0123456789", 500_000)); rows[0] != "5000000|seven" {
		t.Errorf("%v", rows)
	}
	c.refused("SELECT v FROM bulk WHERE v = (SELECT v FROM myprj.table1 WHERE id = 1)")
	if rows := c.do("SELECT COUNT(*) FROM bulk; SELECT 2"); len(rows) != 2 || rows[0] != "3000" {
		t.Errorf("%v", rows)
	}
}

// What a warehouse says when it ends an idle compressed connection comes through as it is, as does what the gateway
// says when it stops.
func TestCompressedFarewells(t *testing.T) {
	mirrors(t, func(t *testing.T, m *mirror) {
		var heard [2]string
		for i, addr := range []string{m.warehouse.Addr, m.gateway.Addr} {
			p, err := dialProber(addr, "probe", "probe", probeCaps|wire.ClientCompress, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (&probing{prober: p}).run([]string{"query SELECT 1"}); err != nil {
				t.Fatal(err)
			}
			m.warehouse.Exec(t, fmt.Sprintf("KILL %d", p.id))
			heard[i] = p.rest()
		}
		if heard[0] != heard[1] {
			t.Errorf("the warehouse says %s, through the gateway comes %s", heard[0], heard[1])
		}
		p, err := dialProber(m.gateway.Addr, "probe", "probe", probeCaps|wire.ClientCompress, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond) // it is idle then
		m.gateway.Signal(t, syscall.SIGTERM)
		if rest := p.rest(); !strings.Contains(rest, "shutdown") || len(p.packed.faults) > 1 {
			t.Errorf("%s %v", rest, p.packed.faults)
		}
	})
}
