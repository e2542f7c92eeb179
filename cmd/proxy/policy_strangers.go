package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"sluice/enforcement"
	"sluice/lineage/catalog"
)

// strangers tells of projects that a file lets data go to and that the warehouse does not have. ADD TRUSTEDPROJECT refuses
// them, since a misspelt one waits for somebody to create it; a file may be there before its schemas.
func (t *truthTool) strangers(ctx context.Context, out io.Writer, next *enforcement.Policy) error {
	schemas, err := (&catalog.SQLLoader{Query: t.pool.Query, Detect: true}).Schemas(ctx)
	if err != nil {
		return fmt.Errorf("list the schemas: %w", err)
	}
	now := t.store.Current()
	known := map[string]bool{"*": true}
	for _, s := range schemas {
		known[now.ProjectOf(s)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(next.Projects)) {
		p := next.Projects[name]
		tell := func(to, what string) {
			if !known[now.ProjectOf(to)] && !known[to] && len(now.Schemas(to)) == 1 {
				fmt.Fprintf(out, "beware %s: %s %s, which is no project of the warehouse\n", name, what, to)
			}
		}
		for _, to := range p.Trusted {
			tell(to, "trusts")
		}
		for _, key := range slices.Sorted(maps.Keys(p.Packages)) {
			for _, to := range p.Packages[key].Allowed {
				tell(to.Project, "allows package "+p.Packages[key].Name+" to")
			}
		}
	}
	return nil
}
