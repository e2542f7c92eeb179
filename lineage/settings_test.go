package lineage

import "testing"

// Once a setting is made of data, that flows to whatever is written and shown; a value that stands in the text ends it.
func TestSettingsMadeOfData(t *testing.T) {
	salary := Source{Kind: TableSource, Object: Object{"pay", "salary"}}
	var l Labels
	l.Hold("settings time_zone", salary)
	write := &Graph{Kind: "insert", Writes: []Write{{Object: Object{"lab", "t"}}}, Carriers: []string{"@x", "settings time_zone"}}
	got := l.Expand(write).Flows
	if len(got) != 3 || got[0].Source.Object != salary.Object {
		t.Errorf("flows %v: want pay.salary to lab.t, to @x and to the result", got)
	}
	if len(write.Flows) != 0 {
		t.Error("the shared graph was changed")
	}
	if got := l.Expand(&Graph{Kind: "use"}).Flows; len(got) != 0 {
		t.Errorf("USE has flows: %v", got)
	}
	l.Clean("settings time_zone")
	if got := l.Expand(write).Flows; len(got) != 0 {
		t.Errorf("flows %v after the setting was overwritten", got)
	}
}
