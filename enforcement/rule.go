package enforcement

import "sluice/lineage"

// verdict is what the rules of a project say to one flow.
type verdict struct {
	rule   Rule
	detail string
	seal   *Seal
	object *SharedObject
	// anySink: what excepted it asks for the sink's project, not for its kind or table.
	anySink bool
}

func (v *verdict) permits() bool {
	switch v.rule {
	case ByPackage, ByTrust, ByException, ByOwner:
		return true
	}
	return false
}

// rule finds what lets a flow out of a project, in the order of contract 2.
func (s *Snapshot) rule(name string, p *project, src *lineage.Source, a *asking) verdict {
	if a.project != "" {
		if k := s.sharedBy(name, p, src, a); k != nil {
			return verdict{rule: ByPackage, detail: k.pkg.detail, object: k.object}
		}
		if p.trusts(a.project) {
			return verdict{rule: ByTrust}
		}
	}
	v := s.excepted(name, p, src, a)
	if !v.permits() && s.options.OwnerExempt && s.role(a.subject, p) >= Owner {
		return verdict{rule: ByOwner}
	}
	return v
}

// sharedBy looks for a package with the source or with a view of the same project that it is read through.
func (s *Snapshot) sharedBy(name string, p *project, src *lineage.Source, a *asking) *share {
	if len(p.packages.packages) == 0 {
		return nil
	}
	if k := p.packages.find(src.Object, a); k != nil {
		return k
	}
	for i := range src.Via {
		if s.ProjectOf(src.Via[i].Schema) == name {
			if k := p.packages.find(src.Via[i], a); k != nil {
				return k
			}
		}
	}
	return nil
}

// match gathers what the exception statements of a project say to one flow.
type match struct {
	allow  *entry // the best that lets it out: an unsealed one, else the first
	broken *entry // one whose seal is broken
	deny   *entry
}

// excepted asks the exception policy: some Allow matches and no Deny does.
func (s *Snapshot) excepted(name string, p *project, src *lineage.Source, a *asking) verdict {
	if p.policy == nil {
		return verdict{rule: NoRule}
	}
	var m match
	p.exceptions.match(&m, src.Object, a)
	for i := range src.Via {
		if s.ProjectOf(src.Via[i].Schema) == name {
			p.exceptions.match(&m, src.Via[i], a)
		}
	}
	switch {
	case m.deny != nil:
		return verdict{rule: DeniedByException, detail: m.deny.detail}
	case m.allow != nil:
		v := verdict{rule: ByException, detail: m.allow.detail, anySink: m.allow.anySink && !p.exceptions.denies}
		if m.allow.seal != nil {
			v.seal = m.allow.seal.seal
		}
		return v
	case m.broken != nil:
		return verdict{rule: SealBroken, detail: m.broken.seal.broken}
	}
	return verdict{rule: NoRule}
}

// match adds the statements that hold for one object. The object named '*' stands for any
// table of its schema: every Deny of the project may mean it.
func (x *exceptions) match(m *match, o lineage.Object, a *asking) {
	x.list(m, x.exact[tableUser{o, a.subject.User}], o, a)
	x.list(m, x.tables[o], o, a)
	x.list(m, x.users[a.subject.User], o, a)
	x.list(m, x.rest, o, a)
	if o.Name == "*" && x.denies && m.deny == nil {
		m.allow, m.broken = nil, nil
	}
}

func (x *exceptions) list(m *match, l []entry, o lineage.Object, a *asking) {
	for i := range l {
		e := &l[i]
		if e.pattern != "" && (e.schema != o.Schema || !glob(e.pattern, o.Name, false)) {
			continue
		}
		if e.covers(a) {
			m.take(e)
		}
	}
}

func (m *match) take(e *entry) {
	switch {
	case !e.allow:
		if m.deny == nil || e.number < m.deny.number {
			m.deny = e
		}
	case e.seal != nil && e.seal.broken != "":
		if m.broken == nil || e.number < m.broken.number {
			m.broken = e
		}
	case m.allow == nil || e.better(m.allow):
		m.allow = e
	}
}

// better prefers a statement that rests on no seal, then the first.
func (e *entry) better(than *entry) bool {
	if (e.seal == nil) != (than.seal == nil) {
		return e.seal == nil
	}
	return e.number < than.number
}

// covers tells whether a statement's subject, action and conditions match.
func (c *clause) covers(a *asking) bool {
	want := useRead
	if a.download {
		want = useDownload
	}
	if c.uses&want == 0 || !c.who.match(a.subject) {
		return false
	}
	for i := range c.conditions {
		if !c.conditions[i].holds(a) {
			return false
		}
	}
	return true
}
