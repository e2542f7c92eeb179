package gateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// dynamic serves SQL-level PREPARE, EXECUTE, EXECUTE IMMEDIATE and DEALLOCATE: the text that will run is
// found out, judged, and what was judged is what runs (contract 2). It reports false when it answered.
func (s *Session) dynamic(ctx context.Context, t *trip) (bool, error) {
	d := t.graph.Effects.Dynamic
	if (d.Verb == "prepare" || d.Verb == "execute") && !plainStatement(d.Name) {
		return s.foldedName(t), nil
	}
	switch d.Verb {
	case "deallocate":
		return true, nil
	case "execute":
		return s.executeNamed(ctx, t, d)
	}
	if d.Expression != "" && !s.mayShow(t.graph) {
		// Neither the text nor what is wrong with it may be told.
		return false, s.refuseInner(ctx, t, errors.New("the text that it runs is made of data that this session may not see"))
	}
	text, asked, err := s.dynamicText(ctx, t.statement, d)
	if err != nil {
		var refused *wire.ERR
		if errors.As(err, &refused) {
			return false, s.client.WritePacket(refused.Encode(s.caps))
		}
		if errors.Is(err, errUnspeakable) {
			return false, s.refuseInner(ctx, t, err)
		}
		return false, s.sayFault(err)
	}
	inner, graph, err := s.innerGraph(ctx, text)
	if err != nil {
		t.inner = text
		return false, s.refuseInner(ctx, t, err)
	}
	if asked {
		packet, err := s.replaced(t, d, text)
		if err != nil {
			return false, s.refuseInner(ctx, t, err)
		}
		t.packet = packet
	}
	var made []lineage.Source
	if d.Expression != "" {
		made = sources(s.expand(t.graph))
	}
	if d.Verb == "prepare" {
		t.named = &named{held: held{text: text, script: inner, schema: s.state.schema}, made: made}
	}
	t.graph = joined(t.graph, graph, d, made)
	return true, nil
}

// mayShow tells whether the newest policy lets out the flows of a graph, without recording anything.
func (s *Session) mayShow(g *lineage.Graph) bool {
	r := s.request(s.expand(g))
	r.Now = time.Now()
	d := s.g.Policies.Current().Decide(&r)
	return d.Permitted()
}

var errBatchInside = errors.New("the text that it runs must be one statement of SQL")

// innerGraph reads the text that will run.
func (s *Session) innerGraph(ctx context.Context, text string) (*lineage.Script, *lineage.Graph, error) {
	if err := s.refreshFor(ctx, []byte(text)); err != nil {
		return nil, nil, err
	}
	script, err := s.g.Reader.Parse([]byte(text), s.state.reading)
	if err != nil {
		return nil, nil, err
	}
	if len(script.Statements) == 0 {
		return script, &lineage.Graph{Kind: "empty", Tier: parser.TierTree}, nil
	}
	if len(script.Statements) != 1 || script.Statements[0].Command != nil {
		return nil, nil, errBatchInside
	}
	g, err := s.g.Reader.Graph(ctx, script, 0, s.scope())
	if err == nil && g.Effects.Dynamic != nil && g.Effects.Dynamic.Verb != "deallocate" {
		return nil, nil, errors.New("a prepared text that prepares or executes another is not understood")
	}
	return script, g, err
}

// refuseInner refuses a text that cannot be read, while anything is protected.
func (s *Session) refuseInner(ctx context.Context, t *trip, err error) error {
	if d := t.graph.Effects.Dynamic; d != nil && d.Verb == "prepare" {
		s.state.forgetNamed(d.Name) // where it is forwarded, the name stands for this text
	}
	g := *t.graph
	g.Refused = strings.ToUpper(g.Kind) + ": " + err.Error()
	g.Effects.Dynamic = nil
	t.graph = &g
	return s.trip(ctx, t)
}

// executeNamed judges EXECUTE by the text that PREPARE named.
func (s *Session) executeNamed(ctx context.Context, t *trip, d *parser.Dynamic) (bool, error) {
	n := s.state.named[d.Name]
	if n == nil && !s.state.strange && !s.state.mayName(d.Name) {
		return true, nil // the warehouse knows none either, and says so
	}
	if n == nil {
		g := *t.graph
		g.Refused = "EXECUTE of a statement that was not prepared on this connection through Sluice"
		g.Effects.Dynamic = nil
		t.graph = &g
		t.named = nil
		return true, nil
	}
	if len(n.script.Statements) == 0 {
		return true, nil
	}
	graph, err := s.heldGraph(ctx, &n.held)
	if err != nil {
		return false, s.undefined(ctx, t.statement, err)
	}
	t.graph = joined(t.graph, graph, d, n.made)
	return true, nil
}

// sources lists what a graph's flows begin with.
func sources(g *lineage.Graph) []lineage.Source {
	var out []lineage.Source
	for i := range g.Flows {
		if i == 0 || g.Flows[i].Source.String() != g.Flows[i-1].Source.String() {
			out = append(out, g.Flows[i].Source)
		}
	}
	return out
}

// rowKinds are statements whose text, if it is made of data, comes out as rows or not at all. All others leave
// names, comments, settings behind that anybody can read.
var rowKinds = map[string]bool{"select": true, "insert": true, "replace": true, "update": true, "delete": true, "call": true, "do": true}

