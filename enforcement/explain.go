package enforcement

import (
	"fmt"
	"sort"
	"strings"

	"sluice/lineage"
)

// nearest says which rule of a project almost let a flow out, and what was missing.
func (s *Snapshot) nearest(name string, p *project, src *lineage.Source, a *asking) string {
	objects := []lineage.Object{src.Object}
	for _, v := range src.Via {
		if s.ProjectOf(v.Schema) == name {
			objects = append(objects, v)
		}
	}
	best, near := -1, ""
	take := func(score int, text string) {
		if score > best {
			best, near = score, text
		}
	}
	for _, k := range s.packagesWith(p, objects) {
		take(k.nearest(a))
	}
	if p.policy != nil {
		states := s.sealStates(p.Project)
		for i := range p.policy.Statements {
			if st := &p.policy.Statements[i]; st.Allow {
				take(s.nearestStatement(name, st, objects, a, states))
			}
		}
	}
	if best > 0 {
		return near
	}
	if a.project == "" {
		return "no exception of " + name + " names this table; trusted projects and packages let data into projects only"
	}
	return name + " does not trust " + a.project + ", shares no package with this table, and no exception names it"
}

// packagesWith lists the packages that hold one of the objects.
func (s *Snapshot) packagesWith(p *project, objects []lineage.Object) []*share {
	var out []*share
	for _, o := range objects {
		l := p.packages.literal[o]
		for i := range l {
			out = append(out, &l[i])
		}
		for i := range p.packages.wild {
			if k := &p.packages.wild[i]; k.schema == o.Schema && glob(k.pattern, o.Name, false) {
				out = append(out, k)
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].pkg.name < out[j].pkg.name })
	return out
}

// nearest scores how far a package that holds the object goes: 1 it is in, to 4 only the reader fails.
func (k *share) nearest(a *asking) (int, string) {
	in := k.pkg.installed[a.project]
	switch {
	case a.project == "":
		return 1, k.pkg.detail + " has the table, but packages let data into projects only"
	case !k.pkg.allows(a.project):
		return 2, fmt.Sprintf("%s has the table, but %s is not allowed to install it", k.pkg.detail, a.project)
	case in == nil:
		return 3, fmt.Sprintf("%s has the table and is allowed to %s, but is not installed there", k.pkg.detail, a.project)
	case k.uses&useRead == 0:
		return 3, k.pkg.detail + " has the table, but without a privilege to read it"
	case !in.match(a.subject):
		return 4, fmt.Sprintf("%s has the table and is installed in %s, but %s has no Read on it there", k.pkg.detail, a.project, a.subject.User)
	}
	return 0, ""
}

// nearestStatement scores an Allow statement by its elements that match and names the first that does not.
func (s *Snapshot) nearestStatement(name string, st *ExceptionStatement, objects []lineage.Object, a *asking, states map[lineage.Object]*sealState) (int, string) {
	score := 0
	var missing []string
	try := func(weight int, ok bool, format string, args ...any) {
		if ok {
			score += weight
			return
		}
		missing = append(missing, fmt.Sprintf(format, args...))
	}
	table, broken := s.resourceMatch(name, st, objects, states)
	if !table {
		return 0, ""
	}
	score = 2
	who := s.options.accounts(st.Principals)
	try(1, who.match(a.subject), "Principal is %s, not %s", strings.Join(st.Principals, ", "), a.subject.User)
	want := useRead
	if a.download {
		want = useDownload
	}
	try(1, st.uses&want != 0, "Action %s does not cover it", strings.Join(st.Actions, ", "))
	for i := range st.Conditions {
		c := &st.Conditions[i]
		try(1, c.holds(a), "%s %s wants %s and it is %s", c.Operator, c.Key, strings.Join(c.Values, ", "), c.have(a))
	}
	if broken != "" {
		missing = append(missing, broken)
	}
	if len(missing) == 0 {
		return score + 1, fmt.Sprintf("exception statement %d matches, but a Deny statement does too", st.Number)
	}
	// What almost matched is what misses least.
	return max(1, 2+score-2*len(missing)), fmt.Sprintf("exception statement %d names the table, but %s", st.Number, strings.Join(missing, "; "))
}

// resourceMatch tells whether a statement names one of the objects and, if every one that it
// names has a broken seal, how.
func (s *Snapshot) resourceMatch(name string, st *ExceptionStatement, objects []lineage.Object, states map[lineage.Object]*sealState) (bool, string) {
	matched, broken := false, ""
	for _, resource := range st.Resources {
		for _, t := range s.tables(name, resource) {
			for _, o := range objects {
				if t.schema != o.Schema || !(t.name == o.Name || t.wild && glob(t.name, o.Name, false)) {
					continue
				}
				matched = true
				state := sealOf(st, t, states)
				if state == nil || state.broken == "" {
					return true, ""
				}
				broken = state.broken
			}
		}
	}
	return matched, broken
}
