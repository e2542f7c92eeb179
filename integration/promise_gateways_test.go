package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/integration/servers"
)

// The promise, raced by clients: three gateways, sessions that copy protected data whenever they may, an owner who opens
// and closes the way by every rule, at every gateway. When the command that closes it has returned OK, the warehouse begins
// no copy until it is opened again: the copies themselves hold the warehouse's time. Redis is killed and
// comes back, a gateway is stopped for longer than its lease, gateways start meanwhile. SLUICE_TOGGLES sets the
// number of rounds for a long run.

// way is one rule that lets the copy through: how it is opened and closed again, as who, and in which project.
type way struct {
	name        string
	open, close []step
}

type step struct{ schema, command string }

const liveException = `SET ProjectProtection = true WITH EXCEPTION '{"Version":"1","Statement":[{"Effect":"Allow","Principal":["alice","bob"],"Action":"odps:*","Resource":"acs:odps:*:projects/myprj/tables/table1","Condition":{"Bool":{"sluice:Sealed":"false"}}}]}'`

const sealedException = `SET ProjectProtection = true WITH EXCEPTION '{"Version":"1","Statement":[{"Effect":"Allow","Principal":["alice","bob"],"Action":"odps:*","Resource":"acs:odps:*:projects/myprj/tables/table1"}]}'`

var ways = []way{
	{"protection", []step{{"myprj", "SET ProjectProtection = false"}}, []step{{"myprj", "SET ProjectProtection = true"}}},
	{"dry run", []step{{"myprj", "SET ProjectProtection = dryrun"}}, []step{{"myprj", "SET ProjectProtection = true"}}},
	{"trust", []step{{"myprj", "ADD TRUSTEDPROJECT prj2"}}, []step{{"myprj", "REMOVE TRUSTEDPROJECT prj2"}}},
	{"exception", []step{{"myprj", liveException}}, []step{{"myprj", "SET ProjectProtection = true"}}},
	{"seal", []step{{"myprj", sealedException}}, []step{{"myprj", "UPDATE table1 SET v = CONCAT('" + canary + "', RAND()) WHERE id = 1"}}},
	{"package", []step{{"prj2", "INSTALL PACKAGE myprj.share"}, {"prj2", "GRANT READ ON PACKAGE myprj.share TO USER alice"}, {"prj2", "GRANT READ ON PACKAGE myprj.share TO USER bob"}}, []step{{"prj2", "UNINSTALL PACKAGE myprj.share"}}},
	{"disallowed", []step{{"prj2", "INSTALL PACKAGE myprj.share"}, {"prj2", "GRANT READ ON PACKAGE myprj.share TO USER alice"}}, []step{{"myprj", "DISALLOW PROJECT prj2 TO INSTALL PACKAGE share"}}},
}

// race is everything that runs.
type race struct {
	t        *testing.T
	w        *world
	gateways []*servers.Gateway
	owners   map[string]*client // by gateway and schema
	// phase is even while the way is being opened or closed, 1 more than a multiple of 4 while it is closed, 3 while open.
	phase                     atomic.Int64
	permits, refusals, stales atomic.Int64
	closed                    []span // when, by the clock that gateways and warehouse share, no copy may begin
	stopped                   atomic.Int32
}

type span struct {
	from, to time.Time
	what     string
}

func (r *race) owner(gateway int, schema string) *client {
	key := fmt.Sprint(gateway, schema)
	if r.owners[key] == nil {
		r.owners[key] = dialAs(r.t, r.gateways[gateway].Addr, "owner", schema)
	}
	return r.owners[key]
}

// running picks a gateway that is not stopped.
func (r *race) running() int {
	for {
		if i := rand.IntN(len(r.gateways)); int32(i+1) != r.stopped.Load() {
			return i
		}
	}
}

func (r *race) do(steps []step) time.Duration {
	r.t.Helper()
	begun := time.Now()
	for _, s := range steps {
		r.owner(r.running(), s.schema).do(s.command)
	}
	return time.Since(begun)
}

