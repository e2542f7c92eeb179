package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// plan prints what a file would change, and where data can newly come to rest or no longer can. It gives the number
// of changes.
func (t *truthTool) plan(ctx context.Context, out io.Writer, next *enforcement.Policy, path string) (int, error) {
	now := t.store.Current()
	plan, err := enforcement.PlanChange(now.Policy(), t.asSealed(next), now.Options())
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	changes := 0
	for i := range plan.Changes {
		if c := &plan.Changes[i]; !strings.HasPrefix(c.What, "seal ") {
			changes++
			fmt.Fprintln(out, c)
		}
	}
	for i := range plan.Opens {
		fmt.Fprintln(out, "opens ", &plan.Opens[i])
	}
	for i := range plan.Closes {
		fmt.Fprintln(out, "closes", &plan.Closes[i])
	}
	if changes == 0 {
		fmt.Fprintln(out, "nothing changes")
	}
	return changes, t.strangers(ctx, out, next)
}

// statement is one of a decision log, with all that its decision depends on.
type statement struct {
	user, host, client, schema, task, text string
}

// replay decides the statements of decision logs by the present policy and by the next, and prints where they differ.
// What session variables and temporary tables held at the time is not in a log, and counts as empty.
func (t *truthTool) replay(ctx context.Context, out io.Writer, next *enforcement.Policy, logs []string) error {
	now := t.store.Current()
	candidate, err := enforcement.Build(t.asSealed(next), now.Options())
	if err != nil {
		return err
	}
	seen := map[statement]int{}
	var order []statement
	for _, path := range logs {
		if err := readStatements(path, seen, &order); err != nil {
			return fmt.Errorf("--replay %s: %w", path, err)
		}
	}
	reader, reading, err := t.reader(ctx)
	if err != nil {
		return err
	}
	unread, differ := 0, 0
	for _, s := range order {
		was, is, request, err := decideTwice(ctx, reader, reading, now, candidate, s)
		if err != nil {
			unread++
			continue
		}
		if was.Permitted() == is.Permitted() {
			continue
		}
		differ++
		verb, why := "newly permitted", ""
		if was.Permitted() {
			verb, why = "newly refused", ": "+enforcement.Refusal(is, request, "")
		}
		fmt.Fprintf(out, "%s %d times: %s@%s in %s (%s): %s%s\n", verb, seen[s], s.user, s.host, orNone(s.schema), s.task, oneLine(s.text), why)
	}
	fmt.Fprintf(out, "replayed %d statements: %d would be decided otherwise, %d could not be read again\n", len(order), differ, unread)
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "no database"
	}
	return s
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// readStatements takes the statements out of a decision log.
func readStatements(path string, seen map[statement]int, order *[]statement) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if len(text) > 0 {
			var e audit.Entry
			if err := json.Unmarshal(text, &e); err != nil {
				return fmt.Errorf("line %d: no entry of a decision log: %w", line, err)
			}
			if e.Text != "" && e.Kind != "command" && e.Alarm == "" {
				s := statement{e.User, e.Host, e.Client, e.Schema, e.Task, e.Text}
				s.client, _, _ = strings.Cut(s.client, ":") // the port is another each time
				if addr, err := netip.ParseAddrPort(e.Client); err == nil {
					s.client = addr.Addr().String()
				}
				if seen[s]++; seen[s] == 1 {
					*order = append(*order, s)
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// reader reads statements against the warehouse's definitions as they are now.
func (t *truthTool) reader(ctx context.Context) (*lineage.Reader, parser.Reading, error) {
	version, err := t.pool.Version(ctx)
	if err != nil {
		return nil, parser.Reading{}, err
	}
	dialect := parser.ParseVersion(version)
	if f, ok := map[string]parser.Flavor{"mariadb": parser.MariaDB, "mysql": parser.MySQL, "tidb": parser.TiDB}[t.cfg.Warehouse.Flavor]; ok {
		dialect.Flavor = f
	}
	loader := &catalog.SQLLoader{Query: t.pool.Query, TiDB: dialect.Flavor == parser.TiDB}
	return lineage.NewReader(catalog.New(loader, time.Hour), 1<<20), parser.Reading{Dialect: dialect, Charset: "utf8mb4"}, nil
}

func decideTwice(ctx context.Context, reader *lineage.Reader, reading parser.Reading, now, candidate *enforcement.Snapshot, s statement) (was, is *enforcement.Decision, r *enforcement.Request, err error) {
	script, err := reader.Parse([]byte(s.text), reading)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(script.Statements) != 1 || script.Statements[0].Command != nil {
		return nil, nil, nil, fmt.Errorf("%d statements", len(script.Statements))
	}
	graph, err := reader.Graph(ctx, script, 0, lineage.Scope{Schema: s.schema})
	if err != nil {
		return nil, nil, nil, err
	}
	var empty lineage.Labels
	r = &enforcement.Request{
		Graph: empty.Expand(graph), Subject: enforcement.Subject{User: s.user, Host: s.host}, Schema: s.schema, Now: time.Now(),
		Task: map[string]enforcement.Task{"DT": enforcement.DT, "MapReduce": enforcement.MapReduce}[s.task],
	}
	if a, err := netip.ParseAddr(s.client); err == nil {
		r.Subject.Address = a
	}
	before, after := now.Decide(r), candidate.Decide(r)
	return &before, &after, r, nil
}
