package integration

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// attempt is one try to get the canary out.
type attempt struct {
	family     string
	statements []string
}

func attempts(t testing.TB) []attempt {
	t.Helper()
	text, err := os.ReadFile("testdata/attempts.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []attempt
	for block := range strings.SplitSeq(string(text), "\n\n") {
		var lines []string
		for line := range strings.SplitSeq(strings.TrimSpace(block), "\n") {
			if line != "" && !strings.HasPrefix(line, "# ") {
				lines = append(lines, line)
			}
		}
		if len(lines) > 1 {
			out = append(out, attempt{lines[0], lines[1:]})
		}
	}
	return out
}

// The canary of a protected project is never seen outside: not in results, not in messages, not in tables.
func TestSideDoors(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		owner := w.as(t, "owner", "myprj")
		owner.do("CREATE TABLE myprj.copy (id INT, v VARCHAR(100))")
		owner.do("SET ProjectProtection = true")
		families, refused := map[string]bool{}, 0
		for _, a := range attempts(t) {
			families[a.family] = true
			for _, how := range []manner{asText, prepared, oneStatement} {
				refused += w.attempt(t, owner, a, how)
			}
			w.rested(t, a)
		}
		t.Logf("%d families, %d statements refused", len(families), refused)
		if refused == 0 {
			t.Error("nothing was refused: the attempts did not run")
		}
	})
}

// manner is how a client sends its statements.
type manner int

const (
	asText       manner = iota
	prepared            // over the binary protocol
	oneStatement        // as text, without having announced that a text may hold several
)

// attempt runs one try on a connection of its own.
func (w *world) attempt(t *testing.T, owner *client, a attempt, how manner) (refused int) {
	t.Helper()
	options := ""
	if how == oneStatement {
		options = "&multiStatements=false"
	}
	alice := dialAs(t, w.gateway.Addr, "alice", "prj2", options)
	for _, q := range a.statements {
		if rest, ok := strings.CutPrefix(q, "as owner: "); ok {
			if how == asText {
				owner.do(rest)
			}
			continue
		}
		if rest, ok := strings.CutPrefix(q, "past: "); ok {
			if how == asText {
				w.warehouse.Exec(t, rest)
				time.Sleep(300 * time.Millisecond) // the catalog clock may be 250 ms old
			}
			continue
		}
		var rows []string
		var err error
		if how == prepared && !strings.Contains(q, "?") {
			rows, err = alice.prepared(q)
		} else {
			rows, err = alice.try(q)
		}
		seen := strings.Join(rows, "\n")
		var e *mysql.MySQLError
		if errors.As(err, &e) {
			seen += e.Message
			if e.Number == 1142 {
				refused++
			}
		} else if err != nil && !strings.Contains(err.Error(), "prepare") {
			t.Fatalf("%s: %s: the session broke: %v", a.family, q, err)
		}
		// A statement may hold the canary itself; then only the row count could tell.
		if strings.Contains(seen, canary) && !strings.Contains(q, canary) {
			t.Errorf("%s: LEAK by %q: %s", a.family, a.statements, seen)
		}
	}
	if _, err := alice.try("SELECT 1"); err != nil {
		t.Errorf("%s: %q leaves the session unusable: %v", a.family, a.statements, err)
	}
	alice.close()
	return refused
}

// prepared runs a statement over the binary protocol.
func (c *client) prepared(q string) ([]string, error) {
	st, err := c.conn.PrepareContext(c.t.Context(), q)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	rows, err := st.Query()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		columns, err := rows.Columns()
		if err != nil {
			return out, err
		}
		cells := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return out, err
		}
		for _, cell := range cells {
			if b, ok := cell.([]byte); ok {
				out = append(out, string(b))
			}
		}
	}
	return out, rows.Err()
}

// rested looks, past the gateway, for the canary in every table outside of myprj.
func (w *world) rested(t *testing.T, a attempt) {
	t.Helper()
	db := w.warehouse.Root(t)
	defer db.Close()
	rows, err := db.Query("SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('prj2', 'prj3') AND table_type = 'BASE TABLE'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var schema, table string
		if err := rows.Scan(&schema, &table); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.QueryRow("SELECT COUNT(*) FROM `" + schema + "`.`" + table + "` WHERE v LIKE '%" + canary + "%'").Scan(&n); err == nil && n > 0 {
			t.Errorf("%s: LEAK into %s.%s by %q", a.family, schema, table, a.statements)
			if _, err := db.Exec("DROP TABLE `" + schema + "`.`" + table + "`"); err != nil {
				t.Fatal(err)
			}
		}
	}
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM myprj.other").Scan(&n); err != nil {
		t.Errorf("%s: %q moved myprj.other: %v", a.family, a.statements, err)
	}
}

// The harmless twin of each family works as it does directly.
func TestBenign(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		owner := w.as(t, "owner", "myprj")
		owner.do("CREATE TABLE myprj.copy (id INT, v VARCHAR(100))")
		owner.do("SET ProjectProtection = true")
		through := w.as(t, "alice", "prj2")
		f, err := os.Open("testdata/benign.txt")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		ran := 0
		for in := bufio.NewScanner(f); in.Scan(); {
			q := in.Text()
			if q == "" || strings.HasPrefix(q, "#") {
				continue
			}
			ran++
			_, err := through.try(q)
			var e *mysql.MySQLError
			if errors.As(err, &e) && (e.Number == 1094 || e.Number == 1064 && strings.Contains(t.Name(), "MySQL") || e.Number == 1095 || e.Number == 1227) {
				continue // the warehouse's own answer: no such thread; a form or a grant that is lacking
			}
			if err != nil {
				t.Errorf("%s: %v", q, err)
			}
		}
		if ran < 100 {
			t.Errorf("%d statements ran", ran)
		}
	})
}
