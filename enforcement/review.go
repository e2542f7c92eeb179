package enforcement

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/parser"
)

// Severity is how much a finding matters.
type Severity uint8

// The severities.
const (
	Fine     Severity = iota // checked, and nothing found
	Notice                   // worth knowing
	Warning                  // data may leave by it: assess it
	Critical                 // data leaves freely
)

// String names the severity.
func (s Severity) String() string {
	return [...]string{"ok", "notice", "warning", "critical"}[min(s, Critical)]
}

// Finding is one line of CHECK PROJECTPROTECTION.
type Finding struct {
	Severity Severity
	Check    string // what was looked at
	Message  string
	Fix      string // the statement that would put it right; "" when there is none
}

// Review is the part of CHECK PROJECTPROTECTION that the policy answers: the best practices of project
// protection, for one project. Each check gives at least one finding.
func (s *Snapshot) Review(name string) []Finding {
	name = s.fold(name)
	p := s.projects[name]
	if p == nil {
		p = &project{Project: &Project{Name: name}, maxRow: DefaultMaxRow}
	}
	v := review{s: s, name: name, p: p}
	v.protection()
	v.trust()
	v.shared()
	v.exceptions()
	v.roles()
	v.display()
	return v.out
}

type review struct {
	s    *Snapshot
	name string
	p    *project
	out  []Finding
}

func (v *review) add(s Severity, check, fix, format string, args ...any) {
	v.out = append(v.out, Finding{s, check, fmt.Sprintf(format, args...), fix})
}

func (v *review) protection() {
	const check = "protection"
	switch v.p.Protection {
	case parser.Protected:
		v.add(Fine, check, "", "%s is protected", v.name)
	case parser.DryRun:
		v.add(Critical, check, "SET ProjectProtection=true", "%s is in dry run: refusals are recorded, nothing is refused", v.name)
	default:
		v.add(Critical, check, "SET ProjectProtection=true", "%s is not protected: its data can flow anywhere", v.name)
	}
}

// trust: no trusted project, or each one assessed.
func (v *review) trust() {
	const check = "trusted projects"
	if len(v.p.trusted) == 0 {
		v.add(Fine, check, "", "%s trusts no project", v.name)
	}
	for _, t := range slices.Sorted(maps.Keys(v.p.trusted)) {
		fix := "REMOVE TRUSTEDPROJECT " + t
		other := v.s.projects[t]
		if other == nil || other.Protection != parser.Protected {
			v.add(Critical, check, fix, "all data of %s may flow to %s, which is not protected, and from there anywhere", v.name, t)
			continue
		}
		if end := v.onward(t); end != "" {
			v.add(Warning, check, fix, "all data of %s may flow to %s, and from there on: %s", v.name, t, end)
			continue
		}
		v.add(Warning, check, fix, "all data of %s may flow to %s", v.name, t)
	}
}

// onward gives the first hop by which data leaves the trusted project for somewhere else.
func (v *review) onward(t string) string {
	for _, h := range v.s.Reach(t) {
		if h.To != v.name {
			return fmt.Sprintf("%s -> %s (%s, %s)", h.From, h.To, h.Rule, h.Detail)
		}
	}
	return ""
}

// shared: no package, or none with sensitive data.
func (v *review) shared() {
	const check = "packages"
	if len(v.p.Packages) == 0 {
		v.add(Fine, check, "", "%s shares no package", v.name)
	}
	for _, key := range packageNames(v.p.Project) {
		k := v.p.Packages[key]
		drop := "DROP PACKAGE " + k.Name
		if len(k.Items) > 0 {
			v.add(Warning, check, drop, "package %s shares %s, live, with whoever installed it: make sure that none of it is sensitive", k.Name, few(itemNames(k)))
		}
		for i := range k.Items {
			if item := &k.Items[i]; wild(item.Name) {
				v.add(Warning, check, fmt.Sprintf("REMOVE TABLE %s FROM PACKAGE %s", item.Name, k.Name), "package %s shares every table that will ever match %s", k.Name, item.Name)
			}
		}
		if k.allowed("*") >= 0 {
			v.add(Critical, check, "DISALLOW PROJECT * TO INSTALL PACKAGE "+k.Name, "every project may install package %s", k.Name)
		}
		for _, l := range k.Lost {
			v.add(Notice, check, fmt.Sprintf("ADD TABLE %s TO PACKAGE %s", l.Name, k.Name), "%s left package %s: %s", l.Name, k.Name, l.Cause)
		}
	}
}

