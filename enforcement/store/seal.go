package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sluice/enforcement"
	"sluice/lineage"
	"sluice/warehouse"
)

// Measure records what a table is now: identity, definition, number of rows, checksum up to the configured
// size. A read lock is held meanwhile, so that a transaction which wrote to the table before is over. bases
// are the tables of a view.
func (s *Store) Measure(ctx context.Context, schema, table string, bases []lineage.Object) (enforcement.Seal, error) {
	var seal enforcement.Seal
	err := s.o.Pool.Session(ctx, func(t *warehouse.Tx) error {
		names := quoted(schema, table) + " READ"
		for _, b := range bases {
			names += ", " + quoted(b.Schema, b.Name) + " READ"
		}
		if _, err := t.Exec("LOCK TABLES " + names); err != nil {
			return fmt.Errorf("lock %s.%s to seal it: %w", schema, table, err)
		}
		defer func() { _, _ = t.Exec("UNLOCK TABLES") }()
		var err error
		if seal, err = s.measure(t, schema, table); err != nil {
			return err
		}
		for _, b := range bases {
			base, err := s.measure(t, b.Schema, b.Name)
			if err != nil {
				return err
			}
			seal.Bases = append(seal.Bases, base)
		}
		return nil
	})
	return seal, err
}

func quoted(schema, name string) string {
	q := func(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
	return q(schema) + "." + q(name)
}

func (s *Store) measure(t *warehouse.Tx, schema, table string) (enforcement.Seal, error) {
	seal := enforcement.Seal{Schema: schema, Table: table, Time: time.Now().UTC().Truncate(time.Second)}
	fail := func(err error) (enforcement.Seal, error) {
		return seal, fmt.Errorf("measure %s.%s: %w", schema, table, err)
	}
	rows, err := t.Query("SELECT create_time, table_type, data_length FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", schema, table)
	if err != nil {
		return fail(err)
	}
	if len(rows) != 1 {
		return fail(fmt.Errorf("there is no such table"))
	}
	seal.Identity = value(rows[0], 0) + tableID(t, schema, table)
	view := strings.Contains(strings.ToUpper(value(rows[0], 1)), "VIEW")
	size, _ := strconv.ParseInt(value(rows[0], 2), 10, 64)
	if rows, err = t.Query("SHOW CREATE TABLE " + quoted(schema, table)); err != nil || len(rows) == 0 {
		return fail(err)
	}
	sum := sha256.Sum256([]byte(autoIncrement.ReplaceAllString(value(rows[0], 1), "")))
	seal.Definition = hex.EncodeToString(sum[:])
	if view {
		return seal, nil
	}
	if rows, err = t.Query("SELECT COUNT(*) FROM " + quoted(schema, table)); err != nil || len(rows) == 0 {
		return fail(err)
	}
	seal.Rows, _ = strconv.ParseInt(value(rows[0], 0), 10, 64)
	if size <= s.o.ChecksumLimit {
		// A server without CHECKSUM TABLE leaves the other marks.
		if rows, err = t.Query("CHECKSUM TABLE " + quoted(schema, table)); err == nil && len(rows) > 0 {
			seal.Checksum = value(rows[0], 1)
		}
	}
	return seal, nil
}

// autoIncrement is the counter in a table's definition: it moves without a change of the definition.
var autoIncrement = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// tableID gives InnoDB's number of a table, which a table of the same name made later does not have.
func tableID(t *warehouse.Tx, schema, table string) string {
	for _, q := range []string{
		"SELECT table_id FROM information_schema.innodb_sys_tables WHERE name = ?",
		"SELECT table_id FROM information_schema.innodb_tables WHERE name = ?",
	} {
		if rows, err := t.Query(q, schema+"/"+table); err == nil && len(rows) > 0 {
			return " #" + value(rows[0], 0)
		}
	}
	return ""
}

// VerifySeal compares a sealed table with its seal. drift says what is different, "" when nothing is.
func (s *Store) VerifySeal(ctx context.Context, seal *enforcement.Seal) (drift string, err error) {
	err = s.o.Pool.Session(ctx, func(t *warehouse.Tx) error {
		drift, err = s.compare(t, seal)
		for i := range seal.Bases {
			if drift == "" && err == nil {
				drift, err = s.compare(t, &seal.Bases[i])
			}
		}
		return err
	})
	return drift, err
}

func (s *Store) compare(t *warehouse.Tx, seal *enforcement.Seal) (string, error) {
	now, err := s.measure(t, seal.Schema, seal.Table)
	name := seal.Schema + "." + seal.Table
	switch {
	case err != nil && strings.Contains(err.Error(), "no such table"):
		return name + " is gone", nil
	case err != nil:
		return "", err
	case now.Identity != seal.Identity:
		return name + " was dropped and created again", nil
	case now.Definition != seal.Definition:
		return "the definition of " + name + " changed", nil
	case now.Rows != seal.Rows:
		return fmt.Sprintf("%s had %d rows and has %d", name, seal.Rows, now.Rows), nil
	case seal.Checksum != "" && now.Checksum != seal.Checksum:
		return "the content of " + name + " changed", nil
	}
	return "", nil
}
