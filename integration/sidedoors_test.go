package integration

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// attempt is one try to get the canary out.
type attempt struct {
	family string
	// quiet: nothing of it needs to be refused, as long as the canary stays in.
	quiet      bool
	statements []string
}

// attempts reads every testdata/attempts*.txt.
func attempts(t testing.TB) []attempt {
	t.Helper()
	files, err := filepath.Glob("testdata/attempts*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []attempt
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq(string(text), "\n\n") {
			var lines []string
			for line := range strings.SplitSeq(strings.TrimSpace(block), "\n") {
				if line != "" && !strings.HasPrefix(line, "# ") {
					lines = append(lines, line)
				}
			}
			if len(lines) > 1 {
				family, quiet := strings.CutPrefix(lines[0], "quiet ")
				out = append(out, attempt{family, quiet, lines[1:]})
			}
		}
	}
	return out
}

// canaryNumber is the canary as a number, for channels that carry numbers: CRC32(v).
var canaryNumber = fmt.Sprint(crc32.ChecksumIEEE([]byte(canary)))

func holdsCanary(seen string) bool {
	return strings.Contains(seen, canary) || strings.Contains(seen, canaryNumber)
}

// The canary of a protected project is never seen outside: not in results, not in their metadata, not in
// messages, warnings and insert ids, not in tables, definitions and files.
func TestSideDoors(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		w.warehouse.Exec(t, "GRANT ALL ON *.* TO "+w.account(t, "alice")) // the warehouse's grants stop nothing
		owner := w.as(t, "owner", "myprj")
		owner.do("CREATE TABLE myprj.copy (id INT, v VARCHAR(100))")
		owner.do("SET ProjectProtection = true")
		d := &doors{world: w, owner: owner, dir: t.TempDir()}
		if err := os.Chmod(d.dir, 0o777); err != nil {
			t.Fatal(err)
		}
		families, ran := map[string]bool{}, 0
		only := os.Getenv("SLUICE_ATTEMPTS") // a part of a family's name, for whoever works on one
		for _, a := range attempts(t) {
			if !strings.Contains(a.family, only) {
				continue
			}
			families[a.family] = true
			ran++
			d.try(t, a)
		}
		d.atTheEnd(t)
		t.Logf("%d attempts of %d families, %d statements refused, %d ended by the warehouse itself", ran, len(families), d.refused, d.own)
		if only == "" && (ran < 300 || len(families) < 30 || d.refused < ran/2) {
			t.Errorf("%d attempts of %d families ran, %d statements were refused: the attempts did not run", ran, len(families), d.refused)
		}
	})
}

// doors is a world whose side doors are tried.
type doors struct {
	*world
	owner        *client
	dir          string
	refused, own int // statements that Sluice refused; attempts that nothing but the warehouse stopped
}

// manner is how a client sends its statements.
type manner int

const (
	asText       manner = iota
	oneStatement        // as text, without having announced that a text may hold several
	overBinary          // over the binary protocol
)

// try makes one attempt in each manner, each in a world that is as at first.
func (d *doors) try(t *testing.T, a attempt) {
	for _, how := range []manner{asText, oneStatement, overBinary} {
		if how == oneStatement && !strings.Contains(strings.Join(a.statements, " "), ";") {
			continue
		}
		run := &attempting{doors: d, t: t, attempt: a, how: how, sessions: map[string]*client{}}
		run.statements()
		run.rested()
		d.tidy(t)
		if run.leaked {
			return
		}
	}
}

// attempting is an attempt under way.
type attempting struct {
	*doors
	t *testing.T
	attempt
	how      manner
	sessions map[string]*client
	leaked   bool // which was reported
	passed   bool // a definition went past the gateway just now
	stopped  bool // Sluice refused a statement
	failed   bool // the warehouse did
}

func (r *attempting) statements() {
	for _, q := range r.attempt.statements {
		q = strings.ReplaceAll(q, "{dir}", r.dir)
		name := "first"
		if rest, ok := strings.CutPrefix(q, "second: "); ok {
			name, q = "second", rest
		}
		switch rest, ok := strings.CutPrefix(q, "as owner: "); {
		case ok:
			if _, err := r.owner.try(rest); err != nil {
				r.failed = true // a feature that this warehouse lacks
			}
			continue
		}
		if rest, ok := strings.CutPrefix(q, "past: "); ok {
			r.past(rest)
			continue
		}
		if rest, ok := strings.CutPrefix(q, "wait: "); ok {
			wait, err := time.ParseDuration(rest)
			if err != nil {
				r.t.Fatal(err)
			}
			time.Sleep(wait)
			continue
		}
		r.send(name, q)
	}
	if !r.stopped && !r.quiet && !r.leaked {
		if r.failed {
			r.own++
		} else {
			r.t.Errorf("%s: nothing stopped %q", r.family, r.attempt.statements)
		}
	}
	for _, c := range r.sessions {
		if _, err := c.try("SELECT 1"); err != nil {
			r.t.Errorf("%s: %q leaves the session unusable: %v", r.family, r.attempt.statements, err)
		}
		c.close()
	}
}

