package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/parser"
)

// define reads definitions. It reports false for a statement that has no case.
func (t *tracer) define(n ast.StmtNode) bool {
	switch n := n.(type) {
	case *ast.CreateTableStmt:
		t.createTableTree(n)
	case *ast.AlterTableStmt:
		t.alterTable(n)
	case *ast.RenameTableStmt:
		if t.b.reading.Dialect.Flavor != parser.MariaDB {
			defer t.outOfSight()() // RENAME TABLE moves the base table, whatever temporary table hides its name
		}
		t.renameOnce(n)
		for _, r := range n.TableToTables {
			t.rename(r.OldTable.Schema.O, r.OldTable.Name.O, r.NewTable.Schema.O, r.NewTable.Name.O)
		}
	case *ast.CreateViewStmt:
		t.createView(n)
	case *ast.DropTableStmt:
		for _, name := range n.Tables {
			if n.TemporaryKeyword == ast.TemporaryLocal {
				t.dropTemporary(name.Schema.O, name.Name.O)
				continue
			}
			t.drop(name.Schema.O, name.Name.O)
		}
	case *ast.TruncateTableStmt:
		t.change(n.Table.Schema.O, n.Table.Name.O, Rebuilds)
	case *ast.CreateIndexStmt:
		t.change(n.Table.Schema.O, n.Table.Name.O, Rebuilds)
	case *ast.DropIndexStmt:
		t.change(n.Table.Schema.O, n.Table.Name.O, Rebuilds)
	case *ast.CreateSequenceStmt:
		t.change(n.Name.Schema.O, n.Name.Name.O, Makes)
	case *ast.AlterSequenceStmt:
		t.change(n.Name.Schema.O, n.Name.Name.O, Rebuilds)
	case *ast.DropSequenceStmt:
		for _, name := range n.Sequences {
			t.drop(name.Schema.O, name.Name.O)
		}
	case *ast.AnalyzeTableStmt:
		for _, name := range n.TableNames {
			if t.b.reading.Dialect.Flavor == parser.TiDB {
				t.structure(name.Schema.O, name.Name.O)
			} else {
				t.inspected(name)
			}
		}
	case *ast.OptimizeTableStmt:
		for _, name := range n.Tables {
			t.maintain(name.Schema.O, name.Name.O)
			t.inspected(name)
		}
	case *ast.RepairTableStmt:
		t.maintain(n.Table.Schema.O, n.Table.Name.O)
		t.inspected(n.Table)
	case *ast.LockTablesStmt:
		for _, l := range n.TableLocks {
			t.structure(l.Table.Schema.O, l.Table.Name.O)
		}
	case *ast.CreateDatabaseStmt:
		t.schemaDefined(n.Name.O)
		t.g.Effects.CreatesSchema = n.Name.O
	case *ast.AlterDatabaseStmt:
		t.schemaDefined(n.Name.O)
	case *ast.DropDatabaseStmt:
		t.dropSchema(n.Name.O)
	default:
		return false
	}
	return true
}

func (t *tracer) schemaDefined(name string) {
	if reachOf(name, "") == forbidden {
		t.forbid(Object{name, ""})
	}
	t.depends(Sink{Kind: TableSink, Object: Object{t.b.fold(name), "*"}})
	t.g.Effects.Definitions = append(t.g.Effects.Definitions, Object{name, ""})
}

// dropSchema drops every table of a schema.
func (t *tracer) dropSchema(name string) {
	t.schemaDefined(name)
	t.g.Effects.DropsSchema = name
	s, ok := t.whole(name)
	if !ok {
		return
	}
	for _, o := range s.Objects {
		t.writes.add(Write{Object{o.Schema, o.Name}, true, Ends})
	}
}

// change notes that an object is created, altered or dropped.
func (t *tracer) change(schema, name string, what Change) Object {
	o, def, _ := t.object(schema, name)
	if reachOf(o.Schema, o.Name) == forbidden {
		t.forbid(o)
	}
	if carrier, certain, is := t.temporary(o); is && certain && !t.lasting {
		t.carrierSink(carrier)
		if what == Rebuilds {
			t.carrierSource(carrier)
		}
		return o
	}
	t.keepsStatistics(o)
	t.rules(o.Schema)
	if o.Schema != "" {
		t.depends(Sink{Kind: TableSink, Object: o})
		if what == Makes && def == nil {
			what = Ends // who had the name before is gone
		}
		t.writes.add(Write{o, true, what})
		t.g.Effects.Definitions = append(t.g.Effects.Definitions, o)
	}
	if t.caught && what == Rebuilds && o.Schema != "" {
		t.read(Source{Kind: TableSource, Object: o}) // it fails over rows that a new key or check forbids
	}
	return o
}

