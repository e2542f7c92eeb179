package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// write makes a configuration file of a test.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, text string, flags *pflag.FlagSet) *Config {
	t.Helper()
	c, err := Load(write(t, text), flags)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The example documents every key with its default, and no key that there is not.
func TestExampleIsTheDefaults(t *testing.T) {
	file := viper.New()
	file.SetConfigFile("../sluice.example.yaml")
	if err := file.ReadInConfig(); err != nil {
		t.Fatal(err)
	}
	for key := range defaults {
		if !file.IsSet(key) && key != "projects" {
			t.Errorf("sluice.example.yaml lacks %s", key)
		}
	}
	example, err := Load("../sluice.example.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	none, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(none, example, cmp.AllowUnexported(Config{})); diff != "" {
		t.Errorf("sluice.example.yaml is not the defaults (-defaults +example):\n%s", diff)
	}
}

// Nothing listens beyond loopback unless it is told to, and no password has a default.
func TestDefaultsAreClosed(t *testing.T) {
	c, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{c.Listen, c.Admin.Listen} {
		if !strings.HasPrefix(a, "127.0.0.1:") {
			t.Errorf("%s is not of loopback", a)
		}
	}
	if c.Warehouse.Password != "" || c.Redis.Password != "" {
		t.Error("a password has a default")
	}
}

// The environment stands over the file, flags over both.
func TestPrecedence(t *testing.T) {
	t.Setenv("SLUICE_WAREHOUSE_ADDRESS", "10.0.0.2:3306")
	t.Setenv("SLUICE_SUPER_ADMINISTRATORS", "root,dba")
	t.Setenv("SLUICE_POLICY_LEASE", "5s")
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags.String("listen", "", "")
	if err := flags.Parse([]string{"--listen", "127.0.0.1:9999"}); err != nil {
		t.Fatal(err)
	}
	c := load(t, "listen: 127.0.0.1:1111\nwarehouse: {address: '10.0.0.1:3306', user: reader}\npolicy: {lease: 4s}\n", flags)
	if c.Listen != "127.0.0.1:9999" || c.Warehouse.Address != "10.0.0.2:3306" || c.Warehouse.User != "reader" || c.Policy.Lease != 5*time.Second {
		t.Errorf("flag, environment, file: %s, %s, %s, %s", c.Listen, c.Warehouse.Address, c.Warehouse.User, c.Policy.Lease)
	}
	if !slices.Equal(c.SuperAdministrators, []string{"root", "dba"}) {
		t.Errorf("a list of the environment: %q", c.SuperAdministrators)
	}
}

// Projects keep the letters of their names: a warehouse may tell Bank and bank apart.
func TestProjectNamesKeepTheirCase(t *testing.T) {
	c := load(t, "projects:\n  Bank: [Pay, Cards]\n  lab: [lab]\n", nil)
	if diff := cmp.Diff(map[string][]string{"Bank": {"Pay", "Cards"}, "lab": {"lab"}}, c.Projects); diff != "" {
		t.Error(diff)
	}
}

