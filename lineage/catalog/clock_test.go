package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func clockOf(t *testing.T, l *SQLLoader) string {
	t.Helper()
	c, err := l.Clock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func status(show, create, user, uptime int) string {
	return fmt.Sprintf("Com_show_status|%d\nCom_create_view|%d\nCom_create_user|%d\nCom_select|%d\nUptime|%d\nCompression|OFF", show, create, user, show, uptime)
}

func TestClockCounts(t *testing.T) {
	s := mysql("0")
	l := &SQLLoader{Query: s.query}
	s.answers["LIKE 'Com%'"] = status(1, 5, 0, 100)
	first := clockOf(t, l)
	s.answers["LIKE 'Com%'"] = status(2, 5, 1, 101)
	if got := clockOf(t, l); got != first {
		t.Errorf("moved by statements that define nothing: %q, then %q", first, got)
	}
	s.answers["LIKE 'Com%'"] = status(3, 6, 1, 101)
	if got := clockOf(t, l); got == first {
		t.Errorf("CREATE VIEW did not move %q", got)
	}
}

// After a restart the counters may come to stand where they stood.
func TestClockAfterARestart(t *testing.T) {
	for name, between := range map[string]string{
		"at another time":    status(9, 5, 0, 7),
		"seen on the way up": status(9, 2, 0, 100),
	} {
		s := mysql("0")
		l := &SQLLoader{Query: s.query}
		s.answers["LIKE 'Com%'"] = status(1, 5, 0, 100)
		first := clockOf(t, l)
		s.answers["LIKE 'Com%'"] = between
		clockOf(t, l)
		s.answers["LIKE 'Com%'"] = status(1, 5, 0, 100)
		if got := clockOf(t, l); got == first {
			t.Errorf("%s: the clock came to stand at %q again", name, got)
		}
	}
}

func TestUptimeMayWander(t *testing.T) {
	var c clockState
	now := time.Now()
	counters := map[string]uint64{"Com_create_view": 1}
	for i, uptime := range []uint64{100, 101, 101, 102, 105} {
		if n := c.note(counters, uptime, now.Add(time.Duration(i)*time.Second)); n != 0 {
			t.Fatalf("uptime %d at second %d taken for a restart", uptime, i)
		}
	}
}

// A statement counts when it begins and defines when it ends: in between, the clock moves twice.
func TestClockSeesDefinitionsInTheMaking(t *testing.T) {
	s := mysql("0")
	l := &SQLLoader{Query: s.query}
	still := clockOf(t, l)
	s.answers["FROM information_schema.processlist"] = "0|0\n12|SELECT SLEEP(10)\n13|/* app */ (select 1)"
	if got := clockOf(t, l); got != still {
		t.Errorf("queries moved the clock: %q", got)
	}
	s.answers["FROM information_schema.processlist"] = "0|0\n12|SELECT SLEEP(10)\n14|ALTER TABLE t ADD c INT"
	running := clockOf(t, l)
	if running == still {
		t.Error("a running ALTER TABLE does not show")
	}
	s.answers["FROM information_schema.processlist"] = "0|0\n12|SELECT SLEEP(10)\n15|ALTER TABLE t ADD c INT"
	if got := clockOf(t, l); got == running {
		t.Error("the end of one and the begin of another does not show")
	}
	s.answers["FROM information_schema.processlist"] = "0|0"
	if got := clockOf(t, l); got != still {
		t.Errorf("moved on without a reason: %q", got)
	}
	s.answers["FROM information_schema.processlist"] = "0|1" // another server took over
	if got := clockOf(t, l); got == still {
		t.Error("another way to compare names does not move the clock")
	}
	if folds, err := l.Folds(context.Background()); err != nil || !folds {
		t.Errorf("names are compared as before: %v, %v", folds, err)
	}
	s.faults["FROM information_schema.processlist"] = errors.New("denied")
	if _, err := l.Clock(context.Background()); err == nil {
		t.Error("a clock that cannot see running statements is no error")
	}
}

func TestCountersAreReadBeforeRunningStatements(t *testing.T) {
	s := mysql("0")
	clockOf(t, &SQLLoader{Query: s.query})
	if len(s.asked) < 2 || !strings.HasPrefix(s.asked[0], "SHOW GLOBAL STATUS") || !strings.Contains(s.asked[1], "processlist") {
		t.Fatalf("asked %q", s.asked)
	}
}

func TestMayDefine(t *testing.T) {
	for statement, want := range map[string]bool{
		"select 1": false, " \n(SELECT 1)": false, "/* x */ insert into t values (1)": false, "-- x\nupdate t set a = 1": false,
		"# x\ndelete from t": false, "call p()": false, "set @a = 1": false, "SET NAMES utf8mb4": false, "with a as (select 1) select * from a": false,
		"/* create */ select 1":     false,
		"create view v as select 1": true, "ALTER TABLE t ADD c INT": true, "drop table t": true, "rename table a to b": true,
		"/*!50001 create view v as select 1 */": true, "/*M! create view v as select 1 */": true, "/* a long comment that was cut": true, "-- a comment that was cut": true,
		"set statement max_statement_time=1 for alter table t add c int": true, "set /* x */ statement a=1 for drop table t": true,
		"execute s": true, "install soname 'x'": true, "optimize table t": true, "": true, "\x00": true, "selection": true,
	} {
		if got := mayDefine(statement); got != want {
			t.Errorf("%q: %v, want %v", statement, got, want)
		}
	}
}

func FuzzMayDefine(f *testing.F) {
	f.Add("/* a */ select 1")
	f.Add("set statement a=1 for drop table t")
	f.Fuzz(func(t *testing.T, statement string) {
		if mayDefine("/* x */ -- y\n "+statement) != mayDefine(statement) {
			t.Fatalf("a comment before %q makes a difference", statement)
		}
	})
}

func TestClockOfTiDB(t *testing.T) {
	s := mysql("0")
	s.answers["VERSION()"] = "8.0.11-TiDB-v8.5.0"
	s.answers["ddl_schema_version"] = "ddl_schema_version|41"
	l := &SQLLoader{Query: s.query, Detect: true}
	first := clockOf(t, l)
	if got := clockOf(t, l); got != first {
		t.Errorf("%q, then %q", first, got)
	}
	s.answers["ddl_schema_version"] = "ddl_schema_version|42"
	if got := clockOf(t, l); got == first {
		t.Error("a new schema version did not move the clock")
	}
}

func TestANewSchemaVersionSettles(t *testing.T) {
	var c clockState
	now := time.Now()
	seen := map[string]bool{}
	for _, age := range []time.Duration{0, 100 * time.Millisecond, time.Second, 2 * time.Second, 10 * time.Second, time.Minute, time.Hour} {
		seen[c.settle("41", now.Add(age))] = true
	}
	if len(seen) != 1+len(settled) {
		t.Errorf("%d different readings of one version: %v", len(seen), seen)
	}
}

// An embedded server shows counters that never move: its definitions are summed up instead.
func TestClockOfAServerThatCountsNothing(t *testing.T) {
	s := mysql("0")
	s.answers["LIKE 'Com%'"] = status(0, 0, 0, 0)
	s.answers["tables WHERE table_schema <>"] = "pay|t|BASE TABLE|InnoDB"
	s.answers["table_type = 'VIEW'"] = "pay|v"
	s.answers["SHOW CREATE VIEW `pay`.`v`"] = "v|CREATE VIEW `v` AS select 1"
	l := &SQLLoader{Query: s.query}
	last := clockOf(t, l)
	if got := clockOf(t, l); got != last {
		t.Fatalf("%q, then %q", last, got)
	}
	for part, answer := range map[string]string{
		"SHOW CREATE VIEW `pay`.`v`":                       "v|CREATE VIEW `v` AS select 2",
		"information_schema.columns WHERE table_schema <>": "pay|t|a",
		"tables WHERE table_schema <>":                     "pay|t|BASE TABLE|InnoDB\npay|u|BASE TABLE|InnoDB",
		"triggers ORDER":                                   "pay|tr|t|INSERT|SET @a = 1",
		"routines ORDER":                                   "pay|p|PROCEDURE|select 1",
		"schemata ORDER":                                   "pay",
		"referential_constraints ORDER":                    "pay|t|fk|u|CASCADE|CASCADE",
		"information_schema.events ORDER BY":               "pay|e|select 1",
	} {
		s.answers[part] = answer
		got := clockOf(t, l)
		if got == last {
			t.Errorf("%s: a change did not move the clock", part)
		}
		last = got
	}
	s.faults["triggers ORDER"] = errors.New("gone away")
	if _, err := l.Clock(context.Background()); err == nil {
		t.Error("a sum over less than everything is no error")
	}
}

// A server whose plugin has rules by which it runs other statements says so with its clock.
func TestClockTellsOfRewriting(t *testing.T) {
	for status, want := range map[string]bool{"": false, "\nRewriter_number_loaded_rules|0": false, "\nRewriter_number_loaded_rules|2": true} {
		s := mysql("0")
		s.answers["LIKE 'Com%'"] += status
		l := &SQLLoader{Query: s.query}
		snapshot := &Snapshot{clock: clockOf(t, l)}
		if got := snapshot.Rewrites(); got != want {
			t.Errorf("%q: rewrites %v, want %v", status, got, want)
		}
		if got := l.Replaces(); got != (status != "") {
			t.Errorf("%q: the plugin is there: %v", status, got)
		}
	}
}
