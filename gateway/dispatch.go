package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"sluice/enforcement"
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// dispatch serves one command by what it is: forwarded, judged, answered here or refused.
func (s *Session) dispatch(ctx context.Context, packet []byte) error {
	if len(packet) == 0 {
		return s.unknownCommand()
	}
	c := wire.Command(packet[0])
	if s.nobodys && !ofNobody[c] {
		return s.sayError(wire.ErrAccessDenied, "28000", "Sluice: the change of user was refused, and this is nobody's session: change to a user, or connect again")
	}
	switch c {
	case wire.ComQuit:
		_ = s.send(packet)
		return errQuit
	case wire.ComQuery:
		text, err := s.takeAttributes(packet)
		if err != nil {
			return s.malformed()
		}
		return s.query(ctx, text)
	case wire.ComInitDB:
		return s.initDB(ctx, packet)
	case wire.ComStmtPrepare:
		return s.prepare(ctx, packet)
	case wire.ComStmtExecute:
		return s.execute(ctx, packet)
	case wire.ComStmtBulkExecute:
		if !s.extended.Has(wire.ExtStmtBulk) {
			return s.unknownCommand()
		}
		return s.execute(ctx, packet)
	case wire.ComStmtFetch:
		return s.fetch(ctx, packet)
	case wire.ComStmtSendLongData:
		return s.longData(packet)
	case wire.ComStmtClose:
		return s.closeStatement(packet)
	case wire.ComStmtReset:
		if s.ownStatement(packet) {
			return s.sayOK(0)
		}
		return s.forward(ctx, c, packet, nil, answerOptions{})
	case wire.ComPing:
		if s.g.Draining() && s.state.status&wire.StatusInTransaction == 0 {
			return s.sayError(wire.ErrServerShutdown, "08S01", "Server shutdown in progress")
		}
		return s.forward(ctx, c, packet, nil, answerOptions{})
	case wire.ComRefresh:
		if s.state.reading.Dialect.Flavor == parser.TiDB {
			return s.unknownCommand() // it answers twice: the second answer would be the next command's
		}
		return s.forward(ctx, c, packet, nil, answerOptions{})
	case wire.ComStatistics, wire.ComDebug, wire.ComShutdown, wire.ComProcessKill:
		return s.forward(ctx, c, packet, nil, answerOptions{})
	case wire.ComFieldList:
		return s.fieldList(ctx, packet)
	case wire.ComProcessInfo:
		return s.processInfo(ctx, packet)
	case wire.ComSetOption:
		return s.setOption(ctx, packet)
	case wire.ComChangeUser:
		return s.changeUser(ctx, packet)
	case wire.ComResetConnection:
		return s.resetConnection(ctx, packet)
	case wire.ComBinlogDump, wire.ComBinlogDumpGTID, wire.ComTableDump, wire.ComRegisterSlave:
		return s.sayError(1142, "42000", "Sluice does not relay replication streams ("+c.String()+"): they carry the data of every project; replicate from the warehouse itself")
	default:
		return s.unknownCommand()
	}
}

func (s *Session) unknownCommand() error {
	return s.sayError(wire.ErrUnknownCommand, "08S01", "Unknown command")
}

// sayOK answers with an OK packet of the gateway's own.
func (s *Session) sayOK(warnings uint16) error {
	ok := wire.OK{Status: s.state.status &^ wire.StatusMoreResults, Warnings: warnings}
	return s.client.WritePacket(ok.Encode(s.caps))
}

// initDB changes the current schema; what it is then is asked, not taken from the packet.
func (s *Session) initDB(ctx context.Context, packet []byte) error {
	schema, err := wire.ParseInitDB(packet)
	if err != nil {
		return s.unknownCommand()
	}
	if strings.IndexByte(schema, 0) >= 0 {
		// MySQL opens the schema named before the zero byte, and tells the whole as the current one.
		return s.sayError(wire.ErrBadDB, "42000", "Unknown database: its name has a zero byte")
	}
	if lineage.IsPolicySchema(schema) {
		return s.sayError(1142, "42000", "the schema "+lineage.PolicySchema+" holds Sluice's policy and is not reached through Sluice")
	}
	out, err := s.forwarded(ctx, wire.ComInitDB, packet, nil, answerOptions{})
	s.used(schema, err == nil && !out.failed)
	s.publish()
	return err
}

