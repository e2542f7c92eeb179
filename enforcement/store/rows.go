package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/enforcement/audit"
)

// Rows are for reading along; the file has every entry whole. A text longer than rowText is cut, and one
// statement inserts about rowBytes at most, so that no warehouse finds it too large.
const (
	rowText  = 64 << 10
	rowBytes = 1 << 20
)

// WriteEntries puts audit entries into sluice.audit. An entry that is there already stays as it is.
func (s *Store) WriteEntries(ctx context.Context, entries []audit.Entry) error {
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && (n == 0 || size < rowBytes) {
			e := &entries[n]
			size += 1024 + len(e.Reason) + min(len(e.Text), 4*rowText)
			for _, f := range e.Flows {
				size += len(f)
			}
			n++
		}
		if err := s.insertEntries(ctx, entries[:n]); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

func (s *Store) insertEntries(ctx context.Context, entries []audit.Entry) error {
	var b strings.Builder
	b.WriteString("INSERT IGNORE INTO sluice.audit (id, at, gateway, user_name, host, client, connection_id, session_project, task, kind, tier, verdict, rule_name, reason, flows, projects, alarm, digest, text, revision) VALUES ")
	var args []any
	for i, e := range entries {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + strings.TrimSuffix(strings.Repeat("?, ", 20), ", ") + ")")
		args = append(args, e.ID, e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), e.Gateway, short(e.User, 255), short(e.Host, 255), short(e.Client, 64), e.Connection,
			short(e.SessionProject, 128), e.Task, short(e.Kind, 64), e.Tier, e.Verdict, short(e.Rule, 64), short(e.Reason, rowText), short(strings.Join(e.Flows, "\n"), 4*rowText), strings.Join(e.Projects, ","), short(e.Alarm, 64), e.Digest, short(e.Text, rowText), e.Revision)
	}
	_, err := s.o.Pool.Exec(ctx, b.String(), args...)
	return err
}

func short(s string, n int) string {
	if len(s) <= n {
		return s
	}
	r := []rune(s)
	if len(r) > n {
		return string(r[:n])
	}
	return s
}

// logColumns are the columns of SHOW FLOW LOG and what they are called in the table.
var logColumns = map[string]string{
	"id": "id", "time": "at", "gateway": "gateway", "user": "user_name", "host": "host", "client": "client",
	"connection": "connection_id", "session_project": "session_project", "task": "task", "kind": "kind",
	"tier": "tier", "verdict": "verdict", "rule": "rule_name", "reason": "reason", "flows": "flows",
	"project": "projects", "alarm": "alarm", "digest": "digest", "text": "text", "revision": "revision",
}

// ReadEntries gives entries that fulfil every clause, newest first.
func (s *Store) ReadEntries(ctx context.Context, where []audit.Clause, limit int) ([]audit.Entry, error) {
	q := "SELECT id, at, gateway, user_name, host, client, connection_id, session_project, task, kind, tier, verdict, rule_name, reason, flows, projects, alarm, digest, text, revision FROM sluice.audit"
	var args []any
	for i, c := range where {
		column, ok := logColumns[strings.ToLower(c.Column)]
		if !ok {
			return nil, fmt.Errorf("the flow log has no column %q; it has %s", c.Column, strings.Join(slices.Sorted(maps.Keys(logColumns)), ", "))
		}
		if i == 0 {
			q += " WHERE "
		} else {
			q += " AND "
		}
		switch c.Op {
		case "=", "!=", "<", "<=", ">", ">=", "LIKE":
		default:
			return nil, fmt.Errorf("the flow log has no operator %q", c.Op)
		}
		if column == "projects" && c.Op == "=" {
			// By bytes, not by LIKE: a project may be called % or a_b, and its owner sees the entries of no other.
			q += "LOCATE(CAST(? AS BINARY), CAST(CONCAT(',', projects, ',') AS BINARY)) > 0"
			args = append(args, ","+c.Value+",")
			continue
		}
		q += column + " " + c.Op + " ?"
		if column != "revision" && column != "connection_id" {
			q += " COLLATE utf8mb4_general_ci" // people search; the tables themselves tell cases apart
		}
		args = append(args, c.Value)
	}
	q += " ORDER BY id DESC LIMIT " + strconv.Itoa(max(1, limit))
	rows, err := s.o.Pool.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	var out []audit.Entry
	for _, r := range rows {
		e := audit.Entry{ID: value(r, 0), Gateway: value(r, 2), User: value(r, 3), Host: value(r, 4), Client: value(r, 5), SessionProject: value(r, 7), Task: value(r, 8), Kind: value(r, 9), Tier: value(r, 10), Verdict: value(r, 11), Rule: value(r, 12), Reason: value(r, 13), Alarm: value(r, 16), Digest: value(r, 17), Text: value(r, 18)}
		e.Time, _ = time.Parse("2006-01-02T15:04:05.000000Z", value(r, 1))
		e.Connection, _ = strconv.ParseUint(value(r, 6), 10, 64)
		e.Revision, _ = strconv.ParseUint(value(r, 19), 10, 64)
		if f := value(r, 14); f != "" {
			e.Flows = strings.Split(f, "\n")
		}
		if p := value(r, 15); p != "" {
			e.Projects = strings.Split(p, ",")
		}
		out = append(out, e)
	}
	return out, nil
}

// Newest is a gateway's last row.
type Newest struct{ ID, At string }

// NewestEntries gives each gateway's last row.
func (s *Store) NewestEntries(ctx context.Context) (map[string]Newest, error) {
	rows, err := s.o.Pool.Query(ctx, "SELECT gateway, MAX(id), MAX(at) FROM sluice.audit GROUP BY gateway")
	if err != nil {
		return nil, fmt.Errorf("read the newest audit rows: %w", err)
	}
	out := make(map[string]Newest, len(rows))
	for _, r := range rows {
		out[value(r, 0)] = Newest{value(r, 1), value(r, 2)}
	}
	return out, nil
}
