package catalog

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The warehouse tells a session by which name it was let in, for as long as it lasts: also when that account was dropped or renamed
// since, and its name given to somebody else. So the list of accounts is read again whenever it may have changed, and a name that
// was seen to be nobody's is never again believed to be whose it was before.

// Accounts are the warehouse's accounts as of one reading. It does not change.
type Accounts struct {
	reading uint64
	present map[string]string // by key: what tells the account from another one of that name
	gone    map[string]uint64 // the last reading that missed an account which was there before
	// forgotten is the latest reading of which gone does not tell any more: whoever was let in before is believed to be nobody.
	forgotten uint64
}

// maxGone bounds gone, for warehouses that make an account for every task.
const maxGone = 50_000

// Reading numbers the readings: a session that remembers it from before its login can be told from one that came later.
func (a *Accounts) Reading() uint64 {
	if a == nil {
		return 0
	}
	return a.reading
}

// Present tells whether there is an account, or that nothing is known of any.
func (a *Accounts) Present(user, host string) bool {
	if a == nil {
		return true
	}
	_, present := a.present[accountKey(user, host)]
	return present
}

// Same tells whether an account is there and was at every reading since the one that a session began after.
func (a *Accounts) Same(user, host string, since uint64) bool {
	return a.Present(user, host) && (a == nil || a.gone[accountKey(user, host)] <= since && a.forgotten <= since)
}

// accountKey spells an account as servers compare accounts: hosts in any case, and without the blanks that they store no name with.
func accountKey(user, host string) string {
	return strings.TrimRight(user, " ") + "\x00" + strings.ToLower(host)
}

// since says what may have happened to names since the reading before.
type since uint8

const (
	nothing  since = iota // a name by which one logs in otherwise than before has another password
	replaced              // it may be another account's: one RENAME USER can have two change names, one script drop and make one
	unsaid                // the next reading tells which
)

// next gives the accounts of a later reading.
func (a *Accounts) next(rows [][]*string, happened since) *Accounts {
	n := &Accounts{reading: a.Reading() + 1, present: make(map[string]string, len(rows))}
	for _, r := range rows {
		n.present[accountKey(text(r, 0), text(r, 1))] = text(r, 2)
	}
	if a == nil {
		return n
	}
	n.gone, n.forgotten = maps.Clone(a.gone), a.forgotten
	for key, digest := range a.present {
		now, present := n.present[key]
		if present && happened == unsaid {
			n.present[key] = digest
		}
		if !present || happened == replaced && now != digest {
			if n.gone == nil {
				n.gone = map[string]uint64{}
			}
			n.gone[key] = n.reading
		}
	}
	n.forget(maxGone)
	return n
}

// forget keeps the later half of what is gone, if that is more than a number.
func (a *Accounts) forget(most int) {
	if len(a.gone) <= most {
		return
	}
	readings := slices.Sorted(maps.Values(a.gone))
	a.forgotten = readings[len(readings)/2]
	maps.DeleteFunc(a.gone, func(_ string, reading uint64) bool { return reading <= a.forgotten })
}

// accountState is what the loader knows of accounts.
type accountState struct {
	one     sync.Mutex   // one reader at a time
	list    *accountList // how the server lists them, nil: not known yet; under one
	mark    accountMark  // as of the last reading, under one
	at      time.Time    // when that was, under one
	failed  bool         // it failed, under one
	current atomic.Pointer[Accounts]
}

// unmarkedAge is the age at which TiDB's accounts are read again: it counts no statements. markedAge is the others', which count
// all but a new password by SET PASSWORD on MariaDB: it is not to be taken for another account much later.
const unmarkedAge, markedAge = 2 * time.Second, 10 * time.Second

// accountMark is what differs after every statement that makes, drops or renames an account, gives it another password, or has the
// server read its tables of accounts again. They count when they begin. The zero value is of a server that counts nothing.
type accountMark struct{ replacing, others string }

// passwordCounter counts SET PASSWORD, on MySQL.
const passwordCounter = "Com_set_password"

// accountMarkOf reads the counters. Those that replace are behind which a name may be another account's, be it there before and after.
func accountMarkOf(rows [][]*string, restarts uint64) accountMark {
	var replacing, others []string
	for _, r := range rows {
		switch name := text(r, 0); name {
		case "Com_rename_user", "Com_drop_user", "Com_create_user", "Com_drop_role", "Com_create_role": // MySQL's roles are accounts
			replacing = append(replacing, name+" "+text(r, 1))
		case "Com_alter_user", passwordCounter, flushCounter:
			others = append(others, name+" "+text(r, 1))
		}
	}
	sort.Strings(replacing)
	sort.Strings(others)
	return accountMark{strconv.FormatUint(restarts, 10) + " " + strings.Join(replacing, ";"), strings.Join(others, ";")}
}

