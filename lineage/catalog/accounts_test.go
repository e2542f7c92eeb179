package catalog

import (
	"errors"
	"fmt"
	"testing"
)

// A name is its account's for as long as no reading missed it: who logged in before such a reading is nobody any more, who came
// after it is whom the name belongs to now.
func TestAccounts(t *testing.T) {
	s := mysql("0")
	l := &SQLLoader{Query: s.query}
	reads, counter := 0, 0
	reading := func(users string, counts int) *Accounts {
		t.Helper()
		counter += counts
		s.answers["FROM mysql.user"] = users
		s.answers["LIKE 'Com%'"] = fmt.Sprintf("Com_show_status|7\nCom_create_table|1\nUptime|100\nCom_drop_user|%d", counter)
		before := len(s.asked)
		clockOf(t, l)
		reads = len(s.asked) - before
		return l.Accounts()
	}
	if none := l.Accounts(); !none.Present("bob", "%") || !none.Same("bob", "%", none.Reading()) {
		t.Error("before any reading every account is taken for itself")
	}
	first := reading("root|localhost\nbob|%\nann|10.%", 0)
	if !first.Same("bob", "%", 0) || !first.Same("ann", "10.%", 0) || first.Same("eve", "%", 0) {
		t.Errorf("%+v", first)
	}
	if again := reading("root|localhost", 0); again != first || reads != 2 {
		t.Error("the accounts are read again though nothing counted")
	}
	second := reading("root|localhost\nann|10.%", 1)
	if second.Same("bob", "%", first.Reading()) || !second.Same("ann", "10.%", 0) {
		t.Errorf("%+v", second)
	}
	third := reading("root|localhost\nann|10.%\nbob|%", 1)
	if third.Same("bob", "%", first.Reading()) || !third.Same("bob", "%", second.Reading()) || !third.Same("ann", "10.%", 0) {
		t.Errorf("%+v", third)
	}
	s.faults["FROM mysql.user"] = errors.New("denied")
	if kept := reading("", 1); kept != third {
		t.Errorf("accounts that cannot be read stay as they were: %+v", kept)
	}
}

// What has begun has counted, and may not have happened yet: until nothing of the kind runs, each reading of the clock looks.
func TestAccountsInTheMaking(t *testing.T) {
	s := mysql("0")
	s.answers["FROM mysql.user"] = "root|localhost\nbob|%"
	l := &SQLLoader{Query: s.query}
	s.answers["FROM information_schema.processlist"] = "0|0\n14|DROP USER bob"
	clockOf(t, l)
	s.answers["FROM mysql.user"] = "root|localhost"
	clockOf(t, l)
	if l.Accounts().Present("bob", "%") {
		t.Error("the end of a statement that had begun went unseen")
	}
	// An account that is not known may be new.
	s.answers["FROM mysql.user"] = "root|localhost\neve|Host"
	if err := l.KnowAccount(t.Context(), "eve", "host"); err != nil || !l.Accounts().Same("eve", "HOST", 0) {
		t.Errorf("%+v, %v", l.Accounts(), err)
	}
}

// One RENAME USER may have two accounts change names, one script may drop an account and make another of its name: each is there
// before and after. A new password alone changes nobody.
func TestAccountsThatChangeNames(t *testing.T) {
	s := mysql("0")
	l := &SQLLoader{Query: s.query}
	reading := func(users string, altered, created, dropped, renamed int) *Accounts {
		t.Helper()
		s.answers["FROM mysql.user"] = users
		s.answers["LIKE 'Com%'"] = fmt.Sprintf("Com_show_status|7\nCom_create_table|1\nUptime|100\nCom_alter_user|%d\nCom_create_user|%d\nCom_drop_user|%d\nCom_rename_user|%d", altered, created, dropped, renamed)
		clockOf(t, l)
		return l.Accounts()
	}
	reading("ann|%|a\nbob|%|b\neve|%|e", 0, 0, 0, 0)
	if a := reading("ann|%|a\nbob|%|c\neve|%|e", 1, 0, 0, 0); !a.Same("bob", "%", 0) {
		t.Errorf("another password makes another account: %+v", a)
	}
	s.answers["FROM mysql.user"] = "ann|%|c\nbob|%|a\neve|%|e\nnew|%|n"
	if err := l.KnowAccount(t.Context(), "new", "%"); err != nil {
		t.Fatal(err)
	}
	a := reading("ann|%|c\nbob|%|a\neve|%|e\nnew|%|n", 1, 0, 0, 1)
	if a.Same("ann", "%", a.Reading()-1) || a.Same("bob", "%", a.Reading()-1) || !a.Same("eve", "%", 0) || !a.Same("ann", "%", a.Reading()) {
		t.Errorf("ann and bob changed names: %+v", a)
	}
	a = reading("ann|%|x\nbob|%|a\neve|%|e\nnew|%|n", 1, 1, 1, 1)
	if a.Same("ann", "%", a.Reading()-1) || !a.Same("bob", "%", a.Reading()-1) {
		t.Errorf("ann was dropped and made again: %+v", a)
	}
	a = reading("ann|%|x\nbob|%|y\neve|%|e\nnew|%|n", 1, 2, 1, 1)
	if a.Same("bob", "%", a.Reading()-1) || !a.Same("ann", "%", a.Reading()-1) {
		t.Errorf("bob was replaced by CREATE OR REPLACE USER: %+v", a)
	}
}

