package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/parser"
)

// statement reads one statement of the client or of a stored program.
func (t *tracer) statement(st *parser.Statement) {
	outer := t.at
	t.at = st
	defer func() { t.at = outer }()
	t.extras(st)
	if st.Node == nil {
		t.withoutTree(st)
		return
	}
	e := &st.Extra
	if e.Table != nil {
		t.expr(st.Node)
		t.shapedBy(st.Node)
		t.createTable(e.Table)
		return
	}
	t.node(st.Node, e)
	if e.Explained {
		t.sink(Sink{Kind: ResultSink})
	}
	if e.Planned && !t.body && !t.g.Effects.Routine {
		for _, w := range t.writes.list {
			t.look(w.Object)
		}
		t.writes = distinct[Write]{} // a plan changes nothing, but the functions in it may be run to make it
	}
}

// extras adds what recognisers found beside the tree.
func (t *tracer) extras(st *parser.Statement) {
	e := &st.Extra
	t.locks = t.locks || e.Locks
	for _, n := range e.More {
		t.expr(n)
	}
	for _, o := range e.Objects {
		if e.Table != nil && (e.Table.Alter || st.Node != nil) { // rows are there, or come along
			child, _, _ := t.object(e.Table.Schema, e.Table.Name)
			t.held(child, o.Schema, o.Name)
		}
		t.named(o)
	}
	t.into(e.Into)
	if e.File != "" {
		t.sink(Sink{Kind: FileSink, Name: e.File})
	}
	if e.Returning != nil {
		t.expr(e.Returning)
		t.sink(Sink{Kind: ResultSink})
	}
	if e.Private != "" {
		t.read(Source{Kind: SystemSource, Name: e.Private})
		t.sink(Sink{Kind: ResultSink})
	}
	for _, s := range e.Settings {
		t.assign(s, nil)
		if len(t.sources.list) > 0 { // its value may come from them
			t.settingShows(s)
		}
	}
	if len(e.Settings) > 0 {
		t.g.Effects.Mode = true
	}
	if e.Kill != nil {
		t.g.Effects.Kill = &Kill{e.Kill.ID, e.Kill.Query}
	}
}

// named adds an object that stands outside of any tree.
func (t *tracer) named(o parser.Named) {
	if table, is := strings.CutPrefix(o.Name, "handler "); is {
		t.carrierSource(o.Name)
		t.readTable(o.Schema, table) // without an alias a handler bears its table's name
		return
	}
	switch o.Access {
	case parser.Read, parser.ReadWrite:
		t.readTable(o.Schema, o.Name)
	case parser.Write, parser.Define:
		t.maintain(o.Schema, o.Name)
	default:
		t.structure(o.Schema, o.Name)
	}
}

// structure names an object whose definition alone is read: metadata is free, but for the policy's schema.
func (t *tracer) structure(schema, name string) {
	o, _, _ := t.object(schema, name)
	t.mention(o)
}

func (t *tracer) mention(o Object) {
	if reachOf(o.Schema, o.Name) == forbidden {
		t.forbid(o)
		return
	}
	t.look(o)
}

// withoutTree reads statements that recognisers understood without a tree.
func (t *tracer) withoutTree(st *parser.Statement) {
	e := &st.Extra
	switch {
	case e.Program != nil:
		if e.Program.Kind == "event" && len(t.sources.list) > 0 {
			t.sink(Sink{Kind: FileSink, Name: "the schedule of an event, which anybody can read"})
		}
		t.program(e.Program)
	case e.Dynamic != nil:
		t.dynamicStatement(e)
	case e.Table != nil:
		t.createTable(e.Table)
		if e.Explained {
			t.sink(Sink{Kind: ResultSink})
		}
	case e.Private != "":
	case st.Kind == "show processlist", st.Kind == "show replica status":
		t.g.Effects.ProcessList = true
	case st.Kind == "show warnings":
		t.g.Effects.Diagnostics = true
		t.carrierSource("diagnostics")
		t.sink(Sink{Kind: ResultSink})
	case st.Kind == "show variables":
		t.carrierSource(allVariables)
		t.sink(Sink{Kind: ResultSink})
	case st.Kind == "get diagnostics":
		t.g.Effects.Diagnostics = true
		t.carrierSource("diagnostics")
	case e.Explained:
		t.sink(Sink{Kind: ResultSink})
	case e.Control, len(e.Objects) > 0, len(e.Into) > 0:
	case st.Kind == "fetch":
	default:
		t.refuse("%s is not understood", strings.ToUpper(st.Kind))
	}
}