func (t *tracer) drop(schema, name string) {
	o := t.change(schema, name, Ends)
	if _, _, is := t.temporary(o); is {
		t.g.Effects.DropsTemporary = append(t.g.Effects.DropsTemporary, o)
	}
}

// dropTemporary is DROP TEMPORARY TABLE: a table that is not temporary stays, whatever its name.
func (t *tracer) dropTemporary(schema, name string) {
	o, _, _ := t.object(schema, name)
	if reachOf(o.Schema, o.Name) == forbidden {
		t.forbid(o)
	}
	if carrier, _, is := t.temporary(o); is {
		t.depends(Sink{Kind: CarrierSink, Name: carrier})
	}
	t.g.Effects.DropsTemporary = append(t.g.Effects.DropsTemporary, o)
}

// depends adds a sink of what a program's statement leaves behind whatever it was given: whether it ran depends on the
// data that the program reads.
func (t *tracer) depends(k Sink) {
	if t.body {
		t.sink(k)
	}
}

// moved adds the flow of a whole table's rows to another name.
func (t *tracer) moved(from, to Object) {
	switch reachOf(from.Schema, from.Name) {
	case personal:
		t.read(Source{Kind: SystemSource, Object: from})
	case project:
		t.read(Source{Kind: TableSource, Object: from})
	}
	t.sink(Sink{Kind: TableSink, Object: to})
}

// rename moves a table's rows to its new name, which another project may hold.
func (t *tracer) rename(schema, name, toSchema, to string) {
	if toSchema == "" {
		toSchema = schema
		if t.schema != "" && schema != "" {
			toSchema = t.schema // RENAME TABLE a.t TO u: u is in the current schema
		}
	}
	old, def, _ := t.object(schema, name)
	if carrier, certain, is := t.temporary(old); is && !t.lasting {
		next := Object{old.Schema, t.b.fold(to)}
		if toSchema != "" {
			next.Schema = t.b.fold(toSchema)
		}
		t.carrierSource(carrier)
		t.carrierSink("temporary " + next.String())
		t.g.Effects.CreatesTemporary = append(t.g.Effects.CreatesTemporary, next)
		t.g.Effects.DropsTemporary = append(t.g.Effects.DropsTemporary, old)
		if certain {
			return
		}
	}
	t.change(schema, name, Ends)
	next := t.change(toSchema, to, Ends)
	t.renamed(old, next, def)
}

func (t *tracer) createTableTree(n *ast.CreateTableStmt) {
	if n.ReferTable != nil {
		t.structure(n.ReferTable.Schema.O, n.ReferTable.Name.O)
		if n.TemporaryKeyword != ast.TemporaryNone {
			t.temporaryLike(n)
		}
	}
	if n.Select != nil {
		t.under(n.Select, nil)
		t.shapedBy(n.Select)
	}
	d := &parser.TableDefinition{Schema: n.Table.Schema.O, Name: n.Table.Name.O, Temporary: n.TemporaryKeyword != ast.TemporaryNone}
	t.tableOptions(d, n.Options)
	t.columnExpressions(n.Cols, n.Constraints)
	if n.Select != nil {
		child, _, _ := t.object(d.Schema, d.Name)
		for _, r := range referred(n) {
			t.held(child, r.Table.Schema.O, r.Table.Name.O) // IGNORE keeps just the rows that have a parent
		}
	}
	t.createTable(d)
}

// referred lists the foreign keys of a new table.
func referred(n *ast.CreateTableStmt) []*ast.ReferenceDef {
	var out []*ast.ReferenceDef
	add := func(r *ast.ReferenceDef) {
		if r != nil && r.Table != nil {
			out = append(out, r)
		}
	}
	for _, c := range n.Cols {
		for _, o := range c.Options {
			add(o.Refer)
		}
	}
	for _, c := range n.Constraints {
		add(c.Refer)
	}
	return out
}

