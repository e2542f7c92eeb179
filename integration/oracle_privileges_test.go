package integration

import (
	"context"
	"database/sql"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/lineage"
)

// The privilege oracle: a session that may read just what the graph says is read, and write just what it says is written,
// runs the statement; the server must not refuse it. It is TiDB's, which shows no locks. Every name that a statement may
// bring in as a common table expression is a table or view too, so that a name which the server takes for another is met.
func TestOraclePrivileges(t *testing.T) {
	t.Parallel()
	w := newPrivilegeWorld(t)
	g := w.generator()
	seen := oracleTally{}
	statements := statementsOf(t, 1500)
	for n := range statements {
		w.must("SET ROLE ALL") // USE needs some privilege in the schema
		text, graph := w.statement(g, n, nil)
		if graph == nil {
			continue
		}
		w.may(graph)
		w.must("BEGIN")
		_, err := w.run(text)
		w.must("ROLLBACK")
		switch {
		case err == nil:
			seen["run"]++
		case denied.MatchString(err.Error()) && hiding(text, denied.FindStringSubmatch(err.Error())[1]):
			seen["rights are asked for a table that a WITH hides"]++
		case strings.Contains(err.Error(), "Error 1142"), strings.Contains(err.Error(), "Error 1143"), strings.Contains(err.Error(), "Error 8121"), strings.Contains(err.Error(), "Error 1064"):
			t.Errorf("statement %d in %s: %v; the graph reads %v and writes %v\n%s", n, w.schema, err, graph.Reads, graph.Writes, text)
		default:
			seen["fail on the server: "+errorNumber(err)]++
		}
	}
	seen.log(t, "privileges")
	if seen["run"] < statements*8/10 {
		t.Errorf("only %d of %d statements ran: the generator is off", seen["run"], statements)
	}
}

// Below a subquery in the select list TiDB asks, in a WITH over a set operation, for rights on tables that have the names of
// its common table expressions. It reads none of them: that is what the interference oracle looks at.
var denied = regexp.MustCompile(`command denied to user .* for table '(\w+)'`)

func hiding(text, table string) bool {
	return strings.Contains(strings.ToLower(text), " "+table+" as (") && strings.Contains(text, "EXISTS (WITH ")
}

// newPrivilegeWorld is a TiDB with a role for each way to use each table and view, and a session of who has them all.
func newPrivilegeWorld(t *testing.T) *oracleWorld {
	t.Helper()
	w := newOracleWorld(t, oracleTiDB)
	grants := []string{"CREATE USER used@'%'"}
	for _, name := range append(slices.Clone(w.tables), viewsOf(oracleInvokerViews)...) {
		read, write := roles(name)
		grants = append(grants, "CREATE ROLE "+read+", "+write, "GRANT SELECT ON "+name+" TO "+read, "GRANT SELECT, INSERT, UPDATE, DELETE ON "+name+" TO "+write, "GRANT "+read+", "+write+" TO used@'%'")
	}
	w.server.Exec(t, grants...)
	db, err := sql.Open("mysql", "used@tcp("+w.server.Addr+")/")
	if err != nil {
		t.Fatal(err)
	}
	if w.conn, err = db.Conn(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.conn.Close(); _ = db.Close() })
	w.schema = ""
	return w
}

func roles(name string) (read, write string) {
	name = strings.ReplaceAll(strings.ToLower(name), ".", "_")
	return "r_" + name, "w_" + name
}

// may takes the roles for what a graph reads and writes, and no others.
func (w *oracleWorld) may(g *lineage.Graph) {
	var list []string
	for _, o := range append(slices.Clone(g.Reads), g.Names...) {
		read, _ := roles(o.String())
		list = append(list, read)
	}
	for _, x := range g.Writes {
		_, write := roles(x.Object.String())
		list = append(list, write)
	}
	slices.Sort(list)
	if list = slices.Compact(list); len(list) == 0 {
		list = []string{"NONE"}
	}
	w.must("SET ROLE " + strings.Join(list, ", "))
}
