package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Query runs a query of the service account and gives its rows; a NULL is nil.
type Query func(ctx context.Context, sql string, args ...any) ([][]*string, error)

// SQLLoader reads definitions through information_schema, as all engines of the family have it.
type SQLLoader struct {
	Query Query
	TiDB  bool
	// Detect finds out by itself whether the server is TiDB, on the first reading of the clock.
	Detect bool

	asked    sync.Mutex
	known    bool
	spelled  *spelling
	clock    clockState
	counting atomic.Bool            // the server counts the statements it runs
	naming   atomic.Pointer[string] // lower_case_table_names as of the last reading of the clock
	listed   []listed               // under asked
}

// tidb tells whether the server is TiDB.
func (l *SQLLoader) tidb(ctx context.Context) (bool, error) {
	l.asked.Lock()
	defer l.asked.Unlock()
	if !l.Detect || l.known {
		return l.TiDB, nil
	}
	rows, err := l.Query(ctx, "SELECT VERSION()")
	if err != nil {
		return false, err
	}
	l.TiDB = len(rows) > 0 && strings.Contains(text(rows[0], 0), "TiDB")
	l.known = true
	return l.TiDB, nil
}

// Folds reads lower_case_table_names. TiDB compares names in lower case whatever it says, and so does an
// embedded server, which is known by counting nothing.
func (l *SQLLoader) Folds(ctx context.Context) (bool, error) {
	if tidb, err := l.tidb(ctx); err != nil || tidb {
		return true, err
	}
	naming, err := l.compares(ctx)
	if err != nil || naming != "0" {
		return true, err
	}
	counts, err := l.counts(ctx)
	return !counts, err
}

// compares gives lower_case_table_names.
func (l *SQLLoader) compares(ctx context.Context) (string, error) {
	if known := l.naming.Load(); known != nil {
		return *known, nil
	}
	rows, err := l.Query(ctx, "SELECT @@lower_case_table_names")
	if err != nil {
		return "", err
	}
	if len(rows) == 0 {
		return "", errors.New("lower_case_table_names has no value")
	}
	return text(rows[0], 0), nil
}

// Schemas lists all schemas. It fails when the service account would be shown only a part of what they define.
func (l *SQLLoader) Schemas(ctx context.Context) ([]string, error) {
	if err := l.complete(ctx); err != nil {
		return nil, err
	}
	rows, err := l.Query(ctx, "SELECT schema_name FROM information_schema.schemata")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rows {
		out = append(out, text(r, 0))
	}
	return out, nil
}

// foreignLists are where servers list loadable functions.
var foreignLists = []struct{ schema, table, column string }{
	{"mysql", "func", "name"},
	{"performance_schema", "user_defined_functions", "udf_name"}, // also those of components
}

// Foreign lists the loadable functions. A list that the server does not have, or does not show to the service
// account, is taken as empty; one that is there and cannot be read is an error.
func (l *SQLLoader) Foreign(ctx context.Context) ([]string, error) {
	var out []string
	for i, list := range foreignLists {
		if has, err := l.lists(ctx, i); err != nil {
			return nil, err
		} else if !has {
			continue
		}
		rows, err := l.Query(ctx, "SELECT "+list.column+" FROM "+list.schema+"."+list.table)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out = append(out, strings.ToLower(text(r, 0)))
		}
	}
	return out, nil
}

