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
