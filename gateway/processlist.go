package gateway

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"sluice/enforcement"
	"sluice/gateway/wire"
	"sluice/lineage"
)

// processList answers SHOW PROCESSLIST and SHOW REPLICA STATUS while anything is protected: the warehouse's own answer with the texts
// of other sessions hidden, since those hold other people's data and tools ask for both all the time. It
// reports false when the warehouse may answer by itself.
func (s *Session) processList(ctx context.Context, t *trip) (bool, error) {
	if !s.hides(s.g.Policies.Current(), t.graph) {
		return false, nil
	}
	if t.graph.Effects.Routine || t.graph.Kind == "call" { // more than one answer may come
		t.graph = refusedAs(t.graph, "a stored program shows the process list, whose texts of other sessions are hidden")
		t.graph.Effects.ProcessList = false
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
	binary := t.command == wire.ComStmtExecute || t.command == wire.ComStmtBulkExecute
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

// hides tells whether the texts of other sessions are hidden from a statement.
func (s *Session) hides(snapshot *enforcement.Snapshot, g *lineage.Graph) bool {
	return g.Effects.ProcessList && snapshot.Protected() && len(g.Flows) == 0 && (snapshot.Role(s.subject, "") != enforcement.SuperAdministrator || s.abandoned())
}

// errShown says that the warehouse's own process list would be shown, and that texts in it are to be hidden by now.
var errShown = errors.New("the process list is to be hidden")

// hidden gives a row of the process list without the text of another session.
func (s *Session) hidden(columns []wire.Column, row []*string) []wire.Value {
	out := make([]wire.Value, len(columns))
	own := value(row, 0) == strconv.FormatUint(s.connection, 10)
	for i := range columns {
		switch {
		case i >= len(row) || row[i] == nil:
		case strings.EqualFold(columns[i].Name, "Info") && !own, quotesRows(columns[i].Name) && *row[i] != "":
			out[i] = wire.Text("(hidden by Sluice)")
		default:
			out[i] = wire.Text(*row[i])
		}
	}
	return out
}

// quotesRows tells the columns of SHOW REPLICA STATUS that hold errors of statements, which quote keys of rows.
func quotesRows(column string) bool {
	return strings.EqualFold(column, "Last_Error") || strings.EqualFold(column, "Last_SQL_Error")
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