// node reads a statement's tree. The set of statements is closed: what has no case is refused.
func (t *tracer) node(n ast.StmtNode, e *parser.Extra) {
	switch n := n.(type) {
	case *ast.SelectStmt, *ast.SetOprStmt:
		t.query(n, e)
	case *ast.InsertStmt:
		t.insert(n, e)
	case *ast.UpdateStmt:
		t.update(n)
	case *ast.DeleteStmt:
		t.delete(n)
	case *ast.LoadDataStmt:
		t.loadData(n)
	case *ast.CallStmt:
		t.callStmt(n)
	case *ast.DoStmt:
		t.expr(n)
	case *ast.SetStmt:
		t.set(n)
	case *ast.ExplainStmt:
		t.node(n.Stmt, &parser.Extra{})
		t.sink(Sink{Kind: ResultSink})
	case *ast.ShowStmt:
		t.show(n)
	case *ast.UseStmt:
		t.g.Effects.Use = n.DBName
		if reachOf(n.DBName, "") == forbidden {
			t.forbid(Object{n.DBName, ""})
		}
	case *ast.BeginStmt:
		t.pastOf(n.AsOf)
		t.expr(n)
	case *ast.CommitStmt, *ast.RollbackStmt, *ast.SavepointStmt, *ast.ReleaseSavepointStmt,
		*ast.FlushStmt, *ast.KillStmt, *ast.HelpStmt, *ast.UnlockTablesStmt, *ast.SetPwdStmt, *ast.SetRoleStmt,
		*ast.SetDefaultRoleStmt, *ast.CreateUserStmt, *ast.AlterUserStmt, *ast.DropUserStmt, *ast.RenameUserStmt,
		*ast.GrantRoleStmt, *ast.GrantProxyStmt, *ast.RevokeRoleStmt,
		*ast.ShutdownStmt, *ast.RestartStmt, *ast.AlterInstanceStmt, *ast.SetResourceGroupStmt,
		*ast.CreateResourceGroupStmt, *ast.AlterResourceGroupStmt, *ast.DropResourceGroupStmt,
		*ast.CreatePlacementPolicyStmt, *ast.AlterPlacementPolicyStmt, *ast.DropPlacementPolicyStmt:
		t.expr(n) // no data of tables moves; an expression in them still counts
	case *ast.GrantStmt:
		t.granted(n.ObjectType, n.Level)
	case *ast.RevokeStmt:
		t.granted(n.ObjectType, n.Level)
	case *ast.DeallocateStmt:
		t.g.Effects.Dynamic = &parser.Dynamic{Verb: "deallocate", Name: strings.ToLower(n.Name)}
	default:
		if !t.define(n) && !t.tidb(n) {
			t.refuse("%s is not understood", strings.ToUpper(t.b.statement.Kind))
		}
	}
}

// granted names the table that GRANT and REVOKE are about: access is the warehouse's, no data moves.
func (t *tracer) granted(kind ast.ObjectTypeType, level *ast.GrantLevel) {
	table := kind == ast.ObjectTypeNone || kind == ast.ObjectTypeTable
	if table && level != nil && level.Level == ast.GrantLevelTable {
		t.structure(level.DBName, level.TableName)
	}
}

// query reads SELECT, TABLE, VALUES and their unions: to the client, unless INTO says otherwise.
func (t *tracer) query(n ast.StmtNode, e *parser.Extra) {
	t.expr(n)
	files := 0
	for _, k := range t.sinks.list {
		if k.Kind == FileSink {
			files++
		}
	}
	if len(e.Into) == 0 && files == 0 {
		t.sink(Sink{Kind: ResultSink})
	}
}

