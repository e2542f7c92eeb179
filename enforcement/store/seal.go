package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/enforcement"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/warehouse"
)

// sealWait is how long a seal waits for transactions that wrote to its table, in seconds. Who writes to the table waits
// behind it meanwhile.
const sealWait = 10

// Seal records what tables are now: identity, definition, number of rows, checksum up to the configured size. They
// are under a read lock from before they are measured until then has returned: a transaction that wrote to one of them
// before is over, and nothing is written to them until every gateway knows the seals, if then sees to that.
func (s *Store) Seal(ctx context.Context, targets []enforcement.SealTarget, then func([]enforcement.Seal) error) error {
	if len(targets) == 0 {
		return then(nil)
	}
	// One at a time: each holds a connection while then needs others.
	s.sealing.Lock()
	defer s.sealing.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*s.o.Lease+2*time.Minute)
	defer cancel()
	return s.o.Measure.Session(ctx, func(t *warehouse.Tx) error {
		unlock, err := lock(t, targets)
		if err != nil {
			return err
		}
		defer unlock()
		seals := make([]enforcement.Seal, len(targets))
		for i, target := range targets {
			if seals[i], err = s.measure(t, target.Object.Schema, target.Object.Name, ifSmall); err != nil {
				return err
			}
			for _, b := range target.Bases {
				base, err := s.measure(t, b.Schema, b.Name, ifSmall)
				if err != nil {
					return err
				}
				seals[i].Bases = append(seals[i].Bases, base)
			}
		}
		return then(seals)
	})
}

// lock takes a read lock on every table and view of the targets.
func lock(t *warehouse.Tx, targets []enforcement.SealTarget) (unlock func(), err error) {
	var names []string
	seen := map[lineage.Object]bool{}
	for i := range targets {
		for _, o := range append([]lineage.Object{targets[i].Object}, targets[i].Bases...) {
			if seen[o] {
				continue
			}
			seen[o] = true
			if _, routine := o.RoutineName(); !routine {
				names = append(names, quoted(o.Schema, o.Name)+" READ")
			}
		}
	}
	if _, err := t.Exec(fmt.Sprintf("SET SESSION lock_wait_timeout = %d", sealWait)); err == nil {
		defer func() { _, _ = t.Exec("SET SESSION lock_wait_timeout = DEFAULT") }()
	}
	if _, err := t.Exec("LOCK TABLES " + strings.Join(names, ", ")); err != nil {
		return nil, fmt.Errorf("lock %s to seal it: %w", targets[0].Object, err)
	}
	return func() { _, _ = t.Exec("UNLOCK TABLES") }, nil
}

