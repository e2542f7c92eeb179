package catalog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// counted are the beginnings of the status counters of statements that change definitions. They move
// however the statement comes: in a routine, an event, a prepared statement, by replication. Prefixes, so
// that what a newer server learns to create is counted too.
var counted = []string{"Com_alter_", "Com_create_", "Com_drop_", "Com_rename_", "Com_install_", "Com_uninstall_", "Com_import"}

// uncounted are those among them that define nothing a name of SQL can mean.
var uncounted = []string{"_user", "_role", "_resource_group", "_temporary_table", "_instance", "_tablespace"}

// countersQuery asks for the counters that a reading of the clock looks at and for no others: it is asked many times a second.
var countersQuery = "SHOW GLOBAL STATUS WHERE variable_name LIKE 'Com%' AND (variable_name LIKE '" +
	strings.Join(counted, "%' OR variable_name LIKE '") + "%' OR variable_name IN ('" + countsAtAll + "', '" + flushCounter + "', '" + passwordCounter +
	"')) OR variable_name IN ('Uptime', '" + rewriteRules + "')"

// countsAtAll counts the statement that asks for the counters, and flushCounter those that have the server read its tables anew.
const countsAtAll, flushCounter = "Com_show_status", "Com_flush"

// clockState is what the loader remembers of its last reading, so that counters which begin again are not
// taken for counters that stand.
type clockState struct {
	mu       sync.Mutex
	counters map[string]uint64
	started  time.Time // when the server started, by our time
	restarts uint64

	version string    // TiDB's schema version
	since   time.Time // when it was first seen
}

// Clock reads TiDB's schema version, or the definition counters of the MySQL family. A server that
// counts nothing (an embedded one) gives a digest of its definitions.
func (l *SQLLoader) Clock(ctx context.Context) (string, error) {
	if tidb, err := l.tidb(ctx); err != nil {
		return "", err
	} else if tidb {
		l.watchAccounts(ctx, accountMark{}, false)
		return l.tidbClock(ctx)
	}
	rows, err := l.Query(ctx, countersQuery)
	if err != nil {
		return "", err
	}
	prefix := ""
	there, some := rewrites(rows)
	l.replaces.Store(there)
	if l.Disguise != nil {
		l.Disguise(there)
	}
	if some {
		prefix = rewriting
	}
	counters, uptime, counts := countersOf(rows)
	if !counts {
		return l.digest(ctx)
	}
	restarts := l.clock.note(counters, uptime, time.Now())
	// The order matters: a statement counts when it begins, and defines when it ends. One that begins after
	// the counters were read moves the next reading; one that ended before the list is read is visible by then;
	// every other stands in the list, and its end changes the list.
	running, err := l.running(ctx)
	if err != nil {
		return "", err
	}
	l.watchAccounts(ctx, accountMarkOf(rows, restarts), running != "")
	return fmt.Sprintf("%s%d %s %s%s", prefix, restarts, *l.naming.Load(), spell(counters), running), nil
}

// rewriteRules counts the rules by which MySQL's plugin Rewriter puts other statements in the place of those that were sent, and
// rewriting begins the clock of a server that has any.
const rewriteRules, rewriting = "Rewriter_number_loaded_rules", "rewriting "

// rewrites tells whether the plugin is there, and whether it has rules.
func rewrites(rows [][]*string) (there, some bool) {
	for _, r := range rows {
		if strings.EqualFold(text(r, 0), rewriteRules) {
			return true, text(r, 1) != "0"
		}
	}
	return false, false
}

// countersOf picks the definition counters. counts is false for a server that shows counters and moves
// none: one that counts has counted at least the statement that asked.
func countersOf(rows [][]*string) (counters map[string]uint64, uptime uint64, counts bool) {
	counters = make(map[string]uint64, 48)
	for _, r := range rows {
		name := text(r, 0)
		value, err := strconv.ParseUint(text(r, 1), 10, 64)
		switch {
		case err != nil:
		case strings.EqualFold(name, "Uptime"):
			uptime = value
		case name == countsAtAll:
			counts = value > 0
		case defines(name):
			counters[name] = value
		}
	}
	return counters, uptime, counts && len(counters) > 0
}

