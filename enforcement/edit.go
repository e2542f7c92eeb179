package enforcement

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/parser"
)

// The limits of semantics 1.4.
const (
	MaxItems     = 1000   // objects of a package
	MaxAllowed   = 100000 // projects that may install a package
	MaxPackages  = 100000 // packages that a project created
	MaxInstalled = 100000 // packages that a project installed
	MaxInstalls  = 100    // packages of one project installed in one other
)

// Fault says what kind of mistake an edit was.
type Fault uint8

// The faults of edits.
const (
	Invalid   Fault = iota + 1 // a name or value that cannot be
	Duplicate                  // it is there already
	Unknown                    // it is not there
	Limit                      // a limit of semantics 1.4 is reached
	Refused                    // the other project does not allow it
	Syntax                     // a combination that the grammar forbids
)

// EditError is an edit that was refused; the policy is as it was.
type EditError struct {
	Fault   Fault
	Message string
}

// Error gives the sentence that a client sees.
func (e *EditError) Error() string { return e.Message }

func refusedEdit(f Fault, format string, args ...any) error {
	return &EditError{f, fmt.Sprintf(format, args...)}
}

// project gives a project's entry, made when it is not there yet.
func (p *Policy) project(name string) (*Project, error) {
	if have := p.Projects[name]; have != nil {
		return have, nil
	}
	if err := checkProjectName(name); err != nil {
		return nil, refusedEdit(Invalid, "%v", err)
	}
	if p.Projects == nil {
		p.Projects = map[string]*Project{}
	}
	c := &Project{Name: name}
	p.Projects[name] = c
	return c, nil
}

// SetProtection is SET ProjectProtection. The exception policy is replaced whole; seals are what its
// SealTargets were measured as. Warnings say what was cleared and what is not sealed. The error is an
// *EditError or, for the exception's text, a *PolicyError.
func (p *Policy) SetProtection(name string, v parser.Protection, exception string, seals []Seal) (warnings []string, err error) {
	if v == parser.Unprotected && exception != "" {
		return nil, refusedEdit(Syntax, "SET ProjectProtection = false takes no exception policy")
	}
	if len(exception) > MaxSetBytes {
		return nil, refusedEdit(Limit, "the exception policy of %s has %d bytes, which is over the limit of %d", name, len(exception), MaxSetBytes)
	}
	if exception != "" {
		policy, err := ParsePolicy(exception, name)
		if err != nil {
			return nil, err
		}
		warnings = policy.Warnings()
	}
	c, err := p.project(name)
	if err != nil {
		return nil, err
	}
	if c.Exception != "" {
		what := "cleared"
		if exception != "" {
			what = "replaced"
		}
		warnings = append([]string{fmt.Sprintf("the exception policy of %s that was set before is %s", name, what)}, warnings...)
	}
	c.Protection, c.Exception, c.Seals = v, exception, nil
	if exception != "" {
		c.Seals = cloneSeals(seals)
	}
	return warnings, nil
}

// AddTrusted is ADD TRUSTEDPROJECT.
func (p *Policy) AddTrusted(name, trusted string) error {
	if err := checkProjectName(trusted); err != nil {
		return refusedEdit(Invalid, "%v", err)
	}
	if name == trusted {
		return refusedEdit(Invalid, "project %s cannot trust itself: its data flows inside it anyway", name)
	}
	c, err := p.project(name)
	if err != nil {
		return err
	}
	if slices.Contains(c.Trusted, trusted) {
		return refusedEdit(Duplicate, "project %s is trusted by %s already", trusted, name)
	}
	c.Trusted = insertSorted(c.Trusted, trusted)
	return nil
}

// RemoveTrusted is REMOVE TRUSTEDPROJECT.
func (p *Policy) RemoveTrusted(name, trusted string) error {
	c := p.Projects[name]
	if c == nil || !slices.Contains(c.Trusted, trusted) {
		return refusedEdit(Unknown, "project %s is not trusted by %s", trusted, name)
	}
	c.Trusted = remove(c.Trusted, trusted)
	return nil
}

