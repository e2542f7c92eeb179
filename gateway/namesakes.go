package gateway

import (
	"context"
	"strings"

	"sluice/parser"
)

// A warehouse looks for grants on schemas, tables and routines by the name of the account and the address that it comes from. So
// what was granted to an account of the same name and another host counts as well, and what was granted on a schema to the
// anonymous account, to everybody; SHOW GRANTS tells of neither.

// Grants on schemas, tables and routines: schema, name and privileges, of those that powers are asked for.
const (
	schemaGrants = `SELECT db, '', CONCAT_WS(',', IF(insert_priv = 'Y', 'INSERT', NULL), IF(update_priv = 'Y', 'UPDATE', NULL), IF(delete_priv = 'Y', 'DELETE', NULL),
		IF(create_priv = 'Y', 'CREATE', NULL), IF(drop_priv = 'Y', 'DROP', NULL), IF(alter_priv = 'Y', 'ALTER', NULL), IF(index_priv = 'Y', 'INDEX', NULL),
		IF(create_view_priv = 'Y', 'CREATE VIEW', NULL), IF(execute_priv = 'Y', 'EXECUTE', NULL)) FROM mysql.db WHERE user IN ('', ?)`
	tableGrants   = "SELECT db, table_name, CONCAT_WS(',', table_priv, column_priv) FROM mysql.tables_priv WHERE user = ?"
	routineGrants = "SELECT db, routine_name, proc_priv FROM mysql.procs_priv WHERE user = ?"
)

// namesakes adds what is granted to accounts of the session's name, from whatever host, and to the anonymous one.
func (s *Session) namesakes(ctx context.Context, p *powers) {
	p.add(s.granted(ctx, p, schemaGrants), false)
	p.add(s.granted(ctx, p, tableGrants), false)
	if s.state.reading.Dialect.Flavor != parser.TiDB {
		p.add(s.granted(ctx, p, routineGrants), true)
	}
}

// granted asks the service account, which may read the grants of all. Without an answer anything may be granted.
func (s *Session) granted(ctx context.Context, p *powers, query string) [][]*string {
	rows, err := s.g.Commander.Warehouse.Query(ctx, query, s.subject.User)
	if err != nil {
		s.g.Log.Warn("read grants", "connection", s.connection, "error", err)
		p.unsure = true
	}
	return rows
}

// add takes up rows of schema, name and privileges.
func (p *powers) add(rows [][]*string, routines bool) {
	for _, r := range rows {
		g := grant{schema: value(r, 0), table: value(r, 1), routine: routines, privileges: map[string]bool{}}
		for privilege := range strings.SplitSeq(strings.ToUpper(value(r, 2)), ",") {
			g.privileges[privilege] = true
		}
		p.grants = append(p.grants, g)
	}
}
