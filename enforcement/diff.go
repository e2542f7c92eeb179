package enforcement

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/parser"
)

// Change is one difference between two policies.
type Change struct {
	Project string
	What    string // protection, exception, trusted project, package k …
	Before  string // "" when it is new
	After   string // "" when it is gone
}

// String gives the change as a line of a plan.
func (c *Change) String() string {
	switch {
	case c.Before == "":
		return fmt.Sprintf("+ %s: %s: %s", c.Project, c.What, c.After)
	case c.After == "":
		return fmt.Sprintf("- %s: %s: %s", c.Project, c.What, c.Before)
	}
	return fmt.Sprintf("~ %s: %s: %s -> %s", c.Project, c.What, c.Before, c.After)
}

// Diff lists the differences between two policies, by project. Revisions and times are no difference.
func Diff(before, after *Policy) []Change {
	names := map[string]struct{}{}
	for _, p := range []*Policy{before, after} {
		for n := range p.Projects {
			names[n] = struct{}{}
		}
	}
	var out []Change
	for _, n := range slices.Sorted(maps.Keys(names)) {
		a, b := facts(before.Projects[n]), facts(after.Projects[n])
		for _, what := range union(a, b) {
			if a[what] != b[what] {
				out = append(out, Change{n, what, a[what], b[what]})
			}
		}
	}
	return out
}

func union(a, b map[string]string) []string {
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	return slices.Sorted(maps.Keys(keys))
}

// facts spells a project's policy as names and values.
func facts(p *Project) map[string]string {
	f := map[string]string{}
	if p == nil {
		return f
	}
	if p.Protection != parser.Unprotected {
		f["protection"] = p.Protection.String()
	}
	if p.Exception != "" {
		f["exception policy"] = compact(p.Exception)
	}
	if p.MaxRow != nil {
		f["READ_TABLE_MAX_ROW"] = fmt.Sprint(*p.MaxRow)
	}
	list := func(what string, l []string) {
		for _, v := range l {
			f[what+" "+v] = "yes"
		}
	}
	list("trusted project", p.Trusted)
	list("owner", p.Owners)
	list("admin", p.Admins)
	for _, key := range packageNames(p) {
		packageFacts(f, p.Packages[key])
	}
	for i := range p.Installed {
		in := &p.Installed[i]
		what := "installed package " + in.Project + "." + in.Package
		f[what] = "yes"
		list(what+" reader", in.Readers)
	}
	for i := range p.Seals {
		l := &p.Seals[i]
		f["seal "+qualified(l)] = sealFact(l)
	}
	return f
}

func sealFact(l *Seal) string {
	if l.breach() != "" {
		return "broken"
	}
	return fmt.Sprintf("%d rows, checksum %s", l.Rows, l.Checksum)
}

func packageFacts(f map[string]string, k *Package) {
	what := "package " + k.Name
	f[what] = "yes"
	for i := range k.Items {
		f[what+" object "+k.Items[i].Name] = strings.Join(k.Items[i].Privileges, ",")
	}
	for _, a := range k.Allowed {
		f[what+" allowed to "+a.Project] = fmt.Sprintf("label %d", a.Label)
	}
}

// compact takes the layout out of a JSON text.
func compact(text string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\' && i+1 < len(text):
			b.WriteString(text[i : i+2])
			i++
			continue
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// Plan is what changing from one policy to another does.
type Plan struct {
	Changes []Change
	// Opens and Closes are the ends that data of a project can newly reach, or no longer can.
	Opens, Closes []Path
}

// Path says that data of Origin can come to rest at the end of its last hop.
type Path struct {
	Origin string
	Hop    Hop
}

// String gives the path as a line of a plan.
func (p *Path) String() string {
	return fmt.Sprintf("%s: %s -> %s by %s (%s)", p.Origin, p.Hop.From, p.Hop.To, p.Hop.Rule, p.Hop.Detail)
}

// PlanChange compares two policies and where data can come to rest under each. Both are built with the
// same options; an error is one of the candidate's (or the present) policy.
func PlanChange(before, after *Policy, o Options) (*Plan, error) {
	was, err := Build(before, o)
	if err != nil {
		return nil, fmt.Errorf("plan: present policy: %w", err)
	}
	is, err := Build(after, o)
	if err != nil {
		return nil, fmt.Errorf("plan: candidate policy: %w", err)
	}
	p := &Plan{Changes: Diff(before, after)}
	origins := map[string]struct{}{}
	for _, s := range []*Snapshot{was, is} {
		for n, c := range s.projects {
			if c.guards() {
				origins[n] = struct{}{}
			}
		}
	}
	for _, origin := range slices.Sorted(maps.Keys(origins)) {
		a, b := was.Reach(origin), is.Reach(origin)
		p.Opens = append(p.Opens, newEnds(origin, a, b)...)
		p.Closes = append(p.Closes, newEnds(origin, b, a)...)
	}
	return p, nil
}

// newEnds lists the hops of b whose way out a does not have.
func newEnds(origin string, a, b []Hop) []Path {
	type step struct {
		from, to string
		rule     Rule
		detail   string
	}
	have := map[step]struct{}{}
	for _, h := range a {
		have[step{h.From, h.To, h.Rule, h.Detail}] = struct{}{}
	}
	var out []Path
	for _, h := range b {
		if _, known := have[step{h.From, h.To, h.Rule, h.Detail}]; !known {
			out = append(out, Path{origin, h})
		}
	}
	return out
}

// Pretty gives a policy as an indented JSON document, for a file under version control.
func (p *Policy) Pretty() ([]byte, error) {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode policy: %w", err)
	}
	return append(b, '\n'), nil
}