// plainStatement tells whether a statement's name is the same to every server: MySQL takes é for e and drops spaces
// behind a name, MariaDB does not.
func plainStatement(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_$") == ""
}

// foldedName refuses PREPARE and EXECUTE of another name. Where they are forwarded, while nothing is protected, the names
// known so far may stand for other texts from now on.
func (s *Session) foldedName(t *trip) bool {
	s.state.named, s.state.strange = nil, true
	g := *t.graph
	g.Refused = strings.ToUpper(g.Kind) + ": name the statement in ASCII letters, digits, _ and $; servers differ over which other names are the same"
	g.Effects.Dynamic = nil
	t.graph = &g
	return true
}

// joined is the graph of running inner with what outer brings along: the values of USING and the data that the
// text is made of may flow wherever inner writes and into its messages, and INTO takes what inner gives.
func joined(outer, inner *lineage.Graph, d *parser.Dynamic, made []lineage.Source) *lineage.Graph {
	g := *inner
	g.Kind = outer.Kind
	g.Effects.Dynamic = outer.Effects.Dynamic
	g.Effects.Overwritten = nil // a literal of a text may be data that the text was made of
	g.Carriers = append(append([]string(nil), inner.Carriers...), outer.Carriers...)
	brought := map[string]lineage.Source{}
	for _, list := range [][]lineage.Source{sources(outer), made} {
		for _, s := range list {
			brought[s.String()] = s
		}
	}
	sinks := innerSinks(outer, inner)
	if len(made) > 0 {
		sinks["result"] = lineage.Sink{Kind: lineage.ResultSink} // literals among the columns, parts of the text in messages
		if !rowKinds[inner.Kind] {
			sinks["definition"] = lineage.Sink{Kind: lineage.FileSink, Name: "a definition or setting, which anybody can read"}
		}
	}
	for _, s := range sources(inner) {
		brought[s.String()] = s
	}
	g.Flows = nil
	for _, source := range brought {
		for _, sink := range sinks {
			g.Flows = append(g.Flows, lineage.Flow{Source: source, Sink: sink})
		}
	}
	if inner.Effects.Shaped {
		for _, source := range sources(outer) {
			g.Flows = append(g.Flows, lineage.Flow{Source: source, Sink: lineage.Sink{Kind: lineage.FileSink, Name: "a definition or setting, which anybody can read"}})
		}
	}
	if d.Verb == "prepare" {
		// Nothing runs yet: the flows are judged, so that a refusal comes early; effects are not.
		g.Effects, g.Writes = lineage.Effects{Dynamic: outer.Effects.Dynamic}, nil
	}
	return &g
}

// innerSinks lists where the flows of a text that outer runs can end.
func innerSinks(outer, inner *lineage.Graph) map[string]lineage.Sink {
	sinks := map[string]lineage.Sink{}
	for _, f := range inner.Flows {
		sinks[f.Sink.String()] = f.Sink
	}
	for _, c := range append(append([]string(nil), inner.Carriers...), outer.Carriers...) {
		sinks["carrier "+c] = lineage.Sink{Kind: lineage.CarrierSink, Name: c}
	}
	for _, w := range inner.Writes {
		k := lineage.Sink{Kind: lineage.TableSink, Object: w.Object}
		sinks[k.String()] = k
	}
	if inner.Kind == "select" {
		k := lineage.Sink{Kind: lineage.ResultSink}
		sinks[k.String()] = k
	}
	return sinks
}

// settleNamed keeps what PREPARE named and forgets what DEALLOCATE dropped.
func (s *Session) settleNamed(t *trip) {
	for _, name := range t.graph.Effects.Prepares {
		s.state.forgetNamed(name) // by another text now
	}
	d := t.graph.Effects.Dynamic
	if d == nil {
		return
	}
	if code := t.outcome.code; !t.succeeded && (d.Verb == "prepare" || d.Verb == "deallocate") && code != wire.ErrParse && code != wire.ErrUnknownStatement {
		s.state.strange = true // what was interrupted may have left the statement of before
	}
	switch {
	case d.Verb == "deallocate":
		s.state.forgetNamed(d.Name)
	case d.Verb == "prepare":
		// A failed PREPARE leaves no statement of its name behind.
		s.state.forgetNamed(d.Name)
		if t.succeeded && t.named != nil {
			if s.state.named == nil {
				s.state.named = make(map[string]*named)
			}
			s.state.named[d.Name] = t.named
		}
	}
}

// insideNamed looks after stored programs that execute statements by name: one that this session prepared is not
// among the texts that the reader knows. The statement is refused unless that one moves nothing, whatever sql_mode
// the program has.
func (s *Session) insideNamed(ctx context.Context, t *trip) error {
	for _, name := range t.graph.Effects.Executes {
		for known, n := range s.state.named {
			if !lineage.MayEqual(known, name) || len(n.script.Statements) == 0 {
				continue
			}
			inner, err := s.heldGraph(ctx, &n.held)
			if err != nil {
				return err
			}
			if parser.ModeFree(n.text) && len(inner.Flows)+len(inner.Writes)+len(inner.Carriers)+len(inner.Opaque)+len(n.made) == 0 && inner.Refused == "" {
				continue
			}
			g := *t.graph
			g.Refused = "a stored program executes the statement " + name + ", which this connection prepared"
			t.graph = &g
			return nil
		}
	}
	return nil
}
