package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// Truth is where commands change the policy.
type Truth interface {
	Current() *enforcement.Snapshot
	// Change returns when no gateway decides by an older revision.
	Change(ctx context.Context, who, statement string, edit func(*enforcement.Policy) error) (*enforcement.Snapshot, error)
	// Seal measures tables under a read lock and calls then with their seals while it holds.
	Seal(ctx context.Context, targets []enforcement.SealTarget, then func([]enforcement.Seal) error) error
	// Begin gives a name to a statement that other gateways wait for, End forgets it, and Lives tells whether it may still
	// be under way, at whatever gateway.
	Begin() string
	End(name string)
	Lives(ctx context.Context, name string) (bool, error)
}

// DecisionLog is the audit as commands need it.
type DecisionLog interface {
	Record(ctx context.Context, e *audit.Entry) error
	Select(ctx context.Context, where []audit.Clause, limit int) ([]audit.Entry, error)
}

// Definer answers questions about definitions and accounts, as the service account.
type Definer interface {
	Query(ctx context.Context, sql string, args ...any) ([][]*string, error)
}

// Commander runs the gateway commands of contract section 3. It is safe for concurrent use.
type Commander struct {
	Policies  Truth
	Audit     DecisionLog
	Warehouse Definer
	Catalog   *catalog.Catalog
}

// Run runs one command for one session. The error is a *CommandFault when the command was refused or is wrong.
func (c *Commander) Run(ctx context.Context, cmd parser.Command, env *CommandEnv) (*Answer, error) {
	r := &commandRun{Commander: c, ctx: ctx, cmd: cmd, env: env}
	r.snapshot = c.Policies.Current()
	r.project = r.snapshot.ProjectOf(env.Schema)
	if fault := r.allowed(); fault != nil {
		if err := r.record("deny", fault.Message); err != nil {
			return nil, notRecorded(err)
		}
		return nil, fault
	}
	if changes(cmd) {
		if err := r.record("command", ""); err != nil {
			return nil, notRecorded(err)
		}
	}
	answer, err := r.run()
	return answer, faultOf(err)
}

func notRecorded(error) error {
	return &CommandFault{1105, "HY000", "Sluice cannot write its decision log, and does nothing that it cannot record"}
}

// faultOf gives the ERR for an error of the policy.
func faultOf(err error) error {
	var edit *enforcement.EditError
	var policy *enforcement.PolicyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &policy):
		return &CommandFault{1064, "42000", policy.Error() + ". The old policy stays"}
	case errors.As(err, &edit):
		code, state := uint16(1105), "HY000"
		switch edit.Fault {
		case enforcement.Syntax:
			code, state = 1064, "42000"
		case enforcement.Refused:
			code, state = 1142, "42000"
		}
		return &CommandFault{code, state, edit.Message}
	default:
		return err
	}
}

// commandRun is one command on its way.
type commandRun struct {
	*Commander
	ctx      context.Context
	cmd      parser.Command
	env      *CommandEnv
	snapshot *enforcement.Snapshot
	project  string // the session project
}

// changes tells whether a command changes the policy.
func changes(cmd parser.Command) bool {
	switch cmd.(type) {
	case parser.ExplainFlow, parser.SetTaskType, parser.ShowSecurityConfiguration, parser.ListTrustedProjects,
		parser.DescribePackage, parser.ShowPackages, parser.ListOwners, parser.ListAdmins, parser.ShowSeals,
		parser.ShowFlowLog, parser.ShowFlowReach, parser.CheckProtection:
		return false
	}
	return true
}

// allowed tells whether the subject may run the command here.
func (r *commandRun) allowed() *CommandFault {
	wanted := enforcement.RoleFor(r.cmd)
	if wanted == enforcement.None {
		return nil
	}
	project := r.project
	if reach, ok := r.cmd.(parser.ShowFlowReach); ok && reach.Project != "" {
		project = reach.Project
	}
	if project == "" {
		return &CommandFault{1046, "3D000", "No project selected: gateway commands act on the project of the current database. USE one, then repeat the command"}
	}
	if r.snapshot.Role(r.env.Subject, project) >= wanted {
		return nil
	}
	return r.forbidden(project, wanted, r.snapshot.Project(project))
}

// forbidden says who may run the command.
func (r *commandRun) forbidden(project string, wanted enforcement.Role, p *enforcement.Project) *CommandFault {
	who := "an owner of " + project
	if wanted == enforcement.Admin {
		who = "an owner or admin of " + project
	}
	owners := "no owner yet: a Super_Administrator sets one with ADD OWNER"
	if p != nil && len(p.Owners) > 0 {
		owners = "owners: " + strings.Join(p.Owners, ", ")
	}
	return &CommandFault{1142, "42000", fmt.Sprintf("ODPS-0130013:Authorization exception - Authorization Failed [4019], You have NO privilege for this command on {acs:odps:*:projects/%s}. It needs %s (%s)", project, who, owners)}
}

