package catalog

import (
	"context"
	"fmt"
	"sort"
	"strings"
)

// foreignKeys finds the foreign keys, in any schema, of this one's tables and to them.
func (p *loading) foreignKeys(ctx context.Context) error {
	if p.keyless(ctx) {
		return nil
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
		rows, err := p.query(ctx, "SELECT table_schema, table_name, column_name, referenced_table_schema, referenced_table_name, referenced_column_name, constraint_name FROM information_schema.key_column_usage WHERE table_schema = ? AND referenced_table_name IS NOT NULL", schema)
		if err != nil {
			return fmt.Errorf("columns of foreign keys: %w", err)
		}
		for _, r := range rows {
			if p.key(text(r, 0)) != p.key(schema) {
				continue // information_schema compares without regard to case
			}
			if p.key(schema) == p.s.Name {
				p.parent(r)
			}
			if p.key(text(r, 3)) == p.s.Name {
				at := p.constraint(text(r, 0), text(r, 1), text(r, 6))
				columns[at] = append(columns[at], text(r, 5))
			}
		}
	}
	for _, k := range referring {
		k.key.Columns = columns[k.constraint]
		o := p.object(k.table)
		o.Referring = append(o.Referring, k.key)
		if k.key.OnDelete || k.key.OnUpdate {
			o.Children = append(o.Children, Cascade{k.key.Schema, k.key.Name, k.key.OnDelete, k.key.OnUpdate})
		}
	}
	return nil
}

// keyless tells whether MariaDB's InnoDB, the one engine there that has foreign keys, knows none of this schema's. To
// ask referential_constraints opens every table of the warehouse; most schemas have no foreign key. The names
// stand there in the spelling of files, so only a schema whose name is spelt alike in both is looked for.
func (p *loading) keyless(ctx context.Context) bool {
	if strings.Trim(p.stored, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return false
	}
	rows, err := p.query(ctx, "SELECT COUNT(*) FROM information_schema.innodb_sys_foreign WHERE for_name LIKE ? OR ref_name LIKE ?", p.stored+"/%", p.stored+"/%")
	return err == nil && len(rows) == 1 && text(rows[0], 0) == "0"
}

// referring is a foreign key to one of this schema's tables.
type referring struct {
	key        Key
	table      string // of this schema
	stored     string // the child's schema as it is stored
	constraint string
}

func (p *loading) referring(ctx context.Context) ([]referring, error) {
	rows, err := p.rows(ctx, "foreign keys", "SELECT unique_constraint_schema, constraint_schema, table_name, referenced_table_name, delete_rule, update_rule, constraint_name FROM information_schema.referential_constraints WHERE unique_constraint_schema = ?")
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
func (p *loading) parent(r []*string) {
	o := p.object(text(r, 1))
	schema, name := p.key(text(r, 3)), p.key(text(r, 4))
	for i := range o.Parents {
		if k := &o.Parents[i]; k.Schema == schema && k.Name == name {
			k.Columns = append(k.Columns, text(r, 2))
			return
		}
	}
	o.Parents = append(o.Parents, Key{Schema: schema, Name: name, Columns: []string{text(r, 2)}})
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}