func itemNames(k *Package) []string {
	out := make([]string, len(k.Items))
	for i := range k.Items {
		out[i] = k.Items[i].Name
	}
	return out
}

// exceptions: none, or narrow and sealed ones.
func (v *review) exceptions() {
	const check = "exception policy"
	if v.p.policy == nil {
		v.add(Fine, check, "", "%s has no exception policy", v.name)
		return
	}
	const fix = "SET ProjectProtection=true WITH EXCEPTION 'policy'"
	for _, w := range v.p.policy.Warnings() {
		v.add(Warning, check, fix, "%s", w)
	}
	for i := range v.p.policy.Statements {
		if st := &v.p.policy.Statements[i]; st.Allow && st.uses != 0 {
			v.statement(st, check, fix)
		}
	}
	for i := range v.p.Seals {
		if b := v.p.Project.Seals[i].breach(); b != "" {
			v.add(Notice, check, fix, "%s: its exception lets nothing out until an owner approves the table again", b)
		}
	}
}

func (v *review) statement(st *ExceptionStatement, check, fix string) {
	broad := func(what string) {
		v.add(Warning, check, fix, "exception statement %d %s", st.Number, what)
	}
	if slices.Contains(st.Principals, "*") {
		broad("is for everybody: name the accounts that need it")
	}
	all := false
	for _, resource := range st.Resources {
		for _, t := range v.s.tables(v.name, resource) {
			all = all || t.name == "*"
		}
	}
	if all {
		broad("lets every table out: name the tables")
	}
	var target, ends bool
	for i := range st.Conditions {
		c := &st.Conditions[i]
		target = target || strings.HasPrefix(c.Key, "sluice:Target")
		ends = ends || c.Key == keyTime && (c.op.compare == less || c.op.compare == lessEquals)
	}
	if !target {
		broad("lets its tables go to any target: limit it by sluice:TargetProject or sluice:TargetTable")
	}
	if !ends {
		v.add(Notice, check, fix, "exception statement %d never expires: limit it by DateLessThan acs:CurrentTime", st.Number)
	}
}

// roles: an owner, and no other hand that could change an approved table.
func (v *review) roles() {
	const check = "roles"
	if len(v.p.Owners) == 0 {
		v.add(Notice, check, "ADD OWNER user", "%s has no owner: only a Super_Administrator can change its policy", v.name)
	}
	for _, a := range v.p.Admins {
		v.add(Warning, check, "REMOVE ADMIN "+a, "%s is an admin of %s: the fewer, the better while exceptions are in use", a, v.name)
	}
	if len(v.p.Owners) > 0 && len(v.p.Admins) == 0 {
		v.add(Fine, check, "", "%s has the owners %s and no admin", v.name, few(v.p.Owners))
	}
}

func (v *review) display() {
	const check = "display cap"
	switch n := v.p.maxRow; {
	case n > DefaultMaxRow:
		v.add(Warning, check, fmt.Sprintf("SETPROJECT READ_TABLE_MAX_ROW = %d", DefaultMaxRow), "a shown result may hold %d rows, more than the default of %d", n, DefaultMaxRow)
	case n == 0:
		v.add(Fine, check, "", "no rows of %s are shown", v.name)
	default:
		v.add(Notice, check, "SETPROJECT READ_TABLE_MAX_ROW = 0", "members of %s can see its rows, up to %d in each result", v.name, n)
	}
}
