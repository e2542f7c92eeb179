package main

import (
	"slices"
	"testing"
	"time"
)

// TestProcessorsNext: fewer processors after a calm while, all of them at once when those in use are full.
func TestProcessorsNext(t *testing.T) {
	free := func(run float64) demand { return demand{run, run / 5} }
	crowded := func(run float64) demand { return demand{run, run * 0.3} }
	for _, c := range []struct {
		name     string
		all, now int
		demands  []demand
		want     []int // behind each of them
	}{
		{"idle", 8, 8, times10(free(0.01)), append(uses(8, 9), 1)},
		{"never none", 8, 8, times10(demand{}), append(uses(8, 9), 1)},
		{"what a calm second needs", 32, 32, times10(free(2)), append(uses(32, 9), 6)},
		{"free: it is to be a third of one", 2, 2, times10(free(0.4)), uses(2, 10)},
		{"free: half of one is full", 8, 1, []demand{free(0.4), free(0.6)}, []int{1, 8}},
		{"free: half of three are full", 8, 3, []demand{free(1.4), free(1.6)}, []int{3, 8}},
		{"crowded: one does it", 2, 2, times10(crowded(0.6)), append(uses(2, 9), 1)},
		{"crowded: one does it no more", 2, 2, times10(crowded(0.8)), uses(2, 10)},
		{"crowded: a full one", 8, 1, []demand{crowded(0.8), crowded(0.9)}, []int{1, 8}},
		{"not told", 8, 1, []demand{times{}.since(times{known: true}, demandSpan)}, []int{8}},
		{"not told before", 8, 1, []demand{times{known: true}.since(times{}, demandSpan)}, []int{8}},
		{"a burst begins the second anew", 2, 2, slices.Concat(times10(free(0.1))[:9], []demand{free(1.9)}, times10(free(0.1))), append(uses(2, 19), 1)},
		{"the mean counts", 4, 4, slices.Concat(times10(free(0.1))[:5], times10(free(0.5))[:5]), append(uses(4, 9), 1)},
	} {
		p := processors{all: c.all, now: c.now, patience: calmSpans}
		var got []int
		for _, l := range c.demands {
			got = append(got, p.next(l))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func times10(l demand) []demand { return slices.Repeat([]demand{l}, 10) }

func uses(processors, n int) []int { return slices.Repeat([]int{processors}, n) }

// TestProcessorsPatience: where one is too few and two look like too many, it is tried ever more rarely; when one is enough
// for a while, soon again.
func TestProcessorsPatience(t *testing.T) {
	p := processors{all: 2, now: 2, patience: calmSpans}
	fewer := func(calm demand) (spans int) {
		for p.now == 2 {
			p.next(calm)
			spans++
		}
		return spans
	}
	for _, want := range []int{10, 20, 40, 80, 160, 160} {
		if got := fewer(demand{0.6, 1}); got != want {
			t.Fatalf("one processor after %d spans, want %d", got, want)
		}
		p.next(demand{0.6, 0.1})
	}
	fewer(demand{0.1, 0})
	for range 2 * mostSpans {
		p.next(demand{0.1, 0})
	}
	p.next(demand{0.9, 0})
	if got := fewer(demand{0.1, 0}); got != 2*calmSpans {
		t.Errorf("one processor after %d spans behind a calm time, want %d", got, 2*calmSpans)
	}
}

// TestThreadTimes: work moves them.
func TestThreadTimes(t *testing.T) {
	var threads threadTimes
	defer threads.close()
	before, begun := threads.read(), time.Now()
	for time.Since(begun) < 50*time.Millisecond {
	}
	l := threads.read().since(before, time.Since(begun))
	if before.known && (l.run <= 0 || l.run > 64) {
		t.Errorf("a loop ran on %v processors", l.run)
	}
}