// lists tells whether the server has one of foreignLists. One that it has it keeps until it starts again.
func (l *SQLLoader) lists(ctx context.Context, i int) (bool, error) {
	now := listed{i, l.clock.again()}
	l.asked.Lock()
	known := slices.Contains(l.listed, now)
	l.asked.Unlock()
	if known {
		return true, nil
	}
	rows, err := l.Query(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", foreignLists[i].schema, foreignLists[i].table)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	l.asked.Lock()
	defer l.asked.Unlock()
	l.listed = append(slices.DeleteFunc(l.listed, func(before listed) bool { return before.list == i }), now)
	return true, nil
}

// listed is one of foreignLists that the server had after so many restarts.
type listed struct {
	list     int
	restarts uint64
}

func text(row []*string, i int) string {
	if i < len(row) && row[i] != nil {
		return *row[i]
	}
	return ""
}

// Load reads one schema: tables, columns, views, triggers, routines, events, foreign keys.
func (l *SQLLoader) Load(ctx context.Context, schema string) (*Schema, error) {
	p, err := l.loading(ctx, schema)
	if err != nil {
		return nil, err
	}
	return p.s, p.read(ctx, p.tables, p.columns, p.views, p.triggers, p.routines, p.events, p.foreignKeys, p.unions)
}

// LoadPrograms reads the routines and events of one schema.
func (l *SQLLoader) LoadPrograms(ctx context.Context, schema string) (*Programs, error) {
	p, err := l.loading(ctx, schema)
	if err != nil {
		return nil, err
	}
	return &p.s.Programs, p.read(ctx, p.routines, p.events)
}

// LoadObject reads one object of one schema, by its key.
func (l *SQLLoader) LoadObject(ctx context.Context, schema, name string) (*Object, error) {
	if short, err := l.short(ctx); err != nil {
		return nil, err
	} else if !short {
		return nil, ErrWhole
	}
	p, err := l.loading(ctx, schema)
	if err != nil {
		return nil, err
	}
	p.only = name
	if err := p.read(ctx, p.tables, p.columns, p.views, p.triggers, p.foreignKeys, p.unions); err != nil {
		return nil, err
	}
	return p.s.Objects[name], nil
}

// short tells whether the server knows a short way to one of its objects: an embedded one does not.
func (l *SQLLoader) short(ctx context.Context) (bool, error) {
	if tidb, err := l.tidb(ctx); err != nil || tidb {
		return true, err
	}
	return l.counts(ctx)
}

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
	p := &loading{query: l.Query, folds: folds, spells: spells}
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

// brings tells whether the expression of a default or a generated column may bring along more than its row: a variable, a sequence, a file.
// A literal may look like one.
func brings(expression string) bool {
	lower := strings.ToLower(expression)
	for _, call := range []string{"@", "nextval(", "lastval(", "setval(", "load_file("} {
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

// viewQuery cuts CREATE VIEW … AS off, and gives nothing for a head that it does not read with certainty.
func viewQuery(create string) string {
	for i := 0; i < len(create); i++ {
		switch c := create[i]; {
		case c == '`' || c == '\'' || c == '"':
			end := strings.IndexByte(create[i+1:], c) // a doubled quote is two names in a row: as good
			if end < 0 {
				return ""
			}
			i += end + 1
		case c == '#' || c == '/' || c == '\\' || strings.HasPrefix(create[i:], "--"):
			return ""
		case c|0x20 == 'a' && isWord(create, i, "as"):
			return strings.TrimSpace(create[i+len("as"):])
		}
	}
	return ""
}

// isWord tells whether a word stands at i, with blanks or parentheses around it.
func isWord(s string, i int, word string) bool {
	end := i + len(word)
	if i == 0 || end >= len(s) || !strings.EqualFold(s[i:end], word) {
		return false
	}
	return strings.IndexByte(" \t\r\n)`", s[i-1]) >= 0 && strings.IndexByte(" \t\r\n(", s[end]) >= 0
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
	return err
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

func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// members reads UNION=(`a`,`s`.`b`) of a definition as SHOW CREATE TABLE prints it.
func members(definition, schema string) [][2]string {
	at := strings.LastIndex(definition, "UNION=(")
	if at < 0 {
		return nil
	}
	var out [][2]string
	rest := definition[at+len("UNION=("):]
	for rest != "" && rest[0] == '`' {
		first, tail := takeName(rest)
		m := [2]string{schema, first}
		if strings.HasPrefix(tail, ".`") {
			var second string
			second, tail = takeName(tail[1:])
			m = [2]string{first, second}
		}
		out = append(out, m)
		rest = strings.TrimPrefix(tail, ",")
	}
	return out
}

// takeName reads one name in backquotes and gives what is behind it.
func takeName(s string) (name, rest string) {
	for i := 1; i < len(s); i++ {
		if s[i] != '`' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '`' {
			i++
			continue
		}
		return strings.ReplaceAll(s[1:i], "``", "`"), s[i+1:]
	}
	return s, ""
}