func (r *commandRun) record(verdict, reason string) error {
	text := r.cmd.String()
	return r.Audit.Record(r.ctx, &audit.Entry{
		User: r.env.Subject.User, Host: r.env.Subject.Host, Client: r.env.Client, Connection: r.env.Connection,
		SessionProject: r.project, Schema: r.env.Schema, Task: r.env.Task.String(), Kind: "command", Projects: []string{r.project},
		Digest: audit.Digest(text), Text: text, Verdict: verdict, Reason: reason, Revision: r.snapshot.Revision(),
	})
}

func (r *commandRun) who() string { return r.env.Subject.User + "@" + r.env.Subject.Host }

// edit changes the policy and answers OK. Whether the subject may is asked again of the policy that is changed: it may
// be newer than the one that let the command in.
func (r *commandRun) edit(f func(*enforcement.Policy) error) (*Answer, error) {
	_, err := r.Policies.Change(r.ctx, r.who(), r.cmd.String(), func(x *enforcement.Policy) error {
		if r.snapshot.RoleUnder(x, r.env.Subject, r.project) < enforcement.RoleFor(r.cmd) {
			return r.forbidden(r.project, enforcement.RoleFor(r.cmd), x.Projects[r.project])
		}
		return f(x)
	})
	if err != nil {
		return nil, err
	}
	return &Answer{}, nil
}

// run takes the command apart. The set is closed.
func (r *commandRun) run() (*Answer, error) {
	p, now := r.project, time.Now()
	switch c := r.cmd.(type) {
	case parser.SetProtection:
		return r.setProtection(c)
	case parser.SetTaskType:
		r.env.SetTask(map[string]enforcement.Task{"DT": enforcement.DT, "MapReduce": enforcement.MapReduce}[c.Type])
		return &Answer{}, nil
	case parser.AddTrustedProject:
		if err := r.exists(c.Project); err != nil {
			return nil, err
		}
		return r.edit(func(x *enforcement.Policy) error { return x.AddTrusted(p, r.named(c.Project)) })
	case parser.RemoveTrustedProject:
		return r.edit(func(x *enforcement.Policy) error { return x.RemoveTrusted(p, r.named(c.Project)) })
	case parser.CreatePackage:
		return r.edit(func(x *enforcement.Policy) error { return x.CreatePackage(p, c.Package, now) })
	case parser.DropPackage:
		return r.dropPackage(c)
	case parser.AddToPackage:
		return r.addToPackage(c)
	case parser.RemoveFromPackage:
		return r.edit(func(x *enforcement.Policy) error { return x.RemoveFromPackage(p, c.Package, c.Object) })
	case parser.AllowInstall:
		if c.Project != "*" {
			if err := r.exists(c.Project); err != nil {
				return nil, err
			}
		}
		a, err := r.edit(func(x *enforcement.Policy) error {
			return x.AllowInstall(p, c.Package, enforcement.Allowed{Project: r.named(c.Project), Label: c.Label})
		})
		if err == nil && c.Project == "*" {
			a.Warnings = []Warning{{"Warning", 1105, "every project may install the package, also one that does not exist yet"}}
		}
		return a, err
	case parser.DisallowInstall:
		return r.edit(func(x *enforcement.Policy) error { return x.DisallowInstall(p, c.Package, r.named(c.Project)) })
	case parser.InstallPackage:
		return r.edit(func(x *enforcement.Policy) error { return x.InstallPackage(p, r.named(c.Project), c.Package, now) })
	case parser.UninstallPackage:
		return r.edit(func(x *enforcement.Policy) error { return x.UninstallPackage(p, r.named(c.Project), c.Package) })
	case parser.GrantRead:
		return r.warnUnknown(c.User, func(x *enforcement.Policy) error { return x.GrantRead(p, r.named(c.Project), c.Package, c.User) })
	case parser.RevokeRead:
		return r.edit(func(x *enforcement.Policy) error { return x.RevokeRead(p, r.named(c.Project), c.Package, c.User) })
	case parser.SetProject:
		return r.edit(func(x *enforcement.Policy) error { return x.SetMaxRow(p, c.ReadTableMaxRow) })
	case parser.AddOwner:
		return r.warnUnknown(c.User, func(x *enforcement.Policy) error { return x.AddOwner(p, c.User) })
	case parser.RemoveOwner:
		return r.edit(func(x *enforcement.Policy) error { return x.RemoveOwner(p, c.User) })
	case parser.AddAdmin:
		return r.warnUnknown(c.User, func(x *enforcement.Policy) error { return x.AddAdmin(p, c.User) })
	case parser.RemoveAdmin:
		return r.edit(func(x *enforcement.Policy) error { return x.RemoveAdmin(p, c.User) })
	default:
		return r.show()
	}
}

