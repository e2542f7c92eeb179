package lineage_test

import (
	"fmt"
	"testing"

	"sluice/lineage"
)

// A carrier that holds data of more tables than are followed is taken to hold anything: none is forgotten silently.
func TestManyLabels(t *testing.T) {
	var l lineage.Labels
	for i := range 2500 {
		l.Hold("@v", lineage.Source{Kind: lineage.TableSource, Object: lineage.Object{Schema: "s", Name: fmt.Sprint("t", i)}})
	}
	read := &lineage.Graph{Flows: []lineage.Flow{{Source: lineage.Source{Kind: lineage.CarrierSource, Name: "@v"}, Sink: lineage.Sink{Kind: lineage.ResultSink}}}}
	opaque := 0
	for _, f := range l.Expand(read).Flows {
		if f.Source.Kind == lineage.OpaqueSource {
			opaque++
		}
	}
	if opaque != 1 {
		t.Errorf("%d opaque sources", opaque)
	}
}
