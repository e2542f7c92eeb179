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

// Settings that make the warehouse move data past the gateway: their value is a statement that it runs by itself, for every
// session that comes or for replication, or a place where it sorts the rows of new indexes and imports.
const runsText, sortsRows = "run a text in other sessions", "sort rows of any table in a cloud's storage"

var pastTheGateway = map[string]string{
	"init_connect": runsText, "init_slave": runsText, "init_replica": runsText, "tidb_cloud_storage_uri": sortsRows,
}

// runsBy notes a setting that makes the warehouse move data past the gateway.
func (t *tracer) runsBy(variable string, value ast.ExprNode) {
	name := strings.ToLower(variable)
	name = strings.Trim(name[strings.LastIndexByte(name, '.')+1:], "@`")
	what := pastTheGateway[name]
	if what == "" {
		return
	}
	if _, is := value.(*ast.DefaultExpr); is {
		return
	}
	if value != nil { // nil: SET PERSIST, whose value is not read
		if text, literal := t.literal(value); literal && strings.TrimSpace(text) == "" {
			return
		}
	}
	t.read(Source{Kind: SystemSource, Name: "SET " + strings.ToUpper(name) + ", which lets the warehouse " + what})
	t.sink(Sink{Kind: ResultSink})
}

func (t *tracer) pastBy(variable string, value ast.ExprNode) {
	if t.b.reading.Dialect.Flavor != parser.TiDB || !pastSettings[strings.ToLower(variable)] {
		return
	}
	if text, literal := t.literal(value); literal && (text == "" || text == "0") {
		return // back to the present
	}
	t.opaque(past)
}