// named spells a project as policies do: as the warehouse folds names.
func (r *commandRun) named(project string) string {
	if project == "*" {
		return project
	}
	if p := r.snapshot.ProjectOf(project); p != "" && p != project && strings.EqualFold(p, project) {
		return p
	}
	return project
}

// exists refuses a project that is no schema and no configured project: a trust in a misspelt name would
// wait for somebody to create it. The schema of a group is refused too: it would mean more than it says.
func (r *commandRun) exists(project string) error {
	if p := r.snapshot.ProjectOf(project); p != "" && !strings.EqualFold(p, project) {
		return &CommandFault{1049, "42000", "'" + project + "' is a schema of the project " + p + ": name the project"}
	}
	if members := r.snapshot.Schemas(project); len(members) != 1 || !strings.EqualFold(members[0], project) {
		return nil
	}
	if r.Catalog == nil || r.snapshot.Policy().Projects[r.named(project)] != nil {
		return nil
	}
	snapshot, err := r.Catalog.Latest(r.ctx)
	if err != nil {
		return err
	}
	if lineage.IsSystem(project) {
		return nil // a system schema is refused by the policy itself
	}
	switch spelt := snapshot.Spelt(project); {
	case spelt == "":
		return &CommandFault{1049, "42000", "Unknown project '" + project + "': it is no schema of the warehouse"}
	case spelt != project && !snapshot.Folds():
		return &CommandFault{1049, "42000", "Unknown project '" + project + "': the warehouse tells names apart by their case, and has '" + spelt + "'"}
	}
	return nil
}

// warnUnknown warns when the account that a command names is not known to the warehouse: it may come later.
func (r *commandRun) warnUnknown(user string, f func(*enforcement.Policy) error) (*Answer, error) {
	a, err := r.edit(f)
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(user, "@")
	rows, err := r.Warehouse.Query(r.ctx, "SELECT COUNT(*) FROM mysql.user WHERE user = ?", name)
	if err == nil && len(rows) == 1 && rows[0][0] != nil && *rows[0][0] == "0" {
		a.Warnings = append(a.Warnings, Warning{"Warning", 1105, "the warehouse knows no account " + user + " yet"})
	}
	return a, nil
}

func (r *commandRun) dropPackage(c parser.DropPackage) (*Answer, error) {
	var installed []string
	a, err := r.edit(func(x *enforcement.Policy) (err error) {
		installed, err = x.DropPackage(r.project, c.Package)
		return err
	})
	if err == nil && len(installed) > 0 {
		a.Warnings = append(a.Warnings, Warning{"Note", 1105, "the package was installed in " + strings.Join(installed, ", ") + ": what it shared is no longer shared"})
	}
	return a, err
}

// addToPackage shares an object, not a name: a view is remembered by its definition.
func (r *commandRun) addToPackage(c parser.AddToPackage) (*Answer, error) {
	item := enforcement.Item{Type: c.Type, Name: c.Object, Privileges: c.Privileges}
	var warnings []Warning
	if !sharable(c.Type) {
		// the policy says why
	} else if !strings.Contains(c.Object, "*") {
		if err := r.know(&item); err != nil {
			return nil, err
		}
	} else {
		warnings = append(warnings, Warning{"Warning", 1105, "a pattern shares every table that it will ever match; name the tables to share just those"})
	}
	a, err := r.edit(func(x *enforcement.Policy) error { return x.AddToPackage(r.project, c.Package, item) })
	if err == nil {
		a.Warnings = warnings
	}
	return a, err
}

// know notes what a package's object is now: what a view means, the marks of a table.
func (r *commandRun) know(item *enforcement.Item) error {
	named := r.snapshot.Named(r.project, item.Name)
	for _, o := range named {
		def, err := r.definition(o.Schema, o.Name)
		switch {
		case err != nil:
			return err
		case def == nil:
			continue // the name is a table of another schema of the group
		case def.Kind == catalog.View:
			item.Definition, err = r.viewDigest(r.ctx, r.env, def)
		default:
			item.Identity, err = r.Catalog.Marks(r.ctx, o.Schema, o.Name)
		}
		return err
	}
	if bare, is := strings.CutPrefix(item.Name, r.project+"."); is {
		return &CommandFault{1105, "HY000", "the name of a package's object stands without its project: " + bare}
	}
	if schemas := r.snapshot.Schemas(r.project); len(named) == 0 && len(schemas) > 0 {
		return &CommandFault{1146, "42S02", fmt.Sprintf("Table '%s' doesn't exist in project %s: name it with its schema, as in %s.%s", item.Name, r.project, schemas[0], item.Name)}
	}
	return &CommandFault{1146, "42S02", fmt.Sprintf("Table '%s.%s' doesn't exist", r.project, item.Name)}
}

