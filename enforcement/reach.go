package enforcement

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/lineage"
)

// Where a hop can end besides a project.
const (
	Anywhere = "*"       // every project, and outside
	Outside  = "outside" // downloads and files
)

// Hop is one step that data of a project can take under a policy (SHOW FLOW REACH).
type Hop struct {
	From, To string // projects, Anywhere or Outside
	Rule     Rule
	Detail   string
	// Distance counts the hops from the project that was asked about, from 1.
	Distance int
}

// Reach lists where data of a project can come to rest, hop by hop, nearest first. A project that is not
// protected, or in dry run only, lets data go anywhere.
func (s *Snapshot) Reach(from string) []Hop {
	var out []Hop
	from = s.fold(from)
	seen := map[string]struct{}{from: {}}
	for at, distance := []string{from}, 1; len(at) > 0; distance++ {
		var next []string
		for _, name := range at {
			for _, h := range s.hops(name) {
				h.Distance = distance
				out = append(out, h)
				if _, known := seen[h.To]; !known && h.To != Anywhere && h.To != Outside {
					seen[h.To] = struct{}{}
					next = append(next, h.To)
				}
			}
		}
		at = next
	}
	return out
}

// hops lists the steps out of one project.
func (s *Snapshot) hops(name string) []Hop {
	p := s.projects[name]
	switch {
	case p == nil || !p.guards():
		return []Hop{{From: name, To: Anywhere, Rule: Unlabelled, Detail: name + " is not protected"}}
	case p.dry:
		return []Hop{{From: name, To: Anywhere, Rule: Unlabelled, Detail: name + " is in dry run, which refuses nothing"}}
	}
	var out []Hop
	for _, t := range slices.Sorted(maps.Keys(p.trusted)) {
		out = append(out, Hop{From: name, To: t, Rule: ByTrust, Detail: "all of " + name})
	}
	for _, key := range slices.Sorted(maps.Keys(p.packages.packages)) {
		out = append(out, p.packages.packages[key].hops(name, p.Packages[key])...)
	}
	if p.policy != nil {
		states := s.sealStates(p.Project)
		for i := range p.policy.Statements {
			out = append(out, s.exceptionHops(name, &p.policy.Statements[i], states)...)
		}
	}
	return out
}

// hops lists the projects that a package's objects can be read in.
func (k *sharedPackage) hops(name string, of *Package) []Hop {
	var items []string
	for i := range of.Items {
		for _, v := range of.Items[i].Privileges {
			if privilegeUses[strings.ToLower(v)]&useRead != 0 {
				items = append(items, of.Items[i].Name)
				break
			}
		}
	}
	if len(items) == 0 {
		return nil
	}
	var out []Hop
	for _, t := range slices.Sorted(maps.Keys(k.installed)) {
		in := k.installed[t]
		if readers := in.names(); k.allows(t) && len(readers) > 0 {
			out = append(out, Hop{From: name, To: t, Rule: ByPackage,
				Detail: fmt.Sprintf("%s: %s, by %s", k.detail, few(items), few(readers))})
		}
	}
	return out
}

func (s *accounts) names() []string {
	return slices.Sorted(maps.Keys(s.literal))
}

// few lists the first of many names.
func few(l []string) string {
	if len(l) > 5 {
		return strings.Join(l[:5], ", ") + fmt.Sprintf(" and %d more", len(l)-5)
	}
	return strings.Join(l, ", ")
}

// exceptionHops lists where a statement lets data go.
func (s *Snapshot) exceptionHops(name string, st *ExceptionStatement, states map[lineage.Object]*sealState) []Hop {
	if !st.Allow || st.uses == 0 {
		return nil
	}
	var tables []string
	for _, resource := range st.Resources {
		for _, t := range s.tables(name, resource) {
			if state := sealOf(st, t, states); state == nil || state.broken == "" {
				tables = append(tables, t.schema+"."+t.name)
			}
		}
	}
	if len(tables) == 0 {
		return nil
	}
	detail := fmt.Sprintf("exception statement %d: %s, by %s", st.Number, few(tables), few(st.Principals))
	for i := range st.Conditions {
		c := &st.Conditions[i]
		detail += fmt.Sprintf(", %s %s %s", c.Operator, c.Key, few(c.Values))
	}
	var out []Hop
	for _, to := range st.targets() {
		if to = s.fold(to); to != name {
			out = append(out, Hop{From: name, To: to, Rule: ByException, Detail: detail})
		}
	}
	return out
}

// targets gives where a statement's conditions let data go: it asks them, for each kind of sink.
func (st *ExceptionStatement) targets() []string {
	projects := st.namedTargets()
	var out []string
	inside := st.reaches(kindTable, SQL) || st.reaches(kindTable, MapReduce) || st.reaches(kindResult, SQL)
	switch {
	case inside && projects == nil:
		out = append(out, Anywhere)
	case inside:
		out = append(out, projects...)
	}
	if projects == nil && (st.reaches(kindFile, DT) || st.reaches(kindResult, DT) || st.reaches(kindResult, MapReduce)) && !slices.Contains(out, Anywhere) {
		out = append(out, Outside)
	}
	return out
}

// namedTargets gives the projects that sluice:TargetProject names; nil when it names none or patterns.
func (st *ExceptionStatement) namedTargets() []string {
	var out []string
	for i := range st.Conditions {
		if c := &st.Conditions[i]; c.Key == keyTargetProject && c.op.compare != like && !c.op.negated && c.op.family == stringFamily {
			out = append(out, c.Values...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// reaches tells whether the conditions about kind and task type let a kind of sink through.
func (st *ExceptionStatement) reaches(kind string, task Task) bool {
	want := useRead
	if task != SQL && kind != kindTable {
		want = useDownload
	}
	if st.uses&want == 0 {
		return false
	}
	a := asking{kind: kind, task: task, subject: &Subject{}}
	for i := range st.Conditions {
		if c := &st.Conditions[i]; (c.Key == keyTargetKind || c.Key == keyTaskType) && !c.holds(&a) {
			return false
		}
		if st.Conditions[i].Key == keyTargetTable && kind != kindTable {
			return false
		}
	}
	return true
}
