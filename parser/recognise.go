package parser

import (
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// scan walks over the tokens of a statement.
type scan struct {
	st *Statement
	r  Reading
	i  int
	// nesting counts the statements that this one stands in.
	nesting int
	// looked counts the tokens that searches ahead went over.
	looked int
}

func (s *scan) is(words ...string) bool {
	for n, w := range words {
		if s.i+n >= len(s.st.Tokens) || !s.st.Tokens[s.i+n].is(s.st.Text, w) {
			return false
		}
	}
	return true
}

func (s *scan) accept(words ...string) bool {
	if s.is(words...) {
		s.i += len(words)
		return true
	}
	return false
}

func (s *scan) acceptAny(words ...string) bool {
	for _, w := range words {
		if s.accept(w) {
			return true
		}
	}
	return false
}

func (s *scan) done() bool { return s.i >= len(s.st.Tokens) || s.is(";") }

// rest is the text from here to the end, without a closing semicolon.
func (s *scan) rest() string {
	if s.done() {
		return ""
	}
	return s.text(s.i, s.last())
}

// last is the index behind the last token that is no semicolon.
func (s *scan) last() int {
	n := len(s.st.Tokens)
	for n > 0 && s.st.Tokens[n-1].is(s.st.Text, ";") {
		n--
	}
	return n
}

// text is the text of tokens from..to-1.
func (s *scan) text(from, to int) string {
	if from >= to {
		return ""
	}
	return s.st.Text[s.st.Tokens[from].Start:s.st.Tokens[to-1].End]
}

// name reads [schema.]name.
func (s *scan) name() (schema, name string, ok bool) {
	if s.done() || !s.st.Tokens[s.i].isName() {
		return "", "", false
	}
	name = s.st.Tokens[s.i].name(s.st.Text)
	s.i++
	if s.is(".") && s.i+1 < len(s.st.Tokens) && s.st.Tokens[s.i+1].isName() {
		schema, name = name, s.st.Tokens[s.i+1].name(s.st.Text)
		s.i += 2
	}
	return schema, name, true
}

// find gives the index of the first token at or behind here that is one of words outside of
// parentheses, or -1.
func (s *scan) find(words ...string) int {
	depth := 0
	for i := s.i; i < len(s.st.Tokens); i++ {
		t := s.st.Tokens[i]
		s.looked++
		switch {
		case t.is(s.st.Text, "("):
			depth++
		case t.is(s.st.Text, ")"):
			depth--
		case depth == 0:
			for _, w := range words {
				if t.is(s.st.Text, w) {
					return i
				}
			}
		}
	}
	return -1
}

// has tells whether one of words stands anywhere in tokens from..to-1.
func (s *scan) has(from, to int, words ...string) bool {
	for _, t := range s.st.Tokens[from:to] {
		for _, w := range words {
			if t.is(s.st.Text, w) {
				return true
			}
		}
	}
	return false
}

// inner reads a text as a statement of its own, with all tiers.
func (s *scan) inner(text string) (*Statement, bool) {
	if s.nesting >= maxNesting {
		return nil, false
	}
	script, err := parseNested(text, s.r, s.nesting+1)
	if err != nil || len(script.Statements) != 1 || script.Statements[0].Command != nil {
		return nil, false
	}
	return &script.Statements[0], true
}

// adopt makes the understanding of another text st's own.
func (st *Statement) adopt(in *Statement) bool {
	if in.Tier == TierTokens {
		return false
	}
	st.Node, st.Tier = in.Node, TierRecogniser
	e := st.Extra
	st.Extra = in.Extra
	st.Extra.Explained = st.Extra.Explained || e.Explained
	st.Extra.Settings = append(st.Extra.Settings, e.Settings...)
	st.Extra.More = append(st.Extra.More, e.More...)
	return true
}

// expression reads a text as an expression: the tree of `DO text`.
func (s *scan) expression(text string) (ast.StmtNode, bool) {
	node, err := tree("DO "+text, s.r)
	if err == nil {
		return node, true
	}
	in, ok := s.inner("SELECT " + text)
	if !ok || in.Node == nil {
		return nil, false
	}
	return in.Node, true
}

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
		"DEALLOCATE": recogniseDeallocate, "DROP": recogniseDrop,
		"HANDLER": recogniseHandler, "KILL": recogniseKill, "XA": recogniseControl,
		"CREATE": recogniseCreateProgram, "ALTER": recogniseAlterProgram,
		"CHECK": recogniseTableList, "CHECKSUM": recogniseTableList, "REPAIR": recogniseTableList,
		"OPTIMIZE": recogniseTableList, "CACHE": recogniseTableList,
		"LOCK": recogniseLock, "UNLOCK": recogniseControl, "FLUSH": recogniseFlush,
		"SIGNAL": recogniseSignal, "RESIGNAL": recogniseSignal, "GET": recogniseDiagnostics,
		"RESET": recogniseControl, "START": recogniseControl, "STOP": recogniseControl, "PURGE": recogniseControl,
		"CHANGE": recogniseControl, "SHUTDOWN": recogniseControl, "RESTART": recogniseControl,
		"INSTALL": recogniseControl, "UNINSTALL": recogniseControl,
		"BINLOG": private("BINLOG, which replays row events into any table"), "BACKUP": private("BACKUP, which copies files"),
		"CLONE": private("CLONE, which copies the whole warehouse"), "IMPORT": private("IMPORT TABLE, which takes over files"),
		"GRANT": recogniseAccounts, "REVOKE": recogniseAccounts, "SHOW": recogniseShow, "HELP": recogniseControl,
		"BEGIN": recogniseBegin, "IF": recogniseBlock, "CASE": recogniseBlock, "FOR": recogniseBlock,
		"WHILE": recogniseBlock, "LOOP": recogniseBlock, "REPEAT": recogniseBlock, "LOAD": recogniseLoadIndex,
	}
}

