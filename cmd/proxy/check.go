package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"sluice/config"
	"sluice/lineage/catalog"
	"sluice/parser"
	"sluice/warehouse"
)

// check validates the configuration, reaches warehouse and Redis, and says what it found. It fails with the key,
// the value and what was expected.
func check(c *cobra.Command, _ []string) error {
	cfg, err := load(c)
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	fmt.Fprintln(out, "configuration   ok")
	for _, fault := range config.MisspeltEnvironment(os.Environ()) {
		fmt.Fprintf(out, "environment     %s\n", fault)
	}
	ctx, cancel := context.WithTimeout(c.Context(), 20*time.Second)
	defer cancel()
	return errors.Join(checkCertificate(cfg, out), checkAudit(cfg, out), checkWarehouse(ctx, cfg, out), checkRedis(ctx, cfg, out))
}

func checkWarehouse(ctx context.Context, cfg *config.Config, out io.Writer) error {
	password, err := cfg.ServicePassword()
	if err != nil {
		return err
	}
	o := warehouse.Options{Address: cfg.Warehouse.Address, User: cfg.Warehouse.User, Password: password, DialTimeout: cfg.Warehouse.DialTimeout}
	if cfg.Warehouse.TLS != "disabled" {
		if o.TLS, err = warehouseTLS(cfg); err != nil {
			return err
		}
		o.PreferTLS = cfg.Warehouse.TLS == "preferred"
	}
	pool := warehouse.New(o)
	defer pool.Close()
	version, err := pool.Version(ctx)
	if err != nil {
		return fmt.Errorf("warehouse.address: is %s, expected a warehouse that lets %s in: %w", cfg.Warehouse.Address, cfg.Warehouse.User, err)
	}
	found := parser.ParseVersion(version)
	fmt.Fprintf(out, "warehouse       %s: %s, read as %s\n", cfg.Warehouse.Address, version, found.Flavor)
	var faults []error
	if f := cfg.Warehouse.Flavor; f != "auto" && f != found.Flavor.String() {
		faults = append(faults, fmt.Errorf("warehouse.flavor: is %s, expected %s: the version says so", f, found.Flavor))
	}
	for _, need := range []struct{ what, query, why string }{
		{"definitions", "SELECT COUNT(*) FROM information_schema.tables", "SELECT, SHOW VIEW, TRIGGER, EVENT and EXECUTE on all schemas"},
		{"policy", "CREATE DATABASE IF NOT EXISTS sluice", "ALL on sluice.*"},
		{"accounts", "SELECT COUNT(*) FROM mysql.user", "SELECT on mysql.user, for CHECK PROJECTPROTECTION"},
		{"status", "SHOW GLOBAL STATUS LIKE 'Com_create_table'", "nothing special"},
	} {
		if _, err := pool.Query(ctx, need.query); err != nil {
			faults = append(faults, fmt.Errorf("warehouse.user: %s lacks %s (%s): %w", cfg.Warehouse.User, need.why, need.what, err))
		}
	}
	loader := &catalog.SQLLoader{Query: pool.Query, Detect: true}
	if schemas, err := loader.Schemas(ctx); err != nil {
		faults = append(faults, fmt.Errorf("warehouse.user: %s: %w", cfg.Warehouse.User, err))
	} else if folds, err := loader.Folds(ctx); err == nil {
		faults = append(faults, checkProjects(cfg.Projects, schemas, folds, out)...)
	}
	if rows, err := pool.Query(ctx, "SHOW GRANTS"); err == nil {
		var grants []string
		for _, r := range rows {
			if len(r) > 0 && r[0] != nil {
				grants = append(grants, strings.SplitN(*r[0], " IDENTIFIED", 2)[0])
			}
		}
		fmt.Fprintf(out, "service account %s\n", strings.Join(grants, "\n                "))
	}
	return errors.Join(faults...)
}

func checkRedis(ctx context.Context, cfg *config.Config, out io.Writer) error {
	client := redisClient(cfg)
	if client == nil {
		fmt.Fprintln(out, "redis           none: gateways hear of changes by asking the warehouse")
		return nil
	}
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis.addresses: is %s, expected a Redis that answers PING: %w", strings.Join(cfg.Redis.Addresses, ", "), err)
	}
	kind, err := redisKind(ctx, cfg, client)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "redis           %s: ok%s\n", strings.Join(cfg.Redis.Addresses, ", "), kind)
	return nil
}

// redisKind says what the addresses are, and refuses what would be taken for something else: PING alone is answered by a
// Sentinel and by any node of a cluster too.
func redisKind(ctx context.Context, cfg *config.Config, client redis.UniversalClient) (string, error) {
	if cluster, is := client.(*redis.ClusterClient); is {
		var primaries atomic.Int32
		err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			primaries.Add(1)
			return node.Ping(ctx).Err()
		})
		if err != nil {
			return "", fmt.Errorf("redis.addresses: is %s, expected the nodes of a cluster (Sentinels need redis.master_name): %w", strings.Join(cfg.Redis.Addresses, ", "), err)
		}
		return fmt.Sprintf(" (a cluster of %d primaries)", primaries.Load()), nil
	}
	info, err := client.Info(ctx, "server").Result()
	switch {
	case err != nil:
		return "", nil // a server, or a rule for its users, without INFO
	case strings.Contains(info, "redis_mode:sentinel"):
		return "", fmt.Errorf("redis.master_name: is empty, expected the name by which the Sentinel at %s knows its primary", strings.Join(cfg.Redis.Addresses, ", "))
	case strings.Contains(info, "redis_mode:cluster"):
		return "", fmt.Errorf("redis.cluster: is false, expected true: %s is a node of a cluster", strings.Join(cfg.Redis.Addresses, ", "))
	case cfg.Redis.MasterName != "":
		return " (" + cfg.Redis.MasterName + ", by Sentinels)", nil
	}
	return "", nil
}
