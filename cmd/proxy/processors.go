package main

import (
	"context"
	"log/slog"
	"math"
	"os"
	"runtime"
	"time"
)

// processors has the Go scheduler use as many processors as the process needs, and all of them as soon as those are full.
//
// A gateway waits more than it works. With more processors than it needs, the scheduler puts a thread to sleep and wakes
// another for nearly each packet: on two processors that were half used, that was a sixth of what a statement cost in
// processor time (docs/performance.md).
type processors struct {
	all, now int
	patience int // calm spans after which fewer are used
	spans    int // measured in a row in which those in use were not full
	sum      demand
}

// demand is how many processors the threads of the process ran on, and how many they waited for though they could have run.
type demand struct{ run, wait float64 }

const (
	demandSpan = 100 * time.Millisecond
	// calmSpans is how many spans must have been calm before fewer are used. It doubles each time that they were too few.
	calmSpans, mostSpans = 10, 160
	// fullAt is the part of the processors in use from which on all are used, on a machine that is free and on one that is
	// crowded, where another thread would wait as those do that there are: for more than crowdedAt of the time that they run
	// (a single client on two processors: 0.17, eight with the warehouse beside them: 0.28 to 0.6). Fewer are used when they
	// would be less full than that by slack, which keeps the number steady.
	crowdedAt, fullAt, fullAtCrowded, slack = 0.25, 0.5, 0.85, 0.15
)

// full gives the part of the processors in use from which on more are worth what they cost.
func (l demand) full() float64 {
	if l.wait > crowdedAt*l.run {
		return fullAtCrowded
	}
	return fullAt
}

// next gives the number to use after a span with a demand.
func (p *processors) next(l demand) int {
	if l.run > l.full()*float64(p.now) {
		if p.now < p.all {
			p.patience = min(2*p.patience, mostSpans)
		}
		p.now, p.spans, p.sum = p.all, 0, demand{}
		return p.now
	}
	p.spans++
	p.sum.run, p.sum.wait = p.sum.run+l.run, p.sum.wait+l.wait
	if p.spans < p.patience {
		return p.now
	}
	need := int(math.Ceil(p.sum.run / float64(p.spans) / (p.sum.full() - slack)))
	if need >= p.now {
		p.patience = max(p.patience/2, calmSpans)
	}
	p.now = min(p.now, max(need, 1))
	p.spans, p.sum = 0, demand{}
	return p.now
}

// run sets the number until ctx ends. Who set GOMAXPROCS has chosen it.
func (p *processors) run(ctx context.Context, log *slog.Logger) {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	var threads threadTimes
	defer threads.close()
	was, at := threads.read(), time.Now()
	if !was.known {
		return
	}
	p.all, p.patience = runtime.GOMAXPROCS(0), calmSpans
	p.now = p.all
	tick := time.NewTicker(demandSpan)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			runtime.SetDefaultGOMAXPROCS()
			return
		case <-tick.C:
		}
		is, t := threads.read(), time.Now()
		before := p.now
		if p.next(is.since(was, t.Sub(at))); p.now != before {
			p.use(before)
			log.Debug("processors in use", "before", before, "now", p.now)
		}
		was, at = is, t
	}
}

// use changes the number that was in use before. All is what Go would use by itself, which a container's limit may have
// changed meanwhile.
func (p *processors) use(before int) {
	if p.now < before {
		runtime.GOMAXPROCS(p.now)
		return
	}
	runtime.SetDefaultGOMAXPROCS()
	p.all = runtime.GOMAXPROCS(0)
	p.now = p.all
}

// times is how long the threads of the process ran, and waited for a processor, since they began.
type times struct {
	run, wait time.Duration
	known     bool // false where the system does not tell
}

// since gives the demand in a time that began with the times before. A thread that ended meanwhile counts nothing. Without both
// times (no file can be opened any more) there is any demand.
func (t times) since(before times, passed time.Duration) demand {
	if !t.known || !before.known {
		return demand{run: math.Inf(1)}
	}
	part := func(d time.Duration) float64 { return max(float64(d)/float64(passed), 0) }
	return demand{part(t.run - before.run), part(t.wait - before.wait)}
}