func defines(counter string) bool {
	for _, u := range uncounted {
		if strings.Contains(counter, u) {
			return false
		}
	}
	for _, c := range counted {
		if strings.HasPrefix(counter, c) {
			return true
		}
	}
	return false
}

func spell(counters map[string]uint64) string {
	names := make([]string, 0, len(counters))
	for name, value := range counters {
		if value > 0 {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s %d;", name[len("Com_"):], counters[name])
	}
	return b.String()
}

// restartSlack is by how much a start computed from Uptime, which counts whole seconds, may wander.
const restartSlack = 3 * time.Second

// note compares a reading with the last one and gives how often the counters began again: after a restart,
// a failover or FLUSH STATUS.
func (c *clockState) note(counters map[string]uint64, uptime uint64, now time.Time) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	started := now.Add(-time.Duration(uptime) * time.Second)
	again := c.counters != nil && started.Sub(c.started).Abs() > restartSlack
	for name, value := range c.counters {
		again = again || counters[name] < value
	}
	if again {
		c.restarts++
	}
	if again || c.counters == nil {
		c.started = started
	}
	c.counters = counters
	return c.restarts
}

// again gives how often the counters began again so far.
func (c *clockState) again() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.restarts
}

// running lists the statements in progress that may change definitions. The service account needs the
// PROCESS privilege to see those of others.
func (l *SQLLoader) running(ctx context.Context) (string, error) {
	rows, err := l.Query(ctx, "SELECT 0, CAST(@@lower_case_table_names AS CHAR) UNION ALL SELECT id, LEFT(info, 256) FROM information_schema.processlist WHERE info IS NOT NULL AND id <> CONNECTION_ID()")
	if err != nil {
		return "", fmt.Errorf("list running statements: %w", err)
	}
	if len(rows) == 0 {
		return "", errors.New("list running statements: the answer has no rows")
	}
	l.naming.Store(new(text(rows[0], 1))) // each reading of the clock asks for it: another server may have taken over
	rows = rows[1:]
	var found []string
	for _, r := range rows {
		if mayDefine(text(r, 1)) {
			found = append(found, text(r, 0)+" "+text(r, 1))
		}
	}
	if len(found) == 0 {
		return "", nil
	}
	sort.Strings(found)
	return fmt.Sprintf("running %x", sha256.Sum256([]byte(strings.Join(found, "\x00")))), nil
}

// harmless are first words of statements that define nothing. CALL is one: the list shows the innermost
// statement, so what a procedure defines stands there by itself.
var harmless = map[string]bool{
	"select": true, "insert": true, "update": true, "delete": true, "replace": true, "with": true, "values": true,
	"table": true, "do": true, "load": true, "handler": true, "call": true, "truncate": true,
	"begin": true, "start": true, "commit": true, "rollback": true, "savepoint": true, "release": true, "xa": true,
	"lock": true, "unlock": true, "show": true, "describe": true, "desc": true, "explain": true, "analyze": true,
	"check": true, "checksum": true, "use": true, "kill": true, "flush": true, "reset": true, "purge": true,
	"fetch": true, "open": true, "close": true, "return": true, "if": true, "while": true,
}

// mayDefine tells from the beginning of a statement's text whether it may change definitions. What it does
// not recognise may.
func mayDefine(statement string) bool {
	rest := statement
	for {
		rest = strings.TrimLeft(rest, " \t\r\n\v\f(;")
		switch {
		case strings.HasPrefix(rest, "/*") && !strings.HasPrefix(rest, "/*!") && !strings.HasPrefix(rest, "/*M!"):
			_, after, closed := strings.Cut(rest[2:], "*/")
			if !closed {
				return true
			}
			rest = after
		case strings.HasPrefix(rest, "#"), strings.HasPrefix(rest, "--"):
			_, after, closed := strings.Cut(rest, "\n")
			if !closed {
				return true
			}
			rest = after
		default:
			return !harmless[firstWord(rest)] && !plainSet(rest)
		}
	}
}