func (r *attempting) session(name string) *client {
	c := r.sessions[name]
	if c == nil {
		options := "&readTimeout=60s"
		if r.how == oneStatement {
			options += "&multiStatements=false"
		}
		c = dialAs(r.t, r.gateway.Addr, "alice", "prj2", options)
		r.sessions[name] = c
	}
	return c
}

// past runs a statement as root, past the gateway: what was there before.
func (r *attempting) past(q string) {
	db := r.warehouse.Root(r.t)
	defer db.Close()
	if _, err := db.Exec(q); err != nil {
		r.failed = true
	}
	r.passed = true
}

// send sends one statement and looks at all that comes back.
func (r *attempting) send(name, q string) {
	r.t.Helper()
	c := r.session(name)
	if r.passed {
		time.Sleep(300 * time.Millisecond) // the catalog clock may be 250 ms old
		r.passed = false
	}
	seen, err := r.exchange(c, q)
	var e *mysql.MySQLError
	switch {
	case errors.As(err, &e):
		seen += "\n" + e.Message
		if int(e.Number) == int(crc32.ChecksumIEEE([]byte(canary))%60000) {
			r.t.Errorf("%s: LEAK by the error number %d of %q", r.family, e.Number, r.attempt.statements)
		}
		if e.Number == 1142 && (strings.Contains(e.Message, "ODPS-") || strings.Contains(e.Message, "Sluice")) {
			r.stopped = true
			r.refused++
		} else {
			r.failed = true
			if os.Getenv("SLUICE_ATTEMPTS") != "" && r.how == asText {
				r.t.Logf("%s: %s: %v", r.family, q, err)
			}
		}
	case err != nil:
		r.t.Errorf("%s: %q: the session broke: %v", r.family, q, err)
		delete(r.sessions, name)
		c.close()
		return
	}
	if !strings.Contains(strings.ToUpper(q), "DIAGNOSTICS") {
		rows, err := c.try("SHOW WARNINGS")
		seen += "\n" + strings.Join(rows, "\n")
		if err != nil && !errors.As(err, &e) {
			r.t.Errorf("%s: SHOW WARNINGS after %q: the session broke: %v", r.family, q, err)
		}
	}
	// A statement may hold the canary itself; then only what came to rest could tell.
	if holdsCanary(seen) && !strings.Contains(q, canary) && !r.leaked {
		r.leaked = true
		r.t.Errorf("%s: LEAK by %q at %q: %s", r.family, r.attempt.statements, q, seen)
	}
}

// notPreparable are the errors of statements that cannot be prepared on their own.
func notPreparable(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == 1295 || e.Number == 8255) || err != nil && strings.Contains(err.Error(), "commands out of sync")
}

func (r *attempting) exchange(c *client, q string) (string, error) {
	if r.how == overBinary && !strings.Contains(q, "?") {
		seen, err := c.prepared(q)
		if !notPreparable(err) {
			return seen, err
		}
	}
	first, _, _ := strings.Cut(strings.ToUpper(q), " ")
	switch first {
	case "INSERT", "REPLACE", "UPDATE", "DELETE", "DO":
		if !strings.Contains(strings.ToUpper(q), "RETURNING") {
			return c.exec(q)
		}
	}
	rows, err := c.tryNamed(q)
	return strings.Join(rows, "\n"), err
}

// exec runs a statement that gives an OK packet and gives what that packet says beside the rows.
func (c *client) exec(q string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	result, err := c.conn.ExecContext(ctx, q)
	if err != nil {
		return "", err
	}
	id, err := result.LastInsertId()
	return fmt.Sprint("insert id ", id), err
}

// prepared runs a statement over the binary protocol and gives columns, cells and insert id.
func (c *client) prepared(q string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	st, err := c.conn.PrepareContext(ctx, q)
	if err != nil {
		return "", err
	}
	defer st.Close()
	rows, err := st.QueryContext(ctx)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	seen := strings.Join(columns, "|")
	for rows.Next() {
		cells := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return seen, err
		}
		for _, cell := range cells {
			if b, ok := cell.([]byte); ok {
				cell = string(b)
			}
			seen += fmt.Sprint("|", cell)
		}
	}
	return seen, rows.Err()
}