// hammer copies and reads until ctx ends. It says what it saw that cannot be.
func (r *race) hammer(ctx context.Context, gateway int, user string) {
	c := dialAs(r.t, r.gateways[gateway].Addr, user, "prj2")
	statement := "INSERT INTO prj2.copies SELECT UNIX_TIMESTAMP(NOW(6)), " + strconv.Itoa(gateway) + " FROM myprj.table1 LIMIT 1"
	reading := user == "bob"
	if reading {
		statement = "SELECT id FROM myprj.table1 LIMIT 1"
	}
	prepared, err := c.conn.PrepareContext(ctx, "SELECT id FROM myprj.table1 WHERE id = ?")
	if err != nil {
		prepared = nil // closed just then
	}
	for n := 0; ctx.Err() == nil; n++ {
		before := r.phase.Load()
		var err error
		switch {
		case reading && prepared != nil && n%3 == 0:
			var id int
			err = prepared.QueryRowContext(context.Background(), 1).Scan(&id)
		case reading:
			var id int
			err = c.conn.QueryRowContext(context.Background(), statement).Scan(&id)
		default:
			_, err = c.conn.ExecContext(context.Background(), statement)
		}
		after := r.phase.Load()
		var refused *mysql.MySQLError
		switch {
		case err == nil:
			r.permits.Add(1)
			if before == after && before%4 == 1 {
				r.t.Errorf("gateway %d permitted %q of %s while the way was closed", gateway, statement, user)
				return
			}
		case errors.As(err, &refused) && refused.Number == 1142:
			r.refusals.Add(1)
			if strings.Contains(refused.Message, "lease") {
				r.stales.Add(1)
			} else if before == after && before%4 == 3 && user == "alice" && !strings.Contains(refused.Message, "stopped this statement") {
				r.t.Errorf("gateway %d refused %q while the way was open: %s", gateway, statement, refused.Message)
				return
			}
		case errors.As(err, &refused) && refused.Number == 1317: // killed just before it ended
		default:
			if ctx.Err() == nil {
				r.t.Errorf("gateway %d, %q: %v", gateway, statement, err)
			}
			return
		}
	}
}

