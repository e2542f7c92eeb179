package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"sluice/config"
	"sluice/enforcement"
	"sluice/enforcement/store"
	"sluice/warehouse"
)

func policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "keep the policy as a file in version control"}
	export := &cobra.Command{Use: "export", Short: "print the policy as YAML", Args: cobra.NoArgs, RunE: exportPolicy}
	diff := &cobra.Command{Use: "diff file", Short: "show what a policy file would change, and which flows it would newly permit or refuse", Args: cobra.ExactArgs(1), RunE: diffPolicy}
	apply := &cobra.Command{Use: "apply file", Short: "make a policy file the policy, in one revision", Args: cobra.ExactArgs(1), RunE: applyPolicy}
	for _, sub := range []*cobra.Command{export, diff, apply} {
		configFlags(sub)
		c.AddCommand(sub)
	}
	return c
}

// openStore reaches the truth for one command.
func openStore(c *cobra.Command) (*store.Store, *config.Config, func(), error) {
	cfg, err := load(c)
	if err != nil {
		return nil, nil, nil, err
	}
	password, err := cfg.ServicePassword()
	if err != nil {
		return nil, nil, nil, err
	}
	o := warehouse.Options{Address: cfg.Warehouse.Address, User: cfg.Warehouse.User, Password: password, DialTimeout: cfg.Warehouse.DialTimeout}
	if cfg.Warehouse.TLS != "disabled" {
		if o.TLS, err = warehouseTLS(cfg); err != nil {
			return nil, nil, nil, err
		}
		o.PreferTLS = cfg.Warehouse.TLS == "preferred"
	}
	pool := warehouse.New(o)
	s, err := store.New(store.Options{
		Pool: pool, Redis: redisClient(cfg), Gateway: "policy-" + gatewayID(), Lease: cfg.Policy.Lease, Log: slog.New(slog.DiscardHandler),
		Build: enforcement.Options{Groups: cfg.Projects, SuperAdministrators: cfg.SuperAdministrators, OwnerExempt: cfg.Policy.OwnerExempt, Prefixes: cfg.Policy.Prefixes, MailTails: cfg.Policy.MailTails},
	})
	if err == nil {
		err = s.Open(c.Context())
	}
	if err != nil {
		pool.Close()
		return nil, nil, nil, err
	}
	closing := func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Run(ctx) // gives the lease back
		pool.Close()
	}
	return s, cfg, closing, nil
}

func exportPolicy(c *cobra.Command, _ []string) error {
	s, _, closing, err := openStore(c)
	if err != nil {
		return err
	}
	defer closing()
	text, err := s.Export()
	if err != nil {
		return err
	}
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		return err
	}
	encoder := yaml.NewEncoder(c.OutOrStdout())
	encoder.SetIndent(2)
	return encoder.Encode(document)
}

// readPolicy reads a policy file, YAML or JSON; an unknown key is an error.
func readPolicy(path string) (*enforcement.Policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	plain, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(plain)))
	decoder.DisallowUnknownFields()
	p := &enforcement.Policy{}
	if err := decoder.Decode(p); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if p.Projects == nil {
		p.Projects = map[string]*enforcement.Project{}
	}
	return p, nil
}

func diffPolicy(c *cobra.Command, args []string) error {
	s, _, closing, err := openStore(c)
	if err != nil {
		return err
	}
	defer closing()
	return plan(c, s, args[0])
}

// plan prints what a file would change: projects, then flows that become possible or impossible.
func plan(c *cobra.Command, s *store.Store, path string) error {
	next, err := readPolicy(path)
	if err != nil {
		return err
	}
	now := s.Current()
	candidate, err := enforcement.Build(next, now.Options())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	out := c.OutOrStdout()
	changed := 0
	for _, name := range unionOf(now.Policy().Projects, next.Projects) {
		before, after := now.Policy().Projects[name], next.Projects[name]
		if reflect.DeepEqual(before, after) {
			continue
		}
		changed++
		fmt.Fprintf(out, "~ project %s\n", name)
		was, is := hops(now, name), hops(candidate, name)
		for _, h := range sorted(is) {
			if !was[h] {
				fmt.Fprintf(out, "  + newly possible: %s\n", h)
			}
		}
		for _, h := range sorted(was) {
			if !is[h] {
				fmt.Fprintf(out, "  - no longer possible: %s\n", h)
			}
		}
	}
	fmt.Fprintf(out, "%d projects change\n", changed)
	return nil
}

func unionOf(a, b map[string]*enforcement.Project) []string {
	names := map[string]bool{}
	for n := range a {
		names[n] = true
	}
	for n := range b {
		names[n] = true
	}
	return sorted(names)
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}

func hops(s *enforcement.Snapshot, project string) map[string]bool {
	out := map[string]bool{}
	for _, h := range s.Reach(project) {
		out[fmt.Sprintf("%s -> %s by %s %s", h.From, h.To, h.Rule, h.Detail)] = true
	}
	return out
}

func applyPolicy(c *cobra.Command, args []string) error {
	s, _, closing, err := openStore(c)
	if err != nil {
		return err
	}
	defer closing()
	if err := plan(c, s, args[0]); err != nil {
		return err
	}
	next, err := readPolicy(args[0])
	if err != nil {
		return err
	}
	snapshot, err := s.Change(c.Context(), "proxy policy apply", "apply "+args[0], func(p *enforcement.Policy) error {
		p.Projects = next.Projects
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "applied as revision %d\n", snapshot.Revision())
	return nil
}
