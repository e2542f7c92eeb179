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
	columns, rows, err := s.askColumns(ctx, strings.TrimRight(strings.TrimSpace(t.statement.Text), "; \n\t"))
	if err != nil {
		var refused *wire.ERR
		if errors.As(err, &refused) {
			return true, s.client.WritePacket(refused.Encode(s.caps))
		}
		return true, s.sayFault(err)
	}
	own := strconv.FormatUint(s.connection, 10)
	a := &Answer{Columns: columns, Rows: [][]string{}}
	for _, row := range rows {
		out := make([]string, len(columns))
		for i := range columns {
			out[i] = value(row, i)
			if strings.EqualFold(columns[i], "Info") && value(row, 0) != own && out[i] != "" {
				out[i] = "(hidden by Sluice)"
			}
		}
		a.Rows = append(a.Rows, out)
	}
	t.succeeded = true
	return true, s.sayAnswer(a, t.more, t.command == wire.ComStmtExecute)
}

// processInfo serves COM_PROCESS_INFO, the old form of SHOW PROCESSLIST.
func (s *Session) processInfo(ctx context.Context, packet []byte) error {
	script, err := s.g.Reader.Parse([]byte("SHOW PROCESSLIST"), s.state.reading)
	if err != nil {
		return s.sayFault(err)
	}
	graph, err := s.g.Reader.Graph(ctx, script, 0, s.scope())
	if err != nil {
		return s.undefined(ctx, &script.Statements[0], err)
	}
	return s.trip(ctx, &trip{statement: &script.Statements[0], graph: graph, command: wire.ComProcessInfo, packet: packet})
}
