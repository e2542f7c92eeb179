package integration

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"sluice/enforcement"
	"sluice/enforcement/store"
	"sluice/integration/servers"
	"sluice/lineage"
	"sluice/parser"
	"sluice/warehouse"
)

// The promise of contract 5, raced: when Change has returned, no gateway decides by an older revision; with Redis
// up, killed and restarted, with gateways that come and go, and with one that is stopped for longer than
// its lease. SLUICE_TOGGLES sets the number of changes for a long run.

const raceLease = time.Second

// stage is what the processes of the race share: the revision whose Change has returned last.
type stage struct {
	returned *atomic.Uint64
}

// mapped puts the stage into a file that two processes map.
func mapped(file string) (stage, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return stage{}, err
	}
	defer f.Close()
	if err := f.Truncate(8); err != nil {
		return stage{}, err
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return stage{}, err
	}
	return stage{(*atomic.Uint64)(unsafe.Pointer(&m[0]))}, nil
}

// sessions are those of one gateway. Each decides, and sends under its lock with the decision's
// snapshot still the current one and fresh, as the gateway's sessions do.
type sessions struct {
	stage stage
	store *store.Store
	locks []sync.Mutex
	// sent and permitted count the decisions acted on; late is the first one by an old revision.
	sent, permitted atomic.Int64
	late            atomic.Pointer[string]
}

// apply returns when no session can send any more what an older snapshot decided.
func (s *sessions) apply(context.Context, *enforcement.Snapshot) error {
	for i := range s.locks {
		s.locks[i].Lock()
		s.locks[i].Unlock() //lint:ignore SA2001 to have held it is all
	}
	return nil
}

// flow is pay.salary -> lab.copy, asked from lab.
func flow() *enforcement.Request {
	return &enforcement.Request{
		Graph: &lineage.Graph{
			Kind: "INSERT", Reads: []lineage.Object{{Schema: "pay", Name: "salary"}}, Writes: []lineage.Write{{Object: lineage.Object{Schema: "lab", Name: "copy"}}},
			Flows: []lineage.Flow{{
				Source: lineage.Source{Kind: lineage.TableSource, Object: lineage.Object{Schema: "pay", Name: "salary"}},
				Sink:   lineage.Sink{Kind: lineage.TableSink, Object: lineage.Object{Schema: "lab", Name: "copy"}},
			}},
		},
		Subject: enforcement.Subject{User: "alice", Host: "%", Address: netip.MustParseAddr("10.0.0.1")}, Schema: "lab",
	}
}

// hammer decides until ctx ends.
func (s *sessions) hammer(ctx context.Context, i int) {
	request := flow()
	for ctx.Err() == nil {
		snapshot := s.store.Current()
		request.Now = time.Now()
		decision := snapshot.Decide(request)
		s.locks[i].Lock()
		floor := s.stage.returned.Load()
		if s.store.Current() == snapshot && s.store.Fresh(time.Now()) {
			s.sent.Add(1)
			if decision.Permitted() {
				s.permitted.Add(1)
			}
			if snapshot.Revision() < floor {
				what := fmt.Sprintf("decided by revision %d when the change to %d had returned", snapshot.Revision(), floor)
				s.late.CompareAndSwap(nil, &what)
			}
		}
		s.locks[i].Unlock()
		time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
	}
}

// addresses are where a gateway finds its servers.
type addresses struct{ warehouse, redis string }

// gateway starts a store and its sessions. stop ends them and waits.
func (a addresses) gateway(name string, st stage, hammers int) (*sessions, func(), error) {
	s := &sessions{stage: st, locks: make([]sync.Mutex, hammers)}
	pool := warehouse.New(warehouse.Options{Address: a.warehouse, User: "sluice", Password: "s"})
	client := shortRedis(a.redis)
	var err error
	s.store, err = store.New(store.Options{Pool: pool, Redis: client, Gateway: name, Lease: raceLease, Apply: s.apply, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.store.Open(ctx); err != nil {
		cancel()
		return nil, nil, err
	}
	var running, hammering sync.WaitGroup
	running.Go(func() { _ = s.store.Run(ctx) })
	work, idle := context.WithCancel(context.Background())
	for i := range hammers {
		hammering.Go(func() { s.hammer(work, i) })
	}
	return s, func() {
		idle()
		hammering.Wait()
		cancel()
		running.Wait()
		_ = client.Close()
		pool.Close()
	}, nil
}

// shortRedis has the time limits of the gateway.
func shortRedis(addr string) redis.UniversalClient {
	return redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{addr}, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: 200 * time.Millisecond, ReadTimeout: 300 * time.Millisecond, WriteTimeout: 300 * time.Millisecond})
}

