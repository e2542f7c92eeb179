package gateway

import (
	"strconv"
	"strings"
	"time"

	"sluice/enforcement"
	"sluice/enforcement/audit"
)

func itoa(n uint16) string { return strconv.Itoa(int(n)) }

// flowsKept bounds the flows that one entry lists.
const flowsKept = 200

// entry is what is recorded of a decision.
func (s *Session) entry(f *flight) *audit.Entry {
	e := &audit.Entry{
		Time: time.Now(), User: s.subject.User, Host: s.subject.Host, Client: s.address.String(),
		Connection: s.connection, SessionProject: f.snapshot.ProjectOf(f.request.Schema), Schema: f.request.Schema,
		Task: f.request.Task.String(), Revision: f.decision.Revision, Verdict: verdict(&f.decision),
	}
	if f.statement != nil {
		e.Kind, e.Tier = f.statement.Kind, f.statement.Tier.String()
		e.Text, e.Digest = f.statement.Text, audit.Digest(f.statement.Text)
	}
	e.Flows, e.Projects = flowsOf(&f.decision)
	if deciding := decidingReason(&f.decision); deciding != nil {
		e.Rule, e.Reason = deciding.Rule.String(), deciding.Detail
	}
	if s.expired != nil { // and the subject is nobody
		e.Reason = strings.TrimPrefix(e.Reason+"; the password is to be changed first; logged in as '"+s.loginName+"'", "; ")
	}
	return e
}

func verdict(d *enforcement.Decision) string {
	switch {
	case d.DryRun:
		return "dryrun"
	case d.Permitted():
		return "permit"
	default:
		return "deny"
	}
}

// decidingReason is the first denial, or else the first reason.
func decidingReason(d *enforcement.Decision) *enforcement.Reason {
	for i := range d.Reasons {
		if d.Reasons[i].Effect == enforcement.Deny {
			return &d.Reasons[i]
		}
	}
	if len(d.Reasons) > 0 {
		return &d.Reasons[0]
	}
	return nil
}

func flowsOf(d *enforcement.Decision) (flows, projects []string) {
	seen := map[string]bool{}
	for i := range d.Reasons {
		r := &d.Reasons[i]
		if len(flows) < flowsKept && r.Flow.Source.Kind != 0 {
			flows = append(flows, r.Flow.String()+" ["+r.Rule.String()+"]")
		}
		if r.Project != "" && !seen[r.Project] {
			seen[r.Project] = true
			projects = append(projects, r.Project)
		}
	}
	return flows, projects
}

// count tells the metrics of a decision.
func (s *Session) count(f *flight) {
	rule := ""
	if r := decidingReason(&f.decision); r != nil {
		rule = r.Rule.String()
	}
	s.g.Metrics.Statement(verdict(&f.decision), rule, f.graph.Tier.String())
}