// private marks a statement that moves data past all tables.
func private(what string) func(*scan) bool {
	return func(s *scan) bool {
		s.st.Extra.Private = what
		return true
	}
}

// recogniseControl reads statements that move no data of tables. A subquery would: none has one.
func recogniseControl(s *scan) bool {
	if s.is("START", "TRANSACTION") && s.has(0, len(s.st.Tokens), "TIMESTAMP") {
		return false // TiDB's AS OF TIMESTAMP counts
	}
	s.st.Extra.Control = true
	return s.left(1, len(s.st.Tokens))
}

// recogniseBegin takes BEGIN [WORK]; MariaDB's BEGIN NOT ATOMIC runs a body.
func recogniseBegin(s *scan) bool {
	if s.is("BEGIN", "NOT") {
		return recogniseBlock(s)
	}
	return recogniseControl(s)
}

// recogniseAccounts reads GRANT and REVOKE: grants are access, which the warehouse keeps.
// The words before a parenthesis are privileges, whose columns are named in it.
func recogniseAccounts(s *scan) bool {
	s.st.Extra.Control = true
	return !s.has(0, len(s.st.Tokens), "SELECT", "VALUES", "WITH") || !s.has(0, len(s.st.Tokens), "(")
}

// recogniseSignal: the condition's items are expressions of literals and variables, and go to the client.
func recogniseSignal(s *scan) bool {
	if s.has(0, len(s.st.Tokens), "SELECT", "(") {
		return false
	}
	for _, t := range s.st.Tokens {
		if t.Kind == UserVariable {
			node, ok := s.expression(t.text(s.st.Text))
			if !ok {
				return false
			}
			s.st.Extra.More = append(s.st.Extra.More, node)
		}
	}
	s.st.Extra.Explained = true
	s.st.Extra.Control = len(s.st.Extra.More) == 0
	return true
}

// recogniseDiagnostics reads GET [CURRENT|STACKED] DIAGNOSTICS …: its targets are variables.
func recogniseDiagnostics(s *scan) bool {
	for i, t := range s.st.Tokens {
		if i+1 < len(s.st.Tokens) && s.st.Tokens[i+1].is(s.st.Text, "=") {
			s.st.Extra.Into = append(s.st.Extra.Into, Variable{Name: t.variable(s.st.Text), User: t.Kind == UserVariable})
		} else if t.Kind == UserVariable && !s.left(i, i+1) { // CONDITION @n
			return false
		}
	}
	s.st.Kind = "get diagnostics"
	return len(s.st.Extra.Into) > 0 && !s.has(0, len(s.st.Tokens), "SELECT", "(")
}

