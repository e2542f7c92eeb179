package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Identity is by what the warehouse tells a table from one that bore its name before, or will after it. No engine has
// one mark that every change of a table leaves alone and that a new table never has, so there are two: to keep either
// is to be the same.
//
//	                     InnoDB's numbers   CREATE_TIME   TiDB's number
//	ALTER in place       keep               moves         keeps
//	TRUNCATE             move               keeps         moves (its history of jobs tells why)
//	ALTER that rebuilds  move               moves         keeps, but for PARTITION BY
//	OPTIMIZE             move               moves         keeps
//	DROP and CREATE      move               moves         moves
//
// So a table that was built anew past the gateways cannot be told from another one, and counts as another. What is
// built anew through a gateway is followed by it.
//
// InnoDB's marks are those of one server. A replica that takes over has others for the same tables, so what was noted on
// another server says nothing, and is noted anew.
type Identity struct {
	// Server tells the server apart whose marks they are; "" where all share them.
	Server string
	// IDs are the engine's numbers of the table, or of its partitions.
	IDs []string
	// Created is CREATE_TIME in seconds of Unix time; 0 when it is not known, or when another table could have it.
	Created int64
	// Young: it was created so recently that another table could have the same Created.
	Young bool
}

// unmarked is the identity of what has no marks, such as the tables of an embedded server.
const unmarked = "-"

// String gives the marks as policies keep them. One that another table could have is left out.
func (i Identity) String() string {
	var parts []string
	if i.Server != "" && (len(i.IDs) > 0 || i.Created != 0 && !i.Young) {
		parts = append(parts, "server "+i.Server)
	}
	if len(i.IDs) > 0 {
		parts = append(parts, "id "+strings.Join(i.IDs, ","))
	}
	if i.Created != 0 && !i.Young {
		parts = append(parts, "created "+strconv.FormatInt(i.Created, 10))
	}
	if len(parts) == 0 {
		return unmarked
	}
	return strings.Join(parts, " ")
}

// parseIdentity reads what String gave.
func parseIdentity(s string) Identity {
	var i Identity
	fields := strings.Fields(s)
	for at := 0; at+1 < len(fields); at += 2 {
		switch fields[at] {
		case "server":
			i.Server = fields[at+1]
		case "id":
			i.IDs = strings.Split(fields[at+1], ",")
		case "created":
			i.Created, _ = strconv.ParseInt(fields[at+1], 10, 64)
		}
	}
	return i
}

// keeps tells whether a table with these marks is still the one that had the marks of was.
func (i Identity) keeps(was Identity) bool {
	if len(was.IDs) == 0 && was.Created == 0 {
		return true
	}
	if was.Server != i.Server || was.Created != 0 && was.Created == i.Created {
		return true
	}
	return slices.ContainsFunc(i.IDs, func(id string) bool { return slices.Contains(was.IDs, id) })
}

// errGone says that there is no such table.
var errGone = errors.New("there is no such table")

// identifier is a loader that can tell tables apart.
type identifier interface {
	identity(ctx context.Context, schema, table string) (Identity, error)
	// succeeded tells whether the table with the marks of was became the one with the marks of now by emptying or
	// building it anew, as far as the server remembers.
	succeeded(ctx context.Context, was, now Identity) (bool, error)
}

// Comparison is what became of a table since its marks were noted.
type Comparison struct {
	Same bool
	// Marks are those that it has now, when they are worth noting anew; "" otherwise.
	Marks string
}

