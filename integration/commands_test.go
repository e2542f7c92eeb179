package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/go-sql-driver/mysql"

	"sluice/integration/servers"
)

// The gateway commands, end to end. The cases stand in testdata/commands/*.txt; the files of one folder share one
// world. Each statement goes through the text protocol in one run and through the binary protocol in another, and
// the answers are the same. The directives:
//
//	as user=alice in=prj1   one COM_QUERY, or PREPARE and EXECUTE; rows, OK or ERROR, then the warnings
//	                        text: through the text protocol alone (batches cannot be prepared)
//	                        new: on a connection of its own
//	cli user=alice in=prj1  the text through the mariadb command line client
//	mysql user=… in=…       the same through Oracle's client
//	only=MariaDB            not before other warehouses
//	file name=f             a file in the folder of the command line clients
//	root                    statements past the gateway
type commandRun struct {
	w      *world
	dir    string // of the command line clients
	binary bool
	engine string
	conns  map[string]*client
}

func TestCommandsText(t *testing.T)   { runCommands(t, servers.MariaDB(t), false) }
func TestCommandsBinary(t *testing.T) { runCommands(t, servers.MariaDB(t), true) }
func TestCommandsMySQL(t *testing.T)  { runCommands(t, servers.MySQL(t), false) }

func runCommands(t *testing.T, server *servers.Server, binary bool) {
	w := newWorld(t, server, "")
	w.warehouse.Exec(t, "CREATE USER 'stranger'@'127.0.0.1' IDENTIFIED BY 'x-pass'", "GRANT ALL ON *.* TO 'stranger'@'127.0.0.1'",
		"CREATE USER 'Owner'@'127.0.0.1' IDENTIFIED BY 'x-pass'", "GRANT ALL ON *.* TO 'Owner'@'127.0.0.1'",
		"CREATE USER ''@'127.0.0.1' IDENTIFIED BY 'x-pass'", "GRANT ALL ON myprj.* TO ''@'127.0.0.1'")
	files, err := filepath.Glob("testdata/commands/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatalf("found the cases %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			r := &commandRun{w: w, dir: t.TempDir(), binary: binary, engine: server.Name, conns: map[string]*client{}}
			r.begin(t)
			datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
				return steady(r.answer(t, d))
			})
		})
	}
}

var (
	engine    = regexp.MustCompile(`\b(MariaDB|MySQL) (server version)`)
	denials   = regexp.MustCompile(`command denied to user .*`)
	stamps    = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`)
	ids       = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`)
	ports     = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	sums      = regexp.MustCompile(`\b\d{8,10}\b`)
	revisions = regexp.MustCompile(`(?m)(Revision\s*\|\s*|^  <id>.*\|)\d+`)
)

// steady takes out of an answer what differs from run to run.
func steady(s string) string {
	s = stamps.ReplaceAllString(s, "<time>")
	s = ids.ReplaceAllString(s, "<id>")
	s = ports.ReplaceAllString(s, "<client>")
	s = engine.ReplaceAllString(s, "$2")
	s = denials.ReplaceAllString(s, "command denied")
	s = sums.ReplaceAllString(s, "<sum>")
	return revisions.ReplaceAllString(s, "$1<n>")
}

// begin empties the policy, in the truth itself, and gives myprj its owner.
func (r *commandRun) begin(t *testing.T) {
	r.w.warehouse.Exec(t, "DELETE FROM sluice.projects", "UPDATE sluice.revision SET revision = revision + 1, digest = ''")
	super := r.w.as(t, "super", "myprj")
	defer super.close()
	eventually(t, "the gateway follows the truth", func() bool { return len(super.do("LIST OWNERS")) == 0 })
	super.do("ADD OWNER owner")
}

