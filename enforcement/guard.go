package enforcement

import "sluice/lineage"

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
