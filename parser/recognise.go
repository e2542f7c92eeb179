package parser

import "strings"

// recogniseFirst reads statements that the tree parser misreads, or whose tree leaves out what
// counts. It tells whether st is understood.
func recogniseFirst(st *Statement, r Reading, nesting int) bool {
	if len(st.Tokens) == 0 || st.Tokens[0].Kind != Word || st.Tokens[0].is(st.Text, "SELECT") {
		return false
	}
	s := &scan{st: st, r: r, nesting: nesting}
	first := strings.ToUpper(st.Tokens[0].text(st.Text))
	f, ok := firstWords[first]
	if !ok {
		return false
	}
	if !f(s) {
		s.st.Extra = Extra{}
		s.st.Node = nil
		return false
	}
	st.Tier = TierRecogniser
	return true
}

// firstWords are the recognisers by the first word of a statement.
var firstWords map[string]func(*scan) bool

func init() {
	firstWords = map[string]func(*scan) bool{
		"EXPLAIN": recogniseExplain, "DESC": recogniseExplain, "DESCRIBE": recogniseExplain,
		"ANALYZE": recogniseAnalyze, "SET": recogniseSetStatement,
		"PREPARE": recognisePrepare, "EXECUTE": recogniseExecute,
		"DEALLOCATE": recogniseDeallocate, "DROP": recogniseDrop, "DELETE": recogniseDeleteHistory,
		"HANDLER": recogniseHandler, "KILL": recogniseKill, "XA": recogniseControl,
		"CREATE": recogniseCreateProgram, "ALTER": recogniseAlterProgram,
		"CHECK": recogniseTableList, "CHECKSUM": recogniseTableList, "REPAIR": recogniseTableList,
		"OPTIMIZE": recogniseTableList, "CACHE": recogniseTableList,
		"LOCK": recogniseLock, "UNLOCK": recogniseControl, "FLUSH": recogniseFlush,
		"SIGNAL": recogniseSignal, "RESIGNAL": recogniseSignal, "GET": recogniseDiagnostics,
		"RESET": recogniseControl, "START": recogniseStart, "STOP": recogniseControl, "PURGE": recogniseControl,
		"CHANGE": recogniseChange, "SHUTDOWN": recogniseControl, "RESTART": recogniseControl,
		"INSTALL": private("INSTALL, which loads code into the warehouse"), "UNINSTALL": recogniseControl,
		"BINLOG": private("BINLOG, which replays row events into any table"), "BACKUP": private("BACKUP, which copies files"),
		"CLONE": private("CLONE, which copies the whole warehouse"), "IMPORT": recogniseImport,
		"GRANT": recogniseAccounts, "REVOKE": recogniseAccounts, "SHOW": recogniseShow, "HELP": recogniseControl,
		"BEGIN": recogniseBegin, "IF": recogniseBlock, "CASE": recogniseBlock, "FOR": recogniseBlock,
		"WHILE": recogniseBlock, "LOOP": recogniseBlock, "REPEAT": recogniseBlock, "LOAD": recogniseLoadIndex,
	}
}