func quoted(schema, name string) string {
	q := func(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
	return q(schema) + "." + q(name)
}

// summing says whether the content of a table is summed.
type summing uint8

const (
	ifSmall summing = iota // up to the configured size
	always                 // the seal has a sum, so the table is compared with it whatever size it seems to have by now
	never                  // the seal has none
)

func (s *Store) measure(t *warehouse.Tx, schema, table string, sum summing) (enforcement.Seal, error) {
	seal := enforcement.Seal{Schema: schema, Table: table, Time: time.Now().UTC().Truncate(time.Second)}
	fail := func(err error) (enforcement.Seal, error) {
		return seal, fmt.Errorf("measure %s.%s: %w", schema, table, err)
	}
	if name, is := (lineage.Object{Name: table}).RoutineName(); is {
		return routine(t, seal, name)
	}
	rows, err := t.Query("SELECT create_time, table_type, data_length FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", schema, table)
	if err != nil {
		return fail(err)
	}
	if len(rows) != 1 {
		return fail(errGone)
	}
	seal.Identity = value(rows[0], 0) + tableID(t, schema, table)
	if !strings.Contains(seal.Identity, tidbNumber) {
		seal.Identity += server(t)
	}
	view := strings.Contains(strings.ToUpper(value(rows[0], 1)), "VIEW")
	size, _ := strconv.ParseInt(value(rows[0], 2), 10, 64)
	if rows, err = t.Query("SHOW CREATE TABLE " + quoted(schema, table)); err != nil || len(rows) == 0 {
		return fail(err)
	}
	digest := sha256.Sum256([]byte(autoIncrement.ReplaceAllString(value(rows[0], 1), "")))
	seal.Definition = hex.EncodeToString(digest[:])
	if view {
		return seal, nil
	}
	if rows, err = t.Query("SELECT COUNT(*) FROM " + quoted(schema, table)); err != nil || len(rows) == 0 {
		return fail(err)
	}
	seal.Rows, _ = strconv.ParseInt(value(rows[0], 0), 10, 64)
	if sum == always || sum == ifSmall && max(size, seal.Rows*leastRow) <= s.o.ChecksumLimit {
		if seal.Checksum, err = contentSum(t, schema, table); err != nil && sum == always {
			return fail(err)
		}
	}
	return seal, nil
}

// leastRow is how many bytes a row counts at the least: what servers say of a table's size is an estimate, and 0 where
// they have none.
const leastRow = 16

// contentSum sums a table's rows. TiDB has no CHECKSUM TABLE; there the hashes of all rows are added up.
func contentSum(t *warehouse.Tx, schema, table string) (string, error) {
	rows, err := t.Query("CHECKSUM TABLE " + quoted(schema, table))
	if err == nil && len(rows) > 0 && value(rows[0], 1) != "" {
		return value(rows[0], 1), nil
	}
	if rows, err = t.Query("SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position", schema, table); err != nil || len(rows) == 0 {
		return "", errors.Join(errors.New("sum the rows"), err)
	}
	var values []string
	for _, r := range rows {
		column, as := "`"+strings.ReplaceAll(value(r, 0), "`", "``")+"`", "BINARY"
		switch kind := strings.ToLower(value(r, 1)); {
		case kind == "json", strings.HasPrefix(kind, "vector"):
			as = "CHAR"
		case kind == "timestamp": // shown by the session's time zone, which may change
			column = "UNIX_TIMESTAMP(" + column + ")"
		}
		values = append(values, "IFNULL(SHA1(CAST("+column+" AS "+as+")), 'NULL')")
	}
	part := func(from int) string {
		return fmt.Sprintf("SUM(CAST(CONV(SUBSTRING(h, %d, 15), 16, 10) AS DECIMAL(20)))", from)
	}
	rows, err = t.Query("SELECT " + part(1) + ", " + part(16) + " FROM (SELECT SHA1(CONCAT_WS(',', " + strings.Join(values, ", ") + ")) AS h FROM " + quoted(schema, table) + ") AS hashes")
	if err != nil || len(rows) == 0 {
		return "", errors.Join(errors.New("sum the rows"), err)
	}
	return "rows " + value(rows[0], 0) + " " + value(rows[0], 1), nil
}

// routine is measure for a function that a view calls: its definition.
func routine(t *warehouse.Tx, seal enforcement.Seal, name string) (enforcement.Seal, error) {
	rows, err := t.Query("SELECT routine_type, created, security_type, sql_mode, dtd_identifier, routine_definition FROM information_schema.routines WHERE routine_schema = ? AND routine_name = ? ORDER BY routine_type", seal.Schema, name)
	if err == nil && len(rows) == 0 {
		err = errGone
	}
	if err != nil {
		return seal, fmt.Errorf("measure %s.%s: %w", seal.Schema, seal.Table, err)
	}
	sum := sha256.New()
	for _, row := range rows {
		for i := range row {
			fmt.Fprintf(sum, "%q,", value(row, i))
		}
	}
	seal.Definition = hex.EncodeToString(sum.Sum(nil))
	return seal, nil
}

// errGone says that what was sealed is not there.
var errGone = errors.New("there is no such table")

// autoIncrement is the counter in a table's definition: it moves without a change of the definition.
var autoIncrement = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// tidbNumber is before a table's number that all servers of a cluster share.
const tidbNumber = " tidb #"

// atServer is before what tells the server apart whose numbers and times an identity is made of.
const atServer = " at "

// server tells this server from its replicas, which have other numbers and times.
func server(t *warehouse.Tx) string {
	rows, err := t.Query("SHOW GLOBAL VARIABLES WHERE variable_name IN ('server_uuid', 'server_id')")
	if err != nil || len(rows) == 0 {
		return ""
	}
	var parts []string
	for _, r := range rows {
		parts = append(parts, value(r, 1))
	}
	slices.Sort(parts)
	return atServer + strings.Join(parts, "/")
}

// moved tells whether a seal is of another server, a replica of which took over. Then its table's numbers and times say
// nothing; what was approved is its definition and content, which are compared as ever.
func moved(seal, now *enforcement.Seal) bool {
	_, was, known := strings.Cut(seal.Identity, atServer)
	_, is, knownNow := strings.Cut(now.Identity, atServer)
	summed := seal.Checksum != "" || seal.Rows == 0 // a view has no rows of its own
	return known && knownNow && was != is && summed
}

// tableID gives the warehouse's number of a table, which a table of the same name made later does not have.
func tableID(t *warehouse.Tx, schema, table string) string {
	if rows, err := t.Query("SELECT tidb_table_id FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", schema, table); err == nil && len(rows) > 0 {
		return tidbNumber + value(rows[0], 0)
	}
	schema, plainSchema := catalog.FileName(schema)
	table, plainTable := catalog.FileName(table)
	if !plainSchema || !plainTable {
		return ""
	}
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
	err = s.o.Measure.Session(ctx, func(t *warehouse.Tx) error {
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
	sum := never
	if seal.Checksum != "" {
		sum = always
	}
	now, err := s.measure(t, seal.Schema, seal.Table, sum)
	name := seal.Schema + "." + seal.Table
	switch {
	case errors.Is(err, errGone):
		return name + " is gone", nil
	case err != nil:
		return "", err
	case now.Identity != seal.Identity && !moved(seal, &now):
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
