package catalog

import (
	"context"
	"strconv"
	"strings"
)

// settledFor is how long, in seconds, a server must have counted before its counters name a state: it tells its
// beginnings apart by the second.
const settledFor = 3

// State spells the server, the second of its start, the second since which it counts, and the counters. It is "" while definitions
// are in progress, and for servers that count otherwise: TiDB, which has its definitions at hand, and embedded ones.
func (l *SQLLoader) State(ctx context.Context, clock string) (string, error) {
	if tidb, err := l.tidb(ctx); err != nil || tidb {
		return "", err
	}
	restarts, counters, counts := strings.Cut(clock, " ") // each gateway counts restarts for itself
	if _, err := strconv.ParseUint(restarts, 10, 64); err != nil || !counts || counters != "" && !strings.HasSuffix(counters, ";") {
		return "", nil
	}
	began, err := l.began(ctx)
	if err != nil || began == "" {
		return "", err
	}
	// Who asks counts too: what an account is shown depends on its grants.
	rows, err := l.Query(ctx, "SELECT @@hostname, @@port, @@server_id, @@datadir, @@version, CURRENT_USER()")
	if err != nil || len(rows) != 1 {
		return "", err
	}
	state := began
	for i := range rows[0] {
		state += strconv.Quote(text(rows[0], i))
	}
	return state + counters, nil
}

// began gives the seconds in which the server started and in which its counters were last reset; "" when that was only
// just. Uptime counts from there to the second in which the statement began, which is what UNIX_TIMESTAMP gives: the
// difference stands, whatever the server's clock does.
func (l *SQLLoader) began(ctx context.Context) (string, error) {
	const from = "SELECT variable_name, UNIX_TIMESTAMP() - variable_value, variable_value FROM "
	const where = ".global_status WHERE variable_name IN ('Uptime', 'Uptime_since_flush_status') ORDER BY 1"
	rows, err := l.Query(ctx, from+"information_schema"+where)
	if err != nil { // MySQL has it elsewhere
		if rows, err = l.Query(ctx, from+"performance_schema"+where); err != nil {
			return "", err
		}
	}
	if len(rows) != 2 {
		return "", nil
	}
	began := ""
	for _, r := range rows {
		if up, err := strconv.ParseUint(text(r, 2), 10, 64); err != nil || up < settledFor {
			return "", nil
		}
		began += text(r, 1) + " "
	}
	return began, nil
}
