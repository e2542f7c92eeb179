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
		err := w.allowed(text, graph, nil)
		switch {
		case err == nil:
			seen["run"]++
		case denied.MatchString(err.Error()) && w.allowed(text, graph, w.hidden(text)) == nil:
			seen["rights are asked for a table that a WITH hides"]++
		case denied.MatchString(err.Error()) && refuses(w.allowed(text, graph, w.everything())):
			seen["rights are asked for what is no table"]++
		case denied.MatchString(err.Error()), strings.Contains(err.Error(), "Error 1064"):
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

var denied = regexp.MustCompile("Error (1142|1143|8121)")

// allowed runs a statement with the rights that its graph tells of, and those to read some more tables, and takes it back.
func (w *oracleWorld) allowed(text string, graph *lineage.Graph, more []lineage.Object) error {
	w.may(graph, more)
	w.must("BEGIN")
	_, err := w.run(text)
	w.must("ROLLBACK")
	return err
}

var common = regexp.MustCompile(`(?i)(?:WITH|WITH RECURSIVE|\),) (\w+) AS \(`)

// hidden are the tables that have the names of a text's common table expressions, in the schema that is in use. In a WITH below
// a subquery TiDB asks, of some of these, for rights on the table too. It reads none of them: that is what the interference oracle
// looks at.
func (w *oracleWorld) hidden(text string) []lineage.Object {
	var out []lineage.Object
	for _, match := range common.FindAllStringSubmatch(text, -1) {
		out = append(out, lineage.Object{Schema: w.schema, Name: strings.ToLower(match[1])})
	}
	return slices.DeleteFunc(out, func(o lineage.Object) bool { return !slices.Contains(w.tables, o.String()) })
}

// everything lists all tables and views: who may read them all and is refused is asked for rights on a common table expression that
// has no table's name, as TiDB does within a multi-table UPDATE.
func (w *oracleWorld) everything() []lineage.Object {
	var out []lineage.Object
	for _, name := range slices.Concat(w.tables, viewsOf(oracleInvokerViews)) {
		schema, table, _ := strings.Cut(name, ".")
		out = append(out, lineage.Object{Schema: schema, Name: table})
	}
	return out
}

func refuses(err error) bool { return err != nil && denied.MatchString(err.Error()) }

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

// may takes the roles for what a graph reads and writes, to read some more tables, and no others.
func (w *oracleWorld) may(g *lineage.Graph, more []lineage.Object) {
	var list []string
	for _, o := range slices.Concat(g.Reads, g.Names, more) {
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
