package gateway

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// Policies gives the snapshot that decides the next statement.
type Policies interface {
	Current() *enforcement.Snapshot
	// Fresh tells whether the lease on the snapshot holds; if not, protected data stays in.
	Fresh(now time.Time) bool
	// VerifySeal compares a sealed table with its seal; drift says what changed, "" for nothing.
	VerifySeal(ctx context.Context, seal *enforcement.Seal) (drift string, err error)
}

// Recorder keeps the decision log: no entry, no permit.
type Recorder interface {
	Record(ctx context.Context, e *audit.Entry) error
}

// Warehouse is what sessions need of the service account.
type Warehouse interface {
	Kill(ctx context.Context, id uint64, query bool) error
}

// Definitions is told of definitions that are about to change or have changed.
type Definitions interface {
	// Announce returns when no gateway judges by the old definition of these objects.
	Announce(ctx context.Context, objects []lineage.Object) error
	// Invalidate drops this gateway's own copies.
	Invalidate(schemas ...string)
}

// TLSMode says how the warehouse leg is encrypted.
type TLSMode uint8

// The modes of warehouse.tls.
const (
	TLSDisabled TLSMode = iota
	TLSPreferred
	TLSRequired
)

// Limits bound what clients can take. Zero means the default that is written beside it.
type Limits struct {
	Connections    int           // sessions at a time; 10,000
	StatementBytes int           // bytes of one request; 64 MiB
	LoginTimeout   time.Duration // from accept to OK; 10 s
	IdleTimeout    time.Duration // between commands; none
	WriteTimeout   time.Duration // for one write to either side; 60 s
	Prepared       int           // prepared statements of one session; 16,382
}

// Options are the settings and collaborators of a gateway. All fields without a note are needed.
type Options struct {
	Address      string        // the warehouse, host:port
	DialTimeout  time.Duration // 5 s
	Flavor       parser.Flavor // 0: by the version in the greeting
	WarehouseTLS TLSMode
	TLSConfig    *tls.Config        // for the warehouse leg
	ClientTLS    func() *tls.Config // nil, or gives nil: no TLS to clients
	RSABridge    bool               // bridge caching_sha2 and sha256 when the legs differ in TLS
	ProxyFrom    []netip.Prefix     // networks whose PROXY header is believed
	ProxySend    bool               // send a PROXY v2 header to the warehouse

	Policies    Policies
	Reader      *lineage.Reader
	Audit       Recorder
	Commander   *Commander
	Warehouse   Warehouse
	Definitions Definitions
	Tasks       TaskTypes
	Limits      Limits
	// KillOnLoss ends a statement whose client vanished.
	KillOnLoss bool
	Log        *slog.Logger
	Metrics    Metrics // nil: none
}

// Gateway serves clients. Use New.
type Gateway struct {
	Options
	key      *rsa.PrivateKey // of the RSA bridge towards plain clients
	keyOnce  sync.Once
	sessions registry
	hangups  *hangups
	next     atomic.Uint64
	leaving  atomic.Bool // soon to drain: not ready any more, but still accepting
	draining atomic.Bool
}

// New gives a gateway that is ready to Serve.
func New(o Options) *Gateway {
	o.Limits = o.Limits.withDefaults()
	if o.DialTimeout == 0 {
		o.DialTimeout = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	return &Gateway{Options: o, hangups: newHangups()}
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&l.Connections, 10000)
	set(&l.StatementBytes, 64<<20)
	set(&l.Prepared, 16382)
	if l.LoginTimeout <= 0 {
		l.LoginTimeout = 10 * time.Second
	}
	if l.WriteTimeout <= 0 {
		l.WriteTimeout = time.Minute
	}
	return l
}

// Serve accepts clients until ctx ends or the listener fails, and returns when every session has
// ended. When ctx ends, sessions end at once; use Drain before for an orderly stop.
func (g *Gateway) Serve(ctx context.Context, l net.Listener) error {
	var watching sync.WaitGroup
	defer watching.Wait() // runs last
	ctx, cancel := context.WithCancel(ctx)
	sessions := newCrew(func(conn net.Conn) { g.serveClient(ctx, conn) })
	defer sessions.working.Wait()
	defer cancel() // runs first: every session ends with its context
	stop := context.AfterFunc(ctx, func() { _ = l.Close(); g.sessions.closeAll() })
	defer stop()
	watching.Go(func() { g.watch(ctx, sessions) })
	watching.Go(func() { g.hangups.run(ctx, g.sessions.hungUp) })
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || g.draining.Load() {
				g.awaitSessions(ctx)
				return nil
			}
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				continue
			}
			if temporary(err) {
				g.Log.Warn("accept", "error", err)
				time.Sleep(50 * time.Millisecond)
				continue
			}
			return err
		}
		sessions.take(ctx, wire.Direct(conn))
	}
}

// watch looks once a second for clients that vanished while their statement runs, has the ends of new sessions' connections
// reported, and now and then tidies up.
func (g *Gateway) watch(ctx context.Context, waiting *crew) {
	t := tidier{since: time.Now()}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			g.sessions.each(func(s *Session) {
				s.watchWarehouse()
				s.checkStuck(now)
				if g.KillOnLoss {
					s.checkClient(ctx, now)
				}
			})
			waiting.dismiss()
			t.look(now, g.next.Load())
		}
	}
}
