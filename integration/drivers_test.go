package integration

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Tests of go-sql-driver/mysql that say nothing of a gateway: the first needs an address outside of this machine.
const driverSkips = "^TestConnectorReturnsTimeout$|^FuzzFormatDSN$"

// The test suite of go-sql-driver/mysql passes and fails the same tests with and without the gateway, while nothing is
// protected and while a project is that it does not touch. SLUICE_SOAK=1 adds the tests that move many megabytes.
func TestDriverSuite(t *testing.T) {
	binary := driverSuite(t)
	mirrors(t, func(t *testing.T, m *mirror) {
		direct := runDriverSuite(t, binary, m.warehouse.Addr, "")
		if len(direct) < 300 {
			t.Fatalf("the suite runs %d tests only", len(direct))
		}
		for _, mode := range []string{"nothing protected", "another project protected"} {
			t.Run(mode, func(t *testing.T) {
				if mode != "nothing protected" {
					m.protect(t)
				}
				through := runDriverSuite(t, binary, m.gateway.Addr, "")
				for _, name := range slices.Sorted(maps.Keys(direct)) {
					if through[name] != direct[name] && !m.alike(t, binary, name) {
						t.Errorf("%s: %s by the warehouse, %q through the gateway", name, direct[name], through[name])
					}
				}
			})
		}
	})
}

// alike runs the test that a name belongs to alone, both ways, and tells whether it ends alike: some of the suite's tests
// are held to milliseconds, which a busy machine may not keep, with or without a gateway.
func (m *mirror) alike(t testing.TB, binary, name string) bool {
	t.Helper()
	top, _, _ := strings.Cut(name, "/")
	for range 3 {
		direct, through := runDriverSuite(t, binary, m.warehouse.Addr, top), runDriverSuite(t, binary, m.gateway.Addr, top)
		if direct[name] != "" && direct[name] == through[name] {
			t.Logf("%s ended otherwise in the suite, and alike by itself", name)
			return true
		}
	}
	return false
}

// driverSuite builds the driver's tests, which its module brings along.
func driverSuite(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "driver.test")
	if out, err := exec.Command("go", "test", "-c", "-o", path, "github.com/go-sql-driver/mysql").CombinedOutput(); err != nil {
		t.Fatalf("build the driver's tests: %v\n%s", err, out)
	}
	return path
}

var testResult = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+) `)

// runDriverSuite runs the driver's tests, or one of them, against an address and gives each test's result.
func runDriverSuite(t testing.TB, binary, addr, one string) map[string]string {
	t.Helper()
	skip := driverSkips
	if os.Getenv("SLUICE_SOAK") == "" {
		skip += "|^TestLongData$"
	}
	only := "."
	if one != "" {
		only = "^" + one + "$"
	}
	cmd := exec.Command(binary, "-test.v", "-test.run", only, "-test.skip", skip, "-test.timeout", "10m")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "MYSQL_TEST_USER=driver", "MYSQL_TEST_PASS=d-pass", "MYSQL_TEST_ADDR="+addr, "MYSQL_TEST_DBNAME=gotest")
	out, _ := cmd.CombinedOutput() // tests that fail fail both ways
	results := map[string]string{}
	for _, m := range testResult.FindAllStringSubmatch(string(out), -1) {
		results[m[2]] = m[1]
	}
	if strings.Contains(string(out), "panic:") {
		t.Fatalf("the suite ends by a panic:\n%s", out[max(0, len(out)-4000):])
	}
	return results
}
