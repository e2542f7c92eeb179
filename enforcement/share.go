package enforcement

import (
	"fmt"
	"strings"

	"sluice/lineage"
)

// shares finds the packages that hold an object.
type shares struct {
	literal  map[lineage.Object][]share
	wild     []share
	packages map[string]*sharedPackage
}

// share is one object of a package.
type share struct {
	pkg *sharedPackage
	// schema and pattern limit a share with a wildcard.
	schema, pattern string
	uses            use
	object          *SharedObject // nil for a pattern, which names no object
}

// SharedObject is a table or view of a package with what it was when it was added: the digest of a view's meaning, a
// table's marks.
type SharedObject struct {
	PackageUse
	Definition string
	Identity   string
	Rebuilding []string
}

// sharedPackage is a package with those who may use it.
type sharedPackage struct {
	name      string
	detail    string
	anyone    bool // ALLOW PROJECT *
	allowed   map[string]struct{}
	installed map[string]*accounts // by consuming project: who was granted Read
}

// privilegeUses are the privileges of package objects, with the uses that they cover.
var privilegeUses = map[string]use{
	"select": useRead, "read": useRead, "all": useRead,
	"describe": 0, "alter": 0, "update": 0, "drop": 0, "showhistory": 0, "download": 0, "write": 0,
	"delete": 0, "execute": 0, "insert": 0,
}

// share compiles a project's packages; install adds who installed them.
func (s *Snapshot) share(name string, p *Project) shares {
	x := shares{literal: map[lineage.Object][]share{}, packages: make(map[string]*sharedPackage, len(p.Packages))}
	for _, key := range packageNames(p) {
		k := p.Packages[key]
		pkg := &sharedPackage{name: k.Name, detail: "package " + name + "." + k.Name, allowed: map[string]struct{}{}}
		for _, a := range k.Allowed {
			if a.Project == "*" {
				pkg.anyone = true
				continue
			}
			pkg.allowed[s.fold(a.Project)] = struct{}{}
		}
		x.packages[packageKey(k.Name)] = pkg
		for i := range k.Items {
			s.shareItem(&x, name, pkg, &k.Items[i])
		}
	}
	return x
}

func (s *Snapshot) shareItem(x *shares, name string, pkg *sharedPackage, item *Item) {
	var uses use
	for _, p := range item.Privileges {
		uses |= privilegeUses[strings.ToLower(p)]
	}
	for _, t := range s.tables(name, resourceForm+name+"/tables/"+item.Name) {
		if t.wild {
			x.wild = append(x.wild, share{pkg: pkg, schema: t.schema, pattern: t.name, uses: uses})
			continue
		}
		o := lineage.Object{Schema: t.schema, Name: t.name}
		one := share{pkg: pkg, uses: uses}
		place := PackageUse{Project: name, Package: pkg.name, Item: item.Name, Object: o}
		one.object = &SharedObject{place, item.Definition, item.Identity, item.Rebuilding}
		x.literal[o] = append(x.literal[o], one)
		s.shared[o] = append(s.shared[o], place)
	}
}

// install adds every installation to its package.
func (s *Snapshot) install() {
	for name, c := range s.projects {
		for i := range c.Installed {
			in := &c.Installed[i]
			source := s.projects[s.fold(in.Project)]
			if source == nil {
				continue
			}
			pkg := source.packages.packages[packageKey(in.Package)]
			if pkg == nil {
				continue
			}
			if pkg.installed == nil {
				pkg.installed = map[string]*accounts{}
			}
			readers := s.options.accounts(in.Readers).strict()
			pkg.installed[name] = &readers
		}
	}
}

// permits tells whether a package lets its objects into a project for a subject: allowed,
// installed, and Read granted there.
func (k *sharedPackage) permits(project string, sub *Subject) bool {
	in := k.installed[project]
	return in != nil && k.allows(project) && in.match(sub)
}

func (k *sharedPackage) allows(project string) bool {
	if k.anyone {
		return true
	}
	_, ok := k.allowed[project]
	return ok
}

// find gives the first share of an object for what is asked; nil when there is none.
func (x *shares) find(o lineage.Object, a *asking) *share {
	literal := x.literal[o]
	for i := range literal {
		if k := &literal[i]; k.uses&useRead != 0 && k.pkg.permits(a.project, a.subject) {
			return k
		}
	}
	for i := range x.wild {
		k := &x.wild[i]
		if k.uses&useRead != 0 && k.schema == o.Schema && glob(k.pattern, o.Name, false) && k.pkg.permits(a.project, a.subject) {
			return k
		}
	}
	return nil
}

// PackageUse names an object of a package.
type PackageUse struct {
	Project, Package string
	Item             string // as the package names it
	Object           lineage.Object
}

// PackagesAffected lists the package objects that a statement ends: by DROP, RENAME, CREATE OR REPLACE or a changed
// view (contract 4), wherever it stands. They leave their packages; wildcards name no object.
func (s *Snapshot) PackagesAffected(g *lineage.Graph) []PackageUse {
	if len(s.shared) == 0 {
		return nil
	}
	out := s.sharedOf(g, func(w *lineage.Write) bool { return w.Change == lineage.Ends })
	if schema := g.Effects.DropsSchema; schema != "" {
		for o, uses := range s.shared {
			if o.Schema == s.fold(schema) {
				out = append(out, uses...)
			}
		}
	}
	return uniqueUses(out)
}

