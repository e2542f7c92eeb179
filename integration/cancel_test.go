package integration

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/gateway/wire"
	"sluice/integration/servers"
)

// longStatement runs for longer than anybody is patient.
const longStatement = "SELECT SLEEP(120)"

// victim is a connection through the gateway that runs a long statement.
type victim struct {
	*probing
	done chan []string
}

func (m *mirror) victim(t testing.TB, extra wire.Capability) *victim {
	t.Helper()
	p, err := dialProber(m.gateway.Addr, "probe", "probe", probeCaps|extra, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{&probing{prober: p}, make(chan []string, 1)}
	go func() {
		out, _ := v.run([]string{"query " + longStatement})
		v.done <- out
	}()
	within(t, "the statement runs", patience, func() bool { return running(t, m.warehouse, "SLEEP(120)") == 1 })
	return v
}

// ended waits for the end of the statement, long before it would end by itself.
func (v *victim) ended(t testing.TB, how string) {
	t.Helper()
	select {
	case <-v.done:
	case <-time.After(patience):
		t.Errorf("%s: the statement still runs", how)
	}
	_ = v.conn.Close()
}

// Every way to kill a statement reaches the one that it names: clients are greeted with the warehouse's own ids.
func TestEveryKill(t *testing.T) {
	mirrors(t, func(t *testing.T, m *mirror) {
		m.protect(t)
		ways := []string{"query KILL QUERY %d", "query KILL %d", "query KILL CONNECTION %d", "query kill query %d;", "query /* c */ KILL /* d */ QUERY %d"}
		if m.engine == "MariaDB" {
			ways = append(ways, "kill %d", "query KILL HARD QUERY %d", "query KILL SOFT QUERY %d", "query KILL HARD %d", "query KILL SOFT CONNECTION %d",
				"query EXECUTE IMMEDIATE 'KILL QUERY %d'", "query KILL QUERY USER probe@127.0.0.1")
		}
		for i, way := range ways {
			compress := wire.ClientCompress * wire.Capability(i%2)
			v := m.victim(t, compress)
			if strings.Contains(way, "%d") {
				way = fmt.Sprintf(way, v.id)
			}
			killer, err := dialProber(m.gateway.Addr, "killer", "probe", probeCaps|compress, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			out, err := (&probing{prober: killer}).run([]string{way})
			if err != nil || !strings.Contains(out[1], `"\x00`) {
				t.Errorf("%s: %q, %v", way, out, err)
			}
			v.ended(t, way)
			_ = killer.conn.Close()
		}
	})
}

// Ctrl-C in the command line clients, and what JDBC does to cancel, end the statement and leave the connection.
func TestCancelByClients(t *testing.T) {
	mirrors(t, func(t *testing.T, m *mirror) {
		m.protect(t)
		p := m.gateway.Addr[strings.LastIndexByte(m.gateway.Addr, ':')+1:]
		for name, args := range map[string][]string{
			"mariadb": {need(t, "mariadb"), "--no-defaults"},
			"mysql":   {servers.MySQLClient(t), "--no-defaults", "--get-server-public-key"},
		} {
			t.Run(name, func(t *testing.T) {
				args = append(args, "-h127.0.0.1", "-P"+p, "-udriver", "-pd-pass", "--force", "probe")
				cmd := exec.Command(args[0], args[1:]...)
				cmd.Stdin = strings.NewReader(longStatement + ";\nSELECT CONCAT('goes ', 'on');\n")
				var out strings.Builder
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				within(t, "the statement runs", patience, func() bool { return m.runs(t, "driver", "SLEEP(120)") })
				start := time.Now()
				_ = cmd.Process.Signal(syscall.SIGINT)
				err := cmd.Wait()
				if took := time.Since(start); took > patience {
					t.Errorf("ctrl-C took %v: %v\n%s", took, err, out.String())
				}
				within(t, "the statement ends", patience, func() bool { return !m.runs(t, "driver", "SLEEP(120)") })
			})
		}
		t.Run("JDBC", func(t *testing.T) {
			out := run(t, "", need(t, "java"), "-cp", "/usr/share/java/mariadb-java-client.jar", "testdata/clients/Cancel.java", p, "d-pass")
			if !strings.Contains(out, "goes on") || strings.Contains(out, "too long") {
				t.Errorf("%s", out)
			}
		})
	})
}

// runs tells whether an account runs a statement that holds a text.
func (m *mirror) runs(t testing.TB, user, text string) bool {
	t.Helper()
	db := m.warehouse.Root(t)
	defer db.Close()
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '" + user + "' AND info LIKE '%" + text + "%'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n > 0
}