// columnExpressions reads defaults, checks and generated columns: they may call functions.
func (t *tracer) columnExpressions(cols []*ast.ColumnDef, constraints []*ast.Constraint) {
	for _, c := range cols {
		for _, o := range c.Options {
			t.references(o.Refer)
			t.some(o.Expr)
		}
	}
	for _, c := range constraints {
		t.references(c.Refer)
		t.some(c.Expr)
	}
}

// references reads a foreign key: its definition alone, unless it acts. Then what happens to the parent's rows happens to
// the child's from here on.
func (t *tracer) references(r *ast.ReferenceDef) {
	if r == nil || r.Table == nil {
		return
	}
	t.structure(r.Table.Schema.O, r.Table.Name.O)
	if r.OnDelete != nil && acts(r.OnDelete.ReferOpt) || r.OnUpdate != nil && acts(r.OnUpdate.ReferOpt) {
		t.readTable(r.Table.Schema.O, r.Table.Name.O)
	}
}

// acts tells whether a foreign key changes the child's rows along with the parent's.
func acts(o ast.ReferOptionType) bool {
	return o == ast.ReferOptionCascade || o == ast.ReferOptionSetNull || o == ast.ReferOptionSetDefault
}

func (t *tracer) tableOptions(d *parser.TableDefinition, options []*ast.TableOption) {
	for _, o := range options {
		switch o.Tp {
		case ast.TableOptionEngine:
			d.Engine = strings.ToUpper(o.StrValue)
		case ast.TableOptionConnection:
			d.Reaches = "CONNECTION"
		case ast.TableOptionUnion:
			for _, u := range o.TableNames {
				d.Union = append(d.Union, parser.Named{Schema: u.Schema.O, Name: u.Name.O})
			}
		}
	}
}

// externalEngines keep their rows outside of this warehouse's own files.
var externalEngines = map[string]bool{
	"FEDERATED": true, "FEDERATEDX": true, "CONNECT": true, "SPIDER": true, "S3": true, "CSV": false,
	"OQGRAPH": false, "SPHINX": true, "MROONGA": false,
}

// createTable adds the new table and, when rows flow into it, where they come to rest.
func (t *tracer) createTable(d *parser.TableDefinition) {
	switch {
	case d.Alter:
		t.alterRecognised(d)
		return
	case d.Temporary:
		o, _, _ := t.object(d.Schema, d.Name)
		t.g.Effects.CreatesTemporary = append(t.g.Effects.CreatesTemporary, o)
		t.carrierSink("temporary " + o.String())
		t.temporaryUnion(o, d.Union)
		return
	}
	what := Makes
	if d.Replace {
		what = Ends
	}
	o := t.change(d.Schema, d.Name, what)
	for _, u := range d.Union {
		t.readTable(u.Schema, u.Name) // their rows are the new table's from here on
	}
	if externalEngines[d.Engine] || d.Reaches != "" && d.Engine != "" && externalEngines[d.Engine] {
		t.sink(Sink{Kind: FileSink, Object: o, Name: o.String() + " (" + d.Engine + ")"})
	}
	t.sink(Sink{Kind: TableSink, Object: o})
}

func (t *tracer) alterRecognised(d *parser.TableDefinition) {
	what := Rebuilds
	if d.Exchange != nil || d.Becomes != nil || d.Takes != nil {
		what = Ends
	}
	o := t.change(d.Schema, d.Name, what)
	if _, _, is := t.temporary(o); is {
		t.temporaryUnion(o, d.Union)
	}
	if len(t.sources.list) > 0 {
		t.sink(Sink{Kind: TableSink, Object: o}) // what a new column's default reads fills the rows that are there
	}
	for _, u := range d.Union {
		t.readTable(u.Schema, u.Name)
		t.sink(Sink{Kind: TableSink, Object: o})
	}
	if d.RenameTo != nil {
		t.renameInAlter(d.Schema, d.Name, d.RenameTo.Schema, d.RenameTo.Name)
	}
	if d.Exchange != nil {
		t.exchange(o, d.Exchange.Schema, d.Exchange.Name)
	}
	if d.Becomes != nil {
		t.moved(o, t.change(d.Becomes.Schema, d.Becomes.Name, Ends))
	}
	if d.Takes != nil {
		if t.isTemporary(d.Takes.Schema, d.Takes.Name) {
			t.refuse("ALTER TABLE … CONVERT TABLE of a temporary table is not understood") // it crashes a MariaDB
		}
		t.moved(t.change(d.Takes.Schema, d.Takes.Name, Ends), o)
	}
	if externalEngines[d.Engine] {
		t.moved(o, o)
		t.sink(Sink{Kind: FileSink, Object: o, Name: o.String() + " (" + d.Engine + ")"})
	}
}