// fieldList reads definitions, which are free.
func (s *Session) fieldList(ctx context.Context, packet []byte) error {
	if err := s.refreshSchema(ctx); err != nil {
		return s.sayFault(err)
	}
	if lineage.IsPolicySchema(s.state.schema) {
		return s.sayError(1142, "42000", "the schema "+lineage.PolicySchema+" holds Sluice's policy and is not reached through Sluice")
	}
	return s.forward(ctx, wire.ComFieldList, packet, nil, answerOptions{})
}

// setOption turns batches on and off. The warehouse is told "off" in either case: Sluice sends it one statement at
// a time, and relies on the warehouse to refuse a text that holds more. Its answer is the client's.
func (s *Session) setOption(ctx context.Context, packet []byte) error {
	if len(packet) < 3 {
		return s.unknownCommand()
	}
	option := binary.LittleEndian.Uint16(packet[1:])
	if option == optionMultiOn {
		packet = binary.LittleEndian.AppendUint16([]byte{byte(wire.ComSetOption)}, optionMultiOff)
	}
	out, err := s.forwarded(ctx, wire.ComSetOption, packet, nil, answerOptions{})
	if err == nil && !out.failed && option <= optionMultiOff {
		s.state.multi = option == optionMultiOn
	}
	return err
}

// The options of COM_SET_OPTION.
const (
	optionMultiOn  = 0
	optionMultiOff = 1
)

// changeUser relays the new login's dialogue. Whatever was known of the session is forgotten first: after
// a failure the connection is of no use.
func (s *Session) changeUser(ctx context.Context, packet []byte) error {
	u, err := wire.ParseChangeUser(packet, s.caps)
	if err != nil {
		return s.unknownCommand()
	}
	s.unsettle()
	before := s.account
	s.loginBegins()
	if err := s.send(u.Encode(s.caps)); err != nil {
		return err
	}
	s.auth.plugin, s.auth.firstAnswer = u.AuthPlugin, u.AuthResponse
	s.boundLogin(time.Now().Add(s.g.Limits.LoginTimeout))
	ok, err := s.authenticate()
	s.boundLogin(time.Time{})
	u.Forget()
	clear(packet)
	if errors.Is(err, errRejected) {
		s.account = before
		return s.unchangedUser()
	}
	if err != nil {
		return err
	}
	s.program, s.taskAsked = u.Attribute("program_name"), false
	return s.welcome(ok, u.User)
}

// unchangedUser goes on behind a COM_CHANGE_USER that the warehouse refused. MariaDB keeps the account and the schema of
// before, and nothing else of the session; MySQL closes it; TiDB goes on with nobody's, which may do everything.
func (s *Session) unchangedUser() error {
	s.nobodys = s.state.reading.Dialect.Flavor == parser.TiDB
	s.warehouse.ReadAhead(false)
	s.taskAsked = false
	s.client.ReadAhead(true)
	return nil
}

// ofNobody are the commands that nobody's session may send: those that end that, and those that have no answer.
var ofNobody = map[wire.Command]bool{
	wire.ComQuit: true, wire.ComPing: true, wire.ComChangeUser: true, wire.ComStmtClose: true, wire.ComStmtSendLongData: true,
}

// resetConnection keeps the account and forgets the rest.
func (s *Session) resetConnection(ctx context.Context, packet []byte) error {
	out, err := s.forwarded(ctx, wire.ComResetConnection, packet, nil, answerOptions{})
	if err != nil {
		return err
	}
	if out.failed { // nobody knows what is left of the session
		s.forgetSettings()
		return nil
	}
	s.unsettle()
	s.taskAsked = false
	return nil
}

// command runs a gateway command. ok is false when a batch ends there.
func (s *Session) command(ctx context.Context, st *parser.Statement, more, binary bool) (ok bool, err error) {
	if s.account.plainly && s.unknown() { // a prepared command is not read again
		if err := s.identify(ctx); err != nil {
			return false, s.sayFault(err)
		}
	}
	if s.expired != nil {
		return false, s.sayExpired()
	}
	if !s.identified {
		return false, s.sayError(wire.ErrAccessDenied, "28000", "Sluice does not know this session's account yet; set the password first")
	}
	if enforcement.RoleFor(st.Command) != enforcement.None && s.abandoned() {
		return false, s.sayAbandoned()
	}
	if err := s.refreshSchema(ctx); err != nil {
		return false, s.sayFault(err)
	}
	answer, err := s.g.Commander.Run(ctx, st.Command, s.environment())
	s.g.Metrics.Statement("command", "", "")
	if err != nil {
		return false, s.sayCommandFault(err)
	}
	s.state.warnings = append([]Warning{}, answer.Warnings...) // not nil: the warehouse's are of an earlier statement
	return true, s.sayAnswer(answer, more, binary)
}
