package lineage

import "strings"

// settings begins the names of the carriers that settings of the session are: time_zone, auto_increment_increment,
// insert_id, sql_mode … Whatever runs later may depend on each of them, so that data in one flows to all that
// a statement writes and shows, within the data's own project as ever.
const settings = "settings "

// quietKinds are statements that show nothing which depends on a setting.
var quietKinds = map[string]bool{"set": true, "use": true}

// underSettings gives g with a flow from each setting that holds data to each of its sinks.
func (l *Labels) underSettings(g *Graph) *Graph {
	var held []Source
	for name := range l.held {
		if strings.HasPrefix(name, settings) {
			held = append(held, Source{Kind: CarrierSource, Name: name})
		}
	}
	if len(held) == 0 {
		l.set = false
		return g
	}
	sinks := map[Sink]bool{}
	for i := range g.Flows {
		sinks[g.Flows[i].Sink] = true
	}
	for i := range g.Writes {
		sinks[Sink{Kind: TableSink, Object: g.Writes[i].Object}] = true
	}
	for _, name := range g.Carriers {
		if !strings.HasPrefix(name, settings) {
			sinks[Sink{Kind: CarrierSink, Name: name}] = true
		}
	}
	if !quietKinds[g.Kind] {
		sinks[Sink{Kind: ResultSink}] = true
	}
	out := *g
	out.Flows = append([]Flow(nil), g.Flows...)
	for sink := range sinks {
		for _, source := range held {
			out.Flows = append(out.Flows, Flow{Source: source, Sink: sink, Implicit: true})
		}
	}
	return &out
}
