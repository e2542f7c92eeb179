package lineage_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/lineage"
	"sluice/parser"
)

// Whatever a session begins with is permitted to any account in any schema, since it meets nobody's data: that is what the
// gateway relies on when it has not asked yet whose session it is.
func TestOpeningsAreInert(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	variables := []string{"version_comment", "session.tx_isolation", "sql_mode", "hostname", "global.time_zone", "insert_id", "last_insert_id", "identity", "error_count", "warning_count", "datadir", "secret", "character_set_client"}
	item := func() string {
		value := pick("1", "'plain text'", "@@"+pick(variables...), pick("connection_id", "VERSION", "database", "user", "row_count", "FOUND_ROWS", "last_insert_id", "current_user")+"()")
		return value + pick("", " AS x")
	}
	snapshot := fuzzSnapshot(t)
	var labels lineage.Labels
	inert := 0
	for range 2000 {
		var text string
		switch rng.IntN(4) {
		case 0:
			text = pick("BEGIN", "START TRANSACTION", "COMMIT", "rollback")
		case 1:
			text = pick("SET NAMES utf8mb4", "SET NAMES 'latin1' COLLATE latin1_bin", "SET NAMES gbk", "SET NAMES swe7", "SET autocommit = off")
		default:
			items := []string{item()}
			for rng.IntN(3) > 0 {
				items = append(items, item())
			}
			text = "SELECT " + strings.Join(items, ", ") + pick("", " LIMIT 1")
		}
		if !parser.Opening(text) {
			t.Fatalf("%s: is of no form that sessions begin with", text)
		}
		rd := parser.Reading{Dialect: dialect(pick("mariadb", "mysql", "tidb"))}
		script, err := parser.Parse(text, rd)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		bound, err := lineage.Resolve(context.Background(), &script.Statements[0], rd, lineage.Scope{}, snapshot)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		g := lineage.Trace(bound)
		if g = labels.Expand(g); g.Inert() {
			inert++
		} else if !strings.Contains(text, "swe7") && !strings.Contains(text, "_count") {
			t.Errorf("%s: asks for the account first: %+v", text, g)
		}
	}
	if inert < 1000 {
		t.Errorf("%d of 2000 need no question", inert)
	}
}
