package servers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// RedisAt starts a Redis on a port, such as that of one that was killed.
func RedisAt(t testing.TB, port int, args ...string) *Server {
	t.Helper()
	daemon := program(t, "redis-server", "redis-server")
	dir := scratch(t)
	all := append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no", "--shutdown-timeout", "0", "--dir", dir}, args...)
	return redisProcess(t, "Redis", port, dir, daemon, all...)
}

func redisProcess(t testing.TB, name string, port int, dir, daemon string, args ...string) *Server {
	t.Helper()
	addr := "127.0.0.1:" + strconv.Itoa(port)
	s := start(t, name, dir, func() error {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}, daemon, args...)
	s.Addr = addr
	return s
}

// Redises is a set of Redis servers that replaces a primary which ends.
type Redises struct {
	Keys    string // the redis: {…} of a gateway's configuration
	Servers map[string]*Server
}

// Kill ends the server at an address the hard way.
func (r *Redises) Kill(t testing.TB, addr string) {
	t.Helper()
	if r.Servers[addr] == nil {
		t.Fatalf("there is no Redis at %s", addr)
	}
	r.Servers[addr].Kill()
}

// SentinelName is by what name the Sentinels of a test know their primary.
const SentinelName = "sluice-test"

// RedisSentinel starts a primary, a replica and three Sentinels that watch over them.
func RedisSentinel(t testing.TB) (set *Redises, primary, replica string) {
	t.Helper()
	first := Redis(t)
	second := RedisAt(t, FreePort(t), "--replicaof", strings.Replace(first.Addr, ":", " ", 1), "--repl-diskless-sync-delay", "0")
	set = &Redises{Servers: map[string]*Server{first.Addr: first, second.Addr: second}}
	daemon := program(t, "redis-server", "redis-server")
	var sentinels []string
	for range 3 {
		dir, port := scratch(t), FreePort(t)
		file := filepath.Join(dir, "sentinel.conf")
		text := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\nsentinel monitor %s %s 2\nsentinel down-after-milliseconds %s 500\nsentinel failover-timeout %s 3000\n",
			port, dir, SentinelName, strings.Replace(first.Addr, ":", " ", 1), SentinelName, SentinelName)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sentinels = append(sentinels, redisProcess(t, "Sentinel", port, dir, daemon, file, "--sentinel").Addr)
	}
	for _, addr := range sentinels {
		until(t, "the Sentinel at "+addr+" knows the replica and the others", func() bool {
			state := redisCLI(t, addr, "SENTINEL", "MASTER", SentinelName)
			return field(state, "num-slaves") == "1" && field(state, "num-other-sentinels") == "2"
		})
	}
	set.Keys = fmt.Sprintf("{addresses: [%s], master_name: %s}", strings.Join(sentinels, ", "), SentinelName)
	return set, first.Addr, second.Addr
}

// RedisCluster starts three primaries with a replica each.
func RedisCluster(t testing.TB) *Redises {
	t.Helper()
	set := &Redises{Servers: map[string]*Server{}}
	var addrs []string
	for range 6 {
		s := RedisAt(t, FreePort(t), "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-config-file", "nodes.conf", "--repl-diskless-sync-delay", "0")
		set.Servers[s.Addr] = s
		addrs = append(addrs, s.Addr)
	}
	create := exec.Command(program(t, "redis-cli", "redis-tools"), append(append([]string{"--cluster", "create"}, addrs...), "--cluster-replicas", "1", "--cluster-yes")...)
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("redis-cli --cluster create: %v\n%s", err, out)
	}
	for _, addr := range addrs {
		until(t, "the node at "+addr+" knows the cluster", func() bool {
			info := redisCLI(t, addr, "CLUSTER", "INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:6") &&
				strings.Count(redisCLI(t, addr, "CLUSTER", "NODES"), "slave") == 3
		})
	}
	set.Keys = "{addresses: [" + strings.Join(addrs, ", ") + "]}"
	return set
}

func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
	}
}

func redisCLI(t testing.TB, addr string, args ...string) string {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	out, err := exec.Command(program(t, "redis-cli", "redis-tools"), append([]string{"-h", host, "-p", port}, args...)...).CombinedOutput()
	if err != nil {
		return ""
	}
	return string(out)
}

// field gives the line behind one that names it, as SENTINEL MASTER answers.
func field(lines, name string) string {
	all := strings.Split(strings.ReplaceAll(lines, "\r", ""), "\n")
	for i := range all {
		if all[i] == name && i+1 < len(all) {
			return all[i+1]
		}
	}
	return ""
}
