package lineage

import "testing"

// All carriers together name a bounded number of sources; one that comes later is taken to hold anything, until others are given up.
func TestLabelsOfManyCarriers(t *testing.T) {
	salary := Source{Kind: TableSource, Object: Object{"pay", "salary"}}
	var l Labels
	l.Hold("@first", salary)
	l.all += maxAllLabels - 1 // of other carriers
	l.Hold("@more", salary, salary, Source{Kind: TableSource, Object: Object{"pay", "bonus"}})
	if held := l.heldBy("@more"); len(held) != 1 || held[0].Kind != OpaqueSource {
		t.Errorf("it holds %v", held)
	}
	l.Clean("@more")
	l.Clean("@first")
	l.Hold("@more", salary)
	if held := l.heldBy("@more"); len(held) != 1 || held[0].Kind != TableSource {
		t.Errorf("with room again it holds %v", held)
	}
}
