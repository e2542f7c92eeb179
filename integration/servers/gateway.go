package servers

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The service account that Prepare makes.
const (
	ServiceUser     = "sluice"
	ServicePassword = "service-password"
)

// Raced tells whether the gateway that the tests start runs under the race detector: where they do themselves, or where
// SLUICE_RACE is set, since most of them are one goroutine that drives a client, which the detector makes ten times
// slower for nothing.
var Raced = racedHere || os.Getenv("SLUICE_RACE") != ""

// binary is the gateway, built once for a test process.
type binary struct {
	flags []string
	once  sync.Once
	path  string
	err   error
	out   []byte
}

var plain, raced = binary{}, binary{flags: []string{"-race"}}

// Binary gives the path of the gateway's program as users get it.
func Binary(t testing.TB) string {
	t.Helper()
	return plain.built(t)
}

func (b *binary) built(t testing.TB) string {
	t.Helper()
	b.once.Do(func() {
		dir, err := os.MkdirTemp("", "sluice-binary-")
		if err != nil {
			b.err = err
			return
		}
		b.path = filepath.Join(dir, "proxy")
		cmd := exec.Command("go", append(append([]string{"build", "-o", b.path}, b.flags...), "sluice/cmd/proxy")...)
		b.out, b.err = cmd.CombinedOutput()
	})
	if b.err != nil {
		t.Fatalf("build the gateway: %v\n%s", b.err, b.out)
	}
	return b.path
}

// Prepare makes the service account on a warehouse.
func (s *Server) Prepare(t testing.TB) {
	t.Helper()
	s.Exec(t, fmt.Sprintf("CREATE USER IF NOT EXISTS '%s'@'127.0.0.1' IDENTIFIED BY '%s'", ServiceUser, ServicePassword),
		fmt.Sprintf("GRANT ALL ON *.* TO '%s'@'127.0.0.1' WITH GRANT OPTION", ServiceUser))
}

// Gateway is a running gateway.
type Gateway struct {
	*Server
	Admin  string // host:port of the admin port
	Config string // its configuration file
	Audit  string // its decision log
}

// StartGateway runs the real binary before a warehouse, under the race detector if Raced and the warehouse does not say
// otherwise. redis is the address of a Redis, "" for none, or the keys of
// the configuration in braces; extra is YAML that is appended to the configuration.
func StartGateway(t testing.TB, warehouse *Server, redis, extra string) *Gateway {
	t.Helper()
	program := plain.built
	if Raced && !warehouse.Plain {
		program = raced.built
	}
	dir := scratch(t)
	listen := "127.0.0.1:" + strconv.Itoa(FreePort(t))
	admin := "127.0.0.1:" + strconv.Itoa(FreePort(t))
	audit := filepath.Join(dir, "audit.jsonl")
	if !strings.HasPrefix(redis, "{") {
		redis = "{addresses: [" + redis + "]}"
	}
	text := fmt.Sprintf("listen: %s\nwarehouse: {address: %q, user: %s, password: %s%s}\nredis: %s\nadmin: {listen: %s}\naudit: {file: %s}\nsuper_administrators: [root, super]\n%s\n",
		listen, warehouse.Addr, ServiceUser, ServicePassword, warehouse.Keys, redis, admin, audit, extra)
	file := filepath.Join(dir, "sluice.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &Gateway{Admin: admin, Config: file, Audit: audit}
	g.Server = start(t, "gateway", dir, func() error {
		r, err := http.Get("http://" + admin + "/readyz")
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz: %s", r.Status)
		}
		return nil
	}, program(t), "serve", "--config", file)
	g.Addr = listen
	t.Cleanup(g.Stop)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("gateway log:\n%s", g.tail())
		}
		if text, err := os.ReadFile(g.log); err == nil && strings.Contains(string(text), "DATA RACE") {
			t.Errorf("data race in the gateway:\n%s", text)
		}
	})
	return g
}
