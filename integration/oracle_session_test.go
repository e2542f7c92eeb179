package integration

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// The session oracle holds the whole gateway to non-interference: a session of random statements runs twice, over two
// states of the protected project and the same state of all others. What a session shows outside of the project, and what it
// leaves in the other projects, must be the same both times, whatever it carried along in between.
func TestOracleSessions(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		o := &carrying{world: w, t: t, seen: oracleTally{}, seed: seedOf(t)}
		o.prepare()
		count := statementsOf(t, 150)
		for n := range count {
			o.judge(n)
		}
		o.seen.log(t, "sessions")
		if ran := o.seen["statements that ran"]; ran < 3*count {
			t.Errorf("only %d statements of %d sessions ran: the generator is off", ran, count)
		}
		if o.seen["refusals"] < count/3 {
			t.Error("hardly a session tried to carry anything out: the oracle sees nothing")
		}
	})
}

type carrying struct {
	*world
	t       *testing.T
	seen    oracleTally
	seed    uint64
	root    *client
	made    bool          // the last session may have made an object
	last    []sessionStep // of the last session
	counted bool          // it used sequences
}

// sessionTables are the tables; those of the protected project differ between the states.
var sessionTables = []string{"myprj.p1", "myprj.p2", "prj2.q1", "prj2.q2", "prj2.w", "prj3.r"}

// sessionStates are the protected project's rows.
var sessionStates = [2]string{"(1, 1, 'one'), (2, 2, 'two'), (3, 5, 'three')", "(2, 12, 'zwei'), (3, 4, 'drei'), (4, 40, 'vier'), (15, 7, 'fünf')"}

