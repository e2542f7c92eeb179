package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/enforcement"
	"sluice/integration/servers"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// The goals of reading SQL: what share of the statements that a warehouse accepts is read and decided
// in a project that has nothing to do with the protected one. A refusal for what a statement touches (logs,
// other sessions' data, server files, tables outside) is a decision; one for want of reading is not.
const (
	goalOfRows = 0.995 // SELECT, INSERT, UPDATE, DELETE, REPLACE
	goalOfAll  = 0.98
)

// Statements of MariaDB's own test suite, each accepted by a real MariaDB's PREPARE, are decided as the
// gateway decides them. `make coverage-sql` runs it over Debian's mariadb-test-data and writes the table;
// without SLUICE_COVERAGE it reads the small scripts of testdata/coverage. SLUICE_COVERAGE_SAMPLE=n takes
// every n-th statement, SLUICE_COVERAGE_REFUSED names a file for those that are refused or known by their tokens alone.
func TestCoverage(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("SLUICE_COVERAGE")
	if dir == "" {
		dir = "testdata/coverage"
	}
	cases := corpus(t, dir)
	if len(cases) == 0 {
		t.Fatalf("%s holds no statement", dir)
	}
	judged := judgeAll(t, servers.MariaDB(t), cases)
	table := newCoverage(judged)
	t.Logf("\n%s", table)
	if out := os.Getenv("SLUICE_COVERAGE_TABLE"); out != "" {
		if err := os.WriteFile(out, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out := os.Getenv("SLUICE_COVERAGE_REFUSED"); out != "" {
		writeRefused(t, out, judged)
	}
	if got := table.rows.share(); got < goalOfRows {
		t.Errorf("%.2f %% of SELECT, INSERT, UPDATE, DELETE and REPLACE are decided, the goal is %.1f %%", 100*got, 100*goalOfRows)
	}
	if got := table.all.share(); got < goalOfAll {
		t.Errorf("%.2f %% of all statements are decided, the goal is %.1f %%", 100*got, 100*goalOfAll)
	}
}

// corpus gives the distinct statements of all scripts below dir, with the settings that they run under.
func corpus(t *testing.T, dir string) []testCase {
	t.Helper()
	sample, err := strconv.ParseUint("0"+os.Getenv("SLUICE_COVERAGE_SAMPLE"), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[sent]bool{}
	var out []testCase
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".test") && !strings.HasSuffix(path, ".inc") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		statements := readScript(string(text))
		defined := sync.OnceValue(func() *catalog.Snapshot {
			return definitionsOf(t, append(sourced(dir, path, string(text), 0), statements...))
		})
		for _, s := range statements {
			h := fnv.New32a()
			h.Write([]byte(s.sql))
			if !seen[s] && (sample < 2 || uint64(h.Sum32())%sample == 0) {
				seen[s] = true
				out = append(out, testCase{s, defined})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Under the same settings side by side: each change of them is a round trip.
	sort.SliceStable(out, func(i, j int) bool { return out[i].mode+"|"+out[i].charset < out[j].mode+"|"+out[j].charset })
	return out
}

// testCase is a statement with the definitions of the script that it stands in.
type testCase struct {
	sent
	defined func() *catalog.Snapshot
}

// coverageWorld is what stands in the warehouse beside a script's own definitions: two projects, the protected
// one, and the procedure that the suite's own server brings along.
const coverageWorld = `CREATE DATABASE test; CREATE DATABASE mtr; CREATE TABLE vault.gold (id INT, v TEXT);
CREATE PROCEDURE mtr.add_suppression(pattern VARCHAR(255)) INSERT INTO mtr.test_suppressions (pattern) VALUES (pattern);
`

var sources = regexp.MustCompile(`(?m)^\s*(?:--\s*)?source\s+([^;\s]+)`)

// sourced gives the statements of the files that a script includes: what they define stands in its warehouse.
func sourced(dir, path, text string, depth int) []sent {
	var out []sent
	for _, m := range sources.FindAllStringSubmatch(text, -1) {
		for _, base := range []string{dir, filepath.Dir(path), filepath.Join(filepath.Dir(path), "..")} {
			file := filepath.Join(base, m[1])
			inner, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			if depth < 3 {
				out = append(out, sourced(dir, file, string(inner), depth+1)...)
			}
			out = append(out, readScript(string(inner))...)
			break
		}
	}
	return out
}

// definitionsOf makes a catalog of what a script defines: the newest definition of a name stands.
func definitionsOf(t *testing.T, statements []sent) *catalog.Snapshot {
	dialect := parser.Dialect{Flavor: parser.MariaDB, Version: 101119}
	var b strings.Builder
	b.WriteString(coverageWorld)
	for _, s := range statements {
		word := strings.ToUpper(firstWord(s.sql))
		if word != "CREATE" && word != "USE" {
			continue
		}
		script, err := parser.Parse(s.sql+";", parser.Reading{Dialect: dialect})
		if err != nil || len(script.Statements) != 1 {
			continue
		}
		if _, err := lineage.LoadDefinitions(s.sql, dialect, "test"); err == nil {
			b.WriteString(s.sql + ";\n")
		}
	}
	defs, err := lineage.LoadDefinitions(b.String(), dialect, "test")
	if err != nil { // definitions that read alone and not together
		if defs, err = lineage.LoadDefinitions(coverageWorld, dialect, "test"); err != nil {
			t.Fatal(err)
		}
	}
	c, err := catalog.New(defs, 0).Current(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// judgement is one accepted statement and what became of it.
type judgement struct {
	sent
	kind, tier, refused string
	unread              string // what the tree parser did not understand
	// policy: it was read, and is refused for what it touches: other people's data, files and tables outside.
	policy    bool
	foreign   bool // under a sql_mode that changes the grammar: refused by decision
	unlexable bool // text beyond ASCII in a character set in which a byte of a character may be a quote, or a name beyond ASCII in none of Unicode
}

// judgeAll keeps the statements that the server accepts and decides each.
func judgeAll(t *testing.T, server *servers.Server, cases []testCase) []judgement {
	t.Helper()
	server.Exec(t, "CREATE DATABASE test", "CREATE DATABASE mtr")
	j := newJudge(t)
	a := &accepting{t: t, server: server}
	defer a.close()
	var out []judgement
	for _, c := range cases {
		if mode, ok := a.accepts(c.sent); ok {
			out = append(out, j.judge(c, mode))
		}
	}
	return out
}

// accepting asks a server whether it would take a statement: it prepares it and never runs it.
type accepting struct {
	t      *testing.T
	server *servers.Server
	db     *sql.DB
	conn   *sql.Conn
	now    sent   // the settings of conn
	mode   string // what the server says of them
	bad    bool
}

func (a *accepting) close() {
	if a.db != nil {
		_ = a.conn.Close()
		_ = a.db.Close()
	}
	a.db = nil
}

func (a *accepting) accepts(c sent) (mode string, ok bool) {
	a.set(c)
	if a.bad {
		return "", false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	st, err := a.conn.PrepareContext(ctx, c.sql)
	if err == nil {
		_ = st.Close()
		return a.mode, true
	}
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		a.close() // the connection is lost
		return "", false
	}
	switch e.Number {
	case 1064, 1149, 1065: // its grammar does not know the text, or it is empty
		return "", false
	}
	return a.mode, true
}

// set gives the connection the settings of a script.
func (a *accepting) set(c sent) {
	if a.db != nil && a.now.mode == c.mode && a.now.charset == c.charset {
		return
	}
	a.close()
	db, err := sql.Open("mysql", "root@unix("+a.server.Socket+")/test")
	if err != nil {
		a.t.Fatal(err)
	}
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	a.db, a.conn, a.now, a.bad = db, conn, c, false
	if c.mode != "" {
		if _, err := conn.ExecContext(ctx, "SET sql_mode='"+c.mode+"'"); err != nil {
			a.bad = true // the script expects an error there
			return
		}
	}
	if c.charset != "" {
		if _, err := conn.ExecContext(ctx, "SET NAMES "+c.charset); err != nil {
			a.bad = true
			return
		}
	}
	if err := conn.QueryRowContext(ctx, "SELECT @@sql_mode").Scan(&a.mode); err != nil {
		a.t.Fatal(err)
	}
}

// judge decides statements as a session of project test does while project vault is protected.
type judge struct{ policy *enforcement.Snapshot }

func newJudge(t *testing.T) *judge {
	t.Helper()
	policy, err := enforcement.Build(&enforcement.Policy{Revision: 1, Projects: map[string]*enforcement.Project{
		"vault": {Name: "vault", Protection: parser.Protected},
	}}, enforcement.Options{Folds: true})
	if err != nil {
		t.Fatal(err)
	}
	return &judge{policy}
}

func (j *judge) judge(c testCase, mode string) judgement {
	rd := parser.Reading{Dialect: parser.Dialect{Flavor: parser.MariaDB, Version: 101119}, Mode: parser.ParseMode(mode), Charset: c.charset}
	out := judgement{sent: c.sent, kind: firstWord(c.sql), foreign: rd.Mode&parser.ForeignGrammar != 0}
	script, err := parser.ParseSent(c.sql, rd)
	if err != nil {
		out.tier, out.refused = "none", "lexer: "+err.Error()
		out.unlexable = strings.Contains(err.Error(), "text beyond ASCII cannot be read soundly in it") || strings.Contains(err.Error(), "a name beyond ASCII needs")
		return out
	}
	if len(script.Statements) != 1 {
		out.tier = "none"
		if len(script.Statements) > 1 {
			out.refused = fmt.Sprintf("splitting: it reads as %d statements", len(script.Statements))
		}
		return out
	}
	rd = script.Reading
	st := &script.Statements[0]
	out.kind, out.tier, out.unread = st.Kind, st.Tier.String(), st.Unparsed
	if st.Command != nil {
		return out
	}
	g, refused, policy := j.graph(st, rd, c.defined())
	if refused == "" && g.Effects.Dynamic != nil && g.Effects.Dynamic.Text != "" {
		refused, policy = j.inner(g.Effects.Dynamic.Text, rd, c.defined())
	}
	out.refused, out.policy = refused, policy
	return out
}

// graph traces and decides one statement.
func (j *judge) graph(st *parser.Statement, rd parser.Reading, cat *catalog.Snapshot) (g *lineage.Graph, refused string, policy bool) {
	bound, err := lineage.Resolve(context.Background(), st, rd, lineage.Scope{Schema: "test"}, cat)
	if err != nil {
		return nil, "resolve: " + err.Error(), false
	}
	g = lineage.Trace(bound)
	var none lineage.Labels
	d := j.policy.Decide(&enforcement.Request{Graph: none.Expand(g), Schema: "test"})
	if d.Permitted() {
		return g, "", false
	}
	for _, r := range d.Reasons {
		if r.Effect == enforcement.Deny {
			detail := r.Detail
			if r.Rule != enforcement.NotUnderstood && detail == "" {
				detail = r.Flow.String()
			}
			outside := r.Flow.Source.Kind == lineage.OpaqueSource
			return g, r.Rule.String() + ": " + detail, outside || r.Rule == enforcement.SystemData
		}
	}
	return g, "refused without a reason", false
}

// inner decides the text that PREPARE and EXECUTE IMMEDIATE hold.
func (j *judge) inner(text string, rd parser.Reading, cat *catalog.Snapshot) (refused string, policy bool) {
	script, err := parser.Parse(text, rd)
	if err != nil || len(script.Statements) > 1 {
		return fmt.Sprintf("prepared text: %v", err), false
	}
	if len(script.Statements) == 0 || script.Statements[0].Command != nil {
		return "", false
	}
	_, refused, policy = j.graph(&script.Statements[0], rd, cat)
	return refused, policy
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(strings.ToLower(strings.TrimLeft(s, " \t\r\n(")), " ")
	if len(w) > 20 {
		w = w[:20]
	}
	return strings.TrimSpace(w)
}

func writeRefused(t *testing.T, path string, all []judgement) {
	t.Helper()
	var b strings.Builder
	for _, j := range all {
		if j.refused != "" || j.tier == "tokens" {
			fmt.Fprintf(&b, "-- %s | %s | %s | %s | %s | %s\n%s\n\n", j.kind, j.tier, j.mode, j.charset, j.refused, j.unread, j.sql)
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
