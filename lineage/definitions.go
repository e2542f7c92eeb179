package lineage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// Definitions is a catalog that was read from a text of CREATE statements: for `proxy lineage
// --catalog`, for CI and for tests. It implements catalog.Loader.
type Definitions struct {
	schemas map[string]*catalog.Schema
	dialect parser.Dialect
	current string
	// The settings of the text that is being read: stored programs keep theirs.
	sqlMode, charset string
	unread           []string
}

// LoadDefinitions reads CREATE DATABASE, USE, CREATE TABLE, VIEW, TRIGGER, PROCEDURE, FUNCTION, EVENT
// and SEQUENCE statements. Unqualified names belong to the last USE, or to schema. Statements of other
// kinds are passed over; a text that cannot be lexed is an error.
func LoadDefinitions(text string, d parser.Dialect, schema string) (*Definitions, error) {
	defs := &Definitions{schemas: map[string]*catalog.Schema{}, current: schema, dialect: d}
	if err := defs.Extend(text, "", ""); err != nil {
		return nil, err
	}
	return defs, nil
}

// Extend reads more definitions, under a sql_mode and a client character set. The newest definition of a name stands. A
// catalog over the definitions must be made anew.
func (d *Definitions) Extend(text, sqlMode, charset string) error {
	script, err := parser.ParseSent(text, parser.Reading{Dialect: d.dialect, Mode: parser.ParseMode(sqlMode), Charset: charset})
	if err != nil {
		return err
	}
	d.sqlMode, d.charset = sqlMode, charset
	for i := range script.Statements {
		if err := d.add(&script.Statements[i]); err != nil {
			return err
		}
	}
	return nil
}

// Current is the schema that unqualified names belong to.
func (d *Definitions) Current() string { return d.current }

// Load gives one schema.
func (d *Definitions) Load(_ context.Context, schema string) (*catalog.Schema, error) {
	if s := d.schemas[strings.ToLower(schema)]; s != nil {
		return s, nil
	}
	return &catalog.Schema{Programs: catalog.Programs{Name: schema}}, nil
}

// Clock never moves: definitions of a text do not change.
func (d *Definitions) Clock(context.Context) (string, error) { return "static", nil }

// Folds tells that names are folded to lower case.
func (d *Definitions) Folds(context.Context) (bool, error) { return true, nil }

// Schemas lists the schemas that the text names.
func (d *Definitions) Schemas(context.Context) ([]string, error) {
	var out []string
	for name := range d.schemas {
		out = append(out, name)
	}
	return out, nil
}

// Foreign lists loadable functions: a text defines none.
func (d *Definitions) Foreign(context.Context) ([]string, error) { return nil, nil }

func (d *Definitions) schema(name string) *catalog.Schema {
	if name == "" {
		name = d.current
	}
	name = strings.ToLower(name)
	s := d.schemas[name]
	if s == nil {
		s = &catalog.Schema{
			Programs: catalog.Programs{Name: name, Exists: true, Routines: map[string]*catalog.Routine{}, Events: map[string]*catalog.Program{}},
			Objects:  map[string]*catalog.Object{},
		}
		d.schemas[name] = s
	}
	return s
}

func (d *Definitions) object(schema, name string) *catalog.Object {
	s := d.schema(schema)
	name = strings.ToLower(name)
	o := s.Objects[name]
	if o == nil {
		o = &catalog.Object{Schema: s.Name, Name: name, Kind: catalog.Table}
		s.Objects[name] = o
	}
	return o
}

// renewed gives the object of a new definition: what an older one of the same name said is gone, but for the keys of other
// tables, which may have been read before it.
func (d *Definitions) renewed(schema, name string) *catalog.Object {
	old := d.object(schema, name)
	o := &catalog.Object{Schema: old.Schema, Name: old.Name, Kind: catalog.Table, Referring: old.Referring, Children: old.Children}
	d.schema(o.Schema).Objects[o.Name] = o
	return o
}

func (d *Definitions) add(st *parser.Statement) error {
	e := &st.Extra
	switch {
	case e.Program != nil:
		d.addProgram(e.Program)
		return nil
	case e.Table != nil && !e.Table.Alter:
		d.addTable(d.renewed(e.Table.Schema, e.Table.Name), e.Table)
		return nil
	}
	switch n := st.Node.(type) {
	case *ast.UseStmt:
		d.current = n.DBName
	case *ast.CreateDatabaseStmt:
		d.schema(n.Name.O)
	case *ast.CreateSequenceStmt:
		d.renewed(n.Name.Schema.O, n.Name.Name.O).Kind = catalog.Sequence
	case *ast.CreateViewStmt:
		o := d.renewed(n.ViewName.Schema.O, n.ViewName.Name.O)
		o.Kind = catalog.View
		o.Definition = viewText(st.Text)
		if o.Definition == "" {
			return fmt.Errorf("view %s.%s: its query was not found", o.Schema, o.Name)
		}
	case *ast.CreateTableStmt:
		d.addTree(n)
	case nil:
		if st.Tier == parser.TierTokens && strings.HasPrefix(st.Kind, "create") {
			d.unread = append(d.unread, st.Text)
		}
	}
	return nil
}