// SetMaxRow is SETPROJECT READ_TABLE_MAX_ROW.
func (p *Policy) SetMaxRow(name string, n int64) error {
	if n < 0 {
		return refusedEdit(Invalid, "READ_TABLE_MAX_ROW must not be negative: 0 shows nothing")
	}
	c, err := p.project(name)
	if err != nil {
		return err
	}
	c.MaxRow = &n
	return nil
}

// AddOwner is ADD OWNER.
func (p *Policy) AddOwner(name, user string) error {
	return p.addRole(name, user, "an owner", func(c *Project) *[]string { return &c.Owners })
}

// RemoveOwner is REMOVE OWNER.
func (p *Policy) RemoveOwner(name, user string) error {
	return p.removeRole(name, user, "no owner", func(c *Project) *[]string { return &c.Owners })
}

// AddAdmin is ADD ADMIN.
func (p *Policy) AddAdmin(name, user string) error {
	return p.addRole(name, user, "an admin", func(c *Project) *[]string { return &c.Admins })
}

// RemoveAdmin is REMOVE ADMIN.
func (p *Policy) RemoveAdmin(name, user string) error {
	return p.removeRole(name, user, "no admin", func(c *Project) *[]string { return &c.Admins })
}

func (p *Policy) addRole(name, user, role string, list func(*Project) *[]string) error {
	if err := checkAccount(user); err != nil {
		return err
	}
	c, err := p.project(name)
	if err != nil {
		return err
	}
	l := list(c)
	if slices.Contains(*l, user) {
		return refusedEdit(Duplicate, "%s is %s of %s already", user, role, name)
	}
	*l = insertSorted(*l, user)
	return nil
}

func (p *Policy) removeRole(name, user, role string, list func(*Project) *[]string) error {
	if c := p.Projects[name]; c != nil {
		if l := list(c); slices.Contains(*l, user) {
			*l = remove(*l, user)
			return nil
		}
	}
	return refusedEdit(Unknown, "%s is %s of %s", user, role, name)
}

// checkAccount refuses names that mean nobody or everybody.
func checkAccount(user string) error {
	switch {
	case strings.TrimSpace(user) == "" || strings.HasPrefix(user, "@"):
		return refusedEdit(Invalid, "an account must have a name")
	case strings.Contains(user, "*"):
		return refusedEdit(Invalid, "%s is no account: a role or a grant names one account, without *", quoted(user))
	case len(user) > 512:
		return refusedEdit(Invalid, "%s is too long for an account", quoted(user))
	case dressed(user):
		return refusedEdit(Invalid, "%s is no account that a role or a grant can name: its name begins or ends with a blank or a quote, and without that it is another's", quoted(user))
	}
	return nil
}

// dressed tells whether an account's own name has what names are taken out of when they are read.
func dressed(user string) bool {
	if at := strings.LastIndexByte(user, '@'); at > 0 && strings.Trim(user[:at], " \t\r\n'\"`") != user[:at] {
		return true
	}
	return strings.Trim(user, " \t\r\n'\"`") != user
}

// BreakSeal marks a seal as broken, and those of other projects' views over the same table. It reports
// how many it broke: a broken seal stays as it is.
func (p *Policy) BreakSeal(name, schema, table string, b Breach) int {
	c := p.Projects[name]
	if c == nil {
		return 0
	}
	n := 0
	b.Time = b.Time.UTC()
	for i := range c.Seals {
		if l := &c.Seals[i]; l.Schema == schema && l.Table == table && l.Broken == nil {
			breach := b
			l.Broken = &breach
			n++
		}
	}
	return n
}

