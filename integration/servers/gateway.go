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

var build struct {
	once sync.Once
	path string
	err  error
	out  []byte
}

// Binary builds the gateway once for a test process and gives its path.
func Binary(t testing.TB) string {
	t.Helper()
	build.once.Do(func() {
		dir, err := os.MkdirTemp("", "sluice-binary-")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "proxy")
		args := []string{"build", "-o", build.path}
		if Raced {
			args = append(args, "-race")
		}
		cmd := exec.Command("go", append(args, "sluice/cmd/proxy")...)
		build.out, build.err = cmd.CombinedOutput()
	})
	if build.err != nil {
		t.Fatalf("build the gateway: %v\n%s", build.err, build.out)
	}
	return build.path
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

// StartGateway runs the real binary before a warehouse. redis is the address of a Redis, "" for none, or the keys of
// the configuration in braces; extra is YAML that is appended to the configuration.
func StartGateway(t testing.TB, warehouse *Server, redis, extra string) *Gateway {
	t.Helper()
	binary := Binary(t)
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
	}, binary, "serve", "--config", file)
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