// quiet keeps go-redis from telling of every dead connection.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// process is the variable under which this test binary is a gateway of its own.
const process = "SLUICE_TEST_GATEWAY"

// init makes this process a gateway when the race started it: "warehouse redis file". It ends with
// its standard input, and says what it saw.
func init() {
	redis.SetLogger(quiet{})
	parts := strings.Fields(os.Getenv(process))
	if len(parts) != 3 {
		return
	}
	st, err := mapped(parts[2])
	if err == nil {
		var s *sessions
		var stop func()
		if s, stop, err = (addresses{parts[0], parts[1]}).gateway("apart", st, 10); err == nil {
			fmt.Println("ready")
			_, _ = os.Stdin.Read(make([]byte, 1))
			stop()
			if late := s.late.Load(); late != nil {
				err = fmt.Errorf("late: %s", *late)
			}
			fmt.Println("sent", s.sent.Load(), "permitted", s.permitted.Load())
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// apart is the gateway that is a process of its own.
type apart struct {
	cmd    *exec.Cmd
	out    strings.Builder
	finish func() error
}

func startApart(t *testing.T, a addresses, file string) *apart {
	t.Helper()
	p := &apart{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), process+"="+a.warehouse+" "+a.redis+" "+file)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for first := true; ; first = false {
			n, err := out.Read(buf)
			p.out.Write(buf[:n])
			if first {
				close(ready)
			}
			if err != nil {
				return
			}
		}
	}()
	<-ready
	p.finish = sync.OnceValue(func() error {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = in.Close()
		<-read
		return p.cmd.Wait()
	})
	t.Cleanup(func() { _ = p.finish() })
	return p
}

// change is one random edit that keeps the policy valid.
func change(p *enforcement.Policy) error {
	pay := p.Projects["pay"]
	exception := `{"Version":"1","Statement":[{"Effect":"Allow","Principal":"alice","Action":["odps:Select"],"Resource":["acs:odps:*:projects/pay/tables/salary"],"Condition":{"Bool":{"sluice:Sealed":"false"}}}]}`
	switch rand.IntN(5) {
	case 0:
		_, err := p.SetProtection("pay", parser.Protected, "", nil)
		return err
	case 1:
		_, err := p.SetProtection("pay", parser.Protected, exception, nil)
		return err
	case 2:
		_, err := p.SetProtection("pay", parser.Unprotected, "", nil)
		return err
	case 3:
		if pay != nil && slices.Contains(pay.Trusted, "lab") {
			return p.RemoveTrusted("pay", "lab")
		}
		return p.AddTrusted("pay", "lab")
	default:
		if lab := p.Projects["lab"]; lab != nil && len(lab.Installed) > 0 {
			return p.UninstallPackage("lab", "pay", "shared")
		}
		if pay != nil && pay.Packages["shared"] == nil {
			if err := p.CreatePackage("pay", "shared", time.Now()); err != nil {
				return err
			}
			if err := p.AddToPackage("pay", "shared", enforcement.Item{Type: "table", Name: "salary", Privileges: []string{"Select"}}); err != nil {
				return err
			}
			if err := p.AllowInstall("pay", "shared", enforcement.Allowed{Project: "lab"}); err != nil {
				return err
			}
		}
		if pay == nil {
			return p.AddTrusted("pay", "lab")
		}
		return p.InstallPackage("lab", "pay", "shared", time.Now())
	}
}

func toggles(short int) int {
	if n, err := strconv.Atoi(os.Getenv("SLUICE_TOGGLES")); err == nil {
		return n
	}
	return short
}

// serviceAccount makes the account of the stores and of the projects' schemas.
func serviceAccount(t testing.TB, s *servers.Server) {
	t.Helper()
	s.Exec(t, "CREATE USER sluice@'%' IDENTIFIED BY 's'", "GRANT ALL ON *.* TO sluice@'%' WITH GRANT OPTION", "CREATE DATABASE pay", "CREATE DATABASE lab")
}

func TestPromiseRaced(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("sluice/integration/servers.start.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")) // it ends within a second
	server := servers.MariaDB(t)
	serviceAccount(t, server)
	cache := servers.Redis(t)
	_, port, _ := strings.Cut(cache.Addr, ":")
	redisPort, _ := strconv.Atoi(port)
	a := addresses{server.Addr, cache.Addr}
	file := filepath.Join(t.TempDir(), "stage")
	st, err := mapped(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*sessions
	for i := range 2 {
		s, stop, err := a.gateway(fmt.Sprint("g", i), st, 10)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		all = append(all, s)
	}
	other := startApart(t, a, file)
	defer func() {
		if err := other.finish(); err != nil {
			t.Errorf("the gateway apart: %v\n%s", err, other.out.String())
		}
		t.Logf("apart: %s", strings.TrimSpace(other.out.String()))
	}()
	newcomers := comeAndGo(t, a, st)
	defer newcomers()

	n := toggles(200)
	up, stopped := true, false
	var quick, slow, paused []time.Duration
	for i := range n {
		if i%20 == 10 {
			cache.Kill()
			up = false
		}
		if i%20 == 15 && !up {
			cache = servers.RedisAt(t, redisPort)
			up = true
		}
		if i%80 == 32 || i%80 == 72 { // Redis is up at one and down at the other
			signal(t, other, syscall.SIGSTOP)
			stopped = true
		}
		s := all[rand.IntN(len(all))]
		begun := time.Now()
		next, err := s.store.Change(context.Background(), "owner", fmt.Sprint("toggle ", i), change)
		if err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
		raise(st.returned, next.Revision())
		took := time.Since(begun)
		switch {
		case stopped:
			paused = append(paused, took)
			if len(paused)%2 == 0 { // the second change finds the lease over already
				time.Sleep(raceLease / 2)
				signal(t, other, syscall.SIGCONT)
				stopped = false
			}
		case up:
			quick = append(quick, took)
		default:
			slow = append(slow, took)
		}
		for _, s := range all {
			if late := s.late.Load(); late != nil {
				t.Fatal(*late)
			}
		}
	}
	for i, s := range all {
		if s.sent.Load() == 0 || s.permitted.Load() == 0 || s.permitted.Load() == s.sent.Load() {
			t.Errorf("gateway %d sent %d decisions, %d of them permits: the race proves nothing", i, s.sent.Load(), s.permitted.Load())
		}
		t.Logf("gateway %d: %d decisions, %d permits", i, s.sent.Load(), s.permitted.Load())
	}
	if len(paused) < 2 {
		t.Error("no gateway was stopped while the policy changed")
	}
	t.Logf("with Redis: %s; without: %s; with a stopped gateway: %v", spread(quick), spread(slow), paused)
}

// raise sets v to n unless it is beyond: changes may return in another order than they were made.
func raise(v *atomic.Uint64, n uint64) {
	for old := v.Load(); old < n && !v.CompareAndSwap(old, n); old = v.Load() {
	}
}

func signal(t *testing.T, p *apart, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// comeAndGo starts gateways that live for a moment, so that some begin while a change is on its way.
func comeAndGo(t *testing.T, a addresses, st stage) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			s, leave, err := a.gateway(fmt.Sprint("newcomer", i), st, 3)
			if err != nil {
				t.Errorf("newcomer %d: %v", i, err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(50+rand.IntN(250)) * time.Millisecond):
			}
			leave()
			if late := s.late.Load(); late != nil {
				t.Errorf("newcomer %d: %s", i, *late)
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	at := func(q float64) time.Duration { return d[int(q*float64(len(d)-1))].Round(100 * time.Microsecond) }
	return fmt.Sprintf("%d changes, p50 %v, p99 %v, max %v", len(d), at(.5), at(.99), at(1))
}

// How fast a change reaches three gateways. The times are printed, not judged: they belong to the machine.
func TestChangeLatency(t *testing.T) {
	server := servers.MariaDB(t)
	serviceAccount(t, server)
	a := addresses{server.Addr, servers.Redis(t).Addr}
	st := stage{new(atomic.Uint64)}
	var all []*sessions
	for i := range 3 {
		s, stop, err := a.gateway(fmt.Sprint("g", i), st, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		all = append(all, s)
	}
	time.Sleep(2 * raceLease / 3) // each has counted the others and listens
	var took []time.Duration
	for i := range toggles(200) {
		begun := time.Now()
		next, err := all[i%3].store.Change(context.Background(), "owner", "toggle", change)
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begun))
		for j, s := range all {
			if s.store.Current().Revision() < next.Revision() {
				t.Fatalf("gateway %d decides by %d after the change to %d", j, s.store.Current().Revision(), next.Revision())
			}
		}
	}
	t.Log(spread(took))
}
