package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// twin is one statement that must work through the gateway as it does directly.
type twin struct {
	who, statement string
	// rows: the rows too are the same. Otherwise only the columns and the error are: a time, an id, a counter.
	rows bool
}

// benign reads every testdata/benign*.txt.
func benign(t testing.TB) []twin {
	t.Helper()
	files, err := filepath.Glob("testdata/benign*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []twin
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for q := range strings.SplitSeq(string(text), "\n") {
			if q == "" || strings.HasPrefix(q, "#") {
				continue
			}
			h := twin{who: "alice", rows: true}
			if rest, ok := strings.CutPrefix(q, "~ "); ok {
				h.rows, q = false, rest
			}
			if rest, ok := strings.CutPrefix(q, "owner: "); ok {
				h.who, q = "owner", rest
			}
			h.statement = q
			out = append(out, h)
		}
	}
	return out
}

// Harmless statements, while myprj is protected, give through the gateway what they give on a second
// warehouse directly: columns, rows, error numbers and messages.
func TestBenign(t *testing.T) {
	t.Parallel()
	for _, e := range everyKind {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			compareBenign(t, e)
		})
	}
}

func compareBenign(t *testing.T, e kindOfServer) {
	w := newWorld(t, e.start(t), "")
	other := e.start(t)
	fill(t, other, "127.0.0.1")
	through := map[string]*client{"owner": w.as(t, "owner", "myprj"), "alice": w.as(t, "alice", "prj2")}
	direct := map[string]*client{"owner": dialAs(t, other.Addr, "owner", "myprj"), "alice": dialAs(t, other.Addr, "alice", "prj2")}
	through["owner"].do("SET ProjectProtection = true")
	ran, failed := 0, 0
	for _, h := range benign(t) {
		ran++
		want, wantErr := direct[h.who].tryNamed(h.statement)
		got, gotErr := through[h.who].tryNamed(h.statement)
		if w, g := faultText(wantErr), faultText(gotErr); w != g {
			t.Errorf("%s: directly %s; through Sluice %s", h.statement, w, g)
			continue
		}
		if wantErr != nil {
			failed++
		}
		if !h.rows {
			want, got = want[:min(1, len(want))], got[:min(1, len(got))]
		}
		if w, g := strings.Join(want, "\n"), strings.Join(got, "\n"); w != g {
			t.Errorf("%s: directly\n%s\nthrough Sluice\n%s", h.statement, w, g)
		}
	}
	t.Logf("%d statements, of which %d fail directly too", ran, failed)
	if ran < 150 || failed > ran/2 {
		t.Errorf("%d statements ran, %d of them failed", ran, failed)
	}
}

// faultText gives what a client sees of an error.
func faultText(err error) string {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return fmt.Sprintf("%d (%s) %s", e.Number, e.SQLState[:], e.Message)
	}
	return fmt.Sprint(err)
}
