package catalog

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// innodbKeys finds foreign keys in the tables of MariaDB's InnoDB, the one engine there that has any: to ask
// referential_constraints opens every table of the warehouse. It tells whether it found all: names stand there in the
// spelling of files, so only names that are spelt alike in both are read.
func (p *loading) innodbKeys(ctx context.Context) (done bool, err error) {
	if !plainFile(p.stored) || !plainFile(p.only) {
		return false, nil
	}
	condition, args := "for_name LIKE ? OR ref_name LIKE ?", []any{p.stored + "/%", p.stored + "/%"}
	if p.only != "" {
		condition, args = "for_name = ? OR ref_name = ?", []any{p.stored + "/" + p.only, p.stored + "/" + p.only}
	}
	// The first row says that the others are all there are.
	rows, err := p.query(ctx, "SELECT 'all', '', '', 0 UNION ALL SELECT id, for_name, ref_name, type FROM information_schema.innodb_sys_foreign WHERE "+condition, args...)
	if err != nil || len(rows) == 0 || text(rows[0], 0) != "all" {
		return false, nil // another server, or another engine of it
	}
	keys := make([]innodbKey, 0, len(rows))
	for _, r := range rows[1:] {
		k, ok := innodbKeyOf(r)
		if !ok {
			return false, nil
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return true, nil
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].id < keys[j].id })
	columns, err := p.innodbColumns(ctx, keys)
	if err != nil {
		return false, err
	}
	for _, k := range keys {
		if len(columns[k.id]) == 0 {
			return false, nil
		}
	}
	for _, k := range keys {
		p.innodbKey(k, columns[k.id])
	}
	return true, nil
}

// plainFile tells whether a name is spelt in files as it is spelt in SQL.
func plainFile(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// innodbKey is one row of INNODB_SYS_FOREIGN: tables as schema and name.
type innodbKey struct {
	id            string
	child, parent [2]string
	rules         int
}

// What InnoDB does to the rows of the child: CASCADE or SET NULL.
const (
	onDelete = 1 | 2
	onUpdate = 4 | 8
)

func innodbKeyOf(r []*string) (k innodbKey, ok bool) {
	rules, err := strconv.Atoi(text(r, 3))
	k = innodbKey{id: text(r, 0), rules: rules}
	ok = err == nil
	for i, to := range []*[2]string{&k.child, &k.parent} {
		schema, name, cut := strings.Cut(text(r, 1+i), "/")
		ok = ok && cut && schema != "" && name != "" && plainFile(schema) && plainFile(name)
		*to = [2]string{schema, name}
	}
	return k, ok
}

// innodbColumns gives the columns of keys, in order: the child's and the parent's.
func (p *loading) innodbColumns(ctx context.Context, keys []innodbKey) (map[string][][2]string, error) {
	sql, args := "SELECT id, for_col_name, ref_col_name, pos FROM information_schema.innodb_sys_foreign_cols", []any(nil)
	if p.only != "" {
		sql += " WHERE id IN (?" + strings.Repeat(", ?", len(keys)-1) + ")"
		for _, k := range keys {
			args = append(args, k.id)
		}
	}
	rows, err := p.query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("columns of foreign keys: %w", err)
	}
	sort.SliceStable(rows, func(i, j int) bool {
		a, _ := strconv.Atoi(text(rows[i], 3))
		b, _ := strconv.Atoi(text(rows[j], 3))
		return a < b
	})
	out := map[string][][2]string{}
	for _, r := range rows {
		out[text(r, 0)] = append(out[text(r, 0)], [2]string{text(r, 1), text(r, 2)})
	}
	return out, nil
}

// innodbKey adds a key to the tables of this schema that it ties together.
func (p *loading) innodbKey(k innodbKey, columns [][2]string) {
	if p.key(k.child[0]) == p.s.Name && p.wants(k.child[1]) {
		for _, c := range columns {
			p.parent(k.child[1], c[0], k.parent[0], k.parent[1])
		}
	}
	if p.key(k.parent[0]) == p.s.Name && p.wants(k.parent[1]) {
		key := Key{Schema: p.key(k.child[0]), Name: p.key(k.child[1]), OnDelete: k.rules&onDelete != 0, OnUpdate: k.rules&onUpdate != 0}
		for _, c := range columns {
			key.Columns = append(key.Columns, c[1])
		}
		p.child(k.parent[1], key)
	}
}
