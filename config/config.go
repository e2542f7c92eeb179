// Package config reads one typed Config: defaults, a YAML file, the environment over it (SLUICE_…) and flags
// over both. It checks every value and reports all faults together, each with its key, its value and what was
// expected. Only cmd/ imports it; no other package reads files, flags or environment for its settings.
package config

import (
	"fmt"
	"net/netip"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// Config is every setting of the gateway. sluice.example.yaml documents each with its default and how it
// takes effect.
type Config struct {
	Listen              string              `mapstructure:"listen"`
	Warehouse           Warehouse           `mapstructure:"warehouse"`
	Redis               Redis               `mapstructure:"redis"`
	TLS                 TLS                 `mapstructure:"tls"`
	SuperAdministrators []string            `mapstructure:"super_administrators"`
	Projects            map[string][]string `mapstructure:"projects"`
	TaskTypes           map[string]Task     `mapstructure:"task_types"`
	Audit               Audit               `mapstructure:"audit"`
	Admin               Admin               `mapstructure:"admin"`
	Limits              Limits              `mapstructure:"limits"`
	ProxyProtocol       ProxyProtocol       `mapstructure:"proxy_protocol"`
	Drain               Drain               `mapstructure:"drain"`
	Policy              Policy              `mapstructure:"policy"`
	Auth                Auth                `mapstructure:"auth"`
	KillOnClientLoss    bool                `mapstructure:"kill_on_client_loss"`
	Gateway             string              `mapstructure:"gateway"`
	Log                 Log                 `mapstructure:"log"`

	proxyFrom []netip.Prefix
}

// Warehouse is the server behind the gateway and the service account.
type Warehouse struct {
	Address      string        `mapstructure:"address"`
	Flavor       string        `mapstructure:"flavor"`
	User         string        `mapstructure:"user"`
	Password     string        `mapstructure:"password"`
	PasswordFile string        `mapstructure:"password_file"`
	TLS          string        `mapstructure:"tls"`
	TLSCA        string        `mapstructure:"tls_ca"`
	TLSCert      string        `mapstructure:"tls_cert"`
	TLSKey       string        `mapstructure:"tls_key"`
	DialTimeout  time.Duration `mapstructure:"dial_timeout"`
}

// Redis is one server, the Sentinels or the nodes of a cluster.
type Redis struct {
	Addresses  []string `mapstructure:"addresses"`
	Username   string   `mapstructure:"username"`
	Password   string   `mapstructure:"password"`
	MasterName string   `mapstructure:"master_name"`
	Cluster    bool     `mapstructure:"cluster"`

	SentinelUsername string `mapstructure:"sentinel_username"`
	SentinelPassword string `mapstructure:"sentinel_password"`

	DB  int  `mapstructure:"db"`
	TLS bool `mapstructure:"tls"`
}

// TLS is the certificate shown to clients.
type TLS struct {
	Cert string `mapstructure:"cert"`
	Key  string `mapstructure:"key"`
}

// Task lists the programs and accounts whose sessions are of a task type.
type Task struct {
	Programs []string `mapstructure:"programs"`
	Users    []string `mapstructure:"users"`
}

// Audit is the decision log.
type Audit struct {
	File string `mapstructure:"file"`
	Text bool   `mapstructure:"text"`
}

// Admin is the port for operators.
type Admin struct {
	Listen string `mapstructure:"listen"`
}

// Limits bound what clients can take.
type Limits struct {
	Connections        int           `mapstructure:"connections"`
	StatementBytes     int           `mapstructure:"statement_bytes"`
	PreparedStatements int           `mapstructure:"prepared_statements"`
	LoginTimeout       time.Duration `mapstructure:"login_timeout"`
	IdleTimeout        time.Duration `mapstructure:"idle_timeout"`
	WriteTimeout       time.Duration `mapstructure:"write_timeout"`
	CacheBytes         int           `mapstructure:"cache_bytes"`
}

// ProxyProtocol says whose PROXY headers are believed and whether one is sent.
type ProxyProtocol struct {
	ListenFrom []string `mapstructure:"listen_from"`
	Send       bool     `mapstructure:"send"`
}

// Drain is the order of an orderly stop.
type Drain struct {
	Wait  time.Duration `mapstructure:"wait"`
	Grace time.Duration `mapstructure:"grace"`
}

// Policy is how decisions are kept fresh, and how principals are spelt.
type Policy struct {
	Lease             time.Duration `mapstructure:"lease"`
	CatalogMaxAge     time.Duration `mapstructure:"catalog_max_age"`
	OwnerExempt       bool          `mapstructure:"owner_exempt"`
	SealChecksumBytes int64         `mapstructure:"seal_checksum_bytes"`
	Prefixes          []string      `mapstructure:"principal_prefixes"`
	MailTails         []string      `mapstructure:"principal_mail_tails"`
}

// Auth is what the gateway may do in a login.
type Auth struct {
	RSABridge bool `mapstructure:"rsa_bridge"`
}

// Log is the gateway's own log.
type Log struct {
	Level string `mapstructure:"level"`
}

var defaults = map[string]any{
	"listen": "127.0.0.1:3307", "warehouse.address": "127.0.0.1:3306", "warehouse.flavor": "auto",
	"warehouse.user": "sluice", "warehouse.password": "", "warehouse.password_file": "", "warehouse.tls": "disabled",
	"warehouse.tls_ca": "", "warehouse.tls_cert": "", "warehouse.tls_key": "", "warehouse.dial_timeout": "5s",
	"redis.addresses": []string{"127.0.0.1:6379"}, "redis.username": "", "redis.password": "", "redis.master_name": "",
	"redis.cluster": false, "redis.sentinel_username": "", "redis.sentinel_password": "",
	"redis.db": 0, "redis.tls": false, "tls.cert": "", "tls.key": "", "super_administrators": []string{"root"},
	"projects": map[string][]string{},
	"task_types": map[string]any{
		"dt":        map[string]any{"programs": []string{"mysqldump", "mariadb-dump", "mydumper", "mysqlpump"}, "users": []string{}},
		"mapreduce": map[string]any{"programs": []string{}, "users": []string{}},
	},
	"audit.file": "sluice-audit.jsonl", "audit.text": true, "admin.listen": "127.0.0.1:8307",
	"limits.connections": 10000, "limits.statement_bytes": 64 << 20, "limits.prepared_statements": 16382,
	"limits.login_timeout": "10s", "limits.idle_timeout": "0s", "limits.write_timeout": "60s", "limits.cache_bytes": 64 << 20,
	"proxy_protocol.listen_from": []string{}, "proxy_protocol.send": false, "drain.wait": "0s", "drain.grace": "30s",
	"policy.lease": "3s", "policy.catalog_max_age": "250ms", "policy.owner_exempt": false,
	"policy.seal_checksum_bytes": 64 << 20, "policy.principal_prefixes": []string{"ALIYUN$", "RAM$"},
	"policy.principal_mail_tails": []string{"*"}, "auth.rsa_bridge": true, "kill_on_client_loss": true,
	"gateway": "", "log.level": "info",
}

// free are the keys below which the names are the user's own.
var free = []string{"projects.", "task_types."}

// Load reads the file at path ("" for none), the environment and flags. Flags are bound by the name of their
// key. The error lists every fault.
func Load(path string, flags *pflag.FlagSet) (*Config, error) {
	v := viper.New()
	for key, value := range defaults {
		v.SetDefault(key, value)
	}
	v.SetEnvPrefix("SLUICE")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	if flags != nil {
		var bindErr error
		flags.VisitAll(func(f *pflag.Flag) {
			if _, known := defaults[f.Name]; known && bindErr == nil {
				bindErr = v.BindPFlag(f.Name, f)
			}
		})
		if bindErr != nil {
			return nil, fmt.Errorf("flags: %w", bindErr)
		}
	}
	if path != "" {
		v.SetConfigFile(path)
		v.SetConfigType("yaml")
		if err := v.ReadInConfig(); err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	faults := unknownKeys(v)
	c := &Config{}
	named, err := projectNames(path)
	if err != nil {
		return nil, err
	}
	if err := v.Unmarshal(c, viper.DecodeHook(mapstructure.ComposeDecodeHookFunc(mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(",")))); err != nil {
		return nil, &Error{path, append(faults, decodeFaults(v, err)...)}
	}
	if named != nil {
		c.Projects = named
	}
	faults = append(faults, c.check()...)
	if len(faults) > 0 {
		return nil, &Error{path, faults}
	}
	return c, nil
}

// projectNames reads the projects with their names as they are spelt: viper folds keys to lower case, and where the
// warehouse tells schemas apart by case, that would join projects which are apart.
func projectNames(path string) (map[string][]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var file struct {
		Projects map[string][]string `yaml:"projects"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, &Error{path, []string{"projects: expected name: [schema, schema]: " + err.Error()}}
	}
	return file.Projects, nil
}

// Error is every fault of a configuration.
type Error struct {
	Path   string
	Faults []string
}

func (e *Error) Error() string {
	where := "configuration"
	if e.Path != "" {
		where += " " + e.Path
	}
	return where + ":\n  " + strings.Join(e.Faults, "\n  ")
}

// decodeFaults gives the values that are of the wrong kind. The decoder quotes their keys and leaves the values out.
func decodeFaults(v *viper.Viper, err error) []string {
	var faults []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		key, why, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "'"), "' ")
		if ok {
			faults = append(faults, fmt.Sprintf("%s: is %q, expected another kind of value (%s)", key, fmt.Sprint(v.Get(key)), why))
		}
	}
	if len(faults) == 0 {
		return []string{err.Error()}
	}
	return faults
}

func unknownKeys(v *viper.Viper) []string {
	var faults []string
	for _, key := range v.AllKeys() {
		if _, known := defaults[key]; known || isFree(key) {
			continue
		}
		faults = append(faults, key+": there is no such key"+suggestion(key, len(key)/3, strings.ToLower))
	}
	sort.Strings(faults)
	return faults
}

func isFree(key string) bool {
	for _, prefix := range free {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// Redacted gives a copy that can be printed: passwords are replaced.
func (c *Config) Redacted() Config {
	out := *c
	for _, p := range []*string{&out.Warehouse.Password, &out.Redis.Password, &out.Redis.SentinelPassword} {
		if *p != "" {
			*p = "***"
		}
	}
	return out
}

// ServicePassword gives the service account's password, from the file where one is named.
func (c *Config) ServicePassword() (string, error) {
	if c.Warehouse.PasswordFile == "" {
		return c.Warehouse.Password, nil
	}
	text, err := os.ReadFile(c.Warehouse.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("warehouse.password_file: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// ProxyFrom are the networks of proxy_protocol.listen_from.
func (c *Config) ProxyFrom() []netip.Prefix { return c.proxyFrom }
