package gateway

import (
	"context"

	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// cursor is what a statement's open cursor was permitted by, for what the statement read when it was executed.
type cursor struct {
	statement *parser.Statement
	graph     *lineage.Graph
	shown     int64 // rows given out, against the display cap
	// overDryCap: it went past the display cap of a project in dry run, which is recorded.
	overDryCap bool
}

// left gives how many of a number of rows it has not shown yet; -1 for all stays.
func (c *cursor) left(rows int64) int64 {
	if rows < 0 {
		return rows
	}
	return max(0, rows-c.shown)
}

// executed takes the cursor that an EXECUTE opened. One that was refused or failed may have left an older cursor open,
// so that one is judged on; where the warehouse contradicted the graph there is none to go on with.
func (p *prepared) executed(t *trip) {
	switch {
	case t.outcome.contradicted:
		p.cursor = nil
	case !t.succeeded:
	case t.outcome.cursor:
		p.cursor = &cursor{statement: t.statement, graph: t.judged}
	default:
		p.cursor = nil
	}
}

// fetch gives rows of a cursor: judged again by the newest policy (contract 2, decisions at use).
func (s *Session) fetch(ctx context.Context, packet []byte) error {
	id, err := wire.ParseStatementID(packet)
	if err != nil {
		return s.unknownCommand()
	}
	p := s.preparedBy(id)
	if p == nil || p.cursor == nil {
		return s.forward(ctx, wire.ComStmtFetch, packet, nil, answerOptions{rowless: true}) // the warehouse knows none either
	}
	t := &trip{statement: p.cursor.statement, graph: p.cursor.graph, command: wire.ComStmtFetch, packet: packet, cursor: p.cursor}
	if err := s.trip(ctx, t); err != nil {
		return err
	}
	t.cursor.shown += t.outcome.rows
	return nil
}
