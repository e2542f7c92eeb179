package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// check is CHECK PROJECTPROTECTION: the seed's best practices over the policy, and what stands in the
// warehouse that carries data past the gateway.
func (r *commandRun) check() (*Answer, error) {
	a := &Answer{Columns: []string{"Severity", "Finding", "Detail", "Advice"}, Rows: [][]string{}}
	add := func(severity, finding, detail, advice string) {
		a.Rows = append(a.Rows, []string{severity, finding, detail, advice})
	}
	for _, f := range r.snapshot.Review(r.project) {
		add(f.Severity.String(), f.Check, f.Message, f.Fix)
	}
	if err := r.checkDefinitions(add); err != nil {
		return nil, err
	}
	r.checkAccounts(add)
	return a, nil
}

type finding func(severity, finding, detail, advice string)

// checkDefinitions looks at what the project's schemas hold, and at what other schemas make of it.
func (r *commandRun) checkDefinitions(add finding) error {
	snapshot, err := r.Catalog.Latest(r.ctx)
	if err != nil {
		return err
	}
	names, err := r.schemas(add)
	if err != nil {
		return err
	}
	if snapshot.Rewrites() {
		add("critical", "statements are rewritten", "the warehouse's plugin Rewriter has rules", "what Sluice judges is not what runs, so that nothing that it could replace is let run: UNINSTALL PLUGIN rewriter")
	}
	for _, name := range names {
		s, err := snapshot.Schema(r.ctx, name)
		if err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(s.Objects)) {
			if o := s.Objects[key]; r.snapshot.ProjectOf(name) == r.project {
				r.checkObject(add, o)
			} else if o.Kind == catalog.View {
				r.checkView(add, o)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(s.Events)) {
			r.checkEvent(add, s.Events[key])
		}
	}
	return nil
}

// schemas gives the project's schemas and then all others that are no system schemas.
func (r *commandRun) schemas(add finding) ([]string, error) {
	own := r.snapshot.Schemas(r.project)
	rows, err := r.Warehouse.Query(r.ctx, "SELECT schema_name FROM information_schema.schemata ORDER BY schema_name")
	if err != nil {
		add("warning", "schemas cannot be listed", err.Error(), "views and events of other projects were not looked at: let Sluice's service account see all schemas")
		return own, r.ctx.Err()
	}
	names := slices.Clone(own)
	for _, row := range rows {
		if name := value(row, 0); r.snapshot.ProjectOf(name) != "" && r.snapshot.ProjectOf(name) != r.project {
			names = append(names, name)
		}
	}
	return names, nil
}

func (r *commandRun) checkObject(add finding, o *catalog.Object) {
	name := o.Schema + "." + o.Name
	if o.External != "" {
		add("critical", "external table", name+" ("+o.External+")", "its rows stand outside of the warehouse: drop it, or move it to an unprotected project")
	}
	for _, c := range o.Children {
		if r.snapshot.ProjectOf(c.Schema) != r.project {
			add("warning", "foreign key across projects", c.Schema+"."+c.Name+" follows "+name, "a delete here changes rows there: statements through Sluice are judged for it, others are not")
		}
	}
	table := quoteName(o.Schema) + "." + quoteName(o.Name)
	r.checkTriggers(add, o, "INSERT", "INSERT INTO "+table+" VALUES ()")
	r.checkTriggers(add, o, "DELETE", "DELETE FROM "+table)
	if len(o.Columns) > 0 {
		r.checkTriggers(add, o, "UPDATE", "UPDATE "+table+" SET "+quoteName(o.Columns[0])+" = NULL")
	}
}

