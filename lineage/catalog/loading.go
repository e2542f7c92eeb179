package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// loading finds a schema that is to be read.
func (l *SQLLoader) loading(ctx context.Context, schema string) (*loading, error) {
	folds, err := l.Folds(ctx)
	if err != nil {
		return nil, err
	}
	spells, err := l.spells(ctx)
	if err != nil {
		return nil, err
	}
	tidb, err := l.tidb(ctx)
	if err != nil {
		return nil, err
	}
	p := &loading{query: l.Query, folds: folds, spells: spells, tidb: tidb}
	p.s = &Schema{Programs: Programs{Name: p.key(schema), Routines: map[string]*Routine{}, Events: map[string]*Program{}}, Objects: map[string]*Object{}}
	rows, err := l.Query(ctx, "SELECT schema_name FROM information_schema.schemata WHERE schema_name = ?", schema)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if p.key(text(r, 0)) == p.s.Name {
			p.s.Exists, p.stored = true, text(r, 0)
		}
	}
	return p, nil
}

// loading is one schema while it is read.
type loading struct {
	query  Query
	folds  bool
	tidb   bool
	spells spelling
	stored string // the schema's name as it is stored
	only   string // the key of the one object that is to be read; "" for all
	s      *Schema
}

// read reads parts of a schema that there is.
func (p *loading) read(ctx context.Context, parts ...func(context.Context) error) error {
	for _, part := range parts {
		if !p.s.Exists {
			return nil
		}
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// key spells a name as it is compared.
func (p *loading) key(name string) string {
	if p.folds {
		return strings.ToLower(name)
	}
	return name
}

// rows gives the rows whose first column is the schema: information_schema compares without regard to
// case even where names do not.
func (p *loading) rows(ctx context.Context, what, sql string) ([][]*string, error) {
	return p.rowsOf(ctx, what, sql, "", 0)
}

// rowsOf are rows, of the one object that is to be read if there is one: those whose column of this name and place
// names it.
func (p *loading) rowsOf(ctx context.Context, what, sql, column string, at int) ([][]*string, error) {
	args := []any{p.stored}
	if p.only != "" && column != "" {
		sql += " AND " + column + " = ?"
		args = append(args, p.only)
	}
	rows, err := p.query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	kept := rows[:0]
	for _, r := range rows {
		if p.key(text(r, 0)) == p.s.Name && (len(args) == 1 || p.key(text(r, at)) == p.only) {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// object gives an object, new if it was not listed as a table.
func (p *loading) object(name string) *Object {
	name = p.key(name)
	o := p.s.Objects[name]
	if o == nil {
		o = &Object{Schema: p.s.Name, Name: name, Kind: Table}
		p.s.Objects[name] = o
	}
	return o
}

// reaching are the engines whose rows stand outside of the warehouse's own files, or in other tables.
var reaching = map[string]bool{"FEDERATED": true, "FEDERATEDX": true, "CONNECT": true, "SPIDER": true, "S3": true, "SPHINX": true, "OQGRAPH": true}

func (p *loading) tables(ctx context.Context) error {
	rows, err := p.rowsOf(ctx, "tables", "SELECT table_schema, table_name, table_type, engine FROM information_schema.tables WHERE table_schema = ?", "table_name", 1)
	for _, r := range rows {
		o := p.object(text(r, 1))
		o.Engine = strings.ToUpper(text(r, 3))
		switch kind := strings.ToUpper(text(r, 2)); {
		case strings.Contains(kind, "SYSTEM VIEW"):
			o.Kind = SystemView
		case strings.Contains(kind, "VIEW"):
			o.Kind = View
		case kind == "SEQUENCE":
			o.Kind = Sequence
		}
		if reaching[o.Engine] {
			o.External = o.Engine
		}
	}
	return err
}

func (p *loading) columns(ctx context.Context) error {
	rows, err := p.rowsOf(ctx, "columns", "SELECT table_schema, table_name, column_name, ordinal_position, column_default, generation_expression FROM information_schema.columns WHERE table_schema = ?", "table_name", 1)
	place := func(r []*string) int {
		n, err := strconv.Atoi(text(r, 3))
		if err != nil {
			return 0
		}
		return n
	}
	slices.SortStableFunc(rows, func(a, b []*string) int { return cmp.Compare(place(a), place(b)) })
	for _, r := range rows {
		if o := p.s.Objects[p.key(text(r, 1))]; o != nil {
			o.Columns = append(o.Columns, text(r, 2))
			for _, e := range []string{text(r, 4), text(r, 5)} {
				if brings(e) {
					o.Expressions = append(o.Expressions, e)
				}
			}
		}
	}
	return err
}

// brings tells whether the expression of a default or a generated column may bring along more than its row: a variable, a
// sequence, a file, the next number of RAND().
// A literal may look like one.
func brings(expression string) bool {
	lower := strings.ToLower(expression)
	for _, call := range []string{"@", "nextval(", "lastval(", "setval(", "load_file(", "rand("} {
		if strings.Contains(lower, call) {
			return true
		}
	}
	return false
}

func (p *loading) views(ctx context.Context) error {
	if o := p.s.Objects[p.only]; o != nil && o.Kind != View {
		return nil // the one object is a table
	}
	rows, err := p.rowsOf(ctx, "views", "SELECT table_schema, table_name, view_definition, definer FROM information_schema.views WHERE table_schema = ?", "table_name", 1)
	for _, r := range rows {
		o := p.object(text(r, 1))
		o.Kind, o.Definition, o.Definer = View, text(r, 2), text(r, 3)
	}
	if err != nil {
		return err
	}
	for name, o := range p.s.Objects {
		if o.Kind == View && o.Definition == "" {
			o.Definition = p.shownView(ctx, name)
		}
	}
	return nil
}

// shownView asks for a view that the list does not define: an embedded server lists those of the current
// schema alone. What stays empty is what the service account may not see: it reads as nothing that can be
// understood, and statements that use the view are refused.
func (p *loading) shownView(ctx context.Context, name string) string {
	rows, err := p.query(ctx, "SHOW CREATE VIEW "+quoteName(p.stored)+"."+quoteName(name))
	if err != nil || len(rows) == 0 {
		return ""
	}
	return viewQuery(text(rows[0], 1))
}

func (p *loading) triggers(ctx context.Context) error {
	rows, err := p.rowsOf(ctx, "triggers", "SELECT event_object_schema, trigger_name, event_manipulation, event_object_table, action_statement, sql_mode, character_set_client, definer FROM information_schema.triggers WHERE event_object_schema = ?", "event_object_table", 3)
	for _, r := range rows {
		o := p.object(text(r, 3))
		for event := range strings.SplitSeq(strings.ToUpper(text(r, 2)), ",") {
			o.Triggers = append(o.Triggers, &Program{Schema: p.s.Name, Name: text(r, 1), Event: strings.TrimSpace(event), Body: text(r, 4), SQLMode: text(r, 5), Charset: text(r, 6), Definer: text(r, 7)})
			p.written(ctx, "TRIGGER", o.Triggers[len(o.Triggers)-1])
		}
	}
	return err
}

func (p *loading) routines(ctx context.Context) error {
	rows, err := p.rows(ctx, "routines", "SELECT routine_schema, routine_name, routine_type, routine_definition, sql_mode, character_set_client, definer, routine_body FROM information_schema.routines WHERE routine_schema = ?")
	for _, r := range rows {
		kind := strings.ToLower(text(r, 2))
		routine := &Routine{
			Program:  Program{Schema: p.s.Name, Name: text(r, 1), Body: text(r, 3), SQLMode: text(r, 4), Charset: text(r, 5), Definer: text(r, 6)},
			Function: kind == "function",
			Foreign:  text(r, 7) != "" && !strings.EqualFold(text(r, 7), "SQL"),
			Readable: text(r, 3) != "", // NULL, or empty, without the privilege to see it
		}
		p.s.Routines[kind+" "+strings.ToLower(text(r, 1))] = routine
		if kind == "function" || kind == "procedure" {
			p.written(ctx, strings.ToUpper(kind), &routine.Program)
		}
	}
	if err != nil {
		return err
	}
	return p.parameters(ctx)
}

func (p *loading) events(ctx context.Context) error {
	rows, err := p.rows(ctx, "events", "SELECT event_schema, event_name, event_definition, sql_mode, character_set_client, definer FROM information_schema.events WHERE event_schema = ?")
	for _, r := range rows {
		event := &Program{Schema: p.s.Name, Name: text(r, 1), Body: text(r, 2), SQLMode: text(r, 3), Charset: text(r, 4), Definer: text(r, 5)}
		p.s.Events[event.Name] = event
		p.written(ctx, "EVENT", event)
	}
	return err
}

// unreadMembers makes of a MERGE table one that reaches anywhere.
const unreadMembers = "a MERGE table whose members cannot be read"

// unions reads the members of MERGE tables, which stand only in SHOW CREATE TABLE.
func (p *loading) unions(ctx context.Context) error {
	var names []string
	for name, o := range p.s.Objects {
		if o.Engine == "MRG_MYISAM" || o.Engine == "MERGE" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		o := p.s.Objects[name]
		rows, err := p.query(ctx, "SHOW CREATE TABLE "+quoteName(p.stored)+"."+quoteName(name))
		if err != nil || len(rows) == 0 {
			o.External = unreadMembers
			continue
		}
		for _, m := range members(text(rows[0], 1), p.stored) {
			o.Union = append(o.Union, [2]string{p.key(m[0]), p.key(m[1])})
		}
	}
	return nil
}