func (r *commandRun) answer(t *testing.T, d *datadriven.TestData) string {
	user, schema := "owner", "myprj"
	d.MaybeScanArgs(t, "user", &user)
	if d.HasArg("in") {
		schema = ""
		d.MaybeScanArgs(t, "in", &schema)
	}
	if engine := ""; d.HasArg("only") {
		d.ScanArgs(t, "only", &engine)
		if engine != r.engine {
			return d.Expected
		}
	}
	switch d.Cmd {
	case "as":
		return r.as(t, d, user, schema)
	case "cli":
		return r.client(need(t, "mariadb"), d, user, schema, "--show-warnings", "--local-infile=1")
	case "mysql":
		return r.client(servers.MySQLClient(t), d, user, schema, "--show-warnings", "--local-infile=1", "--get-server-public-key")
	case "file":
		name := ""
		d.ScanArgs(t, "name", &name)
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(d.Input), 0o600); err != nil {
			t.Fatal(err)
		}
		return ""
	case "root":
		r.w.warehouse.Exec(t, strings.Split(strings.TrimSuffix(d.Input, ";"), ";\n")...)
		return ""
	}
	t.Fatalf("%s: no directive %q", d.Pos, d.Cmd)
	return ""
}

func (r *commandRun) as(t *testing.T, d *datadriven.TestData, user, schema string) string {
	key := user + "/" + schema
	c := r.conns[key]
	if c == nil || d.HasArg("new") {
		c = r.dial(t, user, schema)
		if !d.HasArg("new") {
			r.conns[key] = c
		}
	}
	c.t = t
	rows, err := r.send(c, d.Input, r.binary && !d.HasArg("text"))
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.TrimRight(row, "|") + "\n")
	}
	var e *mysql.MySQLError
	switch {
	case errors.As(err, &e):
		fmt.Fprintf(&b, "ERROR %d (%s): %s\n", e.Number, e.SQLState[:], e.Message)
		return b.String()
	case err != nil:
		return b.String() + err.Error() + "\n"
	case len(rows) == 0:
		b.WriteString("OK\n")
	}
	for _, warning := range c.do("SHOW WARNINGS") {
		b.WriteString("# " + warning + "\n")
	}
	return b.String()
}

// dial logs in as one of the world's accounts, or as one of those of this test.
func (r *commandRun) dial(t *testing.T, user, schema string) *client {
	if accounts[user] != "" {
		return dialAs(t, r.w.gateway.Addr, user, schema)
	}
	return dialWith(t, r.w.gateway.Addr, user, "x-pass", schema)
}

// send runs one statement and gives the columns' names and the rows.
func (r *commandRun) send(c *client, q string, binary bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	query := func() (*sql.Rows, error) { return c.conn.QueryContext(ctx, q) }
	if binary {
		statement, err := c.conn.PrepareContext(ctx, q)
		if err != nil {
			return nil, err
		}
		defer statement.Close()
		query = func() (*sql.Rows, error) { return statement.QueryContext(ctx) }
	}
	rows, err := query()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for {
		columns, err := rows.Columns()
		if err != nil {
			return out, err
		}
		if len(columns) > 0 {
			out = append(out, strings.Join(columns, "|"))
		}
		cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return out, err
			}
			texts := make([]string, len(cells))
			for i, cell := range cells {
				texts[i] = cell.String
			}
			out = append(out, "  "+strings.Join(texts, "|"))
		}
		if err := rows.Err(); err != nil || !rows.NextResultSet() {
			return out, errors.Join(err, rows.Err())
		}
	}
}

// client runs a command line client in the folder of the files.
func (r *commandRun) client(program string, d *datadriven.TestData, user, schema string, args ...string) string {
	password := accounts[user]
	if password == "" {
		password = "x-pass"
	}
	args = append([]string{"-h127.0.0.1", "-P" + port(r.w), "-u" + user, "-p" + password, "--force", "-t"}, append(args, schema)...)
	return frames.ReplaceAllString(strings.ReplaceAll(tryIn(r.dir, d.Input+"\n", program, args...), "mysql: [Warning] Using a password on the command line interface can be insecure.\n", ""), "|")
}

// frames are those of tables and the spaces in them, which are as wide as what differs from run to run.
var frames = regexp.MustCompile(` *(\+[-+]+\+|\|) *`)