// set reads SET: values to variables, and what the session is read by from here on.
func (t *tracer) set(n *ast.SetStmt) {
	for _, v := range n.Variables {
		t.some(v.Value)
		if v.ExtendValue != nil {
			t.under(v.ExtendValue, nil)
		}
		switch {
		case v.Name == ast.SetNames || v.Name == ast.SetCharset:
			t.assign(v.Name, v.Value)
			if t.body {
				t.settingFrom("character_set_client", false, t.branched)
			}
		case t.isLocal(v.Name) && !v.IsGlobal && !v.IsInstance:
			t.assign(v.Name, v.Value)
		case v.IsSystem || !strings.HasPrefix(v.Name, "@") && v.IsGlobal:
			t.assign(v.Name, v.Value)
			t.pastBy(v.Name, v.Value)
			// @@persist.x is a name with a dot to the parser, and global: as GLOBAL is, it is seen by other sessions.
			global := v.IsGlobal || v.IsInstance || strings.Contains(v.Name, ".")
			if global {
				t.runsBy(v.Name, v.Value)
			}
			if _, literal := t.literal(v.Value); t.body || v.Value != nil && !literal {
				t.carrierSink("@@" + strings.ToLower(v.Name))
				t.settingFrom(v.Name, global, t.branched || v.Value != nil && !literal)
			}
		default:
			t.carrierSink("@" + strings.ToLower(v.Name))
		}
	}
	if !t.body {
		t.g.Effects.Overwritten = overwritten(n)
	}
}

// plainSetting tells whether a setting of the session takes a value that stands in the text, and nothing is left of the one
// before: the two seeds of RAND() mix.
func plainSetting(v *ast.VariableAssignment) bool {
	_, standard := v.Value.(*ast.DefaultExpr)
	name := strings.ToLower(v.Name)
	return !v.IsGlobal && !v.IsInstance && !strings.Contains(name, ".") && !strings.Contains(name, "seed") && (standard || parser.IsLiteral(v.Value))
}

// overwritten lists the user variables that are given values that stand in the text, and nothing else on the way. A name
// that others may equal (in case, accents) is never one, and no other is one beside it.
func overwritten(n *ast.SetStmt) []string {
	var out []string
	for _, v := range n.Variables {
		name := "@" + strings.ToLower(v.Name)
		if v.IsSystem && plainSetting(v) {
			out = append(out, settings+strings.ToLower(v.Name))
			continue
		}
		if v.IsSystem || v.IsGlobal || v.Name == ast.SetNames || v.Name == ast.SetCharset || !plainName(name) || !parser.IsLiteral(v.Value) {
			return nil
		}
		out = append(out, name)
	}
	return out
}

// settingFrom notes that a setting is made of a value: what was set shows in SHOW VARIABLES, in the session state of
// OK packets and in whatever depends on it (NOW(), CONNECTION_ID(), WEEK() …), and a global one to everybody. It tells of the
// data when its value is made of it, or whether it is set at all.
func (t *tracer) settingFrom(name string, global, tells bool) {
	t.sink(Sink{Kind: ResultSink})
	t.carrierSink(allVariables)
	if tells && !global {
		t.carrierSink(settings + strings.ToLower(name))
	}
	if global {
		t.sink(Sink{Kind: FileSink, Name: "a global setting, which anybody can read"})
	}
	t.settingShows(name)
}

// settingShows notes a setting that other sessions see: how long a session has been running is told by its time.
func (t *tracer) settingShows(name string) {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, "timestamp") || strings.HasSuffix(name, "pseudo_thread_id") {
		t.sink(Sink{Kind: FileSink, Name: "a setting that the process list shows to anybody"})
	}
}

// allVariables is the carrier of what any system variable took, for those who list them.
const allVariables = "@@"

// isLocal tells whether SET in a stored program assigns one of its own variables, or a column of the row.
func (t *tracer) isLocal(name string) bool {
	if !t.body {
		return false
	}
	for _, l := range t.locals {
		if strings.EqualFold(l, name) {
			return true
		}
	}
	return strings.Contains(name, ".")
}

// show reads SHOW where a condition brought the tree into play; definitions are free.
func (t *tracer) show(n *ast.ShowStmt) {
	if n.Table != nil {
		t.structure(n.Table.Schema.O, n.Table.Name.O)
	}
	t.some(n.Where)
	if n.Pattern != nil {
		t.under(n.Pattern.Pattern, nil)
	}
	t.sink(Sink{Kind: ResultSink})
	switch n.Tp {
	case ast.ShowProcessList:
		t.g.Effects.ProcessList = true
		t.read(Source{Kind: SystemSource, Name: "SHOW PROCESSLIST with a condition"})
	case ast.ShowWarnings, ast.ShowErrors:
		t.g.Effects.Diagnostics = true
		t.carrierSource("diagnostics")
	case ast.ShowVariables:
		t.carrierSource(allVariables)
	}
}