func (o *carrying) prepare() {
	db := o.warehouse.Root(o.t)
	conn, err := db.Conn(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	o.root = &client{o.t, conn, db}
	o.t.Cleanup(o.root.close)
	for _, table := range sessionTables {
		key := ""
		if table == "myprj.p1" || table == "prj2.q1" {
			key = " PRIMARY KEY"
		}
		o.warehouse.Exec(o.t, "CREATE TABLE "+table+" (id INT"+key+", n INT, s VARCHAR(100))")
	}
	o.warehouse.Exec(o.t, "CREATE VIEW prj2.vp AS SELECT id, n, s FROM myprj.p1", "CREATE VIEW myprj.vq AS SELECT id, n, s FROM prj2.q1")
	if o.warehouse.Name != "TiDB" {
		o.warehouse.Exec(o.t, "SET GLOBAL log_bin_trust_function_creators = 1")
		o.warehouse.Exec(o.t, sessionPrograms...)
		for user := range accounts {
			o.warehouse.Exec(o.t, "GRANT EXECUTE ON *.* TO '"+user+"'@'127.0.0.1'")
		}
	}
	if o.warehouse.Name == "MariaDB" {
		o.warehouse.Exec(o.t, "CREATE SEQUENCE prj2.sq", "CREATE SEQUENCE myprj.sp")
	}
	o.as(o.t, "owner", "myprj").do("SET ProjectProtection = true")
}

// sessionPrograms carry what they can.
var sessionPrograms = []string{
	"CREATE FUNCTION myprj.fp() RETURNS INT READS SQL DATA RETURN (SELECT MAX(n) FROM myprj.p1)",
	"CREATE FUNCTION prj2.fv(x INT) RETURNS INT DETERMINISTIC BEGIN SET @v2 = @v1, @v1 = x; RETURN @v2; END",
	"CREATE FUNCTION prj2.fw(x INT) RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO prj2.w VALUES (x, @v1, 'fw'); RETURN x; END",
	"CREATE PROCEDURE prj2.pin(IN x INT, OUT y INT) BEGIN SET y = x; INSERT INTO prj2.w VALUES (x, 1, 'pin'); END",
	"CREATE PROCEDURE prj2.prows(OUT y INT) BEGIN SET y = ROW_COUNT(); SELECT FOUND_ROWS(), LAST_INSERT_ID(), @@warning_count; END",
	"CREATE PROCEDURE myprj.pset(IN x INT, INOUT y INT) BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION SET y = -1; SELECT n INTO y FROM myprj.p1 WHERE id = x; SET @v3 = y; END",
	"CREATE PROCEDURE myprj.pbranch() BEGIN IF EXISTS (SELECT 1 FROM myprj.p1 WHERE n > 10) THEN SET @v1 = 1; SET SESSION div_precision_increment = 9; ELSE DO LAST_INSERT_ID(99); END IF; END",
	"CREATE PROCEDURE myprj.ptemp() BEGIN IF EXISTS (SELECT 1 FROM myprj.p1 WHERE n > 10) THEN DROP TEMPORARY TABLE IF EXISTS prj2.tt; ELSE CREATE TEMPORARY TABLE IF NOT EXISTS prj2.tt AS SELECT 1 id, 2 n, 'x' s; END IF; END",
	"CREATE PROCEDURE myprj.pwarn() BEGIN DECLARE i INT DEFAULT 0; WHILE i < (SELECT COUNT(*) FROM myprj.p1) DO SET i = i + 1; DO CAST('1x' AS SIGNED); END WHILE; DROP TEMPORARY TABLE IF EXISTS myprj.nix, myprj.nix2; END",
	"CREATE PROCEDURE myprj.pprep() BEGIN IF EXISTS (SELECT 1 FROM myprj.p1 WHERE n > 10) THEN PREPARE st FROM 'SELECT 7'; ELSE PREPARE st FROM 'SELECT 8'; END IF; END",
	"CREATE TRIGGER prj2.tq BEFORE INSERT ON prj2.q2 FOR EACH ROW SET NEW.n = COALESCE(@v1, NEW.n), @v2 = NEW.n",
	"CREATE TRIGGER myprj.tp AFTER UPDATE ON myprj.p2 FOR EACH ROW SET @v3 = OLD.n",
}

// reset brings every table to the beginning, with one of the two states.
func (o *carrying) reset(state int) {
	for _, table := range sessionTables {
		rows := "(1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')"
		if strings.HasPrefix(table, "myprj.") {
			rows = sessionStates[state]
		}
		o.root.do("DELETE FROM " + table)
		o.root.do("INSERT INTO " + table + " VALUES " + rows)
	}
	if o.counted {
		o.root.do("ALTER SEQUENCE prj2.sq RESTART 1; ALTER SEQUENCE myprj.sp RESTART 1")
	}
	o.counted = false
	if o.made {
		for _, kind := range []string{"TABLE", "VIEW", "PROCEDURE"} {
			_, _ = o.root.try("DROP " + kind + " IF EXISTS prj2.made") // it is one of them
		}
	}
	o.made = false
}

// sessionStep is what one statement showed.
type sessionStep struct {
	text   string
	inside bool   // the session project was the protected one: what is shown stays there
	rows   string // or the error's text
	err    uint16 // the number of its error
}

// judge runs a session over both states and compares.
func (o *carrying) judge(n int) {
	var runs [2][]sessionStep
	var left [2]string
	for state := range runs {
		runs[state], left[state] = o.session(n, state)
	}
	for k := range runs[0] {
		first, second := runs[0][k], runs[1][k]
		o.count(first)
		if (first.err == 1142) != (second.err == 1142) {
			o.seen["decisions that differ"]++
			if os.Getenv("SLUICE_ORACLE_VERBOSE") != "" {
				o.t.Logf("session %d: decisions differ at %d:\n%s", n, k, inOrder(runs[0][:k+1]))
			}
			break // one went on otherwise than the other
		}
		if keyErrors[first.err] || keyErrors[second.err] {
			o.seen["sessions that a key stopped"]++ // that it did tells of one row (docs/channels.md)
			return
		}
		if first.inside || first.err != second.err || first.rows == second.rows {
			continue
		}
		if o.differs(n, func(s []sessionStep, _ string) string { return s[k].rows }) {
			o.t.Errorf("session %d: the last statement shows %q and %q:\n%s", n, first.rows, second.rows, inOrder(runs[0][:k+1]))
			return
		}
	}
	if left[0] != left[1] && o.differs(n, func(_ []sessionStep, left string) string { return left }) {
		o.t.Errorf("session %d leaves %q and %q:\n%s", n, left[0], left[1], inOrder(runs[0]))
	}
}

// differs tells whether what a session came to differs between the states, and never within one.
func (o *carrying) differs(n int, of func([]sessionStep, string) string) bool {
	var have [2]string
	for round := range 3 {
		for state := range have {
			now := of(o.session(n, state))
			if round > 0 && now != have[state] {
				o.seen["sessions that do not repeat themselves"]++
				if os.Getenv("SLUICE_ORACLE_VERBOSE") != "" {
					o.t.Logf("session %d does not repeat itself: %q and %q\n%s", n, have[state], now, inOrder(o.last))
				}
				return false
			}
			have[state] = now
		}
	}
	return have[0] != have[1]
}

func (o *carrying) count(s sessionStep) {
	switch {
	case s.err == 1142:
		o.seen["refusals"]++
	case s.err != 0:
		o.seen[fmt.Sprintf("error %d", s.err)]++
		if os.Getenv("SLUICE_ORACLE_VERBOSE") != "" && s.err == 1064 {
			o.t.Logf("%d: %s", s.err, s.text)
		}
	default:
		o.seen["statements that ran"]++
	}
}

func inOrder(steps []sessionStep) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "  %s", s.text)
		if s.err != 0 {
			fmt.Fprintf(&b, "    -- error %d", s.err)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// keyErrors are those of unique and foreign keys.
var keyErrors = map[uint16]bool{1062: true, 1451: true, 1452: true, 1586: true}

// session runs the n-th session over a state, and gives what each statement showed and what the other projects hold then.
func (o *carrying) session(n, state int) (steps []sessionStep, left string) {
	o.reset(state)
	g := &sessionGenerator{Rand: rand.New(rand.NewPCG(o.seed, uint64(n))), kind: o.warehouse.Name}
	c := o.as(o.t, "alice", "prj2")
	defer c.close()
	schema, number := "prj2", c.do("SELECT CONNECTION_ID()")[0]
	for range 3 + g.IntN(7) {
		text := g.next()
		o.counted = o.counted || strings.Contains(text, "VAL(")
		o.made = o.made || strings.Contains(text, " prj2.made")
		s := sessionStep{text: text, inside: schema == "myprj"}
		rows, err := c.try(text)
		var failure *mysql.MySQLError
		switch {
		case errors.As(err, &failure):
			s.err, rows = failure.Number, []string{failure.Message}
		case err != nil:
			o.t.Fatalf("session %d: %v\n%s%s", n, err, inOrder(steps), text)
		default:
			switch to, uses := strings.CutPrefix(text, "USE "); {
			case uses:
				schema = to
			case strings.HasPrefix(text, "EXECUTE"): // of a USE, perhaps; the session is not asked, so that what it keeps stays
				schema = o.root.do("SELECT db FROM information_schema.processlist WHERE id = " + number)[0]
			}
		}
		slices.Sort(rows)
		s.rows = entryID.ReplaceAllString(strings.Join(rows, "; "), "")
		steps = append(steps, s)
	}
	o.last = steps
	return steps, o.look()
}

// entryID is the id of a refusal.
var entryID = regexp.MustCompile(`\[01[0-9A-Z]{24}\]`)

// look reads what the other projects hold.
func (o *carrying) look() string {
	var b strings.Builder
	for _, table := range sessionTables {
		if strings.HasPrefix(table, "myprj.") {
			continue
		}
		rows := o.root.do("SELECT id, n, s FROM " + table + " ORDER BY id, n, s")
		fmt.Fprintf(&b, "%s: %v; ", table, rows)
	}
	return b.String()
}
