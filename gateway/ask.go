package gateway

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/gateway/wire"
	"sluice/parser"
)

// askLimit bounds an answer to a question of the gateway's own.
const askLimit = 64 << 20

// errLost says that the session has no warehouse any more: the client is closed without a word, as the warehouse did.
var errLost = errors.New("the warehouse closed the connection before it answered a question")

// ask runs a query of the gateway's own on the client's connection to the warehouse, between two
// statements, and gives its rows; a NULL is nil. An ERR of the warehouse comes back as *wire.ERR.
func (s *Session) ask(ctx context.Context, sql string) ([][]*string, error) {
	_, rows, err := s.askColumns(ctx, sql)
	return rows, err
}

// errOutOfStep is an answer to another question than the one that was asked.
var errOutOfStep = errors.New("ask the warehouse: its answer is to another command")

// askRow asks for one row of values, given as a list of expressions. Decisions rest on it, so it is told from whatever else
// the connection may hold by a number that nobody can guess, and the connection ends if it is not there.
func (s *Session) askRow(ctx context.Context, expressions string) ([][]*string, error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	token := strconv.FormatUint(binary.LittleEndian.Uint64(random[:]), 10)
	// LIMIT goes before the session's sql_select_limit.
	rows, err := s.ask(ctx, "SELECT "+token+s.disguise(ctx)+", "+expressions+" LIMIT 1")
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 || value(rows[0], 0) != token {
		_ = s.warehouse.Close()
		return nil, errOutOfStep
	}
	rows[0] = rows[0][1:]
	return rows, nil
}

// disguise names a question's first column as no rule of MySQL's plugin Rewriter can, where it is there: a rule is found by the text
// without its literals but with its names, and would answer for the warehouse. Elsewhere the questions are all alike, and
// one digest to the warehouse.
func (s *Session) disguise(ctx context.Context) string {
	s.plain = false
	if s.state.reading.Dialect.Flavor != parser.MySQL {
		return ""
	}
	if _, err := s.g.Reader.Catalog.Current(ctx); err == nil && !s.g.Reader.Catalog.Replaces() {
		s.plain = true
		return ""
	}
	return " AS s" + rand.Text()
}

// askColumns is ask with the columns.
func (s *Session) askColumns(_ context.Context, sql string) ([]wire.Column, [][]*string, error) {
	_ = s.warehouse.SetReadDeadline(time.Now().Add(s.g.Limits.WriteTimeout))
	s.stillEnding()
	s.warehouse.ReadAhead(true) // many small packets
	defer func() {
		s.warehouse.ReadAhead(false)
		_ = s.warehouse.SetReadDeadline(time.Time{})
		s.stillEnding()
	}()
	attributes := s.attributes
	s.attributes = nil // the client's are not the question's
	err := s.send(append([]byte{byte(wire.ComQuery)}, sql...))
	s.attributes = attributes
	if err != nil {
		return nil, nil, errors.Join(errLost, err)
	}
	s.unanswered = 0
	first, err := s.answerPacket()
	if err != nil {
		return nil, nil, err
	}
	if len(first) == 0 {
		return nil, nil, errors.New("ask the warehouse: an empty packet")
	}
	switch first[0] {
	case wire.HeaderOK:
		return nil, nil, nil
	case wire.HeaderERR:
		refused, err := wire.ParseERR(first)
		if err != nil {
			return nil, nil, err
		}
		return nil, nil, refused
	case wire.HeaderLocalInfile:
		return nil, nil, errors.New("ask the warehouse: it asked for a file")
	}
	columns := make([]wire.Column, int(first[0])) // our questions have few columns
	for i := range columns {
		p, err := s.answerPacket()
		if err != nil {
			return nil, nil, err
		}
		if columns[i], err = wire.ParseColumn(p, s.extended); err != nil {
			return nil, nil, err
		}
	}
	if !s.caps.Has(wire.ClientDeprecateEOF) {
		if _, err := s.answerPacket(); err != nil {
			return nil, nil, err
		}
	}
	rows, err := s.askedRows()
	return columns, rows, err
}

// severalAnswers ends a connection whose answer to a question goes on: the rest would be taken for the next command's.
func (s *Session) severalAnswers() error {
	_ = s.warehouse.Close()
	return errOutOfStep
}

