package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/parser"
)

// call reads a function call: what the function itself reads, beside its arguments.
func (t *tracer) call(n *ast.FuncCallExpr) {
	name := n.FnName.L
	switch {
	case n.Schema.L == "sys" && sharedSysFunctions[name]:
		return
	case n.Schema.L == "sys":
		t.read(Source{Kind: SystemSource, Object: Object{"sys", name}})
		return
	case n.Schema.L != "" && !ownFunctions[n.Schema.L]:
		// A stored function, whatever function of the warehouse has its name.
	case name == "load_file":
		t.read(Source{Kind: OpaqueSource, Name: "a file of the server (LOAD_FILE)"})
		return
	case showsOthers[name] != "" && t.b.reading.Dialect.Flavor == parser.TiDB:
		t.read(Source{Kind: SystemSource, Name: showsOthers[name]})
		return
	case name == "last_insert_id":
		t.carrierSource("last_insert_id")
		if len(n.Args) > 0 {
			t.carrierSink("last_insert_id")
		}
		return
	case name == "found_rows":
		t.carrierSource("found_rows")
	case name == "row_count":
		t.carrierSource("row_count")
	case name == "get_lock", name == "release_lock", name == "release_all_locks":
		// Every session sees the names of locks, and whether they are free.
		t.sink(Sink{Kind: FileSink, Name: "the name of a lock"})
	case name == "rand" && len(n.Args) == 0:
		// How often it was called shows in the next number, when its seeds were set.
		t.carrierSource("rand")
		t.carrierSink("rand")
	case name == "nextval" || name == "lastval" || name == "setval":
		return // their sequence stands below as a TableNameExpr
	}
	t.function(n.Schema.O, n.FnName.O)
}

// showsOthers are the functions of TiDB that read past all tables.
var showsOthers = map[string]string{
	"tidb_mvcc_info":          "TIDB_MVCC_INFO, which shows the row under any key",
	"tidb_decode_sql_digests": "TIDB_DECODE_SQL_DIGESTS, which shows other sessions' statements",
}

// function reads a stored function through; a name that the catalog does not know is the
// warehouse's own function, or an error there.
func (t *tracer) function(schema, name string) {
	if schema == "" && t.b.snapshot.Foreign(name) {
		t.opaque("loadable function %s", name)
		return
	}
	if schema == "" && t.schema == "" || ownFunctions[strings.ToLower(schema)] {
		return
	}
	if schema == "" && IsSystem(t.schema) && (routineless(t.schema) || t.ownFunction(name)) {
		return
	}
	if !t.routine("function", schema, name) && schema != "" && len(t.missing) == 0 && !t.supposing {
		// No function of the warehouse's own stands in a schema: it came since, or the warehouse does not know it either.
		t.unknown("function", schema, name)
	}
}

// ownFunctions are the qualifiers of MariaDB's own functions, as it prints them in views.
var ownFunctions = map[string]bool{"mariadb_schema": true, "maxdb_schema": true, "oracle_schema": true}

// variable reads or assigns a variable.
func (t *tracer) variable(n *ast.VariableExpr) {
	name := "@" + strings.ToLower(n.Name)
	switch {
	case n.IsSystem && (n.Name == "identity" || n.Name == "last_insert_id"):
		name = "last_insert_id"
	case n.IsSystem && (n.Name == "warning_count" || n.Name == "error_count"):
		name = "diagnostics"
	case n.IsSystem:
		name = "@" + name
	}
	if n.Value != nil {
		t.carrierSink(name)
		return
	}
	t.carrierSource(name)
}

// literal gives the text of a literal. Nothing else looks at one.
func (t *tracer) literal(n ast.Node) (string, bool) {
	t.g.literal = true
	return parser.LiteralText(n)
}

// assign notes the effects of setting a system variable.
func (t *tracer) assign(name string, value ast.ExprNode) {
	name = strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(name), "@@"), "session."))
	e := &t.g.Effects
	switch name {
	case "sql_mode":
		text, literal := t.literal(value)
		// A number, also a string in hexadecimal, spells a mode otherwise; of several the first may count too.
		e.ModeText, e.ModeKnown = text, literal && !e.Mode && !strings.ContainsAny(text, "0123456789")
		e.Mode = true
		if literal && parser.ParseMode(text)&parser.ForeignGrammar != 0 {
			t.refuse("sql_mode %s changes the grammar itself and is not understood; set another one", text)
		}
	case "setnames", "setcharset", "character_set_client", "names", "charset":
		e.Charset = true
		if text, ok := t.literal(value); ok && value != nil {
			e.CharsetName = strings.ToLower(text)
		}
	case "character_set_connection", "collation_connection", "character_set_results":
		e.Charset = true
	}
}

// into adds the targets of SELECT … INTO and of whatever else gives values to variables.
func (t *tracer) into(targets []parser.Variable) {
	for _, v := range targets {
		switch {
		case v.User:
			t.carrierSink("@" + v.Name)
		case strings.HasPrefix(v.Name, "handler "):
			t.carrierSink(v.Name)
		case strings.HasPrefix(v.Name, "@@") || v.Global || (!t.body && strings.Contains(t.g.Kind, "set")):
			t.carrierSink("@@" + strings.TrimLeft(v.Name, "@"))
			t.settingFrom(strings.TrimLeft(v.Name, "@"), v.Global, true)
			t.assign(v.Name, nil)
			t.runsBy(v.Name, nil)
		}
	}
}
