package gateway

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// Syntax errors quote what follows the fault, up to this many bytes.
const nearLimit = 80

// nearInBatch gives a syntax error the words that the warehouse would have chosen for the whole batch: there the
// quotation goes on behind the statement.
func nearInBatch(message string, st *parser.Statement) string {
	at := strings.LastIndex(message, "near '")
	end := strings.LastIndex(message, "' at line ")
	if at < 0 || end < at+6 {
		return message
	}
	near := message[at+6 : end]
	if len(near) >= nearLimit || !strings.HasSuffix(st.Sent(), near) {
		return message
	}
	return message[:at+6] + quotable(near+st.Rest) + message[end:]
}

// quotable cuts a quotation where servers cut it. They drop the semicolons and blanks at the end of what a client sends before they
// read it.
func quotable(near string) string {
	near = strings.TrimRight(near, "; \t\r\n\f\v")
	end := min(len(near), nearLimit)
	for end > 0 && end < len(near) && !utf8.RuneStart(near[end]) {
		end--
	}
	return near[:end]
}

// emptyNext tells whether an empty statement follows st in its batch, and what follows from there.
func emptyNext(st *parser.Statement) (string, bool) {
	blanks := " \t\r\n\f\v"
	rest := strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(st.Rest, blanks), ";"), blanks)
	return rest, strings.HasPrefix(rest, ";")
}

// sayEmptyStatement is the syntax error that MySQL and MariaDB give to an empty statement between two others.
func (s *Session) sayEmptyStatement(near string) error {
	product := "MySQL"
	if s.state.reading.Dialect.Flavor == parser.MariaDB {
		product = "MariaDB"
	}
	return s.sayError(wire.ErrParse, "42000", fmt.Sprintf("You have an error in your SQL syntax; check the manual that corresponds to your %s server version for the right syntax to use near '%s' at line 1", product, quotable(near)))
}

// remark is a text that holds nothing but a comment.
const remark = "/* */"

// remarked tells whether a comment stands behind the last semicolon of a batch: MySQL and MariaDB answer it as a
// statement of its own, the one with an error, the other with OK.
func (s *Session) remarked(script *lineage.Script) bool {
	last := &script.Statements[len(script.Statements)-1]
	return script.Tail && s.state.multi && last.Command == nil && s.state.reading.Dialect.Flavor != parser.TiDB
}

// batchError gives TiDB's syntax error to a batch, or nil: TiDB reads all of a batch before it runs any of it. To prepare a
// batch tells of its faults alone, for TiDB prepares no two statements at once.
func (s *Session) batchError(script *lineage.Script, text []byte) []byte {
	if s.state.reading.Dialect.Flavor != parser.TiDB {
		return nil
	}
	read := true // by the tree parser, which is TiDB's
	for i := range script.Statements {
		if script.Statements[i].Command != nil {
			return nil
		}
		read = read && script.Statements[i].Tier == parser.TierTree
	}
	if read {
		return nil
	}
	return s.prepareError(text, func(code uint16) bool { return code == wire.ErrParse })
}