// A password that MariaDB changes by SET PASSWORD, which it does not count, is not taken for another account much later, and while
// the list cannot be read nothing is believed to be settled.
func TestAccountsInTime(t *testing.T) {
	s := mysql("0")
	l := &SQLLoader{Query: s.query}
	reading := func(users string, created int) *Accounts {
		t.Helper()
		s.answers["FROM mysql.global_priv"] = users
		s.answers["LIKE 'Com%'"] = fmt.Sprintf("Com_show_status|7\nCom_create_table|1\nUptime|100\nCom_create_user|%d", created)
		clockOf(t, l)
		return l.Accounts()
	}
	reading("ann|%|a\nbob|%|b", 0)
	l.accounts.at = l.accounts.at.Add(-markedAge)
	if a := reading("ann|%|a\nbob|%|c", 0); a.Reading() != 2 || !a.Same("bob", "%", 0) {
		t.Errorf("after a while without a statement that counts: %+v", a)
	}
	if a := reading("ann|%|a\nbob|%|c\nnew|%|n", 1); !a.Same("bob", "%", 0) {
		t.Errorf("a new account makes others of all whose password changed: %+v", a)
	}
	s.faults["FROM mysql."] = errors.New("denied")
	reading("", 2)
	delete(s.faults, "FROM mysql.")
	l.accounts.at = l.accounts.at.Add(-unmarkedAge)
	if a := reading("ann|%|z\nbob|%|c\nnew|%|n", 2); a.Same("ann", "%", a.Reading()-1) {
		t.Errorf("ann was replaced while the accounts could not be read: %+v", a)
	}
}

// TiDB counts no statements, and has a number for each account: a session is its account's, or not, whatever the password.
func TestAccountsOfTiDB(t *testing.T) {
	s := &server{answers: map[string]string{"ddl_schema_version": "ddl_schema_version|7"}, faults: map[string]error{}}
	l := &SQLLoader{Query: s.query, TiDB: true}
	reading := func(users string) *Accounts {
		t.Helper()
		s.answers["_tidb_rowid FROM mysql.user"] = users
		l.accounts.at = l.accounts.at.Add(-unmarkedAge)
		clockOf(t, l)
		return l.Accounts()
	}
	reading("ann|%|1\nbob|%|2\neve|%|3")
	a := reading("ann|%|2\nbob|%|1\neve|%|4")
	for _, name := range []string{"ann", "bob", "eve"} {
		if a.Same(name, "%", a.Reading()-1) {
			t.Errorf("%s is another account: %+v", name, a)
		}
	}
	if again := reading("ann|%|2\nbob|%|1\neve|%|4"); !again.Same("ann", "%", a.Reading()) {
		t.Errorf("nothing changed: %+v", again)
	}
}

// A warehouse that makes and drops accounts without end fills no memory: sessions of before what is forgotten are nobody's, later
// ones are whose they are.
func TestAccountsWithoutEnd(t *testing.T) {
	a := &Accounts{reading: 10, present: map[string]string{accountKey("ann", "%"): ""}, gone: map[string]uint64{}}
	for n := range uint64(6) {
		a.gone[accountKey(fmt.Sprint("task", n), "%")] = 4 + n
	}
	a.forget(6)
	if len(a.gone) != 6 || !a.Same("ann", "%", 0) {
		t.Errorf("there was room: %+v", a)
	}
	a.forget(5)
	if len(a.gone) != 2 || a.Same("ann", "%", 6) || !a.Same("ann", "%", 7) {
		t.Errorf("%+v", a)
	}
	if next := a.next([][]*string{}, nothing); next.forgotten != a.forgotten {
		t.Errorf("the next reading does not know: %+v", next)
	}
}