// PackagesRebuilt lists the package objects that a statement builds anew, so that the warehouse may know them by
// other marks afterwards: by ALTER, TRUNCATE, OPTIMIZE. They stay in their packages.
func (s *Snapshot) PackagesRebuilt(g *lineage.Graph) []PackageUse {
	if len(s.shared) == 0 {
		return nil
	}
	return uniqueUses(s.sharedOf(g, func(w *lineage.Write) bool { return w.Change == lineage.Rebuilds }))
}

func (s *Snapshot) sharedOf(g *lineage.Graph, counts func(*lineage.Write) bool) []PackageUse {
	var out []PackageUse
	for i := range g.Writes {
		if counts(&g.Writes[i]) {
			out = append(out, s.shared[s.folded(g.Writes[i].Object)]...)
		}
	}
	return out
}

func (s *Snapshot) folded(o lineage.Object) lineage.Object {
	return lineage.Object{Schema: s.fold(o.Schema), Name: s.fold(o.Name)}
}

// SealsAffected lists the seals that still hold and that a statement's writes break: of the tables
// it changes, and of views over them.
func (s *Snapshot) SealsAffected(g *lineage.Graph) []SealUse {
	if len(s.seals) == 0 {
		return nil
	}
	var out []SealUse
	add := func(o lineage.Object) {
		for _, u := range s.seals[s.folded(o)] {
			if u.Seal.Broken == nil && !hasSeal(out, u) {
				out = append(out, u)
			}
		}
	}
	for i := range g.Writes {
		switch o := g.Writes[i].Object; {
		case o.Name == "*":
			s.eachIn(o.Schema, add)
		case g.Writes[i].Change != lineage.Makes:
			add(o)
		}
	}
	for _, o := range g.Effects.Definitions {
		if !makes(g, o) {
			add(o)
		}
	}
	if g.Effects.DropsSchema != "" {
		s.eachIn(g.Effects.DropsSchema, add)
	}
	return sortedSeals(out)
}

// makes tells whether a statement makes an object where the name is free: nothing happens to one that is there.
func makes(g *lineage.Graph, o lineage.Object) bool {
	found := false
	for i := range g.Writes {
		if w := &g.Writes[i]; w.Object == o {
			if w.Change != lineage.Makes {
				return false
			}
			found = true
		}
	}
	return found
}

func (s *Snapshot) eachIn(schema string, f func(lineage.Object)) {
	for o := range s.seals {
		if o.Schema == s.fold(schema) {
			f(o)
		}
	}
}

func hasSeal(l []SealUse, u SealUse) bool {
	for _, have := range l {
		if have == u {
			return true
		}
	}
	return false
}

// Seals lists every seal of the policy, by project and table.
func (s *Snapshot) Seals() []SealUse {
	var out []SealUse
	for name, c := range s.projects {
		for i := range c.Seals {
			out = append(out, SealUse{Project: name, Seal: &c.Project.Seals[i]})
		}
	}
	return sortedSeals(out)
}

// Named gives the tables that the name of a package's object means; none for a pattern.
func (s *Snapshot) Named(project, item string) []lineage.Object {
	var out []lineage.Object
	project = s.fold(project)
	for _, t := range s.tables(project, resourceForm+project+"/tables/"+item) {
		if !t.wild {
			out = append(out, lineage.Object{Schema: t.schema, Name: t.name})
		}
	}
	return out
}

// SealTarget is a table or view to be measured, with what a view is read through to: base tables, other views, functions.
type SealTarget struct {
	Object lineage.Object
	Bases  []lineage.Object
}

// SealTargets lists the tables that a policy of a project names in sealed clauses, to be
// measured when it is set.
func (s *Snapshot) SealTargets(project string, e *ExceptionPolicy) []lineage.Object {
	var out []lineage.Object
	seen := map[lineage.Object]struct{}{}
	for i := range e.Statements {
		st := &e.Statements[i]
		if !st.Allow || st.Unsealed || st.uses == 0 {
			continue
		}
		for _, resource := range st.Resources {
			for _, t := range s.tables(s.fold(project), resource) {
				o := lineage.Object{Schema: t.schema, Name: t.name}
				if _, twice := seen[o]; !twice && !t.wild {
					seen[o] = struct{}{}
					out = append(out, o)
				}
			}
		}
	}
	return out
}

// Warnings says what an exception policy leaves unsealed and what of it can match nothing.
func (e *ExceptionPolicy) Warnings() []string {
	var out []string
	for i := range e.Statements {
		st := &e.Statements[i]
		if st.uses == 0 {
			out = append(out, fmt.Sprintf("exception statement %d names no action that lets data out (odps:Select, odps:Read, odps:Download or odps:*): it has no effect", st.Number))
			continue
		}
		for j := range st.Conditions {
			for _, v := range st.Conditions[j].strangers() {
				out = append(out, fmt.Sprintf("exception statement %d asks for odps:TaskType %s, which no session is of: they are SQL, DT or MapReduce", st.Number, quoted(v)))
			}
		}
		tables, patterns := 0, 0
		for _, resource := range st.Resources {
			for _, rest := range under(resource, "projects/"+e.Project+"/tables/") {
				tables++
				if wild(rest) {
					patterns++
				}
			}
		}
		switch {
		case tables == 0:
			out = append(out, fmt.Sprintf("exception statement %d names no table: it has no effect", st.Number))
		case !st.Allow:
		case patterns > 0:
			out = append(out, fmt.Sprintf("exception statement %d is not sealed: a resource with a wildcard lets out whatever its tables hold when they are read", st.Number))
		case st.Unsealed:
			out = append(out, fmt.Sprintf("exception statement %d is not sealed (sluice:Sealed is false): it lets out whatever its tables hold when they are read, not what they hold now", st.Number))
		}
	}
	return out
}