// Marks gives the marks of a table, to be compared later. A table that has no other mark than the second in which it was
// created is waited for until that second is over.
func (c *Catalog) Marks(ctx context.Context, schema, table string) (string, error) {
	l, can := c.loader.(identifier)
	if !can {
		return unmarked, nil
	}
	for {
		now, err := l.identity(ctx, schema, table)
		if err != nil {
			return "", fmt.Errorf("tell %s.%s from others: %w", schema, table, err)
		}
		if !now.Young || len(now.IDs) > 0 {
			return now.String(), nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Compare tells whether a table is still the one whose marks were noted. It asks once for each version of the catalog,
// and again before it answers that the table is another one.
func (s *Snapshot) Compare(ctx context.Context, schema, table, marks string) (Comparison, error) {
	l, can := s.loader.(identifier)
	if !can || marks == unmarked {
		return Comparison{Same: true}, nil
	}
	key := [2]string{schema, table}
	was := parseIdentity(marks)
	if now, ok := s.identities.Load(key); ok && marks != "" && now.(Identity).keeps(was) {
		return compared(now.(Identity), marks), nil
	}
	now, err := l.identity(ctx, schema, table)
	if errors.Is(err, errGone) {
		return Comparison{}, nil
	}
	if err != nil {
		return Comparison{}, fmt.Errorf("tell %s.%s from others: %w", schema, table, err)
	}
	if marks != "" && !now.keeps(was) {
		if same, err := l.succeeded(ctx, was, now); !same || err != nil {
			return Comparison{}, err
		}
	}
	s.identities.Store(key, now)
	return compared(now, marks), nil
}

func compared(now Identity, marks string) Comparison {
	spelt := now.String()
	if spelt == marks || now.Young && (marks != "" || len(now.IDs) == 0) {
		return Comparison{Same: true} // marks of a young table are noted later
	}
	return Comparison{Same: true, Marks: spelt}
}

// youth is for how many seconds another table could be created in the same one.
const youth = 2

func (l *SQLLoader) identity(ctx context.Context, schema, table string) (Identity, error) {
	tidb, err := l.tidb(ctx)
	if err != nil {
		return Identity{}, err
	}
	if tidb {
		return l.tidbIdentity(ctx, schema, table)
	}
	if counts, err := l.counts(ctx); err != nil || !counts {
		return Identity{}, err // an embedded server has no marks
	}
	rows, err := l.Query(ctx, "SELECT table_type, UNIX_TIMESTAMP(create_time), UNIX_TIMESTAMP() - UNIX_TIMESTAMP(create_time), table_schema, table_name FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", schema, table)
	if err != nil {
		return Identity{}, err
	}
	if rows, err = l.named(ctx, rows, schema, table); err != nil {
		return Identity{}, err
	}
	if len(rows) != 1 || strings.Contains(strings.ToUpper(text(rows[0], 0)), "VIEW") {
		return Identity{}, errGone
	}
	var i Identity
	i.Created, _ = strconv.ParseInt(text(rows[0], 1), 10, 64)
	age, err := strconv.ParseInt(text(rows[0], 2), 10, 64)
	i.Young = i.Created != 0 && (err != nil || age < youth)
	if i.IDs, err = l.innodbNumbers(ctx, schema, table); err != nil {
		return i, err
	}
	i.Server, err = l.server(ctx)
	return i, err
}

// server tells this server from its replicas, which have other numbers.
func (l *SQLLoader) server(ctx context.Context) (string, error) {
	rows, err := l.Query(ctx, "SHOW GLOBAL VARIABLES WHERE variable_name IN ('server_uuid', 'server_id')")
	if err != nil {
		return "", fmt.Errorf("ask which server it is: %w", err)
	}
	var parts []string
	for _, r := range rows {
		parts = append(parts, text(r, 1))
	}
	slices.Sort(parts)
	return strings.Join(parts, "/"), nil
}

// named keeps the rows that end with just this schema and table: information_schema compares without regard to case.
func (l *SQLLoader) named(ctx context.Context, rows [][]*string, schema, table string) ([][]*string, error) {
	folds, err := l.Folds(ctx)
	if err != nil {
		return nil, err
	}
	is := func(have, want string) bool { return have == want || folds && strings.EqualFold(have, want) }
	return slices.DeleteFunc(rows, func(r []*string) bool {
		return !is(text(r, len(r)-2), schema) || !is(text(r, len(r)-1), table)
	}), nil
}

// innodbNumbers gives InnoDB's numbers of a table's files; none for a table of another engine, or whose name is spelt
// in the file system by rules that are not known here.
func (l *SQLLoader) innodbNumbers(ctx context.Context, schema, table string) ([]string, error) {
	rows, err := l.Query(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'information_schema' AND table_name IN ('INNODB_SYS_TABLES', 'INNODB_TABLES')")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	list := text(rows[0], 0)
	base, err := l.fileName(ctx, list, schema, table)
	if err != nil || base == "" {
		return nil, err
	}
	folds, err := l.Folds(ctx)
	if err != nil {
		return nil, err
	}
	like := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(base)
	rows, err = l.Query(ctx, "SELECT name, table_id FROM information_schema."+list+" WHERE name = ? OR name LIKE ? ESCAPE '!'", base, like+"#p#%")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rows {
		name := text(r, 0)
		if len(name) < len(base) || name[:len(base)] != base && (!folds || !strings.EqualFold(name[:len(base)], base)) {
			continue
		}
		if rest := strings.ToLower(name[len(base):]); rest == "" || strings.HasPrefix(rest, "#p#") {
			out = append(out, text(r, 1))
		}
	}
	slices.Sort(out)
	return out, nil
}

// fileName spells a table as InnoDB lists it: as its file is named.
func (l *SQLLoader) fileName(ctx context.Context, list, schema, table string) (string, error) {
	a, plainSchema := FileName(schema)
	b, plainTable := FileName(table)
	if plainSchema && plainTable {
		return a + "/" + b, nil
	}
	if !strings.EqualFold(list, "INNODB_SYS_TABLES") {
		return "", nil // only MariaDB tells how it spells other letters
	}
	rows, err := l.Query(ctx, "SELECT CONVERT(CAST(CONVERT(? USING filename) AS BINARY) USING utf8mb3), CONVERT(CAST(CONVERT(? USING filename) AS BINARY) USING utf8mb3)", schema, table)
	if err != nil || len(rows) != 1 {
		return "", err
	}
	return text(rows[0], 0) + "/" + text(rows[0], 1), nil
}

// FileName spells a name as the file of its table is called; false when other letters than those of ASCII are in it.
func FileName(name string) (string, bool) {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 0x80:
			return "", false
		case c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "@%04x", c)
		}
	}
	return b.String(), true
}

func (l *SQLLoader) tidbIdentity(ctx context.Context, schema, table string) (Identity, error) {
	rows, err := l.Query(ctx, "SELECT table_type, tidb_table_id FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", schema, table)
	if err != nil {
		return Identity{}, err
	}
	if len(rows) != 1 || strings.Contains(strings.ToUpper(text(rows[0], 0)), "VIEW") {
		return Identity{}, errGone
	}
	if id := text(rows[0], 1); id != "" && id != "0" {
		return Identity{IDs: []string{id}}, nil
	}
	return Identity{}, nil
}

// renewing are TiDB's jobs that give a table another number and leave it the same table.
var renewing = map[string]bool{"truncate table": true, "alter table partition by": true, "alter table remove partitioning": true}

// succeeded asks TiDB's history: the old number ended by a job that renews, and no job made the new one.
func (l *SQLLoader) succeeded(ctx context.Context, was, now Identity) (bool, error) {
	if tidb, err := l.tidb(ctx); err != nil || !tidb || len(was.IDs) != 1 || len(now.IDs) != 1 {
		return false, err
	}
	rows, err := l.Query(ctx, "SELECT table_id, LOWER(job_type) FROM information_schema.ddl_jobs WHERE table_id IN (?, ?) AND state IN ('synced', 'done')", was.IDs[0], now.IDs[0])
	if err != nil {
		return false, fmt.Errorf("ask TiDB for its jobs: %w", err)
	}
	renewed := false
	for _, r := range rows {
		switch id, job := text(r, 0), text(r, 1); {
		case id == was.IDs[0] && strings.HasPrefix(job, "drop"):
			if job == "drop table" || job == "drop schema" {
				return false, nil
			}
		case id == was.IDs[0]:
			renewed = renewed || renewing[job]
		case strings.HasPrefix(job, "create") || strings.HasPrefix(job, "rename") || strings.HasPrefix(job, "recover") || strings.HasPrefix(job, "exchange") || strings.HasPrefix(job, "flashback"):
			return false, nil
		}
	}
	return renewed, nil
}