func firstWord(s string) string {
	end := 0
	for end < len(s) && (s[end]|0x20 >= 'a' && s[end]|0x20 <= 'z' || s[end] == '_') {
		end++
	}
	return strings.ToLower(s[:end])
}

// plainSet tells SET of variables from SET STATEMENT … FOR, which runs any statement.
func plainSet(s string) bool {
	if firstWord(s) != "set" {
		return false
	}
	rest := strings.TrimLeft(s[len("set"):], " \t\r\n\v\f")
	return rest != "" && !strings.HasPrefix(rest, "/") && !strings.HasPrefix(rest, "#") && !strings.HasPrefix(rest, "-") && firstWord(rest) != "statement"
}

// settled are the ages at which a new schema version of TiDB counts as newer once more: a node takes a version
// over moments after it was stored, and definitions read in between are the old ones.
var settled = []time.Duration{500 * time.Millisecond, 3 * time.Second, 50 * time.Second}

func (l *SQLLoader) tidbClock(ctx context.Context) (string, error) {
	rows, err := l.Query(ctx, "SHOW STATUS LIKE 'ddl_schema_version'")
	if err != nil {
		return "", err
	}
	if len(rows) == 0 || text(rows[0], 1) == "" {
		return l.digest(ctx)
	}
	return l.clock.settle(text(rows[0], 1), time.Now()), nil
}

func (c *clockState) settle(version string, now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != version {
		c.version, c.since = version, now
	}
	phase := 0
	for _, age := range settled {
		if now.Sub(c.since) >= age {
			phase++
		}
	}
	return fmt.Sprintf("schema version %s, %d", version, phase)
}

// definitionLists name everything that can be defined.
var definitionLists = []string{
	"SELECT schema_name FROM information_schema.schemata ORDER BY 1",
	"SELECT table_schema, table_name, table_type, engine FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY 1, 2",
	"SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE table_schema <> 'information_schema' ORDER BY 1, 2, ordinal_position",
	"SELECT trigger_schema, trigger_name, event_object_table, event_manipulation, action_statement FROM information_schema.triggers ORDER BY 1, 2",
	"SELECT routine_schema, routine_name, routine_type, routine_definition FROM information_schema.routines ORDER BY 1, 2, 3",
	"SELECT event_schema, event_name, event_definition FROM information_schema.events ORDER BY 1, 2",
	"SELECT constraint_schema, table_name, constraint_name, referenced_table_name, delete_rule, update_rule FROM information_schema.referential_constraints ORDER BY 1, 2, 3",
}

// digest sums all definitions up: slow, and only for servers that count nothing.
func (l *SQLLoader) digest(ctx context.Context) (string, error) {
	sum := sha256.New()
	for _, list := range definitionLists {
		rows, err := l.Query(ctx, list)
		if err != nil {
			return "", fmt.Errorf("sum the definitions up: %w", err)
		}
		add(sum, rows)
	}
	views, err := l.Query(ctx, "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'VIEW' ORDER BY 1, 2")
	if err != nil {
		return "", fmt.Errorf("sum the definitions up: %w", err)
	}
	for _, v := range views {
		rows, err := l.Query(ctx, "SHOW CREATE VIEW "+quoteName(text(v, 0))+"."+quoteName(text(v, 1)))
		if err != nil {
			rows = nil // a view that cannot be read reads as one without a definition
		}
		add(sum, rows)
	}
	return fmt.Sprintf("digest %x", sum.Sum(nil)), nil
}

func add(sum io.Writer, rows [][]*string) {
	for _, r := range rows {
		for i := range r {
			fmt.Fprintf(sum, "%q ", text(r, i))
		}
	}
	fmt.Fprintln(sum)
}

// counts tells whether the server counts the statements it runs. One that does goes on to.
func (l *SQLLoader) counts(ctx context.Context) (bool, error) {
	if l.counting.Load() {
		return true, nil
	}
	rows, err := l.Query(ctx, "SHOW GLOBAL STATUS LIKE 'Com_show_status'")
	if err != nil {
		return false, err
	}
	l.counting.Store(len(rows) > 0 && text(rows[0], 1) != "0")
	return l.counting.Load(), nil
}
