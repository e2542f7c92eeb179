package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/enforcement/store"
	"sluice/gateway"
	"sluice/gateway/console"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/warehouse"
)

// logName is the decision log, in the folder of this run.
const logName = "sluice-audit.jsonl"

// world is everything that the demo runs, in the order in which it starts.
type world struct {
	passwords map[string]string
	folder    string // of the decision log
	warehouse *embedded
	direct    *sql.DB // past the gateway, to see what the warehouse really holds
	redis     *miniredis.Miniredis
	cache     redis.UniversalClient
	pool      *warehouse.Pool
	catalog   *catalog.Catalog
	store     *store.Store
	audit     *audit.Log
	gateway   *gateway.Gateway
	console   *console.Console
	listener  net.Listener
	admin     net.Listener

	stop   context.CancelFunc
	work   *errgroup.Group
	failed <-chan struct{} // closed when a part of the gateway ended by itself
}

// start brings everything up. When it fails, what was up is down again.
func start(ctx context.Context) (*world, error) {
	w := &world{passwords: newPasswords()}
	for _, step := range []func(context.Context) error{w.startServers, w.startParts, w.startGateway} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

// startServers starts what a real deployment has running already.
func (w *world) startServers(ctx context.Context) (err error) {
	if w.folder, err = os.MkdirTemp("", "sluice-demo-"); err != nil {
		return fmt.Errorf("make a folder for the decision log: %w", err)
	}
	if w.warehouse, err = startWarehouse(w.passwords); err != nil {
		return err
	}
	if w.direct, err = connect(ctx, w.warehouse.address, serviceAccount, w.passwords[serviceAccount], ""); err != nil {
		return err
	}
	w.redis = miniredis.NewMiniRedis()
	if err := w.redis.StartAddr("127.0.0.1:0"); err != nil {
		w.redis = nil
		return fmt.Errorf("start Redis: %w", err)
	}
	return nil
}

// startParts makes pool, catalog, store and audit, as cmd/proxy does.
func (w *world) startParts(ctx context.Context) (err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	const id = "demo"
	w.pool = warehouse.New(warehouse.Options{Address: w.warehouse.address, User: serviceAccount, Password: w.passwords[serviceAccount]})
	w.catalog = catalog.New(&catalog.SQLLoader{Query: w.pool.Query, Detect: true}, 250*time.Millisecond)
	w.cache = redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: []string{w.redis.Addr()}, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: 200 * time.Millisecond, ReadTimeout: 300 * time.Millisecond, WriteTimeout: 300 * time.Millisecond,
	})
	w.store, err = store.New(store.Options{
		Pool: w.pool, Redis: w.cache, Gateway: id,
		Build: enforcement.Options{
			SuperAdministrators: []string{superAdministrator}, Prefixes: []string{"ALIYUN$", "RAM$"}, MailTails: []string{"*"},
		},
		Apply:   func(ctx context.Context, next *enforcement.Snapshot) error { return w.gateway.Apply(ctx, next) },
		Changed: func() { w.catalog.Invalidate() },
		Log:     log,
	})
	if err != nil {
		return err
	}
	w.audit, err = audit.Open(audit.Options{File: filepath.Join(w.folder, logName), Text: true, Gateway: id, Rows: w.store, Log: log})
	if err != nil {
		return err
	}
	metrics := console.NewMetrics()
	w.gateway = gateway.New(gateway.Options{
		Address: w.warehouse.address, RSABridge: true,
		Policies: w.store, Reader: lineage.NewReader(w.catalog, 64<<20), Audit: w.audit,
		Commander: &gateway.Commander{Policies: w.store, Audit: w.audit, Warehouse: w.pool, Catalog: w.catalog},
		Warehouse: w.pool, Definitions: definitions{w.store, w.catalog},
		Tasks:      gateway.TaskTypes{DT: gateway.TaskMatch{Programs: []string{"mysqldump", "mariadb-dump", "mydumper", "mysqlpump"}}},
		KillOnLoss: true, Log: log, Metrics: metrics,
	})
	w.console = console.New(console.Options{
		Policies: w.store, Sessions: w.gateway, Metrics: metrics, Audit: w.audit, Ready: w.ready, Version: "demo",
	})
	return nil
}

func (w *world) ready() error {
	if !w.store.Ready() || !w.store.Fresh(time.Now()) {
		return errors.New("the policy is not known")
	}
	return nil
}

// definitions tells other gateways by the store and this one by its catalog.
type definitions struct {
	store   *store.Store
	catalog *catalog.Catalog
}

func (d definitions) Announce(ctx context.Context, objects []lineage.Object) error {
	return d.store.Announce(ctx, objects)
}

func (d definitions) Invalidate(schemas ...string) { d.catalog.Invalidate(schemas...) }

// startGateway reads the policy and serves.
func (w *world) startGateway(ctx context.Context) (err error) {
	if w.listener, err = listen("127.0.0.1:3307"); err != nil {
		return err
	}
	if w.admin, err = listen("127.0.0.1:8307"); err != nil {
		return err
	}
	if err := w.store.Open(ctx); err != nil {
		return err
	}
	work, stop := context.WithCancel(context.Background())
	group, work := errgroup.WithContext(work)
	w.stop, w.work, w.failed = stop, group, work.Done()
	group.Go(func() error { return w.store.Run(work) })
	group.Go(func() error { return w.catalog.Run(work) })
	group.Go(func() error { return w.audit.Run(work) })
	group.Go(func() error { return w.console.Serve(work, w.admin) })
	group.Go(func() error { return w.gateway.Serve(work, w.listener) })
	return nil
}

// listen takes the address that the documentation names, or any free port of loopback.
func listen(address string) (net.Listener, error) {
	if l, err := net.Listen("tcp", address); err == nil {
		return l, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// close stops what was started, the last first.
func (w *world) close() error {
	var faults []error
	note := func(what string, err error) {
		if err != nil && !errors.Is(err, context.Canceled) {
			faults = append(faults, fmt.Errorf("stop %s: %w", what, err))
		}
	}
	if w.work != nil {
		w.stop()
		note("the gateway", w.work.Wait())
	} else {
		for _, l := range []net.Listener{w.listener, w.admin} {
			if l != nil {
				note("listening", l.Close())
			}
		}
	}
	if w.audit != nil {
		note("the decision log", w.audit.Close())
	}
	if w.pool != nil {
		w.pool.Close()
	}
	if w.cache != nil {
		note("the cache", w.cache.Close())
	}
	if w.redis != nil {
		w.redis.Close()
	}
	if w.direct != nil {
		note("the warehouse's session", w.direct.Close())
	}
	if w.warehouse != nil {
		note("the warehouse", w.warehouse.close())
	}
	if w.folder != "" {
		note("with a clean folder", os.RemoveAll(w.folder))
	}
	return errors.Join(faults...)
}

// seed fills the warehouse and names the owner of the two projects, through the gateway.
func (w *world) seed(ctx context.Context) error {
	if err := fill(ctx, w.direct, w.passwords); err != nil {
		return err
	}
	for _, project := range []string{"myprj", "alipay"} {
		db, err := w.as(ctx, superAdministrator, project)
		if err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, "ADD OWNER owner")
		if err := errors.Join(err, db.Close()); err != nil {
			return fmt.Errorf("name the owner of %s: %w", project, err)
		}
	}
	return nil
}

// as gives one session of an account through the gateway.
func (w *world) as(ctx context.Context, user, project string) (*sql.DB, error) {
	return connect(ctx, w.listener.Addr().String(), user, w.passwords[user], project)
}
