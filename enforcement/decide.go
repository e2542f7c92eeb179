package enforcement

import (
	"slices"

	"sluice/lineage"
)

// Decide is step 5 of a statement's trip: it judges every flow of the graph, carriers expanded, in the
// order of contract 2. It is pure.
func (s *Snapshot) Decide(r *Request) Decision {
	var d Decision
	s.DecideInto(&d, r)
	return d
}

// DecideInto is Decide that uses the room of d's slices again; what d held before is gone.
func (s *Snapshot) DecideInto(d *Decision, r *Request) {
	s.decide(d, r, false)
}

// Explain is Decide for EXPLAIN FLOW: every flow has its reason, also those that no rule looks at, and
// those that are refused say what almost let them out.
func (s *Snapshot) Explain(r *Request) Decision {
	var d Decision
	s.decide(&d, r, true)
	return d
}

// judge is what decide knows while it goes through the flows of one request.
type judge struct {
	s       *Snapshot
	d       *Decision
	r       *Request
	session string // the session project
	explain bool
	dryOnly bool // a refusal by projects in dry run was met
	seen    visible
}

func (s *Snapshot) decide(d *Decision, r *Request, explain bool) {
	*d = Decision{
		Effect: Permit, Revision: s.policy.Revision, Cap: noCap,
		Reasons: d.Reasons[:0], Seals: d.Seals[:0], Views: d.Views[:0],
	}
	j := judge{s: s, d: d, r: r, session: s.ProjectOf(r.Schema), explain: explain}
	g := r.Graph
	if g == nil {
		j.whole(NotUnderstood, "no graph was made of the statement")
		j.finish()
		return
	}
	if g.Forbidden != "" {
		j.refuse(Reason{Rule: Forbidden, Detail: g.Forbidden}, false)
	}
	if len(s.guarded) == 0 && len(g.Opaque) == 0 && !explain {
		j.unguarded(g)
		j.finish()
		return
	}
	if g.Refused != "" {
		j.whole(NotUnderstood, g.Refused)
	}
	for _, o := range g.Opaque {
		j.opaque(o)
	}
	for i := range g.Flows {
		j.flow(&g.Flows[i])
	}
	j.finish()
}

// unguarded records what cannot be read through while nothing is protected; all of it runs.
func (j *judge) unguarded(g *lineage.Graph) {
	for i := range g.Flows {
		if f := &g.Flows[i]; f.Source.Kind == lineage.OpaqueSource && f.Sink.Kind != lineage.CarrierSink {
			j.permit(Reason{Flow: *f, Rule: NotUnderstood, Detail: opaqueDetail(&f.Source)}, true)
		}
	}
}

// finish settles the verdict.
func (j *judge) finish() {
	d := j.d
	if d.Cap == noCap {
		d.Cap = -1
	}
	if d.Effect == Permit && j.dryOnly {
		d.DryRun = true
	}
	if d.Effect != Permit {
		d.Cap, d.CapProject, d.Guarded, d.Seals = -1, "", false, d.Seals[:0]
		d.Views = d.Views[:0]
		return
	}
	if j.s.protected > 0 {
		d.Guarded = d.Guarded || j.guards()
	}
}

// permit notes a flow that a rule lets out.
func (j *judge) permit(r Reason, record bool) {
	r.Effect = Permit
	j.d.Recorded = j.d.Recorded || record
	j.d.Reasons = append(j.d.Reasons, r)
}

// refuse notes a refusal; in dry run it refuses nothing.
func (j *judge) refuse(r Reason, dry bool) {
	r.Effect, r.DryRun = Deny, dry
	j.d.Recorded = true
	if dry {
		j.dryOnly = true
	} else {
		j.d.Effect = Deny
	}
	j.d.Reasons = append(j.d.Reasons, r)
}

// whole judges what could touch any project: the statement, or a part of it, is not understood.
func (j *judge) whole(rule Rule, detail string) {
	j.anyProject(Reason{Rule: rule, Detail: detail}, "")
}

// opaque judges a part that cannot be read through, which could reach any project.
func (j *judge) opaque(detail string) {
	if len(j.s.guarded) == 0 {
		j.permit(Reason{Rule: NotUnderstood, Detail: detail}, true)
		return
	}
	j.whole(NotUnderstood, detail)
}

