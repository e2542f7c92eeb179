package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// check gives every fault of the values, each with key, value and what was expected.
func (c *Config) check() []string {
	k := &checker{}
	k.address("listen", c.Listen)
	k.address("admin.listen", c.Admin.Listen)
	if !strings.HasPrefix(c.Warehouse.Address, "/") {
		k.address("warehouse.address", c.Warehouse.Address)
	}
	k.oneOf("warehouse.flavor", c.Warehouse.Flavor, "auto", "mariadb", "mysql", "tidb")
	k.oneOf("warehouse.tls", c.Warehouse.TLS, "disabled", "preferred", "required")
	k.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	if c.Warehouse.User == "" {
		k.add("warehouse.user", `""`, "the name of the service account")
	}
	if c.Warehouse.Password != "" && c.Warehouse.PasswordFile != "" {
		k.add("warehouse.password_file", c.Warehouse.PasswordFile, "only one of password and password_file")
	}
	k.file("warehouse.password_file", c.Warehouse.PasswordFile)
	k.file("warehouse.tls_ca", c.Warehouse.TLSCA)
	k.pair("warehouse.tls_cert", c.Warehouse.TLSCert, "warehouse.tls_key", c.Warehouse.TLSKey)
	k.pair("tls.cert", c.TLS.Cert, "tls.key", c.TLS.Key)
	for i, a := range c.Redis.Addresses {
		k.address(fmt.Sprintf("redis.addresses[%d]", i), a)
	}
	if cluster := c.Redis.Cluster || len(c.Redis.Addresses) > 1 && c.Redis.MasterName == ""; cluster && c.Redis.DB != 0 {
		k.add("redis.db", strconv.Itoa(c.Redis.DB), "0: a cluster has no other")
	}
	if c.Redis.Cluster && c.Redis.MasterName != "" {
		k.add("redis.cluster", "true", "false beside redis.master_name: Sentinels watch over no cluster")
	}
	k.limits(c)
	for i, text := range c.ProxyProtocol.ListenFrom {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			k.add(fmt.Sprintf("proxy_protocol.listen_from[%d]", i), text, "a network such as 10.0.0.0/8")
			continue
		}
		c.proxyFrom = append(c.proxyFrom, p)
	}
	k.projects(c.Projects)
	for name := range c.TaskTypes {
		if !strings.EqualFold(name, "DT") && !strings.EqualFold(name, "MapReduce") {
			k.add("task_types."+name, name, "DT or MapReduce")
		}
	}
	if c.Audit.File == "" {
		k.add("audit.file", `""`, "the path of the decision log: what is not recorded is not permitted")
	}
	return k.faults
}

type checker struct{ faults []string }

func (k *checker) add(key, value, expected string) {
	k.faults = append(k.faults, fmt.Sprintf("%s: is %s, expected %s", key, value, expected))
}

func (k *checker) address(key, value string) {
	_, port, err := net.SplitHostPort(value)
	if err != nil || port == "" {
		k.add(key, fmt.Sprintf("%q", value), "host:port")
		return
	}
	if n, err := strconv.Atoi(port); err == nil && (n < 0 || n > 65535) {
		k.add(key, fmt.Sprintf("%q", value), "a port from 0 to 65535")
	}
}

func (k *checker) oneOf(key, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	k.add(key, fmt.Sprintf("%q", value), "one of "+strings.Join(allowed, ", "))
}

func (k *checker) file(key, path string) {
	if path == "" {
		return
	}
	if _, err := os.Stat(path); err != nil {
		k.add(key, path, "a file that can be read: "+err.Error())
	}
}

func (k *checker) pair(certKey, cert, keyKey, key string) {
	if (cert == "") != (key == "") {
		k.add(certKey, fmt.Sprintf("%q", cert), "both "+certKey+" and "+keyKey+", or neither")
	}
	k.file(certKey, cert)
	k.file(keyKey, key)
}

func (k *checker) positive(key string, n int) {
	if n <= 0 {
		k.add(key, fmt.Sprint(n), "a number above 0")
	}
}

func (k *checker) between(key string, d, low, high time.Duration) {
	if d < low || d > high {
		k.add(key, d.String(), fmt.Sprintf("a duration from %s to %s", low, high))
	}
}

func (k *checker) limits(c *Config) {
	l := c.Limits
	k.positive("limits.connections", l.Connections)
	k.positive("limits.statement_bytes", l.StatementBytes)
	k.positive("limits.prepared_statements", l.PreparedStatements)
	k.positive("limits.cache_bytes", l.CacheBytes)
	k.between("limits.login_timeout", l.LoginTimeout, time.Second, time.Hour)
	k.between("limits.idle_timeout", l.IdleTimeout, 0, 720*time.Hour)
	k.between("limits.write_timeout", l.WriteTimeout, time.Second, 24*time.Hour)
	k.between("warehouse.dial_timeout", c.Warehouse.DialTimeout, 10*time.Millisecond, time.Minute)
	k.between("policy.lease", c.Policy.Lease, 500*time.Millisecond, time.Minute)
	k.between("policy.catalog_max_age", c.Policy.CatalogMaxAge, 10*time.Millisecond, 10*time.Second)
	k.between("drain.wait", c.Drain.Wait, 0, time.Hour)
	k.between("drain.grace", c.Drain.Grace, 0, 24*time.Hour)
}

var system = map[string]bool{"mysql": true, "information_schema": true, "performance_schema": true, "sys": true, "sluice": true}

// projects: a schema belongs to one project, and no system schema to any.
func (k *checker) projects(groups map[string][]string) {
	owner := map[string]string{}
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if system[strings.ToLower(name)] {
			k.add("projects."+name, name, "a name that is no system schema's")
		}
		for _, schema := range groups[name] {
			switch lower := strings.ToLower(schema); {
			case system[lower]:
				k.add("projects."+name, schema, "schemas that are no system schema")
			case owner[lower] != "":
				k.add("projects."+name, schema, "schemas of one project alone; it is in project "+owner[lower]+" too")
			default:
				owner[lower] = name
			}
		}
	}
}