func (s *Session) askedRows() ([][]*string, error) {
	var rows [][]*string
	for {
		p, err := s.answerPacket()
		if err != nil {
			return nil, err
		}
		switch {
		case len(p) > 0 && p[0] == wire.HeaderERR:
			refused, err := wire.ParseERR(p)
			if err != nil {
				return nil, err
			}
			return nil, refused
		case wire.IsEOF(p) && !s.caps.Has(wire.ClientDeprecateEOF) && len(p) >= 5:
			if binary.LittleEndian.Uint16(p[3:])&wire.StatusMoreResults != 0 {
				return nil, s.severalAnswers()
			}
			return rows, nil
		case len(p) > 0 && p[0] == wire.HeaderEOF && len(p) < wire.MaxPart:
			if ok, err := wire.ParseOK(p, s.caps); err == nil && ok.Status&wire.StatusMoreResults != 0 {
				return nil, s.severalAnswers()
			}
			return rows, nil
		}
		row, err := textRow(p)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

// answerPacket reads one packet of an answer to a question.
func (s *Session) answerPacket() ([]byte, error) {
	p, err := s.warehouse.ReadPacket(askLimit)
	if err != nil {
		return nil, errors.Join(errLost, err)
	}
	return p, nil
}

// textRow reads a row of the text protocol (Text Resultset Row page).
func textRow(p []byte) ([]*string, error) {
	var row []*string
	for len(p) > 0 {
		if p[0] == 0xfb {
			row, p = append(row, nil), p[1:]
			continue
		}
		n, size := uint64(p[0]), 1
		switch p[0] {
		case 0xfc:
			size = 3
		case 0xfd:
			size = 4
		case 0xfe:
			size = 9
		}
		if len(p) < size {
			return nil, errors.New("a row ends inside a length")
		}
		if size > 1 {
			n = 0
			for i := size - 1; i > 0; i-- {
				n = n<<8 | uint64(p[i])
			}
		}
		if uint64(len(p)-size) < n {
			return nil, errors.New("a row ends inside a value")
		}
		v := string(p[size : size+int(n)])
		row, p = append(row, &v), p[size+int(n):]
	}
	return row, nil
}

// stateQuery asks for all that decisions rest on. Everything comes in hex: the session's character set
// for results may be one that garbles names.
const stateQuery = "HEX(CURRENT_USER()), HEX(DATABASE()), HEX(CONCAT(@@sql_mode)), HEX(@@character_set_client), HEX(@@character_set_results)"

// The errors of a session that may only set a new password (expired passwords).
const (
	errMustChangePassword = 1820
	errExpiredPassword    = 1862
)

// identify asks who was let in, and what the session's texts are read by.
func (s *Session) identify(ctx context.Context) error {
	rows, err := s.askRow(ctx, stateQuery)
	var refused *wire.ERR
	if errors.As(err, &refused) && (refused.Code == errMustChangePassword || refused.Code == errExpiredPassword) {
		s.identified, s.expired = false, refused // the warehouse runs nothing but SET PASSWORD until then
		return nil
	}
	if err != nil {
		return err
	}
	if len(rows) != 1 || len(rows[0]) != 5 {
		return errors.New("the warehouse's answer about the session has an unknown form")
	}
	values := make([]string, 5)
	for i, v := range rows[0] {
		if v == nil {
			continue
		}
		raw, err := hex.DecodeString(*v)
		if err != nil {
			return fmt.Errorf("read the session's state: %w", err)
		}
		values[i] = string(raw)
	}
	s.adoptState(values)
	s.know(ctx)
	return nil
}

func (s *Session) adoptState(values []string) {
	account := values[0]
	at := strings.LastIndexByte(account, '@')
	if at < 0 {
		at = len(account)
	}
	s.subject.User = account[:at]
	s.subject.Host = strings.TrimPrefix(account[at:], "@")
	s.identified, s.expired, s.account.looked, s.account.plainly = true, nil, false, s.plain
	if !s.taskAsked {
		s.task = s.g.Tasks.of(s.program, s.subject.User)
	}
	s.state.schema, s.state.schemaStale = values[1], false
	s.state.reading.Mode = parser.ParseMode(values[2])
	s.state.reading.Charset = strings.ToLower(values[3])
	s.state.adoptResults(values[4])
	s.state.modeStale, s.state.grammarStale = false, false
	s.publish()
}

// unsettled tells whether the next text waits for a question about the session.
func (s *Session) unsettled() bool {
	return s.unknown() || s.state.grammarStale || s.state.schemaStale
}

// unknown tells whether it must be asked whose session this is: also when that was asked in words that rules may have
// replaced since.
func (s *Session) unknown() bool {
	return !s.identified || s.account.plainly && s.g.Reader.Catalog.Replaces()
}

// unsettle forgets what is known of the session and its account. It is asked for when a text comes that it matters for, which
// many sessions never send, and which most send after settings of theirs that would have to be asked for again.
func (s *Session) unsettle() {
	s.state.reset()
	s.identified, s.expired, s.subject.User, s.subject.Host = false, nil, "", ""
}

// forgetSettings has the session asked about again. What it carries may still be there, and temporary tables may not.
func (s *Session) forgetSettings() {
	s.identified = false
	s.state.modeStale, s.state.grammarStale, s.state.schemaStale = true, true, true
	for o := range s.state.temporary {
		s.state.temporary[o] = false
	}
}

// refreshFor asks again when a text's meaning depends on settings that may have changed.
func (s *Session) refreshFor(ctx context.Context, text []byte) error {
	if s.unsettled() || (s.state.modeStale && !parser.ModeFree(string(text))) {
		return s.identify(ctx)
	}
	return nil
}

// refreshSchema asks for the current schema when a statement may have changed it.
func (s *Session) refreshSchema(ctx context.Context) error {
	if !s.state.schemaStale {
		return nil
	}
	return s.identify(ctx)
}

// sayFault answers a fault of the gateway's own without its inner text.
func (s *Session) sayFault(err error) error {
	if errors.Is(err, errLost) {
		return err
	}
	s.g.Log.Warn("session fault", "connection", s.connection, "user", s.shownUser(), "error", err)
	var refused *wire.ERR
	if errors.As(err, &refused) {
		return s.client.WritePacket(refused.Encode(s.caps))
	}
	if sayErr := s.sayError(1105, "HY000", "Sluice could not ask the warehouse what this statement depends on; try again"); sayErr != nil {
		return sayErr
	}
	return err
}

// syntaxError asks the warehouse to prepare a text that Sluice refused because it cannot read it. It
// gives the ERR packet when the warehouse cannot parse it either, and nil otherwise: preparing runs nothing.
func (s *Session) syntaxError(_ context.Context, text string) []byte {
	return s.prepareError([]byte(text), func(code uint16) bool { return code == wire.ErrParse || code == errPrepareSeveral })
}

// What TiDB says of a text that holds several statements: it can parse what MySQL cannot.
const (
	errPrepareSeveral = 8115
	errBatchDisabled  = 8130
	batchDisabled     = "client has multi-statement capability disabled. Run SET GLOBAL tidb_multi_statement_mode='ON' after you understand the security risk"
)

// hopeless are the errors by which the warehouse refuses to run a statement whoever watches: no privilege, no such name,
// no such syntax.
var hopeless = map[uint16]bool{1044: true, 1049: true, 1054: true, wire.ErrParse: true, 1109: true, 1136: true, 1142: true, 1143: true, 1146: true, 1227: true, 1288: true, 1356: true, 1370: true, 1471: true}

// hopelessError asks the warehouse to prepare a statement that would break seals or empty packages. What it would refuse
// anyway must not do so: otherwise anybody could, without a privilege on the table.
func (s *Session) hopelessError(text []byte) []byte {
	return s.prepareError(text, func(code uint16) bool { return hopeless[code] })
}

// prepareError prepares a text and gives the ERR packet if the warehouse answers with one that counts.
func (s *Session) prepareError(text []byte, counts func(code uint16) bool) []byte {
	if err := s.send(append([]byte{byte(wire.ComStmtPrepare)}, text...)); err != nil {
		return nil
	}
	s.unanswered = 0
	first, err := s.warehouse.ReadPacket(askLimit)
	if err != nil || len(first) == 0 {
		return nil
	}
	if first[0] == wire.HeaderERR {
		if e, err := wire.ParseERR(first); err == nil && counts(e.Code) {
			return first
		}
		return nil
	}
	ok, err := wire.ParsePrepareOK(first)
	if err != nil {
		return nil
	}
	s.discardPrepared(ok)
	return nil
}

// discardPrepared reads the rest of a PREPARE's answer and closes the statement.
func (s *Session) discardPrepared(ok wire.PrepareOK) {
	for _, n := range []uint16{ok.Params, ok.Columns} {
		rest := int(n)
		if rest > 0 && !s.caps.Has(wire.ClientDeprecateEOF) {
			rest++
		}
		for range rest {
			if _, err := s.warehouse.ReadPacket(askLimit); err != nil {
				return
			}
		}
	}
	_ = s.send(wire.EncodeStatement(wire.ComStmtClose, ok.StatementID))
}