// anyProject refuses what could hold data of any project, when some project other than the sink's is
// guarded and does not trust the sink's project.
func (j *judge) anyProject(r Reason, target string) {
	var trusting bool
	for i, p := range j.s.guarded {
		if target != "" && p.is(target, j.s) {
			continue
		}
		if target != "" && p.trusts(target) {
			trusting = true
			continue
		}
		r.Project = p.Name
		j.refuse(r, i >= j.s.protected)
		return
	}
	switch {
	case trusting:
		r.Rule = ByTrust
		j.permit(r, true)
	case j.explain || r.Rule == NotUnderstood && len(j.s.guarded) > 0 && target != "":
		j.permit(r, r.Rule == NotUnderstood)
	}
}

func (p *project) is(name string, s *Snapshot) bool { return s.fold(p.Name) == name }

func (p *project) trusts(name string) bool {
	_, ok := p.trusted[name]
	return ok
}

func opaqueDetail(s *lineage.Source) string {
	if s.Name != "" {
		return s.Name
	}
	return s.Object.String()
}

// flow judges one flow.
func (j *judge) flow(f *lineage.Flow) {
	if f.Sink.Kind == lineage.CarrierSink {
		if j.explain {
			j.permit(Reason{Flow: *f, Rule: Carried}, false)
		}
		return // the carrier takes the label on
	}
	var a asking
	if !j.ask(&a, &f.Sink) {
		j.anyProject(Reason{Flow: *f, Rule: NotUnderstood, Detail: "a kind of sink that is not known"}, "")
		return
	}
	switch f.Source.Kind {
	case lineage.TableSource:
		j.table(f, &a)
	case lineage.SystemSource:
		j.system(f, &a)
	case lineage.OpaqueSource:
		j.anyProject(Reason{Flow: *f, Target: a.project, Rule: NotUnderstood, Detail: opaqueDetail(&f.Source)}, a.project)
	case lineage.CarrierSource:
		j.anyProject(Reason{Flow: *f, Target: a.project, Rule: NotUnderstood, Detail: "what " + f.Source.Name + " holds is not known"}, "")
	default:
		j.anyProject(Reason{Flow: *f, Rule: NotUnderstood, Detail: "a kind of source that is not known"}, "")
	}
}

// ask fills in what is asked of the rules for a sink (the table of contract 2).
func (j *judge) ask(a *asking, k *lineage.Sink) bool {
	a.subject, a.now, a.task = &j.r.Subject, j.r.Now, j.r.Task
	switch k.Kind {
	case lineage.TableSink:
		a.kind, a.table = kindTable, k.Object
		a.project = j.s.ProjectOf(k.Object.Schema)
		if a.task == DT {
			a.task = SQL // a table is written by SQL, whoever asks
		}
	case lineage.ResultSink:
		a.kind = kindResult
		if a.task == SQL {
			a.project = j.session
		} else {
			a.download = true
		}
	case lineage.FileSink:
		a.kind, a.download = kindFile, true
		if a.task == SQL {
			a.task = DT
		}
	default:
		return false
	}
	return true
}

// system judges other people's data: none of it while any project is guarded, except to a
// Super_Administrator.
func (j *judge) system(f *lineage.Flow, a *asking) {
	r := Reason{Flow: *f, Target: a.project, Rule: SystemData, Detail: opaqueDetail(&f.Source)}
	if len(j.s.guarded) > 0 && j.r.Subject.User != "" && j.s.supers.match(&j.r.Subject) {
		j.permit(r, true)
		return
	}
	j.anyProject(r, "")
}

// table judges a flow from a table.
func (j *judge) table(f *lineage.Flow, a *asking) {
	name := j.s.ProjectOf(f.Source.Object.Schema)
	if name == "" && f.Source.Object.Schema == "" {
		j.anyProject(Reason{Flow: *f, Rule: NotUnderstood, Detail: "a table whose schema is not known"}, "")
		return
	}
	p := j.s.projects[name]
	if p == nil || !p.guards() {
		if j.explain {
			j.permit(Reason{Flow: *f, Target: a.project, Rule: Unlabelled}, false)
		}
		return
	}
	if a.project == name {
		j.show(f, p, a)
		if j.explain {
			j.permit(Reason{Flow: *f, Project: name, Target: name, Rule: Inside}, false)
		}
		return
	}
	v := j.s.rule(name, p, &f.Source, a)
	r := Reason{Flow: *f, Project: name, Target: a.project, Rule: v.rule, Detail: v.detail}
	if !v.permits() {
		if j.explain {
			r.Nearest = j.s.nearest(name, p, &f.Source, a)
		}
		j.refuse(r, p.dry)
		return
	}
	if v.seal != nil {
		j.relies(SealUse{Project: name, Seal: v.seal})
	}
	if v.view != nil && !slices.Contains(j.d.Views, v.view) {
		j.d.Views = append(j.d.Views, v.view)
	}
	j.permit(r, true)
	j.show(f, p, a)
	if (v.rule == ByPackage || v.rule == ByTrust || v.anySink && a.task == SQL && !a.download) && a.project == j.session {
		j.seen = visible{&f.Source, true} // what may come into the session project may be shown there
	}
}

