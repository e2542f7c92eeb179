package lineage

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/parser"
)

// temporaryUnion: a temporary MERGE table holds no rows. What its members' names mean changes with the session's other temporary
// tables, and what is written to it comes to rest in them.
func (t *tracer) temporaryUnion(o Object, union []parser.Named) {
	if len(union) == 0 {
		return
	}
	t.opaque("temporary table %s, whose rows are those of other tables", o)
	defer t.outOfSight()()
	for _, u := range union {
		t.readTable(u.Schema, u.Name)
	}
}

// temporaryLike: what is made LIKE a MERGE table has its members.
func (t *tracer) temporaryLike(n *ast.CreateTableStmt) {
	_, like, _ := t.object(n.ReferTable.Schema.O, n.ReferTable.Name.O)
	if like == nil {
		return
	}
	o, _, _ := t.object(n.Table.Schema.O, n.Table.Name.O)
	var members []parser.Named
	for _, u := range like.Union {
		members = append(members, parser.Named{Schema: u[0], Name: u[1]})
	}
	t.temporaryUnion(o, members)
}

// renameOnce refuses a RENAME TABLE of several tables with a temporary one among them: a name may mean the temporary table
// first and the base table next, and which names are temporary afterwards depends on the order.
func (t *tracer) renameOnce(n *ast.RenameTableStmt) {
	if len(n.TableToTables) < 2 || t.lasting {
		return
	}
	for _, r := range n.TableToTables {
		if t.isTemporary(r.OldTable.Schema.O, r.OldTable.Name.O) || t.isTemporary(r.NewTable.Schema.O, r.NewTable.Name.O) {
			t.refuse("RENAME TABLE of several tables, temporary ones among them, is not understood: rename one at a time")
			return
		}
	}
}

// isTemporary tells whether a name may be that of a temporary table.
func (t *tracer) isTemporary(schema, name string) bool {
	o, _, _ := t.object(schema, name)
	_, _, is := t.temporary(o)
	return is
}
