package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"sluice/enforcement/audit"
)

func auditCommand() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "work with the decision log"}
	c.AddCommand(&cobra.Command{
		Use: "verify file", Short: "check the log's chain: no line missing, none changed", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			n, err := audit.Verify(f)
			if err != nil {
				return fmt.Errorf("%s: %w (%d entries before it are whole)", args[0], err, n)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %d entries, the chain is whole\n", args[0], n)
			return nil
		},
	})
	return c
}