func TestPromiseThroughGateways(t *testing.T) {
	t.Parallel()
	server := servers.MariaDB(t)
	cache := servers.Redis(t)
	redisPort, err := strconv.Atoi(cache.Addr[strings.LastIndexByte(cache.Addr, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	const lease = "policy: {lease: 1s}"
	server.Prepare(t)
	fill(t, server, "127.0.0.1")
	w := &world{warehouse: server}
	r := &race{t: t, w: w, owners: map[string]*client{}}
	for range 3 {
		r.gateways = append(r.gateways, servers.StartGateway(t, server, cache.Addr, lease))
	}
	w.gateway = r.gateways[0]
	server.Exec(t, "CREATE TABLE prj2.copies (at DECIMAL(20,6), gateway INT)")
	for _, schema := range []string{"myprj", "prj2"} {
		w.as(t, "super", schema).do("ADD OWNER owner")
	}
	r.do([]step{{"myprj", "SET ProjectProtection = true"}, {"myprj", "CREATE PACKAGE share"}, {"myprj", "ADD TABLE table1 TO PACKAGE share"}, {"myprj", "ALLOW PROJECT prj2 TO INSTALL PACKAGE share"}})
	r.phase.Store(1)

	ctx, cancel := context.WithCancel(context.Background())
	var hammering sync.WaitGroup
	defer hammering.Wait()
	defer cancel()
	for i := range r.gateways {
		for _, user := range []string{"alice", "alice", "bob"} {
			hammering.Go(func() { r.hammer(ctx, i, user) })
		}
	}
	var quick, slow, paused []time.Duration
	up := true
	n := toggles(60)
	for i := range n {
		switch i % 30 {
		case 8:
			cache.Kill()
			up = false
		case 14:
			if !up {
				cache = servers.RedisAt(t, redisPort)
				up = true
			}
		case 10, 20: // Redis is down at one and up at the other
			r.stopped.Store(3)
			r.gateways[2].Signal(t, syscall.SIGSTOP)
		case 17:
			g := servers.StartGateway(t, server, cache.Addr, lease) // a newcomer, while the policy changes
			late := dialAs(t, g.Addr, "alice", "prj2")
			late.refused("SELECT * FROM myprj.other")
			late.close()
			g.Stop()
		}
		took := r.round(ways[i%len(ways)])
		switch {
		case r.stopped.Load() != 0:
			paused = append(paused, took)
			r.gateways[2].Signal(t, syscall.SIGCONT)
			r.stopped.Store(0)
		case up:
			quick = append(quick, took)
		default:
			slow = append(slow, took)
		}
		if t.Failed() {
			return
		}
	}
	cancel()
	hammering.Wait()
	r.judge()
	if r.permits.Load() == 0 || r.refusals.Load() == 0 || len(paused) < 2 {
		t.Errorf("%d permits, %d refusals, %d rounds with a stopped gateway: the race proves nothing", r.permits.Load(), r.refusals.Load(), len(paused))
	}
	t.Logf("%d rounds, %d permits, %d refusals, %d of them for want of a lease", n, r.permits.Load(), r.refusals.Load(), r.stales.Load())
	t.Logf("closing with Redis: %s; without: %s; with a stopped gateway: %v", spread(quick), spread(slow), paused)
}

// round opens a way, lets it be used, closes it, and lets that be tried. It gives how long the last command took.
func (r *race) round(way way) time.Duration {
	r.t.Helper()
	r.phase.Add(1)
	r.do(way.open)
	r.phase.Add(1) // open
	time.Sleep(time.Duration(5+rand.IntN(40)) * time.Millisecond)
	r.phase.Add(1)
	r.do(way.close[:len(way.close)-1])
	took := r.do(way.close[len(way.close)-1:])
	from := time.Now()
	r.phase.Add(1) // closed
	time.Sleep(time.Duration(20+rand.IntN(40)) * time.Millisecond)
	if r.stopped.Load() != 0 { // what waits in the stopped gateway runs now, and must see the new policy
		r.gateways[2].Signal(r.t, syscall.SIGCONT)
		time.Sleep(150 * time.Millisecond)
	}
	r.closed = append(r.closed, span{from, time.Now(), way.name})
	if way.name == "disallowed" {
		r.phase.Add(1)
		r.do([]step{{"prj2", "UNINSTALL PACKAGE myprj.share"}, {"myprj", "ALLOW PROJECT prj2 TO INSTALL PACKAGE share"}})
		r.phase.Add(3)
	}
	if way.name == "seal" {
		r.phase.Add(1)
		r.do([]step{{"myprj", "SET ProjectProtection = true"}})
		r.phase.Add(3)
	}
	return took
}

// judge looks for a copy that the warehouse began while the way was closed.
func (r *race) judge() {
	db := r.w.warehouse.Root(r.t)
	defer db.Close()
	for _, s := range r.closed {
		var n int
		err := db.QueryRow("SELECT COUNT(*) FROM prj2.copies WHERE at > ? AND at < ?", seconds(s.from), seconds(s.to)).Scan(&n)
		if err != nil {
			r.t.Fatal(err)
		}
		if n > 0 {
			r.t.Errorf("%d copies began after the command that closed the way (%s) had returned", n, s.what)
		}
	}
}

func seconds(t time.Time) string { return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000) }

// How long a policy command takes while three gateways follow: when it returns, all do. The times belong to the
// machine; they are printed, and held to a bound that only a lost notice would break.
func TestPromiseLatency(t *testing.T) {
	server := servers.MariaDB(t)
	cache := servers.Redis(t)
	server.Prepare(t)
	fill(t, server, "127.0.0.1")
	w := &world{warehouse: server}
	var owners []*client
	for range 3 {
		w.gateway = servers.StartGateway(t, server, cache.Addr, "")
		if owners == nil {
			w.as(t, "super", "myprj").do("ADD OWNER owner")
		}
		owners = append(owners, w.as(t, "owner", "myprj"))
	}
	owners[0].do("SET ProjectProtection = true")
	time.Sleep(time.Second) // each has counted the others
	var took []time.Duration
	for i := range toggles(150) {
		command := "ADD TRUSTEDPROJECT prj2"
		if i%2 == 1 {
			command = "REMOVE TRUSTEDPROJECT prj2"
		}
		begun := time.Now()
		owners[i%3].do(command)
		took = append(took, time.Since(begun))
	}
	t.Logf("a policy change reaches three gateways: %s", spread(took)) // sorts
	if p50 := took[len(took)/2]; p50 > time.Second {
		t.Errorf("half of the changes took longer than %v: the gateways do not hear of them", p50)
	}
}

// Two owners at two gateways at once: nothing is lost, whoever was first.
func TestOwnersAtTwoGateways(t *testing.T) {
	t.Parallel()
	server := servers.MariaDB(t)
	cache := servers.Redis(t)
	server.Prepare(t)
	fill(t, server, "127.0.0.1")
	w := &world{warehouse: server}
	var gateways []*servers.Gateway
	for range 2 {
		gateways = append(gateways, servers.StartGateway(t, server, cache.Addr, ""))
	}
	w.gateway = gateways[0]
	super := w.as(t, "super", "myprj")
	for _, user := range []string{"owner", "bob"} {
		super.do("ADD OWNER " + user)
	}
	const each = 12
	for i := range 2 * each {
		server.Exec(t, fmt.Sprintf("CREATE DATABASE q%02d", i))
	}
	var working sync.WaitGroup
	for g, user := range []string{"owner", "bob"} {
		c := dialAs(t, gateways[g].Addr, user, "myprj")
		working.Go(func() {
			for i := range each {
				if _, err := c.try(fmt.Sprintf("ADD TRUSTEDPROJECT q%02d", g*each+i)); err != nil {
					t.Errorf("%s: %v", user, err)
				}
			}
		})
	}
	working.Wait()
	for _, g := range gateways {
		if list := dialAs(t, g.Addr, "owner", "myprj").do("LIST TRUSTEDPROJECTS"); len(list) != 2*each {
			t.Errorf("%d of %d trusted projects are there: %v", len(list), 2*each, list)
		}
	}
	// One owner removes the other while the other changes: no command of the removed one follows.
	bob := dialAs(t, gateways[1].Addr, "bob", "myprj")
	var removed atomic.Bool
	working.Go(func() {
		for i := 0; ; i++ {
			gone := removed.Load()
			_, err := bob.try(fmt.Sprintf("SETPROJECT READ_TABLE_MAX_ROW = %d", 100+i))
			if err != nil {
				return
			}
			if gone {
				t.Error("an owner who was removed changed the policy")
				return
			}
		}
	})
	time.Sleep(50 * time.Millisecond)
	dialAs(t, gateways[0].Addr, "owner", "myprj").do("REMOVE OWNER bob")
	removed.Store(true)
	working.Wait()
}
