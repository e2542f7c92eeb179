package servers

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The addresses that docker-compose.yml and the tests' file beside it publish.
const (
	composedGateway   = "127.0.0.1:3307"
	composedWarehouse = "127.0.0.1:13306"
)

// Compose brings the composed system up from its docker-compose.yml, as an operator does, and takes it down with
// all that it left when the test ends. files are compose files, relative to the test's folder.
func Compose(t testing.TB, files ...string) (*Server, *Gateway) {
	t.Helper()
	args := []string{"-p", "sluice-test"}
	for _, f := range files {
		args = append(args, "-f", f)
	}
	compose := func(more ...string) {
		t.Helper()
		cmd := exec.Command("docker-compose", append(args, more...)...)
		cmd.Env = append(os.Environ(), "GOPROXY="+goEnv("GOPROXY"), "GOSUMDB="+goEnv("GOSUMDB"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("docker-compose %s: %v\n%s", strings.Join(more, " "), err, out)
		}
	}
	t.Cleanup(func() {
		compose("down", "-v")
		for _, list := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}} {
			filter := append(list, "--filter", "label=com.docker.compose.project=sluice-test")
			if out, err := exec.Command("docker", filter...).Output(); err != nil || len(out) > 0 {
				t.Errorf("docker-compose down -v left something behind: docker %s: %s (%v)", strings.Join(filter, " "), out, err)
			}
		}
	})
	compose("up", "-d", "--build")
	warehouse := &Server{Name: "composed MariaDB", Addr: composedWarehouse, root: "root:root@tcp(" + composedWarehouse + ")/"}
	gateway := &Gateway{Server: &Server{Name: "composed gateway", Addr: composedGateway, root: "root:root@tcp(" + composedGateway + ")/"}}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		db := gateway.Root(t)
		err := db.Ping()
		_ = db.Close()
		if err == nil {
			return warehouse, gateway
		}
		if time.Now().After(deadline) {
			t.Fatalf("the composed gateway does not answer: %v", err)
		}
	}
}

// goEnv passes the builder's module settings on: the image's build may reach no other proxy.
func goEnv(name string) string {
	out, _ := exec.Command("go", "env", name).Output()
	return strings.TrimSpace(string(out))
}
