package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"sluice/config"
	"sluice/enforcement"
	"sluice/enforcement/store"
	"sluice/warehouse"
)

func policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "keep the policy as a file in version control"}
	export := &cobra.Command{Use: "export", Short: "print the policy", Args: cobra.NoArgs, RunE: exportPolicy}
	export.Flags().String("format", "yaml", "yaml or json")
	diff := &cobra.Command{
		Use: "diff file", Short: "show what a policy file would change, and what that newly permits or refuses",
		Long: "diff shows the changes, where data can newly come to rest or no longer can (hop by hop, as SHOW FLOW REACH), and, with\n" +
			"--replay, which statements of a decision log would be decided otherwise.",
		Args: cobra.ExactArgs(1), RunE: diffPolicy,
	}
	diff.Flags().StringArray("replay", nil, "a decision log whose statements are decided by both policies; may be given several times")
	apply := &cobra.Command{
		Use: "apply file", Short: "make a policy file the policy, in one revision",
		Long: "apply shows what diff shows and makes the file the policy. A file whose revision is not the present one is refused: the policy\n" +
			"was changed since it was exported. Exceptions that are new or changed are sealed as SET ProjectProtection does.",
		Args: cobra.ExactArgs(1), RunE: applyPolicy,
	}
	apply.Flags().Bool("force", false, "apply a file of another revision too: what was changed since is lost")
	for _, sub := range []*cobra.Command{export, diff, apply} {
		configFlags(sub)
		c.AddCommand(sub)
	}
	return c
}

// truthTool is the truth with what else one command needs.
type truthTool struct {
	store *store.Store
	pool  *warehouse.Pool
	cfg   *config.Config
}

// openStore reaches the truth for one command.
func openStore(c *cobra.Command) (*truthTool, func(), error) {
	cfg, err := load(c)
	if err != nil {
		return nil, nil, err
	}
	password, err := cfg.ServicePassword()
	if err != nil {
		return nil, nil, err
	}
	o := warehouse.Options{Address: cfg.Warehouse.Address, User: cfg.Warehouse.User, Password: password, DialTimeout: cfg.Warehouse.DialTimeout}
	if cfg.Warehouse.TLS != "disabled" {
		if o.TLS, err = warehouseTLS(cfg); err != nil {
			return nil, nil, err
		}
		o.PreferTLS = cfg.Warehouse.TLS == "preferred"
	}
	pool := warehouse.New(o)
	s, err := store.New(store.Options{
		Pool: pool, Redis: redisClient(cfg), Gateway: "policy-" + gatewayID(), Lease: cfg.Policy.Lease,
		ChecksumLimit: cfg.Policy.SealChecksumBytes, Log: slog.New(slog.DiscardHandler),
		Build: enforcement.Options{Groups: cfg.Projects, SuperAdministrators: cfg.SuperAdministrators, OwnerExempt: cfg.Policy.OwnerExempt, Prefixes: cfg.Policy.Prefixes, MailTails: cfg.Policy.MailTails},
	})
	if err == nil {
		err = s.Open(c.Context())
	}
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	closing := func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Run(ctx) // gives the lease back
		pool.Close()
	}
	return &truthTool{s, pool, cfg}, closing, nil
}

func exportPolicy(c *cobra.Command, _ []string) error {
	format, err := c.Flags().GetString("format")
	if err != nil {
		return err
	}
	if format != "yaml" && format != "json" {
		return fmt.Errorf("--format: is %s, expected yaml or json", format)
	}
	t, closing, err := openStore(c)
	if err != nil {
		return err
	}
	defer closing()
	return writePolicy(c.OutOrStdout(), t.store.Current().Policy(), format)
}

func diffPolicy(c *cobra.Command, args []string) error {
	logs, err := c.Flags().GetStringArray("replay")
	if err != nil {
		return err
	}
	t, closing, err := openStore(c)
	if err != nil {
		return err
	}
	defer closing()
	next, err := readPolicy(args[0])
	if err != nil {
		return err
	}
	if _, err := t.plan(c.Context(), c.OutOrStdout(), next, args[0]); err != nil {
		return err
	}
	if len(logs) == 0 {
		return nil
	}
	return t.replay(c.Context(), c.OutOrStdout(), next, logs)
}

func applyPolicy(c *cobra.Command, args []string) error {
	force, err := c.Flags().GetBool("force")
	if err != nil {
		return err
	}
	t, closing, err := openStore(c)
	if err != nil {
		return err
	}
	defer closing()
	next, err := readPolicy(args[0])
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	changes, err := t.plan(c.Context(), out, next, args[0])
	if err != nil || changes == 0 {
		return err
	}
	was := t.store.Current().Revision()
	if next.Revision != was && !force {
		return fmt.Errorf("%s: is of revision %d and the policy is at %d: somebody changed it since the export; export again and take your changes over, or --force", args[0], next.Revision, was)
	}
	targets, owners, err := t.sealTargets(c.Context(), next)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	var applied uint64
	err = t.store.Seal(c.Context(), targets, func(seals []enforcement.Seal) error {
		snapshot, err := t.store.Change(c.Context(), "proxy policy apply", "apply "+args[0], func(p *enforcement.Policy) error {
			if p.Revision != was && !force {
				return errors.New("somebody changed the policy just now; nothing was applied")
			}
			replace(p, next, seals, owners)
			return nil
		})
		if err == nil {
			applied = snapshot.Revision()
		}
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "applied as revision %d\n", applied)
	return nil
}