// checkTriggers looks at what the triggers of one event write, by a statement that would set them off.
func (r *commandRun) checkTriggers(add finding, o *catalog.Object, event, text string) {
	var names []string
	for _, t := range o.Triggers {
		if strings.Contains(strings.ToUpper(t.Event), event) {
			names = append(names, t.Schema+"."+t.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	triggers := strings.Join(names, ", ")
	judged, err := r.env.Judge(r.ctx, text)
	if err != nil || len(judged) != 1 {
		add("warning", "trigger", triggers, "it could not be read: look at its body")
		return
	}
	for _, opaque := range judged[0].Graph.Opaque {
		add("warning", "trigger", triggers, "it cannot be read through ("+opaque+"): look at its body")
	}
	for _, w := range judged[0].Graph.Writes {
		cascade := slices.ContainsFunc(o.Children, func(c catalog.Cascade) bool { return c.Schema == w.Object.Schema && c.Name == w.Object.Name })
		if p := r.snapshot.ProjectOf(w.Object.Schema); p != "" && p != r.project && !cascade {
			add("warning", "trigger writes to another project", triggers+" -> "+w.Object.String(), "statements past Sluice carry rows out by it: drop it, or ADD TRUSTEDPROJECT "+p)
		}
	}
}

// checkView tells of a view of another project over tables of this one.
func (r *commandRun) checkView(add finding, o *catalog.Object) {
	name := o.Schema + "." + o.Name
	judged, err := r.env.Judge(r.ctx, "SELECT * FROM "+quoteName(o.Schema)+"."+quoteName(o.Name))
	if err != nil || len(judged) != 1 {
		add("notice", "view", name, "it could not be read: look at its definition")
		return
	}
	for _, read := range judged[0].Graph.Reads {
		if r.snapshot.ProjectOf(read.Schema) == r.project {
			add("warning", "view in another project", name+" reads "+read.String(), "who reads it past Sluice sees rows of "+r.project+": drop it, or share the table by a package")
		}
	}
}

// checkEvent reads an event as its definition would be judged: it runs in the warehouse, past every gateway.
func (r *commandRun) checkEvent(add finding, e *catalog.Program) {
	name := e.Schema + "." + e.Name
	own := r.snapshot.ProjectOf(e.Schema) == r.project
	rd := parser.Reading{Dialect: r.env.Dialect, Mode: parser.ParseMode(e.SQLMode), Charset: strings.ToLower(e.Charset)}.Decoded()
	body, err := lineage.BodyText(e, rd)
	var judged []Judged
	if err == nil {
		judged, err = r.env.Judge(r.ctx, "CREATE EVENT "+quoteName(e.Schema)+"."+quoteName(e.Name)+" ON SCHEDULE EVERY 1 DAY DO "+body)
	}
	if err != nil || len(judged) != 1 || judged[0].Graph == nil || judged[0].Graph.Refused != "" || len(judged[0].Graph.Opaque) > 0 {
		if own || strings.Contains(strings.ToLower(e.Body), strings.ToLower(r.project)) {
			add("warning", "event", name, "it runs past every gateway and cannot be read through: look at its body, or ALTER EVENT … DISABLE")
		}
		return
	}
	for _, f := range judged[0].Graph.Flows {
		if f.Source.Kind != lineage.TableSource || r.snapshot.ProjectOf(f.Source.Object.Schema) != r.project {
			continue
		}
		if f.Sink.Kind == lineage.TableSink && r.snapshot.ProjectOf(f.Sink.Object.Schema) == r.project {
			continue
		}
		add("warning", "event carries data out", name+": "+f.Source.String()+" -> "+f.Sink.String(), "events run in the warehouse, past every gateway: ALTER EVENT … DISABLE, or drop it")
	}
}

func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// checkAccounts looks for ways past the gateway: accounts that may connect from anywhere, and powers over files.
func (r *commandRun) checkAccounts(add finding) {
	rows, err := r.Warehouse.Query(r.ctx, "SELECT user, host FROM mysql.user WHERE host = '%' OR host LIKE '%\\%%'")
	if err != nil {
		add("warning", "accounts cannot be read", err.Error(), "give Sluice's service account SELECT on mysql.user")
		return
	}
	for _, row := range rows {
		user, host := value(row, 0), value(row, 1)
		add("warning", "account can connect past the gateway", fmt.Sprintf("'%s'@'%s'", user, host), "limit the account's host to the gateway's address, and keep others off the warehouse's port")
	}
	r.checkHosts(add)
	r.checkRoles(add)
	rows, err = r.Warehouse.Query(r.ctx, "SELECT grantee, privilege_type FROM information_schema.user_privileges WHERE privilege_type IN ('FILE', 'SUPER', 'REPLICATION SLAVE', 'BINLOG ADMIN', 'BACKUP_ADMIN', 'CLONE_ADMIN')")
	if err != nil {
		return
	}
	powers := map[string][]string{}
	for _, row := range rows {
		powers[value(row, 0)] = append(powers[value(row, 0)], value(row, 1))
	}
	for _, grantee := range slices.Sorted(maps.Keys(powers)) {
		slices.Sort(powers[grantee])
		add("warning", "powerful privilege", grantee+" holds "+strings.Join(powers[grantee], ", "), "it reaches files or streams of the whole warehouse: revoke it unless it is needed")
	}
}

// checkRoles tells of roles that wait for whoever is given a name next: they outlive the account that held them.
func (r *commandRun) checkRoles(add finding) {
	rows, err := r.Warehouse.Query(r.ctx, "SELECT DISTINCT user FROM mysql.user WHERE user <> ''")
	if err != nil {
		return // said above
	}
	users := make([]string, len(rows))
	for i, row := range rows {
		users[i] = value(row, 0)
	}
	p := r.snapshot.Project(r.project)
	for _, held := range []struct {
		role  string
		names []string
	}{{"owner", p.Owners}, {"admin", p.Admins}} {
		for _, name := range held.names {
			if !slices.ContainsFunc(users, func(user string) bool { return r.snapshot.Names(name, user) }) {
				add("warning", "role without an account", name+" is "+held.role, "the warehouse has no such account: whoever makes one holds the role; REMOVE "+strings.ToUpper(held.role)+" "+name)
			}
		}
	}
}

// checkHosts tells of accounts that come from one other place than this gateway: theirs may be another gateway's, or
// nobody's who should reach the warehouse.
func (r *commandRun) checkHosts(add finding) {
	rows, err := r.Warehouse.Query(r.ctx, "SELECT user, host, SUBSTRING_INDEX(USER(), '@', -1) FROM mysql.user WHERE host <> '' AND host NOT LIKE '%\\%%' AND host <> SUBSTRING_INDEX(USER(), '@', -1) ORDER BY host, user")
	if err != nil || len(rows) == 0 {
		return // said above
	}
	var names []string
	for _, row := range rows {
		names = append(names, fmt.Sprintf("'%s'@'%s'", value(row, 0), value(row, 1)))
	}
	list := strings.Join(names[:min(len(names), 10)], ", ")
	if n := len(names) - 10; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	add("notice", "account of another host than this gateway's ("+value(rows[0], 2)+")", list, "unless the host is another gateway's, the account connects past all of them: rename it to a gateway's address")
}

func value(row []*string, i int) string {
	if i < len(row) && row[i] != nil {
		return *row[i]
	}
	return ""
}