func sharable(kind string) bool {
	return strings.EqualFold(kind, "table") || strings.EqualFold(kind, "view")
}

func (r *commandRun) definition(schema, table string) (*catalog.Object, error) {
	snapshot, err := r.Catalog.Latest(r.ctx)
	if err != nil {
		return nil, err
	}
	return snapshot.Object(r.ctx, schema, table)
}

// setProtection is SET ProjectProtection, with the seals of the tables that an exception names.
func (r *commandRun) setProtection(c parser.SetProtection) (*Answer, error) {
	text := c.Policy
	if c.File != "" {
		file, err := r.env.ReadFile(c.File)
		if err != nil {
			return nil, &CommandFault{1105, "HY000", fmt.Sprintf("the policy file %q could not be fetched from the client: %v", c.File, err)}
		}
		if text = strings.TrimSpace(string(file)); text == "" {
			return nil, &CommandFault{1105, "HY000", fmt.Sprintf("the client sent nothing of the policy file %q: it is empty, the client cannot read it, or the client gives no files (the mysql and mariadb clients need --local-infile=1). The policy may also stand inline", c.File)}
		}
	}
	targets, err := r.sealTargets(text)
	if err != nil {
		return nil, err
	}
	var warnings []string
	var a *Answer
	measured := false
	err = r.Policies.Seal(r.ctx, targets, func(seals []enforcement.Seal) (err error) {
		measured = true
		a, err = r.edit(func(x *enforcement.Policy) (err error) {
			warnings, err = x.SetProtection(r.project, c.Value, text, seals)
			return err
		})
		return err
	})
	switch {
	case err != nil && !measured:
		return nil, &CommandFault{1105, "HY000", fmt.Sprintf("%s could not be sealed: %v", tablesOf(targets), err)}
	case err != nil:
		return nil, err
	}
	for _, w := range warnings {
		a.Warnings = append(a.Warnings, Warning{"Warning", 1105, w})
	}
	return a, nil
}

func tablesOf(targets []enforcement.SealTarget) string {
	names := make([]string, len(targets))
	for i := range targets {
		names[i] = targets[i].Object.String()
	}
	if len(names) == 1 {
		return "the table " + names[0]
	}
	return "the tables " + strings.Join(names, ", ")
}

// sealTargets finds the tables that an exception names (contract 4).
func (r *commandRun) sealTargets(text string) ([]enforcement.SealTarget, error) {
	if text == "" {
		return nil, nil
	}
	policy, err := enforcement.ParsePolicy(text, r.project)
	if err != nil {
		return nil, err
	}
	var targets []enforcement.SealTarget
	for _, o := range r.snapshot.SealTargets(r.project, policy) {
		def, err := r.definition(o.Schema, o.Name)
		if err != nil {
			return nil, err
		}
		if def == nil {
			if len(r.snapshot.Schemas(r.project)) > 1 {
				continue // the name is a table of another schema of the group
			}
			return nil, &CommandFault{1146, "42S02", fmt.Sprintf("Table '%s.%s' doesn't exist: an exception seals what its owner saw. For a table that is still to come say \"Bool\": {\"sluice:Sealed\": \"false\"}", o.Schema, o.Name)}
		}
		bases, err := r.bases(def)
		if err != nil {
			return nil, err
		}
		targets = append(targets, enforcement.SealTarget{Object: lineage.Object{Schema: def.Schema, Name: def.Name}, Bases: bases})
	}
	return targets, nil
}

// bases are what a view is read through to: base tables, other views, functions.
func (r *commandRun) bases(def *catalog.Object) ([]lineage.Object, error) {
	if def.Kind != catalog.View {
		return nil, nil
	}
	judged, err := r.env.Judge(r.ctx, "SELECT * FROM `"+strings.ReplaceAll(def.Schema, "`", "``")+"`.`"+strings.ReplaceAll(def.Name, "`", "``")+"`")
	if err != nil || len(judged) != 1 {
		return nil, fmt.Errorf("read the view %s.%s through: %w", def.Schema, def.Name, err)
	}
	bases := slices.Clone(judged[0].Graph.Reads)
	for _, o := range judged[0].Graph.Names {
		inner, err := r.definition(o.Schema, o.Name)
		if err != nil {
			return nil, err
		}
		if inner == nil || inner.Kind != catalog.View {
			o = lineage.RoutineObject(o.Schema, o.Name)
		}
		if (o != lineage.Object{Schema: def.Schema, Name: def.Name}) && !slices.Contains(bases, o) {
			bases = append(bases, o)
		}
	}
	return bases, nil
}
