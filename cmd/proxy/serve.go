package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sluice/config"
	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/enforcement/store"
	"sluice/gateway"
	"sluice/gateway/console"
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
	"sluice/warehouse"
)

// serve runs the gateway until its context ends, and drains it then.
func serve(c *cobra.Command, _ []string) error {
	cfg, err := load(c)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	return serveWith(c.Context(), cfg, log)
}

// service is everything that one gateway process runs.
type service struct {
	cfg       *config.Config
	log       *slog.Logger
	pool      *warehouse.Pool
	measuring *warehouse.Pool // waits for whoever locks a table
	store     *store.Store
	catalog   *catalog.Catalog
	audit     *audit.Log
	gateway   *gateway.Gateway
	console   *console.Console
	listener  net.Listener
	admin     net.Listener
	certs     *certificates
}

func serveWith(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	s, err := assemble(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer s.close()
	return s.run(ctx)
}

// assemble wires the parts. It needs neither warehouse nor Redis: both are waited for while serving.
func assemble(ctx context.Context, cfg *config.Config, log *slog.Logger) (*service, error) {
	s := &service{cfg: cfg, log: log}
	for _, fault := range config.MisspeltEnvironment(os.Environ()) {
		log.Warn("environment", "variable", fault)
	}
	flavor, err := s.parts()
	if err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		s.close()
		return nil, err
	}
	metrics := console.NewMetrics()
	options := s.gatewayOptions(flavor, metrics)
	metrics.Watch(options.Reader, s.store)
	s.gateway = gateway.New(options)
	s.console = console.New(console.Options{
		Policies: s.store, Sessions: s.gateway, Metrics: metrics, Audit: s.audit,
		Ready:   func() error { return s.ready() },
		Version: version,
	})
	return s, nil
}

func (s *service) listen() (err error) {
	if s.listener, err = wire.Listen(s.cfg.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if s.admin, err = net.Listen("tcp", s.cfg.Admin.Listen); err != nil {
		_ = s.listener.Close()
		return fmt.Errorf("admin.listen: %w", err)
	}
	return nil
}

// close gives back what parts made.
func (s *service) close() {
	s.pool.Close()
	s.measuring.Close()
	_ = s.audit.Close()
}

func (s *service) ready() error {
	switch {
	case s.gateway.Draining():
		return errors.New("draining")
	case !s.store.Ready():
		return errors.New("the warehouse's sluice schema was not reached yet")
	case !s.store.Fresh(time.Now()):
		return errors.New("the lease on the policy cannot be renewed")
	}
	return nil
}

// parts makes pool, store, catalog and audit.
func (s *service) parts() (parser.Flavor, error) {
	cfg := s.cfg
	password, err := cfg.ServicePassword()
	if err != nil {
		return 0, err
	}
	warehouseTLS, err := warehouseTLS(cfg)
	if err != nil {
		return 0, err
	}
	s.certs = &certificates{cert: cfg.TLS.Cert, key: cfg.TLS.Key, log: s.log}
	if err := s.certs.start(time.Now()); err != nil {
		return 0, err
	}
	options := warehouse.Options{Address: cfg.Warehouse.Address, User: cfg.Warehouse.User, Password: password, DialTimeout: cfg.Warehouse.DialTimeout}
	if cfg.Warehouse.TLS != "disabled" {
		options.TLS = warehouseTLS
		options.PreferTLS = cfg.Warehouse.TLS == "preferred"
	}
	options.Dial = wire.DialLasting
	s.pool, s.measuring = warehouse.New(options), warehouse.New(options)
	flavor := map[string]parser.Flavor{"mariadb": parser.MariaDB, "mysql": parser.MySQL, "tidb": parser.TiDB}[cfg.Warehouse.Flavor]
	loader := &catalog.SQLLoader{Query: s.pool.Query, TiDB: flavor == parser.TiDB, Disguise: s.disguise}
	if flavor == 0 {
		loader.Detect = true
	}
	s.catalog = catalog.New(loader, cfg.Policy.CatalogMaxAge)
	id := cfg.Gateway
	if id == "" {
		id = gatewayID()
	}
	s.store, err = store.New(store.Options{
		Pool: s.pool, Measure: s.measuring, Redis: redisClient(cfg), Gateway: id, Lease: cfg.Policy.Lease,
		Build: enforcement.Options{
			Groups: cfg.Projects, SuperAdministrators: cfg.SuperAdministrators, OwnerExempt: cfg.Policy.OwnerExempt,
			Prefixes: cfg.Policy.Prefixes, MailTails: cfg.Policy.MailTails,
		},
		Apply:         func(ctx context.Context, next *enforcement.Snapshot) error { return s.gateway.Apply(ctx, next) },
		Changed:       func() { s.catalog.Invalidate() },
		ChecksumLimit: cfg.Policy.SealChecksumBytes, Log: s.log,
	})
	if err != nil {
		return 0, err
	}
	if release, err := executable(); err != nil {
		s.log.Warn("read the program's own file: definitions are not shared with other gateways", "error", err)
	} else {
		s.catalog.Share(s.store, release)
	}
	s.audit, err = audit.Open(audit.Options{File: cfg.Audit.File, Text: cfg.Audit.Text, Gateway: id, Rows: s.store, Log: s.log})
	return flavor, err
}

// disguise has each of the service account's statements spelt so that the server puts no other in its place.
func (s *service) disguise(needed bool) {
	s.pool.Disguise(needed)
	s.measuring.Disguise(needed)
}

// gatewayID is unique among the gateways that live: host, process and moment.
func gatewayID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "gateway"
	}
	if len(host) > 24 {
		host = host[:24]
	}
	return fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().UnixNano()%1e9)
}

