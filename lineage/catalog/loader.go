package catalog

import (
	"context"
	"fmt"
	"sort"
	"strings"
)

// Query runs a query of the service account and gives its rows; a NULL is nil.
type Query func(ctx context.Context, sql string, args ...any) ([][]*string, error)

// SQLLoader reads definitions through information_schema, as all engines of the family have it.
type SQLLoader struct {
	Query Query
	TiDB  bool
}

// definitionCounters are the status counters that move when a definition changes, by any way: they count
// statements also inside routines, events and prepared statements.
var definitionCounters = map[string]bool{
	"Com_alter_db": true, "Com_alter_event": true, "Com_alter_function": true, "Com_alter_procedure": true,
	"Com_alter_sequence": true, "Com_alter_server": true, "Com_alter_table": true, "Com_create_db": true,
	"Com_create_event": true, "Com_create_function": true, "Com_create_index": true,
	"Com_create_procedure": true, "Com_create_sequence": true, "Com_create_server": true,
	"Com_create_table": true, "Com_create_trigger": true, "Com_create_udf": true, "Com_create_view": true,
	"Com_drop_db": true, "Com_drop_event": true, "Com_drop_function": true, "Com_drop_index": true,
	"Com_drop_procedure": true, "Com_drop_sequence": true, "Com_drop_server": true, "Com_drop_table": true,
	"Com_drop_trigger": true, "Com_drop_view": true, "Com_rename_table": true, "Com_create_package": true,
	"Com_create_package_body": true, "Com_drop_package": true, "Com_drop_package_body": true,
	"Com_alter_db_upgrade": true, "Com_install_plugin": true, "Com_uninstall_plugin": true,
	"Com_create_temporary_table": false, "Com_import": true, "Com_load": false,
}

// Clock reads TiDB's schema version, or the definition counters of the MySQL family. A server that
// has neither (an embedded one) gives a digest of its definitions.
func (l *SQLLoader) Clock(ctx context.Context) (string, error) {
	if l.TiDB {
		rows, err := l.Query(ctx, "SHOW STATUS LIKE 'ddl_schema_version'")
		if err != nil {
			return "", err
		}
		if len(rows) > 0 {
			return text(rows[0], 1), nil
		}
	}
	rows, err := l.Query(ctx, "SHOW GLOBAL STATUS LIKE 'Com\\_%'")
	if err != nil {
		return l.digest(ctx)
	}
	var b strings.Builder
	found := false
	for _, r := range rows {
		if name := text(r, 0); definitionCounters[name] {
			found = true
			b.WriteString(name[4:])
			b.WriteByte(' ')
			b.WriteString(text(r, 1))
			b.WriteByte(';')
		}
	}
	if !found {
		return l.digest(ctx)
	}
	return b.String(), nil
}

// digest lists all definitions: slow, and only for servers that count nothing.
func (l *SQLLoader) digest(ctx context.Context) (string, error) {
	var b strings.Builder
	for _, q := range []string{
		"SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_schema NOT IN ('information_schema', 'performance_schema') ORDER BY 1, 2",
		"SELECT table_schema, table_name, view_definition FROM information_schema.views ORDER BY 1, 2",
		"SELECT trigger_schema, trigger_name, action_statement FROM information_schema.triggers ORDER BY 1, 2",
		"SELECT routine_schema, routine_name, routine_definition FROM information_schema.routines ORDER BY 1, 2",
	} {
		rows, err := l.Query(ctx, q)
		if err != nil {
			return "", err
		}
		for _, r := range rows {
			for i := range r {
				b.WriteString(text(r, i))
				b.WriteByte(0)
			}
		}
	}
	return b.String(), nil
}

// Folds reads lower_case_table_names.
func (l *SQLLoader) Folds(ctx context.Context) (bool, error) {
	rows, err := l.Query(ctx, "SELECT @@lower_case_table_names")
	if err != nil || len(rows) == 0 {
		return false, err
	}
	return text(rows[0], 0) != "0", nil
}

