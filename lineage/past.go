package lineage

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/parser"
)

// TiDB reads the past with the definitions of the past: a view that shows nothing today may have shown anything.
// The catalog knows today's, so what reads the past cannot be read through.

const past = "the past, in which names meant other things"

func (t *tracer) pastOf(at *ast.AsOfClause) {
	if at != nil {
		t.opaque(past)
	}
}

// pastSettings are TiDB's variables that move a session's reads into the past.
var pastSettings = map[string]bool{"tidb_snapshot": true, "tidb_read_staleness": true, "tx_read_ts": true, "transaction_read_ts": true, "tidb_external_ts": true, "tidb_enable_external_ts_read": true}

func (t *tracer) pastBy(variable string, value ast.ExprNode) {
	if t.b.reading.Dialect.Flavor != parser.TiDB || !pastSettings[strings.ToLower(variable)] {
		return
	}
	if text, literal := t.literal(value); literal && (text == "" || text == "0") {
		return // back to the present
	}
	t.opaque(past)
}