// renameInAlter: ALTER TABLE a.t RENAME u leaves u in a … on MariaDB in the table's schema.
func (t *tracer) renameInAlter(schema, name, toSchema, to string) {
	if toSchema == "" && schema != "" {
		if t.schema != "" && !strings.EqualFold(schema, t.schema) && t.isTemporary(schema, name) {
			t.refuse("ALTER TABLE … RENAME of a temporary table of another schema is not understood without the new name's schema")
		}
		t.rename(schema, name, schema, to)
		if t.schema != "" && !strings.EqualFold(schema, t.schema) {
			t.rename(schema, name, t.schema, to) // servers differ: both count
		}
		return
	}
	t.rename(schema, name, toSchema, to)
}

// exchange swaps a partition's rows with a table's: both ways.
func (t *tracer) exchange(o Object, schema, name string) {
	other := t.change(schema, name, Ends)
	t.moved(o, other)
	t.moved(other, o)
}

func (t *tracer) alterTable(n *ast.AlterTableStmt) {
	schema, name := n.Table.Schema.O, n.Table.Name.O
	o, _, _ := t.object(schema, name)
	if carrier, certain, is := t.temporary(o); !is || !certain {
		o = t.change(schema, name, Rebuilds)
	} else {
		t.carrierSource(carrier) // the messages quote its rows
		t.carrierSink(carrier)
	}
	before := len(t.sources.list)
	defer func() {
		if len(t.sources.list) > before {
			t.sink(Sink{Kind: TableSink, Object: o}) // what a new definition reads decides over the table's rows
		}
	}()
	renames := 0
	for _, s := range n.Specs {
		switch s.Tp {
		case ast.AlterTableRenameTable:
			if renames++; renames > 1 && t.isTemporary(schema, name) {
				t.refuse("ALTER TABLE with more than one RENAME of a temporary table is not understood")
			}
			t.renameInAlter(schema, name, s.NewTable.Schema.O, s.NewTable.Name.O)
		case ast.AlterTableExchangePartition:
			t.change(schema, name, Ends)
			t.exchange(o, s.NewTable.Schema.O, s.NewTable.Name.O)
		case ast.AlterTableCheckPartitions, ast.AlterTableRepairPartition, ast.AlterTableOptimizePartition:
			t.inspected(n.Table)
		case ast.AlterTableImportTablespace, ast.AlterTableDiscardTablespace, ast.AlterTableImportPartitionTablespace, ast.AlterTableDiscardPartitionTablespace:
			t.read(Source{Kind: SystemSource, Name: "ALTER TABLE … TABLESPACE, which takes over or gives up a table's file"})
			t.sink(Sink{Kind: FileSink, Name: o.String()})
		}
		d := &parser.TableDefinition{}
		t.tableOptions(d, s.Options)
		if _, _, is := t.temporary(o); is {
			t.temporaryUnion(o, d.Union)
		}
		for _, u := range d.Union {
			t.readTable(u.Schema, u.Name)
		}
		if externalEngines[d.Engine] {
			t.read(Source{Kind: TableSource, Object: o})
			t.sink(Sink{Kind: FileSink, Object: o, Name: o.String() + " (" + d.Engine + ")"})
		}
		constraints := s.NewConstraints
		if s.Constraint != nil {
			constraints = append(constraints[:len(constraints):len(constraints)], s.Constraint)
		}
		t.columnExpressions(s.NewColumns, constraints)
		for _, c := range constraints {
			if c.Refer != nil && c.Refer.Table != nil {
				t.held(o, c.Refer.Table.Schema.O, c.Refer.Table.Name.O)
			}
		}
	}
}

// inspected is a table whose rows are looked at: what is wrong with them is shown, and quotes them.
func (t *tracer) inspected(n *ast.TableName) {
	t.readTable(n.Schema.O, n.Name.O)
	t.sink(Sink{Kind: ResultSink})
}

// held adds a foreign key that rows are held against when it is added: whether it can be tells about the parent.
func (t *tracer) held(child Object, schema, name string) {
	t.implicit++
	t.readTable(schema, name)
	t.implicit--
	t.sink(Sink{Kind: TableSink, Object: child})
}
