package catalog

import (
	"context"
	"fmt"
	"strings"
)

// needed are the global privileges without which a server shows less than there is, and says nothing:
// running statements of others, triggers, tables and routine bodies, view bodies.
var needed = []string{"PROCESS", "TRIGGER", "SELECT", "SHOW VIEW"}

// TiDB has no triggers, and its clock needs no list of statements.
var neededOnTiDB = []string{"SELECT", "SHOW VIEW"}

// complete fails when the service account would be shown a part of the definitions only.
func (l *SQLLoader) complete(ctx context.Context) error {
	needed := needed
	if tidb, err := l.tidb(ctx); err != nil {
		return err
	} else if tidb {
		needed = neededOnTiDB
	} else if counts, err := l.counts(ctx); err != nil || !counts {
		return err // an embedded server hides nothing from the process it runs in
	}
	rows, err := l.Query(ctx, "SHOW GRANTS")
	if err != nil {
		return fmt.Errorf("read the service account's grants: %w", err)
	}
	if lacking := lackingOf(rows, needed); len(lacking) > 0 {
		return fmt.Errorf("the service account lacks %s ON *.*: without it a part of the definitions stays hidden", strings.Join(lacking, ", "))
	}
	return nil
}

// lackingOf reads the answer of SHOW GRANTS, which holds the active roles' grants too.
func lackingOf(rows [][]*string, needed []string) []string {
	held := map[string]bool{}
	for _, r := range rows {
		privileges, _, global := strings.Cut(text(r, 0), " ON *.* TO ")
		list, grant := strings.CutPrefix(privileges, "GRANT ")
		if !grant || !global || strings.ContainsAny(list, "`\"'(") {
			continue // a grant on less, or of a role
		}
		for p := range strings.SplitSeq(list, ",") {
			held[strings.TrimSpace(p)] = true
		}
	}
	var lacking []string
	for _, p := range needed {
		if !held[p] && !held["ALL PRIVILEGES"] {
			lacking = append(lacking, p)
		}
	}
	return lacking
}
