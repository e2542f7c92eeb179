package gateway

import (
	"context"
	"reflect"
	"slices"

	"sluice/lineage"
	"sluice/parser"
)

// held is a text that the warehouse keeps: a prepared statement's. When a table of it changed, the warehouse parses the text
// again at EXECUTE, by what the session's settings are by then: MySQL by sql_mode and character set, MariaDB by the
// character set. So the text is judged under each setting that it was executed under.
type held struct {
	text   string          // the client's bytes
	script *lineage.Script // as it read at PREPARE
	schema string          // current schema at PREPARE, which the warehouse keeps resolving by
	also   []rereading
}

// rereading is how a held text reads under settings that changed since PREPARE.
type rereading struct {
	by     parser.Reading
	script *lineage.Script // nil: it cannot be read as one statement
}

// maxRereadings bounds the settings that one statement is executed under.
const maxRereadings = 8

// restless says why a held text is refused.
const restless = "the prepared text reads otherwise under the sql_mode or character set that changed since PREPARE, and the warehouse may read it again: prepare it again"

// heldGraph binds a held text's names again. What reads otherwise by now is refused.
func (s *Session) heldGraph(ctx context.Context, h *held) (*lineage.Graph, error) {
	sc := s.scope()
	sc.Schema = h.schema
	g, err := s.g.Reader.Graph(ctx, h.script, 0, sc)
	if err != nil {
		return nil, err
	}
	if err := s.readAgain(ctx, h); err != nil {
		return nil, err
	}
	for _, again := range h.also {
		if again.script == nil {
			return refusedAs(g, restless), nil
		}
		other, err := s.g.Reader.Graph(ctx, again.script, 0, sc)
		if err != nil {
			return nil, err
		}
		if !reflect.DeepEqual(g, other) {
			return refusedAs(g, restless), nil
		}
	}
	return g, nil
}

// readAgain notes how a text reads under the settings of now, if they may matter to it.
func (s *Session) readAgain(ctx context.Context, h *held) error {
	same := s.state.reading == h.script.Reading
	if same && !s.state.modeStale && !s.state.grammarStale || s.state.reading.Dialect.Flavor == parser.TiDB || parser.ModeFree(h.text) {
		return nil
	}
	if err := s.refreshFor(ctx, []byte(h.text)); err != nil {
		return err
	}
	now := s.state.reading
	if now == h.script.Reading || slices.ContainsFunc(h.also, func(r rereading) bool { return r.by == now }) {
		return nil
	}
	again := rereading{by: now}
	script, err := s.g.Reader.Parse([]byte(h.text), now)
	if err == nil && len(script.Statements) == 1 && script.Statements[0].Command == nil && len(h.also) < maxRereadings {
		again.script = script
	}
	h.also = append(h.also[:min(len(h.also), maxRereadings)], again)
	return nil
}

// refusedAs is a graph that is refused for a reason.
func refusedAs(g *lineage.Graph, why string) *lineage.Graph {
	refused := *g
	refused.Refused = why
	return &refused
}
