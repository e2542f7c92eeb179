package catalog

import (
	"context"
	"fmt"
	"slices"
	"sort"
)

// foreignKeys finds the foreign keys, in any schema, of this one's tables and to them.
func (p *loading) foreignKeys(ctx context.Context) error {
	if done, err := p.innodbKeys(ctx); done || err != nil {
		return err
	}
	referring, err := p.referring(ctx)
	if err != nil {
		return err
	}
	stored := map[string]bool{p.stored: true}
	for _, k := range referring {
		stored[k.stored] = true
	}
	columns := map[string][]string{} // of this schema's tables, by the constraint that refers to them
	for _, schema := range sorted(stored) {
		rows, err := p.keyColumns(ctx, schema, len(referring) > 0)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if p.key(schema) == p.s.Name && p.wants(text(r, 1)) {
				p.parent(text(r, 1), text(r, 2), text(r, 3), text(r, 4))
			}
			if p.key(text(r, 3)) == p.s.Name {
				at := p.constraint(text(r, 0), text(r, 1), text(r, 6))
				columns[at] = append(columns[at], text(r, 5))
			}
		}
	}
	for _, k := range referring {
		k.key.Columns = columns[k.constraint]
		p.child(k.table, k.key)
	}
	return nil
}

// keyColumns reads the columns of the foreign keys that tables of a schema have.
func (p *loading) keyColumns(ctx context.Context, schema string, referred bool) ([][]*string, error) {
	sql, args := "SELECT table_schema, table_name, column_name, referenced_table_schema, referenced_table_name, referenced_column_name, constraint_name FROM information_schema.key_column_usage WHERE table_schema = ? AND referenced_table_name IS NOT NULL", []any{schema}
	switch {
	case p.only != "" && referred && p.tidb:
		sql += " AND (LOWER(table_name) = ? OR LOWER(referenced_table_name) = ?)"
		args = append(args, p.only, p.only)
	case p.only != "" && referred:
		sql += " AND (table_name = ? OR referenced_table_name = ?)"
		args = append(args, p.only, p.only)
	case p.only != "":
		sql += " AND table_name = ?"
		args = append(args, p.only)
	}
	rows, err := p.query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("columns of foreign keys: %w", err)
	}
	// information_schema compares without regard to case.
	return slices.DeleteFunc(rows, func(r []*string) bool { return p.key(text(r, 0)) != p.key(schema) }), nil
}

// wants tells whether an object of this schema is to be read.
func (p *loading) wants(name string) bool { return p.only == "" || p.key(name) == p.only }

// child adds a foreign key that refers to one of this schema's tables.
func (p *loading) child(table string, k Key) {
	o := p.object(table)
	o.Referring = append(o.Referring, k)
	if k.OnDelete || k.OnUpdate {
		o.Children = append(o.Children, Cascade{k.Schema, k.Name, k.OnDelete, k.OnUpdate})
	}
}

// referring is a foreign key to one of this schema's tables.
type referring struct {
	key        Key
	table      string // of this schema
	stored     string // the child's schema as it is stored
	constraint string
}

const (
	referringKeys = "SELECT unique_constraint_schema, constraint_schema, table_name, referenced_table_name, delete_rule, update_rule, constraint_name FROM information_schema.referential_constraints WHERE unique_constraint_schema = ?"
	// TiDB (8.5) gives the child's schema as that of the key referred to. key_column_usage has the parent's, in the letter case
	// of the definition.
	referringKeysOfTiDB = "SELECT k.referenced_table_schema, r.constraint_schema, r.table_name, r.referenced_table_name, r.delete_rule, r.update_rule, r.constraint_name FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r ON r.constraint_schema = k.table_schema AND r.table_name = k.table_name AND r.constraint_name = k.constraint_name WHERE k.ordinal_position = 1 AND LOWER(k.referenced_table_schema) = LOWER(?)"
)

func (p *loading) referring(ctx context.Context) ([]referring, error) {
	sql, column := referringKeys, "referenced_table_name"
	if p.tidb {
		sql, column = referringKeysOfTiDB, "LOWER(k.referenced_table_name)"
	}
	rows, err := p.rowsOf(ctx, "foreign keys", sql, column, 3)
	acts := func(rule string) bool { return rule == "CASCADE" || rule == "SET NULL" || rule == "SET DEFAULT" }
	var out []referring
	for _, r := range rows {
		out = append(out, referring{
			key:   Key{Schema: p.key(text(r, 1)), Name: p.key(text(r, 2)), OnDelete: acts(text(r, 4)), OnUpdate: acts(text(r, 5))},
			table: text(r, 3), stored: text(r, 1), constraint: p.constraint(text(r, 1), text(r, 2), text(r, 6)),
		})
	}
	return out, err
}

func (p *loading) constraint(schema, table, name string) string {
	return p.key(schema) + "\x00" + p.key(table) + "\x00" + name
}

// parent adds one column of a foreign key of this schema's own.
func (p *loading) parent(table, column, parentSchema, parentTable string) {
	o := p.object(table)
	schema, name := p.key(parentSchema), p.key(parentTable)
	for i := range o.Parents {
		if k := &o.Parents[i]; k.Schema == schema && k.Name == name {
			k.Columns = append(k.Columns, column)
			return
		}
	}
	o.Parents = append(o.Parents, Key{Schema: schema, Name: name, Columns: []string{column}})
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}
