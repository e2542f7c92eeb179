package servers

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var making sync.Mutex

// dataFolder gives a server the data folder dir, as initialise fills one. That takes longer than most tests do: it is
// done once, kept in the cache folder, and copied. What it depends on beside the server's version stands in args.
func dataFolder(t testing.TB, dir, daemon string, args []string, initialise func(data string) *exec.Cmd) {
	t.Helper()
	version, err := exec.Command(daemon, "--version").Output()
	if err != nil {
		t.Fatalf("%s --version: %v", daemon, err)
	}
	sum := sha256.Sum256([]byte(string(version) + strings.Join(args, "\n")))
	template := filepath.Join(cacheFolder(), fmt.Sprintf("data-%s-%x", filepath.Base(daemon), sum[:8]))
	making.Lock()
	defer making.Unlock()
	if _, err := os.Stat(template); err != nil {
		makeTemplate(t, template, initialise)
	}
	if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
		t.Fatal(err)
	}
}

// makeTemplate makes a folder that is whole whenever it is there: another process may be making it too.
func makeTemplate(t testing.TB, template string, initialise func(data string) *exec.Cmd) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(template), 0o755); err != nil {
		t.Fatal(err)
	}
	parent, err := os.MkdirTemp(filepath.Dir(template), "making-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(parent)
	data := filepath.Join(parent, "data")
	cmd := initialise(data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	if err := os.Rename(data, template); err != nil {
		if _, there := os.Stat(template); there != nil {
			t.Fatal(err)
		}
	}
}