// recogniseExplain reads EXPLAIN, DESC and DESCRIBE of a statement, with every modifier of every
// engine. What it plans tells about the data (constant subqueries are run), so it all counts as shown.
func recogniseExplain(s *scan) bool {
	s.i = 1
	runs := false
	for {
		switch {
		case s.accept("FORMAT", "="):
			s.i++
		case s.is("ANALYZE"), s.is("EXTENDED"), s.is("PARTITIONS"):
			runs = runs || s.is("ANALYZE")
			s.i++
		case s.is("INTO") && s.i+1 < len(s.st.Tokens) && s.st.Tokens[s.i+1].Kind == UserVariable:
			s.st.Extra.Into = append(s.st.Extra.Into, Variable{Name: s.st.Tokens[s.i+1].variable(s.st.Text), User: true})
			s.i += 2
		case s.is("FOR", "CONNECTION"), s.is("FOR") && !s.is("FOR", "SCHEMA") && !s.is("FOR", "DATABASE"):
			s.st.Extra.Private = "EXPLAIN FOR CONNECTION, which shows another session's statement"
			return true
		default:
			ok := explained(s)
			s.st.Extra.Planned = ok && !runs
			return ok
		}
	}
}

func explained(s *scan) bool {
	if !s.is("(") && !s.is("SELECT") && !s.is("INSERT") && !s.is("REPLACE") && !s.is("UPDATE") &&
		!s.is("DELETE") && !s.is("WITH") && !s.is("TABLE") && !s.is("VALUES") {
		return describe(s)
	}
	into := s.st.Extra.Into
	in, ok := s.inner(s.rest())
	if !ok {
		return false
	}
	s.st.Extra.Explained = true
	if !s.st.adopt(in) {
		return false
	}
	s.st.Extra.Explained = true
	s.st.Extra.Into = append(s.st.Extra.Into, into...)
	s.st.Kind = "explain"
	return true
}

// describe reads DESC table [column]: metadata.
func describe(s *scan) bool {
	schema, name, ok := s.name()
	if !ok || s.last()-s.i > 1 {
		return false
	}
	s.st.Extra.Objects = []Named{{schema, name, Structure}}
	return true
}

// recogniseAnalyze reads ANALYZE [FORMAT=JSON] statement (it runs the statement and shows figures
// of the run) and ANALYZE TABLE.
func recogniseAnalyze(s *scan) bool {
	s.i = 1
	if s.accept("FORMAT", "=") {
		s.i++
	}
	if s.is("TABLE") || s.is("NO_WRITE_TO_BINLOG") || s.is("LOCAL") {
		s.i = 0 // the list is read by its verb: ANALYZE counts rows and changes none
		return recogniseTableList(s)
	}
	return explained(s)
}

// recogniseSetStatement reads MariaDB's SET STATEMENT name=value,… FOR statement.
func recogniseSetStatement(s *scan) bool {
	if !s.accept("SET", "STATEMENT") {
		return false
	}
	end := s.find("FOR")
	if end < 0 {
		return false
	}
	var more []ast.StmtNode
	var settings []string
	for s.i < end {
		name := strings.ToLower(s.st.Tokens[s.i].name(s.st.Text))
		settings = append(settings, name)
		s.i++
		if !s.acceptAny("=", ":=") {
			return false
		}
		from := s.i
		comma := s.find(",")
		if comma < 0 || comma > end {
			comma = end
		}
		text := s.text(from, comma)
		if s.st.Tokens[from].Kind != Word || comma > from+1 {
			node, ok := s.expression(text)
			if !ok {
				return false
			}
			more = append(more, node)
		}
		s.i = comma + 1
	}
	s.i = end + 1
	in, ok := s.inner(s.rest())
	if !ok {
		return false
	}
	// The rest stands in the same text and was read with it; a text that it runs would be read under the new rules.
	runs := in.Extra.Dynamic != nil || in.Extra.Program != nil
	for _, name := range settings {
		if runs && (name == "sql_mode" || strings.HasPrefix(name, "character_set") || strings.HasPrefix(name, "collation")) {
			return false
		}
	}
	if !s.st.adopt(in) {
		return false
	}
	s.st.Kind = in.Kind
	s.st.Extra.More = append(s.st.Extra.More, more...)
	s.st.Extra.Settings = append(s.st.Extra.Settings, settings...)
	return true
}

// recogniseKill reads every form of KILL that names a connection by a number.
func recogniseKill(s *scan) bool {
	s.i = 1
	s.acceptAny("HARD", "SOFT", "TIDB")
	query := false
	if s.accept("QUERY") {
		query = true
		if s.accept("ID") {
			s.st.Extra.Control = !s.has(0, len(s.st.Tokens), "SELECT", "(")
			return s.st.Extra.Control
		}
	} else {
		s.accept("CONNECTION")
	}
	if s.last() == s.i+1 && s.st.Tokens[s.i].Kind == Number {
		id, err := strconv.ParseUint(s.st.Tokens[s.i].text(s.st.Text), 10, 64)
		if err == nil {
			s.st.Extra.Kill = &Killed{id, query}
		}
	}
	return recogniseControl(s)
}

