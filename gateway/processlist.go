package gateway

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"sluice/enforcement"
	"sluice/gateway/wire"
)

// processList answers SHOW PROCESSLIST while anything is protected: the warehouse's own list with the texts of
// other sessions hidden, since those hold other people's data and tools ask for the list all the time. It
// reports false when the warehouse may answer by itself.
func (s *Session) processList(ctx context.Context, t *trip) (bool, error) {
	snapshot := s.g.Policies.Current()
	if !snapshot.Protected() || len(t.graph.Flows) > 0 || snapshot.Role(s.subject, "") == enforcement.SuperAdministrator {
		return false, nil
	}
	columns, rows, err := s.askColumns(ctx, strings.TrimRight(strings.TrimSpace(t.statement.Sent()), "; \n\t"))
	if err != nil {
		var refused *wire.ERR
		if errors.As(err, &refused) {
			return true, s.client.WritePacket(refused.Encode(s.caps))
		}
		return true, s.sayFault(err)
	}
	rs := wire.ResultSet{Columns: columns, Status: s.state.status}
	for _, row := range rows {
		rs.Rows = append(rs.Rows, s.hidden(columns, row))
	}
	binary := t.command == wire.ComStmtExecute
	for i := range columns {
		if binary && columns[i].Type != wire.TypeLongLong {
			columns[i].Type = wire.TypeVarString
		}
	}
	t.succeeded = true
	frames, seq, err := rs.Append(nil, s.client.Sequence(), s.resultOptions(t.more, binary))
	if err != nil {
		return true, s.sayFault(err)
	}
	s.client.SetSequence(seq)
	_, err = s.client.Write(frames)
	return true, err
}

// hidden gives a row of the process list without the text of another session.
func (s *Session) hidden(columns []wire.Column, row []*string) []wire.Value {
	out := make([]wire.Value, len(columns))
	own := value(row, 0) == strconv.FormatUint(s.connection, 10)
	for i := range columns {
		switch {
		case i >= len(row) || row[i] == nil:
		case strings.EqualFold(columns[i].Name, "Info") && !own:
			out[i] = wire.Text("(hidden by Sluice)")
		default:
			out[i] = wire.Text(*row[i])
		}
	}
	return out
}

// processInfo serves COM_PROCESS_INFO, the old form of SHOW PROCESSLIST.
func (s *Session) processInfo(ctx context.Context, packet []byte) error {
	script, err := s.parse(ctx, []byte("SHOW PROCESSLIST"))
	if err != nil {
		return s.sayFault(err)
	}
	graph, err := s.g.Reader.Graph(ctx, script, 0, s.scope())
	if err != nil {
		return s.undefined(ctx, &script.Statements[0], err)
	}
	return s.trip(ctx, &trip{statement: &script.Statements[0], graph: graph, command: wire.ComProcessInfo, packet: packet})
}