func (s *service) gatewayOptions(flavor parser.Flavor, metrics gateway.Metrics) gateway.Options {
	cfg := s.cfg
	l := cfg.Limits
	mode := map[string]gateway.TLSMode{"disabled": gateway.TLSDisabled, "preferred": gateway.TLSPreferred, "required": gateway.TLSRequired}[cfg.Warehouse.TLS]
	tlsConfig, _ := warehouseTLS(cfg) // checked in parts
	return gateway.Options{
		Address: cfg.Warehouse.Address, DialTimeout: cfg.Warehouse.DialTimeout, Flavor: flavor, WarehouseTLS: mode,
		TLSConfig: tlsConfig, ClientTLS: s.certs.config, RSABridge: cfg.Auth.RSABridge,
		ProxyFrom: cfg.ProxyFrom(), ProxySend: cfg.ProxyProtocol.Send,
		Policies: s.store, Reader: lineage.NewReader(s.catalog, l.CacheBytes), Audit: s.audit,
		Commander: &gateway.Commander{
			Policies: s.store, Audit: s.audit, Warehouse: s.pool, Catalog: s.catalog,
		},
		Warehouse: s.pool, Definitions: definitions{s.store, s.catalog},
		Tasks: gateway.TaskTypes{DT: taskMatch(cfg, "dt"), MapReduce: taskMatch(cfg, "mapreduce")},
		Limits: gateway.Limits{
			Connections: l.Connections, StatementBytes: l.StatementBytes, LoginTimeout: l.LoginTimeout,
			IdleTimeout: l.IdleTimeout, WriteTimeout: l.WriteTimeout, Prepared: l.PreparedStatements,
		},
		KillOnLoss: cfg.KillOnClientLoss, Log: s.log, Metrics: metrics,
	}
}

func taskMatch(cfg *config.Config, name string) gateway.TaskMatch {
	for key, t := range cfg.TaskTypes {
		if strings.EqualFold(key, name) {
			return gateway.TaskMatch{Programs: t.Programs, Users: t.Users}
		}
	}
	return gateway.TaskMatch{}
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

// run serves until ctx ends, then stops in the order of an orderly drain: not ready, listeners closed,
// sessions let finish, and only then the store, so that policy is fresh to the last statement.
func (s *service) run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, work := errgroup.WithContext(work)
	g.Go(func() error { return s.store.Run(work) })
	g.Go(func() error { return s.catalog.Run(work) })
	g.Go(func() error { return s.audit.Run(work) })
	g.Go(func() error { return s.console.Serve(work, s.admin) })
	g.Go(func() error { return s.gateway.Serve(work, s.listener) })
	g.Go(func() error { new(processors).run(work, s.log); return nil })
	var hup sync.WaitGroup
	hup.Add(1)
	go func() {
		defer hup.Done()
		s.reload(work)
	}()
	if err := s.store.Open(ctx); err != nil {
		s.log.Warn("the warehouse is not there yet; clients are refused until it is", "error", err)
	}
	s.log.Info("sluice serves", "listen", s.listener.Addr().String(), "warehouse", s.cfg.Warehouse.Address, "admin", s.admin.Addr().String(), "version", version)
	select {
	case <-ctx.Done():
		s.drain(work)
	case <-work.Done():
	}
	stop()
	hup.Wait()
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (s *service) drain(ctx context.Context) {
	s.log.Info("draining", "wait", s.cfg.Drain.Wait, "grace", s.cfg.Drain.Grace)
	if s.cfg.Drain.Wait > 0 {
		s.gateway.StartDraining()
		time.Sleep(s.cfg.Drain.Wait)
	}
	s.gateway.Drain(ctx, s.listener, s.cfg.Drain.Grace)
}

// reload acts on SIGHUP: certificates and the audit file are opened again. Everything else needs a restart.
func (s *service) reload(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			s.certs.forget()
			s.certs.config() // now, so that what is wrong with them is told now
			if err := s.audit.Reopen(); err != nil {
				s.log.Error("reopen the audit log; the old file is kept", "error", err)
			}
			s.log.Info("certificates and audit log were opened again")
		}
	}
}