// Schemas lists all schemas.
func (l *SQLLoader) Schemas(ctx context.Context) ([]string, error) {
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

// Foreign lists mysql.func. A server without that table, or that does not show it, has no loadable functions
// for its clients to call, or hides them from the service account, which `proxy check` reports.
func (l *SQLLoader) Foreign(ctx context.Context) ([]string, error) {
	rows, err := l.Query(ctx, "SELECT LOWER(name) FROM mysql.func")
	if err != nil {
		return nil, nil
	}
	var out []string
	for _, r := range rows {
		out = append(out, text(r, 0))
	}
	return out, nil
}

func text(row []*string, i int) string {
	if i < len(row) && row[i] != nil {
		return *row[i]
	}
	return ""
}

// Load reads one schema: tables, columns, views, triggers, routines, events, foreign keys.
func (l *SQLLoader) Load(ctx context.Context, schema string) (*Schema, error) {
	s := &Schema{Name: schema, Objects: map[string]*Object{}, Routines: map[string]*Routine{}, Events: map[string]*Program{}}
	rows, err := l.Query(ctx, "SELECT schema_name FROM information_schema.schemata WHERE schema_name = ?", schema)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return s, nil
	}
	s.Exists, s.Name = true, text(rows[0], 0)
	for _, part := range []func(context.Context, *Schema) error{l.tables, l.columns, l.views, l.triggers, l.routines, l.events, l.cascades, l.unions} {
		if err := part(ctx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// reaching are the engines whose rows stand outside of the warehouse's own files.
var reaching = map[string]bool{"FEDERATED": true, "CONNECT": true, "SPIDER": true, "S3": true, "SPHINX": true}

func (l *SQLLoader) tables(ctx context.Context, s *Schema) error {
	rows, err := l.Query(ctx, "SELECT table_name, table_type, engine FROM information_schema.tables WHERE table_schema = ?", s.Name)
	if err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	for _, r := range rows {
		o := &Object{Schema: s.Name, Name: text(r, 0), Kind: Table, Engine: strings.ToUpper(text(r, 2))}
		switch kind := strings.ToUpper(text(r, 1)); {
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
		s.Objects[o.Name] = o
	}
	return nil
}

func (l *SQLLoader) columns(ctx context.Context, s *Schema) error {
	rows, err := l.Query(ctx, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = ? ORDER BY table_name, ordinal_position", s.Name)
	if err != nil {
		return fmt.Errorf("columns: %w", err)
	}
	for _, r := range rows {
		if o := s.Objects[text(r, 0)]; o != nil {
			o.Columns = append(o.Columns, text(r, 1))
		}
	}
	return nil
}

func (l *SQLLoader) views(ctx context.Context, s *Schema) error {
	rows, err := l.Query(ctx, "SELECT table_name, view_definition, definer FROM information_schema.views WHERE table_schema = ?", s.Name)
	if err != nil {
		return fmt.Errorf("views: %w", err)
	}
	for _, r := range rows {
		o := s.Objects[text(r, 0)]
		if o == nil {
			o = &Object{Schema: s.Name, Name: text(r, 0)}
			s.Objects[o.Name] = o
		}
		// An empty definition is one that the service account may not see: it then reads as nothing that
		// can be understood, and statements that use the view are refused.
		o.Kind, o.Definition, o.Definer = View, viewQuery(text(r, 1)), text(r, 2)
	}
	return nil
}

// viewQuery cuts CREATE VIEW … AS off where a server gives the whole statement.
func viewQuery(definition string) string {
	if len(definition) < 6 || !strings.EqualFold(definition[:6], "create") {
		return definition
	}
	lower := strings.ToLower(definition)
	if i := strings.Index(lower, " as "); i > 0 {
		return definition[i+4:]
	}
	return definition
}

func (l *SQLLoader) triggers(ctx context.Context, s *Schema) error {
	rows, err := l.Query(ctx, "SELECT trigger_name, event_manipulation, event_object_table, action_statement, sql_mode, character_set_client, definer FROM information_schema.triggers WHERE event_object_schema = ?", s.Name)
	if err != nil {
		return fmt.Errorf("triggers: %w", err)
	}
	for _, r := range rows {
		if o := s.Objects[text(r, 2)]; o != nil {
			o.Triggers = append(o.Triggers, &Program{Schema: s.Name, Name: text(r, 0), Event: text(r, 1), Body: text(r, 3), SQLMode: text(r, 4), Charset: text(r, 5), Definer: text(r, 6)})
		}
	}
	return nil
}

func (l *SQLLoader) routines(ctx context.Context, s *Schema) error {
	rows, err := l.Query(ctx, "SELECT routine_name, routine_type, routine_definition, sql_mode, character_set_client, definer, routine_body FROM information_schema.routines WHERE routine_schema = ?", s.Name)
	if err != nil {
		return fmt.Errorf("routines: %w", err)
	}
	for _, r := range rows {
		kind := strings.ToLower(text(r, 1))
		p := &Routine{Program: Program{Schema: s.Name, Name: text(r, 0), Body: text(r, 2), SQLMode: text(r, 3), Charset: text(r, 4), Definer: text(r, 5)}}
		p.Function = kind == "function"
		p.Foreign = !strings.EqualFold(text(r, 6), "SQL") && text(r, 6) != ""
		p.Readable = r[2] != nil
		s.Routines[kind+" "+strings.ToLower(p.Name)] = p
	}
	return nil
}

// events are for CHECK PROJECTPROTECTION; a server without them has none.
func (l *SQLLoader) events(ctx context.Context, s *Schema) error {
	rows, err := l.Query(ctx, "SELECT event_name, event_definition, sql_mode, character_set_client, definer FROM information_schema.events WHERE event_schema = ?", s.Name)
	if err != nil {
		return nil
	}
	for _, r := range rows {
		s.Events[text(r, 0)] = &Program{Schema: s.Name, Name: text(r, 0), Body: text(r, 1), SQLMode: text(r, 2), Charset: text(r, 3), Definer: text(r, 4)}
	}
	return nil
}

// cascades finds the foreign keys, in any schema, that act on this one's tables.
func (l *SQLLoader) cascades(ctx context.Context, s *Schema) error {
	rows, err := l.Query(ctx, "SELECT DISTINCT k.table_schema, k.table_name, k.referenced_table_name, r.delete_rule, r.update_rule FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name WHERE k.referenced_table_schema = ?", s.Name)
	if err != nil {
		return fmt.Errorf("foreign keys: %w", err)
	}
	acts := func(rule string) bool { return rule == "CASCADE" || rule == "SET NULL" || rule == "SET DEFAULT" }
	for _, r := range rows {
		if o := s.Objects[text(r, 2)]; o != nil {
			c := Cascade{text(r, 0), text(r, 1), acts(text(r, 3)), acts(text(r, 4))}
			if c.OnDelete || c.OnUpdate {
				o.Children = append(o.Children, c)
			}
		}
	}
	return nil
}

// unions reads the members of MERGE tables, which stand only in SHOW CREATE TABLE.
func (l *SQLLoader) unions(ctx context.Context, s *Schema) error {
	var names []string
	for name, o := range s.Objects {
		if o.Engine == "MRG_MYISAM" || o.Engine == "MERGE" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		rows, err := l.Query(ctx, "SHOW CREATE TABLE "+quoteName(s.Name)+"."+quoteName(name))
		if err != nil || len(rows) == 0 {
			s.Objects[name].External = "a MERGE table whose members cannot be read"
			continue
		}
		s.Objects[name].Union = members(text(rows[0], 1), s.Name)
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
