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
		Effect: Permit, Revision: s.policy.Revision, Cap: noCap, DryCap: noCap,
		Reasons: d.Reasons[:0], Seals: d.Seals[:0], Shared: d.Shared[:0],
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
	if d.DryCap == noCap {
		d.DryCap = -1
	}
	if d.Effect == Permit && j.dryOnly {
		d.DryRun = true
	}
	if d.Effect != Permit {
		d.Cap, d.CapProject, d.Guarded, d.Seals = -1, "", false, d.Seals[:0]
		d.DryCap, d.DryCapProject = -1, ""
		d.Shared = d.Shared[:0]
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
	if v.object != nil && !slices.Contains(j.d.Shared, v.object) {
		j.d.Shared = append(j.d.Shared, v.object)
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
	switch {
	case p.dry && p.maxRow < j.d.DryCap:
		j.d.DryCap, j.d.DryCapProject = p.maxRow, p.Name
	case !p.dry && p.maxRow < j.d.Cap:
		j.d.Cap, j.d.CapProject = p.maxRow, p.Name
	}
}