// Every fault is told at once, with key, value and what was expected.
func TestFaults(t *testing.T) {
	certificate := write(t, "x")
	for _, c := range []struct{ text, want string }{
		{"listen: nowhere", `listen: is "nowhere", expected host:port`},
		{"listen: 127.0.0.1:99999", `listen: is "127.0.0.1:99999", expected a port from 0 to 65535`},
		{"nothing_like_it: 1", "nothing_like_it: there is no such key"},
		{"projects: {sys: [a]}", "projects.sys: is sys, expected a name that is no system schema's"},
		{"admin: {listen: ''}", `admin.listen: is "", expected host:port`},
		{"warehouse: {address: 'x'}", `warehouse.address: is "x", expected host:port`},
		{"warehouse: {flavour: mysql}", "warehouse.flavour: there is no such key; did you mean warehouse.flavor?"},
		{"warehouse: {flavor: oracle}", `warehouse.flavor: is "oracle", expected one of auto, mariadb, mysql, tidb`},
		{"warehouse: {user: ''}", "warehouse.user"},
		{"warehouse: {password: a, password_file: '" + certificate + "'}", "only one of password and password_file"},
		{"warehouse: {password_file: /does/not/exist}", "warehouse.password_file: is /does/not/exist, expected a file that can be read"},
		{"warehouse: {tls: maybe}", "expected one of disabled, preferred, required"},
		{"warehouse: {dial_timeout: 1ms}", "warehouse.dial_timeout: is 1ms, expected a duration from"},
		{"warehouse: {dial_timeout: soon}", `warehouse.dial_timeout: is "soon", expected another kind of value (time: invalid duration)`},
		{"tls: {cert: '" + certificate + "'}", "both tls.cert and tls.key, or neither"},
		{"redis: {addresses: [here]}", `redis.addresses[0]: is "here", expected host:port`},
		{"limits: {connections: 0}", "limits.connections: is 0, expected a number above 0"},
		{"limits: {connections: many}", `limits.connections: is "many", expected another kind of value`},
		{"policy: {lease: 1ms}", "policy.lease: is 1ms"},
		{"policy: {catalog_max_age: 1h}", "policy.catalog_max_age: is 1h0m0s"},
		{"proxy_protocol: {listen_from: [everywhere]}", "a network such as 10.0.0.0/8"},
		{"projects: {p: [mysql]}", "schemas that are no system schema"},
		{"projects: {p: [a], q: [A]}", "it is in project p too"},
		{"projects: {p: a}", "projects: expected name: [schema, schema]"},
		{"task_types: {ETL: {programs: [x]}}", "expected DT or MapReduce"},
		{"audit: {file: ''}", "what is not recorded is not permitted"},
		{"log: {level: loud}", "expected one of debug, info, warn, error"},
		{"listen: [", "configuration"},
	} {
		_, err := Load(write(t, c.text), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	_, err := Load(write(t, "listen: a\nadmin: {listen: b}\nlimits: {connections: -1}\nnosuch: 1\n"), nil)
	var all *Error
	if !errors.As(err, &all) || len(all.Faults) != 4 {
		t.Errorf("four faults: %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil); err == nil {
		t.Error("a file that is not there")
	}
}

// Only a near neighbour is proposed.
func TestNoNeighbour(t *testing.T) {
	_, err := Load(write(t, "nothing_like_it: 1"), nil)
	if err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("%v", err)
	}
}

// A misspelt variable would be passed over in silence; what is no setting of ours at all is somebody else's.
func TestMisspeltEnvironment(t *testing.T) {
	got := MisspeltEnvironment([]string{
		"SLUICE_WAREHOUSE_PASWORD=x", "SLUICE_LISTEN=a:1", "SLUICE_REDIS_ADDRESES=b:1", "SLUICE_SERVICE_HOST=10.0.0.1", "SLUICE_PORT_3307_TCP=tcp://10.0.0.1:3307",
		"SLUICE_WAREHOUSE_PASSWORD_FILE=/p", "SLUICE_POLICY_CATALOG_MAX_AGE=1s", "SLUICE_RACE=1", "PATH=/bin", "SLUICE_PORT=1",
	})
	want := []string{
		"SLUICE_REDIS_ADDRESES: there is no such setting; did you mean SLUICE_REDIS_ADDRESSES?",
		"SLUICE_WAREHOUSE_PASWORD: there is no such setting; did you mean SLUICE_WAREHOUSE_PASSWORD?",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A configuration that is printed shows no password.
func TestRedacted(t *testing.T) {
	c := load(t, "warehouse: {password: hunter2}\nredis: {password: hunter3}\n", nil)
	if r := c.Redacted(); r.Warehouse.Password != "***" || r.Redis.Password != "***" || c.Warehouse.Password != "hunter2" {
		t.Errorf("%+v", r)
	}
}

func TestServicePassword(t *testing.T) {
	file := write(t, "from a file\n")
	for want, text := range map[string]string{"in place": "warehouse: {password: in place}", "from a file": "warehouse: {password_file: '" + file + "'}"} {
		if got, err := load(t, text, nil).ServicePassword(); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}
