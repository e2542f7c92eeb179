package gateway

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/parser"
)

// show runs the commands that change nothing.
func (r *commandRun) show() (*Answer, error) {
	switch c := r.cmd.(type) {
	case parser.ShowSecurityConfiguration:
		return r.securityConfiguration(), nil
	case parser.ListTrustedProjects:
		return list("TrustedProject", r.entry().Trusted), nil
	case parser.ListOwners:
		return list("Owner", r.entry().Owners), nil
	case parser.ListAdmins:
		return list("Admin", r.entry().Admins), nil
	case parser.ShowPackages:
		return r.packages(), nil
	case parser.DescribePackage:
		return r.describePackage(c)
	case parser.ShowSeals:
		return r.seals(), nil
	case parser.ShowFlowLog:
		return r.flowLog(c)
	case parser.ShowFlowReach:
		return r.reach(c)
	case parser.CheckProtection:
		return r.check()
	case parser.ExplainFlow:
		return r.explainFlow(c)
	default:
		return nil, &CommandFault{1235, "42000", "this command is not known: " + r.cmd.String()}
	}
}

// entry is the session project's policy; a project that set nothing has the defaults.
func (r *commandRun) entry() *enforcement.Project {
	if p := r.snapshot.Project(r.project); p != nil {
		return p
	}
	return &enforcement.Project{Name: r.project}
}

func list(column string, values []string) *Answer {
	a := &Answer{Columns: []string{column}, Rows: [][]string{}}
	for _, v := range values {
		a.Rows = append(a.Rows, []string{v})
	}
	return a
}

