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

// One RENAME USER may have two accounts change names: each is there before and after. A new password alone changes nobody.
func TestAccountsThatChangeNames(t *testing.T) {
	s := mysql("0")
	l := &SQLLoader{Query: s.query}
	reading := func(users string, created, renamed int) *Accounts {
		t.Helper()
		s.answers["FROM mysql.user"] = users
		s.answers["LIKE 'Com%'"] = fmt.Sprintf("Com_show_status|7\nCom_create_table|1\nUptime|100\nCom_create_user|%d\nCom_rename_user|%d", created, renamed)
		clockOf(t, l)
		return l.Accounts()
	}
	reading("ann|%|a\nbob|%|b\neve|%|e", 0, 0)
	if a := reading("ann|%|a\nbob|%|c\neve|%|e", 1, 0); !a.Same("bob", "%", 0) {
		t.Errorf("another password makes another account: %+v", a)
	}
	s.answers["FROM mysql.user"] = "ann|%|c\nbob|%|a\neve|%|e\nnew|%|n"
	if err := l.KnowAccount(t.Context(), "new", "%"); err != nil {
		t.Fatal(err)
	}
	a := reading("ann|%|c\nbob|%|a\neve|%|e\nnew|%|n", 1, 1)
	if a.Same("ann", "%", a.Reading()-1) || a.Same("bob", "%", a.Reading()-1) || !a.Same("eve", "%", 0) || !a.Same("ann", "%", a.Reading()) {
		t.Errorf("ann and bob changed names: %+v", a)
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
