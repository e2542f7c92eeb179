package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sluice/integration/servers"
)

func port(w *world) string { return w.gateway.Addr[strings.LastIndexByte(w.gateway.Addr, ':')+1:] }

// run runs a client program and gives what it printed; it must succeed.
func run(t testing.TB, stdin string, name string, args ...string) string {
	t.Helper()
	out, err := try(stdin, name, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return out
}

// tryIn runs a client program in a folder and gives what it printed, errors too.
func tryIn(dir, stdin, name string, args ...string) string {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	out, _ := cmd.CombinedOutput()
	return string(out)
}

func try(stdin, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// need finds a client; CI must have it.
func need(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		servers.Missing(t, "%s is not installed", name)
	}
	return path
}

// Each client logs in, is refused the seed's statement with the reason, and goes on.
func TestClients(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		p, pass := port(w), accounts["alice"]
		check := func(t *testing.T, out string) {
			t.Helper()
			if !strings.Contains(out, "project 'myprj' is protected") || !strings.Contains(out, "seven") || strings.Contains(out, canary) {
				t.Errorf("the refusal, then a row of prj2.t are expected:\n%s", out)
			}
		}
		script := ctas + ";\nSELECT v FROM prj2.t;\n"
		t.Run("mariadb", func(t *testing.T) {
			out, _ := try(script, need(t, "mariadb"), "-h127.0.0.1", "-P"+p, "-ualice", "-p"+pass, "--force", "prj2")
			check(t, out)
		})
		t.Run("mysql", func(t *testing.T) {
			out, _ := try(script, servers.MySQLClient(t), "-h127.0.0.1", "-P"+p, "-ualice", "-p"+pass, "--force", "--get-server-public-key", "prj2")
			check(t, out)
		})
		t.Run("PyMySQL", func(t *testing.T) { check(t, run(t, "", python(t), "testdata/clients/pymysql_client.py", p, pass)) })
		t.Run("mysql2", func(t *testing.T) {
			cmd := exec.Command(need(t, "node"), "client.js", p, pass)
			cmd.Dir = npm(t)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("node: %v\n%s", err, out)
			}
			check(t, string(out))
		})
		t.Run("JDBC", func(t *testing.T) {
			check(t, run(t, "", need(t, "java"), "-cp", "/usr/share/java/mariadb-java-client.jar", "testdata/clients/Client.java", p, pass))
		})
	})
}

// python is the interpreter that Debian's packages install their modules for.
func python(t testing.TB) string {
	t.Helper()
	const path = "/usr/bin/python3"
	if exec.Command(path, "-c", "import pymysql").Run() != nil {
		servers.Missing(t, "PyMySQL is not installed (python3-pymysql)")
	}
	return path
}

var npmInstalling sync.Mutex

// npm installs mysql2 once, by its lock file, and gives the folder.
func npm(t testing.TB) string {
	t.Helper()
	need(t, "npm")
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "sluice", "node")
	npmInstalling.Lock()
	defer npmInstalling.Unlock()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"package.json", "client.js"} {
		text, err := os.ReadFile("testdata/clients/" + f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "mysql2")); err == nil {
		return dir
	}
	cmd := exec.Command("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	return dir
}
