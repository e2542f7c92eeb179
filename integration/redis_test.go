package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/integration/servers"
)

// The promise with Redis behind Sentinels and with a cluster, while the primary is killed and another takes its place: what
// a command opened or closed at one gateway is so at the other when it returns. After that notices go over the new primary.

// replacing is a way of keeping a Redis that ends one at a time.
type replacing struct {
	keys    string
	kill    func()                                   // ends the primary that carries the notices
	others  func() []string                          // the servers that live then
	replace func(ctx context.Context) (string, bool) // the address of the new primary, once there is one
}

func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	set, primary, replica := servers.RedisSentinel(t)
	says(t, set.Keys, "(sluice-test, by Sentinels)")
	says(t, "{addresses: ["+set.Keys[strings.IndexByte(set.Keys, '[')+1:strings.IndexByte(set.Keys, ',')]+"]}", "redis.master_name: is empty")
	replacedUnderway(t, &replacing{
		keys:   set.Keys,
		kill:   func() { set.Kill(t, primary) },
		others: func() []string { return []string{replica} },
		replace: func(ctx context.Context) (string, bool) {
			c := redis.NewClient(&redis.Options{Addr: replica})
			defer c.Close()
			role, err := c.Do(ctx, "ROLE").Slice()
			return replica, err == nil && len(role) > 0 && role[0] == "master"
		},
	})
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	set := servers.RedisCluster(t)
	var live []string
	for addr := range set.Servers {
		live = append(live, addr)
	}
	says(t, set.Keys, "(a cluster of 3 primaries)")
	says(t, "{addresses: ["+live[0]+"], cluster: true}", "(a cluster of 3 primaries)")
	says(t, "{addresses: ["+live[0]+"]}", "redis.cluster: is false")
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: slices.Clone(live)})
	defer cluster.Close()
	carrier := func(ctx context.Context) (string, error) {
		cluster.ReloadState(ctx)
		time.Sleep(50 * time.Millisecond)
		c, err := cluster.MasterForKey(ctx, "sluice:changed")
		if err != nil {
			return "", err
		}
		return c.Options().Addr, nil
	}
	first, err := carrier(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	replacedUnderway(t, &replacing{
		keys: set.Keys,
		kill: func() { set.Kill(t, first) },
		others: func() []string {
			return slices.DeleteFunc(slices.Clone(live), func(a string) bool { return a == first })
		},
		replace: func(ctx context.Context) (string, bool) {
			addr, err := carrier(ctx)
			if err != nil || addr == first {
				return "", false
			}
			c := redis.NewClient(&redis.Options{Addr: addr})
			defer c.Close()
			info, err := c.ClusterInfo(ctx).Result()
			return addr, err == nil && strings.Contains(info, "cluster_state:ok")
		},
	})
}

func replacedUnderway(t *testing.T, r *replacing) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	server := servers.MariaDB(t)
	server.Prepare(t)
	fill(t, server, "127.0.0.1")
	const settings = "policy: {lease: 5s}"
	w := &world{warehouse: server, gateway: servers.StartGateway(t, server, r.keys, settings)}
	other := servers.StartGateway(t, server, r.keys, settings)
	w.as(t, "super", "myprj").do("ADD OWNER owner")
	f := &following{t: t, owner: w.as(t, "owner", "myprj"), alice: dialAs(t, other.Addr, "alice", "prj2")}
	f.owner.do("SET ProjectProtection = true")
	for range 5 {
		f.round()
	}
	before := f.slowest
	f.slowest = 0
	killed := time.Now()
	r.kill()
	var primary string
	for is := false; !is; primary, is = r.replace(ctx) {
		f.round()
		if ctx.Err() != nil {
			t.Fatal("no other primary took over")
		}
	}
	taken := time.Since(killed)
	during := f.slowest
	listening := time.Now()
	f.heard(ctx, r.others(), primary)
	if again := time.Since(listening); again > patience {
		t.Errorf("the gateways listened to notices again only %v after another primary had taken over", again)
	}
	f.slowest = 0
	third := servers.StartGateway(t, server, r.keys, settings)
	f.alice = dialAs(t, third.Addr, "alice", "prj2")
	for range 5 {
		f.round()
	}
	t.Logf("%d rounds; the slowest command took %v before, %v while no primary was there (%v), %v after", f.rounds, before, during, taken, f.slowest)
}

// following is an owner at one gateway and a reader at another.
type following struct {
	t            *testing.T
	owner, alice *client
	rounds       int
	slowest      time.Duration
}

// round opens the way and closes it: each holds at the other gateway when the command has returned.
func (f *following) round() {
	f.t.Helper()
	f.rounds++
	f.timed("ADD TRUSTEDPROJECT prj2")
	if _, err := f.alice.try("SELECT COUNT(*) FROM myprj.table1"); err != nil {
		f.t.Errorf("round %d: refused at the other gateway after ADD TRUSTEDPROJECT returned: %v", f.rounds, err)
	}
	f.timed("REMOVE TRUSTEDPROJECT prj2")
	f.alice.refused("SELECT COUNT(*) FROM myprj.table1")
}

func (f *following) timed(command string) {
	f.t.Helper()
	begun := time.Now()
	f.owner.do(command)
	f.slowest = max(f.slowest, time.Since(begun))
}

// heard: the gateways listen again, a notice reaches every server that lives, and the new primary holds the policy.
func (f *following) heard(ctx context.Context, live []string, primary string) {
	f.t.Helper()
	listeners := func() (n int64) {
		for _, addr := range live {
			c := redis.NewClient(&redis.Options{Addr: addr})
			if counts, err := c.PubSubNumSub(ctx, "sluice:changed").Result(); err == nil {
				n += counts["sluice:changed"]
			}
			_ = c.Close()
		}
		return n
	}
	for listeners() < 2 {
		select {
		case <-ctx.Done():
			f.t.Fatalf("%d of 2 gateways listen to notices again", listeners())
		case <-time.After(100 * time.Millisecond):
		}
	}
	c := redis.NewClient(&redis.Options{Addr: primary})
	defer c.Close()
	sub := c.Subscribe(ctx, "sluice:changed")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		f.t.Fatal(err)
	}
	f.round()
	if m, err := sub.ReceiveMessage(ctx); err != nil {
		f.t.Errorf("no notice goes over the new primary: %v", err)
	} else if m.Payload == "" {
		f.t.Error("an empty notice")
	}
	held := 0
	for _, addr := range live {
		n := redis.NewClient(&redis.Options{Addr: addr})
		if keys, err := n.Keys(ctx, "sluice:policy:*").Result(); err == nil {
			held += len(keys)
		}
		_ = n.Close()
	}
	if held == 0 {
		f.t.Error("no policy is kept in Redis after the primary was replaced")
	}
}

// checked gives what proxy check says of a Redis, whatever it finds of the warehouse.
func checked(t *testing.T, keys string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(file, []byte("warehouse: {address: \"127.0.0.1:1\"}\nredis: "+keys+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(servers.Binary(t), "check", "--config", file).CombinedOutput()
	return string(out)
}

func says(t *testing.T, keys, want string) {
	t.Helper()
	if said := checked(t, keys); !strings.Contains(said, want) {
		t.Errorf("proxy check of redis: %s is to say %q:\n%s", keys, want, said)
	}
}
