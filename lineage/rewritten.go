package lineage

import (
	"strings"

	"sluice/parser"
)

// MySQL's plugin Rewriter puts other statements in the place of those that were sent, by rules that it reads from a table: what
// is judged would not be what runs. While it has rules, no statement can be read; and who writes a rule writes what others run.

// rewriteRules is the schema that the rules stand in.
const rewriteRules = "query_rewrite"

// unrewritten are statements that no rule may replace: they change the session alone.
var unrewritten = map[string]bool{
	"set": true, "use": true, "begin": true, "start transaction": true, "commit": true, "rollback": true, "savepoint": true, "release": true,
	"deallocate": true, "kill": true,
}

// rewritten marks a statement that the warehouse may replace by another one.
func (t *tracer) rewritten(st *parser.Statement) {
	if t.b.snapshot.Rewrites() && !unrewritten[st.Kind] {
		t.opaque("the statement that runs in its place: the warehouse's plugin Rewriter has rules")
	}
}

// rules notes a change of what the rules may be read from.
func (t *tracer) rules(schema string) {
	if t.b.reading.Dialect.Flavor == parser.MySQL && strings.EqualFold(schema, rewriteRules) {
		t.opaque("rows of %s, which replace the statements of others", rewriteRules)
	}
}
