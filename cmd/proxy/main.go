// Command proxy is the Sluice gateway: serve, check, health, lineage, audit verify, policy, version.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"sluice/config"
)

// Set by the linker: see the Makefile.
var (
	version = "development"
	commit  = ""
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: its exit code is 0 for success, 1 for a failure that was explained on
// stderr, 2 for a command line that cannot be read.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "proxy: %v\nRun 'proxy --help' for usage.\n", err)
		return 2
	default:
		fmt.Fprintf(stderr, "proxy: %v\n", err)
		return 1
	}
}

// usageError is a command line that cannot be read.
type usageError struct{ error }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "proxy",
		Short:         "Sluice: a MySQL-protocol gateway that keeps data inside protected projects",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          serve,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	serveCmd := &cobra.Command{Use: "serve", Short: "run the gateway", Args: cobra.NoArgs, RunE: serve}
	checkCmd := &cobra.Command{Use: "check", Short: "check the configuration, the warehouse and Redis", Args: cobra.NoArgs, RunE: check}
	for _, c := range []*cobra.Command{root, serveCmd, checkCmd} {
		configFlags(c)
	}
	root.AddCommand(serveCmd, checkCmd, lineageCommand(), auditCommand(), policyCommand(), healthCommand(), versionCommand())
	checkArguments(root)
	return root
}

// checkArguments makes wrong arguments a *usageError, and a group of commands without one say what there is.
func checkArguments(c *cobra.Command) {
	if c.RunE == nil {
		c.Args = cobra.NoArgs
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	wanted := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if err := wanted(c, args); err != nil {
			return &usageError{err}
		}
		return nil
	}
	for _, sub := range c.Commands() {
		checkArguments(sub)
	}
}

// configFlags are the flags that stand over file and environment.
func configFlags(c *cobra.Command) {
	f := c.Flags()
	f.String("config", "", "the configuration file (YAML); SLUICE_… variables and flags stand over it")
	f.String("listen", "", "address for clients, host:port")
	f.String("warehouse.address", "", "address of the warehouse, host:port")
	f.String("admin.listen", "", "address of health, metrics and console, host:port")
	f.String("log.level", "", "debug, info, warn or error")
}

func load(c *cobra.Command) (*config.Config, error) {
	path, err := c.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	if path == "" {
		if _, err := os.Stat("sluice.yaml"); err == nil {
			path = "sluice.yaml"
		}
	}
	return config.Load(path, c.Flags())
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "print the version", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		parser := "unknown"
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, d := range info.Deps {
				if d.Path == "github.com/pingcap/tidb/pkg/parser" {
					parser = d.Version
				}
			}
		}
		fmt.Fprintf(c.OutOrStdout(), "sluice %s\ncommit %s\n%s %s/%s\nparser %s\n", version, orUnknown(commit), runtime.Version(), runtime.GOOS, runtime.GOARCH, parser)
		return nil
	}}
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