// LoseItem takes an object out of a package whose definition is gone (contract 4). It reports
// whether it was there.
func (p *Policy) LoseItem(name, pkg, item, cause string, now time.Time) bool {
	k, err := p.pkg(name, pkg)
	if err != nil {
		return false
	}
	i := slices.IndexFunc(k.Items, func(have Item) bool { return have.Name == item })
	if i < 0 {
		return false
	}
	k.Items = slices.Delete(k.Items, i, i+1)
	k.Lost = append(k.Lost, LostItem{Name: item, Cause: cause, Time: now.UTC()})
	if len(k.Lost) > MaxItems {
		k.Lost = slices.Delete(k.Lost, 0, len(k.Lost)-MaxItems)
	}
	return true
}

// HasSeal tells whether a seal is still the one that was compared with its table: an owner may have approved it again.
func (p *Policy) HasSeal(use SealUse) bool {
	c := p.Projects[use.Project]
	return c != nil && slices.ContainsFunc(c.Seals, func(s Seal) bool {
		return s.Schema == use.Seal.Schema && s.Table == use.Seal.Table && s.Time.Equal(use.Seal.Time) && s.Identity == use.Seal.Identity &&
			s.Definition == use.Seal.Definition && s.Rows == use.Seal.Rows && s.Checksum == use.Seal.Checksum
	})
}

// LoseChanged takes an object out of its package that is another one by now, unless the policy knows more of it than when
// it was compared: a statement builds it anew, or its new marks are noted. It reports whether the object left.
func (p *Policy) LoseChanged(use *SharedObject, cause string, now time.Time) bool {
	i := p.sharedItem(use.Project, use.Package, use.Item)
	if i == nil || i.Identity != use.Identity || i.Definition != use.Definition || !slices.Equal(i.Rebuilding, use.Rebuilding) {
		return false
	}
	return p.LoseItem(use.Project, use.Package, use.Item, cause, now)
}

// maxRebuilding bounds the statements under way that a package's object remembers.
const maxRebuilding = 32

// Rebuild notes that a statement under way may give a shared table other marks. It reports whether the object is there.
func (p *Policy) Rebuild(name, pkg, item, statement string) bool {
	i := p.sharedItem(name, pkg, item)
	if i == nil {
		return false
	}
	i.Rebuilding = append(i.Rebuilding, statement)
	if n := len(i.Rebuilding) - maxRebuilding; n > 0 {
		i.Rebuilding = slices.Delete(i.Rebuilding, 0, n) // of gateways that ended in the middle
	}
	return true
}

// Rebuilt notes that such a statement is over, and the marks that its table has now; "" leaves the marks.
func (p *Policy) Rebuilt(name, pkg, item, statement, marks string) {
	i := p.sharedItem(name, pkg, item)
	if i == nil || !slices.Contains(i.Rebuilding, statement) {
		return // the object left meanwhile, or is another one by now
	}
	i.Rebuilding = slices.DeleteFunc(i.Rebuilding, func(s string) bool { return s == statement })
	if len(i.Rebuilding) == 0 {
		i.Rebuilding = nil
	}
	if marks != "" {
		i.Identity = marks
	}
}

// Mark notes other marks of a shared table that is still the same one, unless somebody was first.
func (p *Policy) Mark(name, pkg, item, was, marks string) {
	if i := p.sharedItem(name, pkg, item); i != nil && i.Identity == was {
		i.Identity = marks
	}
}

// MarkView notes what a shared view means, if nothing was noted yet.
func (p *Policy) MarkView(name, pkg, item, definition string) {
	if i := p.sharedItem(name, pkg, item); i != nil && i.Definition == "" && i.Identity == "" {
		i.Definition = definition
	}
}

func (p *Policy) sharedItem(name, pkg, item string) *Item {
	k, err := p.pkg(name, pkg)
	if err != nil {
		return nil
	}
	if i := k.item(item); i >= 0 {
		return &k.Items[i]
	}
	return nil
}

func insertSorted(l []string, s string) []string {
	i, _ := slices.BinarySearch(l, s)
	return slices.Insert(slices.Clone(l), i, s)
}

func remove(l []string, s string) []string {
	out := make([]string, 0, len(l))
	for _, have := range l {
		if have != s {
			out = append(out, have)
		}
	}
	return out
}