// securityConfiguration gives the vendor's lines in the vendor's order (semantics 1.3), and ours behind.
func (r *commandRun) securityConfiguration() *Answer {
	p := r.entry()
	a := &Answer{Columns: []string{"Key", "Value"}}
	add := func(k, v string) { a.Rows = append(a.Rows, []string{k, v}) }
	add("CheckPermissionUsingAcl", "true")
	add("CheckPermissionUsingPolicy", "true")
	add("ObjectCreatorHasAccessPermission", "true")
	add("ObjectCreatorHasGrantPermission", "true")
	add("LabelSecurity", "false")
	add("ProjectProtection", p.Protection.String())
	if p.Exception != "" {
		add("ProjectProtection with Exception", p.Exception)
	}
	add("ExternalResourceAccessControl", "false")
	add("GrammarVersion", "2.0")
	add("EnableDownloadPrivilege", "false")
	add("READ_TABLE_MAX_ROW", strconv.FormatInt(p.DisplayCap(), 10))
	broken := 0
	for _, s := range p.Seals {
		if s.Broken != nil {
			broken++
		}
	}
	if len(p.Seals) > 0 {
		add("Seals", fmt.Sprintf("%d, %d broken", len(p.Seals), broken))
	}
	add("Revision", strconv.FormatUint(r.snapshot.Revision(), 10))
	return a
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// packages lists what the project created and what it installed.
func (r *commandRun) packages() *Answer {
	p := r.entry()
	a := &Answer{Columns: []string{"Kind", "PackageName", "SourceProject", "Time", "Status", "Note"}, Rows: [][]string{}}
	names := make([]string, 0, len(p.Packages))
	for name := range p.Packages {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		k := p.Packages[name]
		var lost []string
		for _, l := range k.Lost {
			lost = append(lost, l.Name+" left by "+l.Cause+" at "+stamp(l.Time))
		}
		a.Rows = append(a.Rows, []string{"created", name, r.project, stamp(k.Created), "OK", strings.Join(lost, "; ")})
	}
	for _, i := range p.Installed {
		status := "OK"
		switch k := r.snapshot.Project(i.Project).Package(i.Package); {
		case k == nil:
			status = "gone"
		case !k.Allows(r.project):
			status = "no longer allowed"
		}
		a.Rows = append(a.Rows, []string{"installed", i.Package, i.Project, stamp(i.Time), status, "readers: " + strings.Join(i.Readers, ", ")})
	}
	return a
}

func (r *commandRun) describePackage(c parser.DescribePackage) (*Answer, error) {
	project := r.project
	if c.Project != "" {
		project = r.named(c.Project)
	}
	k := r.snapshot.Project(project).Package(c.Package)
	if k == nil || (project != r.project && !r.sees(k)) {
		why := ""
		if project != r.project {
			why = ", or is not allowed to " + r.project
		}
		return nil, &CommandFault{1105, "HY000", fmt.Sprintf("package '%s.%s' does not exist%s", project, c.Package, why)}
	}
	a := &Answer{Columns: []string{"Section", "Name", "Type", "Privileges", "Value"}}
	a.Rows = append(a.Rows, []string{"package", k.Name, "", "", "created " + stamp(k.Created) + " in " + project})
	for _, i := range k.Items {
		a.Rows = append(a.Rows, []string{"object", i.Name, strings.ToUpper(i.Type), strings.Join(i.Privileges, ","), ""})
	}
	for _, to := range k.Allowed {
		a.Rows = append(a.Rows, []string{"allowed", to.Project, "", "", "label " + strconv.Itoa(to.Label)})
	}
	for _, l := range k.Lost {
		a.Rows = append(a.Rows, []string{"lost", l.Name, "", "", l.Cause + " at " + stamp(l.Time)})
	}
	return a, nil
}

// sees tells whether the session project may install the package, and so look at it.
func (r *commandRun) sees(k *enforcement.Package) bool {
	for _, to := range k.Allowed {
		if to.Project == "*" || to.Project == r.project {
			return true
		}
	}
	return false
}

func (r *commandRun) seals() *Answer {
	a := &Answer{Columns: []string{"Table", "State", "Rows", "Checksum", "SealedAt", "BrokenBy", "BrokenAt", "Cause"}, Rows: [][]string{}}
	for _, s := range r.entry().Seals {
		row := []string{s.Schema + "." + s.Table, "whole", strconv.FormatInt(s.Rows, 10), s.Checksum, stamp(s.Time), "", "", ""}
		if s.Broken != nil {
			row[1], row[5], row[6], row[7] = "broken", s.Broken.By, stamp(s.Broken.Time), s.Broken.Cause
		}
		a.Rows = append(a.Rows, row)
	}
	return a
}

// defaultLog is how many entries SHOW FLOW LOG gives without a LIMIT.
const defaultLog = 100

// flowLog shows what concerns the session project; a Super_Administrator sees all.
func (r *commandRun) flowLog(c parser.ShowFlowLog) (*Answer, error) {
	limit := c.Limit
	if limit <= 0 {
		limit = defaultLog
	}
	var where []audit.Clause
	for _, w := range c.Where {
		where = append(where, clauseOf(w)...)
	}
	if r.snapshot.Role(r.env.Subject, r.project) < enforcement.SuperAdministrator {
		where = append(where, audit.Clause{Column: "project", Op: "=", Value: r.project})
	}
	entries, err := r.Audit.Select(r.ctx, where, limit)
	if err != nil {
		return nil, &CommandFault{1105, "HY000", "the flow log cannot be read: " + err.Error()}
	}
	if c.None {
		entries = nil
	}
	a := &Answer{Columns: []string{"id", "time", "user", "client", "session_project", "task", "kind", "verdict", "rule", "flows", "reason", "text", "revision"}, Rows: [][]string{}}
	for _, e := range entries {
		a.Rows = append(a.Rows, []string{e.ID, e.Time.UTC().Format("2006-01-02 15:04:05.000000"), e.User + "@" + e.Host, e.Client, e.SessionProject, e.Task, e.Kind, e.Verdict, e.Rule, strings.Join(e.Flows, "; "), e.Reason + e.Alarm, e.Text, strconv.FormatUint(e.Revision, 10)})
	}
	return a, nil
}

// clauseOf takes values as the columns of SHOW FLOW LOG show them: times with a blank, users with their hosts.
func clauseOf(w parser.Comparison) []audit.Clause {
	one := audit.Clause{Column: w.Column, Op: w.Op, Value: w.Value}
	switch {
	case w.Column == "time":
		one.Value = strings.Replace(w.Value, " ", "T", 1)
	case w.Column == "user" && w.Op == "=" && strings.Contains(w.Value, "@"):
		at := strings.LastIndexByte(w.Value, '@')
		one.Value = w.Value[:at]
		return []audit.Clause{one, {Column: "host", Op: "=", Value: w.Value[at+1:]}}
	}
	return []audit.Clause{one}
}

func (r *commandRun) reach(c parser.ShowFlowReach) (*Answer, error) {
	from := r.project
	if c.Project != "" {
		if err := r.exists(c.Project); err != nil {
			return nil, err
		}
		from = r.named(c.Project)
	}
	a := &Answer{Columns: []string{"Hop", "From", "To", "Rule", "Detail"}, Rows: [][]string{}}
	for _, h := range r.snapshot.Reach(from) {
		a.Rows = append(a.Rows, []string{strconv.Itoa(h.Distance), h.From, h.To, h.Rule.String(), h.Detail})
	}
	return a, nil
}

// explainFlow shows each flow with the rule that decides it, and the verdict; nothing runs.
func (r *commandRun) explainFlow(c parser.ExplainFlow) (*Answer, error) {
	judged, err := r.env.Judge(r.ctx, c.Statement)
	if err != nil {
		return nil, &CommandFault{1064, "42000", "the statement cannot be read: " + err.Error()}
	}
	a := &Answer{Columns: []string{"Statement", "Source", "Sink", "Flow", "Project", "Verdict", "Rule", "Nearest"}}
	for i, j := range judged {
		n := strconv.Itoa(i + 1)
		if j.Graph == nil {
			a.Rows = append(a.Rows, []string{n, "", "", "", "", "command", "", j.Statement.Command.String()})
			continue
		}
		decided := map[string]*enforcement.Reason{}
		for k := range j.Decision.Reasons {
			reason := &j.Decision.Reasons[k]
			decided[reason.Flow.String()] = reason
			if reason.Flow.Source.Kind == 0 {
				a.Rows = append(a.Rows, []string{n, "", "", "", reason.Project, effect(reason.Effect), reason.Rule.String(), reason.Detail})
			}
		}
		for _, f := range j.Graph.Flows {
			kind := "explicit"
			if f.Implicit {
				kind = "implicit"
			}
			row := []string{n, f.Source.String(), f.Sink.String(), kind, "", "permit", "inside or unprotected", ""}
			if reason := decided[f.String()]; reason != nil {
				row[4], row[5], row[6], row[7] = reason.Project, effect(reason.Effect), reason.Rule.String(), nearest(reason)
			}
			a.Rows = append(a.Rows, row)
		}
		for _, use := range r.snapshot.SealsAffected(j.Graph) {
			a.Rows = append(a.Rows, []string{n, "", "", "", use.Project, "", "breaks the seal", use.Seal.Schema + "." + use.Seal.Table})
		}
		for _, use := range r.snapshot.PackagesAffected(j.Graph) {
			a.Rows = append(a.Rows, []string{n, "", "", "", use.Project, "", "leaves package " + use.Package, use.Object.String()})
		}
		a.Rows = append(a.Rows, []string{n, "", "", "", "", strings.ToUpper(verdict(&j.Decision)), "read by " + j.Graph.Tier.String(), ""})
	}
	return a, nil
}

// nearest joins what decided a flow with the rule that almost did.
func nearest(r *enforcement.Reason) string {
	switch {
	case r.Detail == "" || strings.Contains(r.Nearest, r.Detail):
		return r.Nearest
	case r.Nearest == "":
		return r.Detail
	}
	return r.Detail + "; " + r.Nearest
}

func effect(e enforcement.Effect) string {
	if e == enforcement.Permit {
		return "permit"
	}
	return "deny"
}