func (p *project) guards() bool { return p.dry || p.Protection != 0 }

func (j *judge) relies(u SealUse) {
	if !hasSeal(j.d.Seals, u) {
		j.d.Seals = append(j.d.Seals, u)
	}
}

// show applies the display cap of a protected project whose data is shown.
func (j *judge) show(f *lineage.Flow, p *project, a *asking) {
	if a.kind != kindResult || a.download {
		return
	}
	if p.maxRow == 0 {
		j.refuse(Reason{Flow: *f, Project: p.Name, Target: a.project, Rule: NoDisplay, Detail: "READ_TABLE_MAX_ROW is 0"}, p.dry)
		return
	}
	if !p.dry && p.maxRow < j.d.Cap {
		j.d.Cap, j.d.CapProject = p.maxRow, p.Name
	}
}

// verdict is what the rules of a project say to one flow.
type verdict struct {
	rule   Rule
	detail string
	seal   *Seal
	view   *SharedView
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
			return verdict{rule: ByPackage, detail: k.pkg.detail, view: k.view}
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

// visible remembers the last source that guards looked at: flows come sorted by source.
type visible struct {
	source *lineage.Source
	shown  bool
}

// guards tells whether the statement reads protected data that the session project may not see.
func (j *judge) guards() bool {
	g := j.r.Graph
	if g == nil {
		return false
	}
	for i := range g.Flows {
		if f := &g.Flows[i]; f.Source.Kind == lineage.TableSource && !j.sees(&f.Source) {
			return true
		}
	}
	for _, o := range g.Reads {
		if j.hidden(o) && !j.flows(o) {
			return true
		}
	}
	for i := range g.Writes {
		if w := &g.Writes[i]; w.Definition && j.hidden(w.Object) {
			return true // ALTER reads the rows: its errors name values
		}
	}
	return false
}

// hidden tells whether an object's rows alone, read through no view, may not be shown in the session project.
func (j *judge) hidden(o lineage.Object) bool {
	name := j.s.ProjectOf(o.Schema)
	p := j.s.projects[name]
	if p == nil || p.dry || !p.guards() || name == j.session {
		return false
	}
	return !j.shows(name, p, &lineage.Source{Kind: lineage.TableSource, Object: o})
}

// flows tells whether an object is the source of some flow, which has been looked at with its views.
func (j *judge) flows(o lineage.Object) bool {
	for i := range j.r.Graph.Flows {
		if s := &j.r.Graph.Flows[i].Source; s.Kind == lineage.TableSource && s.Object == o {
			return true
		}
	}
	return false
}

// sees tells whether a source may be shown in the session project.
func (j *judge) sees(src *lineage.Source) bool {
	name := j.s.ProjectOf(src.Object.Schema)
	p := j.s.projects[name]
	if p == nil || p.dry || !p.guards() || name == j.session {
		return true
	}
	if last := j.seen.source; last != nil && sameSource(last, src) {
		return j.seen.shown
	}
	j.seen = visible{src, j.shows(name, p, src)}
	return j.seen.shown
}

// shows asks the rules whether a source of a project may be shown in the session project.
func (j *judge) shows(name string, p *project, src *lineage.Source) bool {
	a := asking{subject: &j.r.Subject, now: j.r.Now, task: SQL, kind: kindResult, project: j.session}
	v := j.s.rule(name, p, src, &a)
	if v.permits() || j.r.Task == SQL {
		return v.permits()
	}
	a.task, a.project, a.download = j.r.Task, "", true
	v = j.s.rule(name, p, src, &a)
	return v.permits()
}

func sameSource(a, b *lineage.Source) bool {
	if a.Object != b.Object || len(a.Via) != len(b.Via) {
		return false
	}
	for i := range a.Via {
		if a.Via[i] != b.Via[i] {
			return false
		}
	}
	return true
}
