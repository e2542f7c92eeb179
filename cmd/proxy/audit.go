package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"sluice/enforcement/audit"
	"sluice/enforcement/store"
)

func auditCommand() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "work with the decision log"}
	verify := &cobra.Command{
		Use: "verify file...", Short: "check the log's chain: no line missing, none changed",
		Long: "Several files of a log that was rotated are checked as one chain: the oldest first.\n\n" +
			"What was cut off at the end does not show in a file. With --rows the entries in the warehouse's table sluice.audit\n" +
			"are looked at as well: a row that is newer than its gateway's last entry in the files means that lines are missing.",
		Args: cobra.MinimumNArgs(1), RunE: verifyAudit,
	}
	verify.Flags().Bool("rows", false, "compare the log's end with the warehouse's rows; needs the configuration")
	configFlags(verify)
	c.AddCommand(verify)
	return c
}

func verifyAudit(c *cobra.Command, files []string) error {
	rows, err := c.Flags().GetBool("rows")
	if err != nil {
		return err
	}
	var newest map[string]store.Newest
	if rows { // before the files: a gateway that runs writes its files first
		if newest, err = newestRows(c); err != nil {
			return err
		}
	}
	have := map[string]string{}
	var chain audit.Chain
	for i, file := range files {
		if chain, err = verifyFile(c.OutOrStdout(), file, chain, i > 0); err != nil {
			return err
		}
		maps.Copy(have, chain.Newest)
	}
	if !rows {
		return nil
	}
	return compareRows(c.OutOrStdout(), have, newest)
}

func verifyFile(out io.Writer, file string, before audit.Chain, goesOn bool) (audit.Chain, error) {
	f, err := os.Open(file)
	if err != nil {
		return before, err
	}
	defer f.Close()
	var chain audit.Chain
	if goesOn {
		chain, err = audit.VerifyNext(f, before)
	} else {
		chain, err = audit.Verify(f)
	}
	if err != nil {
		return chain, fmt.Errorf("%s: %w (%d entries before it are whole)", file, err, chain.Entries)
	}
	note := ""
	if !goesOn && chain.After != "" {
		note = "; it begins behind an earlier file, or its first lines are missing"
	}
	fmt.Fprintf(out, "%s: %d entries, the chain is whole%s\n", file, chain.Entries, note)
	return chain, nil
}

// newestRows asks the warehouse for each gateway's last row.
func newestRows(c *cobra.Command) (map[string]store.Newest, error) {
	t, closing, err := openStore(c)
	if err != nil {
		return nil, fmt.Errorf("--rows: %w", err)
	}
	defer closing()
	ctx, cancel := context.WithTimeout(c.Context(), t.cfg.Warehouse.DialTimeout*4)
	defer cancel()
	return t.store.NewestEntries(ctx)
}

// compareRows looks for rows that are newer than their gateway's last entry in the files.
func compareRows(out io.Writer, have map[string]string, newest map[string]store.Newest) error {
	for _, gateway := range slices.Sorted(maps.Keys(have)) {
		if row := newest[gateway]; row.ID > have[gateway] {
			return fmt.Errorf("the log of gateway %s ends with entry %s, and the warehouse has %s of %s: lines are missing at the end", gateway, have[gateway], row.ID, row.At)
		}
	}
	fmt.Fprintf(out, "the warehouse has no newer rows of the %d gateways that wrote it\n", len(have))
	return nil
}
