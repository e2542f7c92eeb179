package gateway

import (
	"fmt"
	"strings"

	"sluice/lineage/catalog"
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

// checkDefinitions looks at triggers, views, events and external tables of the project's schemas.
func (r *commandRun) checkDefinitions(add finding) error {
	snapshot, err := r.Catalog.Current(r.ctx)
	if err != nil {
		return err
	}
	for _, name := range r.snapshot.Schemas(r.project) {
		s, err := snapshot.Schema(r.ctx, name)
		if err != nil {
			return err
		}
		for _, o := range s.Objects {
			r.checkObject(add, o)
		}
		for _, e := range s.Events {
			add("warning", "event", e.Schema+"."+e.Name, "events run in the warehouse, past every gateway: read its body, or ALTER EVENT … DISABLE")
		}
	}
	return nil
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
	for _, t := range o.Triggers {
		judged, err := r.env.Judge(r.ctx, "DELETE FROM "+quoteName(o.Schema)+"."+quoteName(o.Name))
		if err != nil || len(judged) != 1 {
			add("warning", "trigger", t.Schema+"."+t.Name, "it could not be read")
			continue
		}
		for _, w := range judged[0].Graph.Writes {
			if p := r.snapshot.ProjectOf(w.Object.Schema); p != "" && p != r.project {
				add("warning", "trigger writes to another project", t.Schema+"."+t.Name+" -> "+w.Object.String(), "statements past Sluice carry rows out by it: drop it, or ADD TRUSTEDPROJECT "+p)
			}
		}
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
	rows, err = r.Warehouse.Query(r.ctx, "SELECT grantee, privilege_type FROM information_schema.user_privileges WHERE privilege_type IN ('FILE', 'SUPER', 'REPLICATION SLAVE', 'BINLOG ADMIN', 'BACKUP_ADMIN', 'CLONE_ADMIN')")
	if err != nil {
		return
	}
	for _, row := range rows {
		add("warning", "powerful privilege", value(row, 0)+" holds "+value(row, 1), "it reaches files or streams of the whole warehouse: revoke it unless it is needed")
	}
}

func value(row []*string, i int) string {
	if i < len(row) && row[i] != nil {
		return *row[i]
	}
	return ""
}