// recogniseHandler reads HANDLER t OPEN|READ|CLOSE: READ gives rows of t.
func recogniseHandler(s *scan) bool {
	s.i = 1
	schema, name, ok := s.name()
	if !ok {
		return false
	}
	switch {
	case s.accept("OPEN"):
		alias := name
		s.accept("AS")
		if !s.done() {
			if _, alias, ok = s.name(); !ok {
				return false
			}
		}
		// Every row may be read through the alias from here on; it is judged at OPEN and at READ.
		s.st.Extra.Objects = []Named{{schema, name, Read}}
		s.st.Extra.Into = []Variable{{Name: "handler " + strings.ToLower(alias)}}
	case s.accept("READ"):
		s.st.Extra.Objects = []Named{{schema, "handler " + strings.ToLower(name), Read}}
		end := s.last()
		if w := s.find("WHERE"); w >= 0 {
			limit := s.lastBefore(w+1, "LIMIT")
			node, ok := s.expression(s.text(w+1, limit))
			if !ok || !s.left(limit, end) {
				return false
			}
			s.st.Extra.More = append(s.st.Extra.More, node)
			end = w
		}
		if !s.left(s.i, end) {
			return false
		}
		s.st.Extra.Explained = true
	case s.accept("CLOSE"):
		s.st.Extra.Control = true
	default:
		return false
	}
	return true
}

// lastBefore gives the index of word behind from, or of the end.
func (s *scan) lastBefore(from int, word string) int {
	at := s.i
	s.i = from
	defer func() { s.i = at }()
	if n := s.find(word); n >= 0 {
		return n
	}
	return s.last()
}

// recogniseTableList reads CHECK, CHECKSUM, REPAIR, OPTIMIZE, ANALYZE TABLE t, u …
func recogniseTableList(s *scan) bool {
	access := Write
	if s.is("CHECKSUM") {
		access = Read
		s.st.Extra.Explained = true
	}
	if s.is("CHECK") || s.is("ANALYZE") || s.is("CACHE") || s.is("LOAD") {
		access = Structure
	}
	at := s.find("TABLE", "TABLES", "VIEW", "INDEX")
	if s.is("LOAD", "INDEX", "INTO", "CACHE") {
		at = 3
	}
	if at < 0 || s.has(0, len(s.st.Tokens), "SELECT") {
		return false
	}
	list := s.is("CACHE") || s.is("LOAD") // CACHE INDEX t INDEX (a), u IN c
	s.i = at + 1
	for {
		schema, name, ok := s.name()
		if !ok {
			return false
		}
		s.st.Extra.Objects = append(s.st.Extra.Objects, Named{schema, name, access})
		if comma := s.find(","); comma == s.i || (list && comma > 0) {
			s.i = comma + 1
			continue
		}
		s.st.Extra.Control = access != Read
		return s.left(s.i, s.last())
	}
}

// recogniseLock reads LOCK TABLES t [AS a] READ|WRITE …: no data moves.
func recogniseLock(s *scan) bool {
	s.i = 1
	if s.has(0, len(s.st.Tokens), "SELECT", "(") {
		return false
	}
	s.st.Extra.Control = true
	if !s.acceptAny("TABLES", "TABLE") {
		return true
	}
	for !s.done() {
		schema, name, ok := s.name()
		if !ok {
			return false
		}
		s.st.Extra.Objects = append(s.st.Extra.Objects, Named{schema, name, Structure})
		if s.i = s.find(","); s.i < 0 {
			return true
		}
		s.i++
	}
	return true
}

// recogniseLoadIndex reads LOAD INDEX INTO CACHE t INDEX (a) IGNORE LEAVES, u: no data moves.
func recogniseLoadIndex(s *scan) bool {
	return s.is("LOAD", "INDEX", "INTO", "CACHE") && recogniseTableList(s)
}

// recogniseFlush: FLUSH … FOR EXPORT hands out a table's file.
func recogniseFlush(s *scan) bool {
	if s.has(0, len(s.st.Tokens), "EXPORT") {
		s.st.Extra.Private = "FLUSH … FOR EXPORT, which hands out a table's file"
		return true
	}
	return recogniseControl(s)
}