// watchAccounts reads the accounts again if the mark moved, until nothing runs that may have moved it; without a mark, if they
// are old. What cannot be read stays as it was, and is tried again later.
func (l *SQLLoader) watchAccounts(ctx context.Context, mark accountMark, running bool) {
	s := &l.accounts
	if !s.one.TryLock() {
		return // another reading of the clock sees to it
	}
	defer s.one.Unlock()
	age, none := time.Since(s.at), accountMark{}
	if mark != none && mark == s.mark && !s.failed && age < markedAge || (mark == none || s.failed) && age < unmarkedAge {
		return
	}
	happened := nothing
	if mark.replacing != s.mark.replacing {
		happened = replaced
	}
	if s.failed = l.readAccounts(ctx, happened) != nil; !s.failed && !running {
		s.mark = mark
	}
}

// accountList is how servers list accounts: user, host, and what tells each from another one of that name.
type accountList struct {
	query string
	// exact: it is another one if and only if the account is. Elsewhere it changes with the password, too.
	exact bool
}

// accountLists are those of TiDB, MariaDB and MySQL. The time of the last change is there because passwords may be empty, or kept
// elsewhere; TiDB's rows keep their number for as long as their account lives.
var accountLists = []accountList{
	{"SELECT user, host, _tidb_rowid FROM mysql.user", true},
	{"SELECT user, host, SHA2(JSON_EXTRACT(priv, '$.plugin', '$.authentication_string', '$.auth_or', '$.password_last_changed'), 256) FROM mysql.global_priv", false},
	{"SELECT user, host, SHA2(CONCAT_WS(' ', plugin, authentication_string, UNIX_TIMESTAMP(password_last_changed)), 256) FROM mysql.user", false},
}

// errNoAccounts is a list that lacks even the account which read it.
var errNoAccounts = errors.New("the list of accounts is empty")

// readAccounts reads them; the caller has the turn.
func (l *SQLLoader) readAccounts(ctx context.Context, happened since) error {
	s := &l.accounts
	s.at = time.Now()
	tidb, err := l.tidb(ctx)
	if err != nil {
		return err
	}
	var rows [][]*string
	for i := range accountLists {
		list := &accountLists[i]
		if s.list != nil && list != s.list || list.exact && !tidb {
			continue
		}
		if rows, err = l.Query(ctx, list.query); err == nil && len(rows) > 0 {
			s.list = list
			break
		}
	}
	if err != nil || len(rows) == 0 {
		return errors.Join(err, errNoAccounts)
	}
	if s.list.exact {
		happened = replaced
	}
	s.current.Store(s.current.Load().next(rows, happened))
	return nil
}

// Accounts gives what was read last, nil for nothing.
func (l *SQLLoader) Accounts() *Accounts { return l.accounts.current.Load() }

// KnowAccount reads the accounts if one is not among those that were read: it may be new.
func (l *SQLLoader) KnowAccount(ctx context.Context, user, host string) error {
	if l.Accounts().Present(user, host) {
		return nil
	}
	l.accounts.one.Lock()
	defer l.accounts.one.Unlock()
	if l.Accounts().Present(user, host) {
		return nil
	}
	return l.readAccounts(ctx, unsaid)
}

// Replaces tells whether the server has the plugin that puts other statements in the place of those that were sent, with
// rules or without.
func (l *SQLLoader) Replaces() bool { return l.replaces.Load() }

// observer is a loader that notices more than definitions.
type observer interface {
	Accounts() *Accounts
	KnowAccount(ctx context.Context, user, host string) error
	Replaces() bool
}

// Accounts gives the warehouse's accounts as of the last reading of the clock; nil for none. It does no I/O.
func (c *Catalog) Accounts() *Accounts {
	if c == nil {
		return nil
	}
	if l, can := c.loader.(observer); can {
		return l.Accounts()
	}
	return nil
}

// KnowAccount reads the accounts again if one is not among them.
func (c *Catalog) KnowAccount(ctx context.Context, user, host string) error {
	if c == nil {
		return nil
	}
	if l, can := c.loader.(observer); can {
		return l.KnowAccount(ctx, user, host)
	}
	return nil
}

// Replaces tells whether the server may have rules to run other statements than it is sent, as of the last reading of the clock. It does no I/O.
func (c *Catalog) Replaces() bool {
	if c == nil {
		return false
	}
	l, can := c.loader.(observer)
	return can && l.Replaces()
}
