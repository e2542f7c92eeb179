package enforcement

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/lineage"
)

// exceptions finds the statements that can matter to a table and a user by hash; patterns stand in lists.
type exceptions struct {
	exact  map[tableUser][]entry      // the table and the user are literal
	tables map[lineage.Object][]entry // the table is literal
	users  map[string][]entry         // the user is literal
	rest   []entry
	denies bool
}

type tableUser struct {
	table lineage.Object
	user  string
}

// entry is one statement at one place of the index.
type entry struct {
	*clause
	// schema and pattern limit an entry whose table is not literal; schema is "" for a literal one.
	schema, pattern string
	seal            *sealState
}

// clause is a compiled statement.
type clause struct {
	number     int
	allow      bool
	uses       use
	who        accounts
	conditions []Condition
	detail     string
	anySink    bool // no condition asks for the kind of sink or the table
}

// sealState says whether a sealed clause may be used for a table.
type sealState struct {
	seal   *Seal
	broken string // who broke it, when and by what; "" when it holds
}

// spread is the number of index places that one statement may take by table and user; a larger one
// is found by table alone.
const spread = 256

// tablePattern is a resource in one schema of the project: a name, or a pattern.
type tablePattern struct {
	schema, name string
	wild         bool
}

// tables resolves a resource to the tables that it names. A table of a grouped schema is
// named schema.table unless the schema has the project's own name.
func (s *Snapshot) tables(projectName, resource string) []tablePattern {
	var out []tablePattern
	seen := map[tablePattern]struct{}{}
	add := func(schema, name string) {
		p := tablePattern{schema, name, wild(name)}
		if _, twice := seen[p]; !twice && name != "" {
			seen[p] = struct{}{}
			out = append(out, p)
		}
	}
	for _, rest := range under(s.fold(resource), "projects/"+projectName+"/tables/") {
		for _, schema := range s.Schemas(projectName) {
			if schema == projectName {
				add(schema, rest)
			}
			if _, grouped := s.grouped[projectName]; grouped {
				for _, name := range after(rest, schema+".", false) {
					add(schema, name)
				}
			}
		}
	}
	return out
}

// index compiles an exception policy.
func (s *Snapshot) index(name string, of *Project, p *ExceptionPolicy) exceptions {
	x := exceptions{exact: map[tableUser][]entry{}, tables: map[lineage.Object][]entry{}, users: map[string][]entry{}}
	seals := s.sealStates(of)
	for i := range p.Statements {
		st := &p.Statements[i]
		if st.uses == 0 {
			continue
		}
		x.denies = x.denies || !st.Allow
		c := &clause{
			number: st.Number, allow: st.Allow, uses: st.uses, conditions: s.conditions(st),
			who: s.options.accounts(st.Principals), detail: fmt.Sprintf("exception statement %d", st.Number), anySink: true,
		}
		for j := range c.conditions {
			key := c.conditions[j].Key
			c.anySink = c.anySink && key != keyTargetKind && key != keyTargetTable
		}
		places := len(st.Resources) * len(c.who.literal)
		for _, resource := range st.Resources {
			for _, t := range s.tables(name, resource) {
				x.add(c, t, places, sealOf(st, t, seals))
			}
		}
	}
	return x
}

// conditions gives a statement's conditions with the names of targets as the warehouse folds them.
func (s *Snapshot) conditions(st *ExceptionStatement) []Condition {
	if !s.options.Folds {
		return st.Conditions
	}
	out := slices.Clone(st.Conditions)
	for i := range out {
		if c := &out[i]; c.Key == keyTargetProject || c.Key == keyTargetTable {
			c.Values = slices.Clone(c.Values)
			for j, v := range c.Values {
				c.Values[j] = strings.ToLower(v)
			}
		}
	}
	return out
}

// sealOf finds the state of the seal that a statement needs for a table; nil when it needs none.
func sealOf(st *ExceptionStatement, t tablePattern, seals map[lineage.Object]*sealState) *sealState {
	if !st.Allow || st.Unsealed || t.wild {
		return nil
	}
	if state := seals[lineage.Object{Schema: t.schema, Name: t.name}]; state != nil {
		return state
	}
	return &sealState{broken: "nothing was recorded of it when the exception was set"}
}

func (x *exceptions) add(c *clause, t tablePattern, places int, seal *sealState) {
	e := entry{clause: c, seal: seal}
	table := lineage.Object{Schema: t.schema, Name: t.name}
	if t.wild {
		e.schema, e.pattern = t.schema, t.name
		for user := range c.who.literal {
			x.users[user] = append(x.users[user], e)
		}
		if len(c.who.wild) > 0 {
			x.rest = append(x.rest, e)
		}
		return
	}
	if len(c.who.wild) > 0 || places > spread {
		x.tables[table] = append(x.tables[table], e)
		return
	}
	for user := range c.who.literal {
		k := tableUser{table, user}
		x.exact[k] = append(x.exact[k], e)
	}
}

// sealStates gives a project's seals by table.
func (s *Snapshot) sealStates(p *Project) map[lineage.Object]*sealState {
	if len(p.Seals) == 0 {
		return nil
	}
	out := make(map[lineage.Object]*sealState, len(p.Seals))
	for i := range p.Seals {
		seal := &p.Seals[i]
		out[s.sealed(seal)] = &sealState{seal: seal, broken: seal.breach()}
	}
	return out
}

// sealed gives the table that a seal is about. Table may be spelt schema.name, as a group's seals are.
func (s *Snapshot) sealed(seal *Seal) lineage.Object {
	return lineage.Object{Schema: s.fold(seal.Schema), Name: s.fold(strings.TrimPrefix(seal.Table, seal.Schema+"."))}
}

// breach says who broke a seal, or one of its bases', when and by what; "" when it holds.
func (l *Seal) breach() string {
	if b := l.Broken; b != nil {
		return fmt.Sprintf("the seal of %s was broken by %s at %s: %s",
			qualified(l), b.By, b.Time.UTC().Format(time.RFC3339), b.Cause)
	}
	for i := range l.Bases {
		if b := l.Bases[i].breach(); b != "" {
			return b
		}
	}
	return ""
}

func qualified(l *Seal) string {
	if strings.Contains(l.Table, ".") || l.Schema == "" {
		return l.Table
	}
	return l.Schema + "." + l.Table
}

// sealAll files a project's seals under every table that a write to would break them.
func (s *Snapshot) sealAll(name string, p *Project) {
	for i := range p.Seals {
		s.sealUnder(SealUse{Project: name, Seal: &p.Seals[i]}, &p.Seals[i])
	}
}

func (s *Snapshot) sealUnder(u SealUse, at *Seal) {
	o := s.sealed(at)
	for _, have := range s.seals[o] {
		if have == u {
			return
		}
	}
	s.seals[o] = append(s.seals[o], u)
	for i := range at.Bases {
		s.sealUnder(u, &at.Bases[i])
	}
}