// Unread are the CREATE statements that were not understood: what they define is not known.
func (d *Definitions) Unread() []string { return d.unread }

// viewText is what stands behind the AS of CREATE VIEW.
func viewText(text string) string {
	lower := strings.ToLower(text)
	for at := strings.Index(lower, "view"); at >= 0 && at < len(lower); {
		i := strings.Index(lower[at:], "as")
		if i < 0 {
			return ""
		}
		i += at
		if i > 0 && strings.ContainsRune(" \t\n)`", rune(lower[i-1])) && i+2 < len(lower) && strings.ContainsRune(" \t\n(", rune(lower[i+2])) {
			return strings.TrimRight(strings.TrimSpace(text[i+2:]), "; \n")
		}
		at = i + 2
	}
	return ""
}

func (d *Definitions) addTable(o *catalog.Object, t *parser.TableDefinition) {
	o.Engine = t.Engine
	if externalEngines[t.Engine] {
		o.External = t.Engine
	}
	for _, u := range t.Union {
		schema := u.Schema
		if schema == "" {
			schema = o.Schema
		}
		o.Union = append(o.Union, [2]string{schema, u.Name})
	}
}

func (d *Definitions) addTree(n *ast.CreateTableStmt) {
	if old := d.schema(n.Table.Schema.O).Objects[strings.ToLower(n.Table.Name.O)]; n.IfNotExists && old != nil && (len(old.Columns) > 0 || old.Kind != catalog.Table) {
		return // not one that is known by its foreign keys alone
	}
	o := d.renewed(n.Table.Schema.O, n.Table.Name.O)
	for _, c := range n.Cols {
		o.Columns = append(o.Columns, c.Name.Name.O)
		for _, option := range c.Options {
			if option.Tp == ast.ColumnOptionDefaultValue || option.Tp == ast.ColumnOptionGenerated {
				o.Expressions = append(o.Expressions, restored(option.Expr)...)
			}
			d.foreignKey(o, option.Refer, []string{c.Name.Name.O})
		}
	}
	for _, c := range n.Constraints {
		d.foreignKey(o, c.Refer, columnsOf(c.Keys))
	}
	t := &parser.TableDefinition{Schema: n.Table.Schema.O, Name: n.Table.Name.O}
	(&tracer{}).tableOptions(t, n.Options)
	d.addTable(o, t)
}

// restored gives the text of an expression that reads variables or sequences; nothing of others.
func restored(e ast.ExprNode) []string {
	brings := false
	walk(e, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.VariableExpr, *ast.TableNameExpr:
			brings = true
		}
		return !brings
	})
	var b strings.Builder
	if !brings || e.Restore(format.NewRestoreCtx(format.DefaultRestoreFlags, &b)) != nil {
		return nil
	}
	return []string{b.String()}
}

func columnsOf(keys []*ast.IndexPartSpecification) []string {
	var out []string
	for _, k := range keys {
		if k.Column != nil {
			out = append(out, k.Column.Name.O)
		}
	}
	return out
}

// foreignKey ties a child and its parent to each other.
func (d *Definitions) foreignKey(child *catalog.Object, r *ast.ReferenceDef, columns []string) {
	if r == nil || r.Table == nil {
		return
	}
	k := catalog.Key{Schema: child.Schema, Name: child.Name, Columns: columnsOf(r.IndexPartSpecifications)}
	k.OnDelete = r.OnDelete != nil && acts(r.OnDelete.ReferOpt)
	k.OnUpdate = r.OnUpdate != nil && acts(r.OnUpdate.ReferOpt)
	schema := r.Table.Schema.O
	if schema == "" {
		schema = child.Schema
	}
	parent := d.object(schema, r.Table.Name.O)
	parent.Referring = append(parent.Referring, k)
	if k.OnDelete || k.OnUpdate {
		parent.Children = append(parent.Children, catalog.Cascade{Schema: k.Schema, Name: k.Name, OnDelete: k.OnDelete, OnUpdate: k.OnUpdate})
	}
	child.Parents = append(child.Parents, catalog.Key{Schema: parent.Schema, Name: parent.Name, Columns: columns})
}

func (d *Definitions) addProgram(p *parser.Program) {
	if p.Drop || p.Alter {
		return
	}
	program := catalog.Program{Name: strings.ToLower(p.Name), Event: p.Event, Body: p.Body, SQLMode: d.sqlMode, Charset: d.charset}
	switch p.Kind {
	case "trigger":
		schema := p.TableSchema
		if schema == "" {
			schema = p.Schema
		}
		o := d.object(schema, p.Table)
		program.Schema = o.Schema
		o.Triggers = slices.DeleteFunc(o.Triggers, func(old *catalog.Program) bool { return old.Name == program.Name })
		o.Triggers = append(o.Triggers, &program)
	case "event":
		s := d.schema(p.Schema)
		program.Schema = s.Name
		s.Events[program.Name] = &program
	case "procedure", "function":
		s := d.schema(p.Schema)
		program.Schema = s.Name
		s.Routines[p.Kind+" "+program.Name] = &catalog.Routine{Program: program, Function: p.Kind == "function", Foreign: p.Foreign, Readable: true}
	}
}
