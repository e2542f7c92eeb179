package gateway

import (
	"context"
	"slices"
	"time"

	"sluice/enforcement"
)

// Apply is called with each new snapshot, after it became the current one. It returns when no
// statement that was decided by an older snapshot can still be forwarded; statements in flight
// that the new snapshot does not permit are killed and recorded (contract 5).
func (g *Gateway) Apply(ctx context.Context, next *enforcement.Snapshot) error {
	var killed []*killing
	var busy []*Session
	rejudge := func(s *Session) {
		if f := s.rejudge(ctx, next); f != nil {
			killed = append(killed, &killing{s, f})
		}
	}
	g.sessions.each(func(s *Session) {
		if !s.mu.TryLock() {
			busy = append(busy, s)
			return
		}
		defer s.mu.Unlock()
		rejudge(s)
	})
	awaitLocks(busy, rejudge)
	g.seeThrough(ctx, killed)
	return nil
}

// lockPatience is how long a change of the policy waits for sessions that are about to send. It is short beside a lease, within which
// the change is to be acknowledged, and a warehouse that reads takes what is sent under the lock at once.
const lockPatience = 500 * time.Millisecond

// awaitLocks calls f for each session, under its lock. One that keeps the lock because its warehouse does not read loses its
// connection: what was not sent to its end does not run. One that keeps it for another reason, as a slow log, is waited for.
func awaitLocks(busy []*Session, f func(*Session)) {
	held := func(s *Session) bool {
		if !s.mu.TryLock() {
			return false
		}
		defer s.mu.Unlock()
		f(s)
		return true
	}
	begun := time.Now()
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		if busy = slices.DeleteFunc(busy, held); len(busy) == 0 {
			return
		}
		if now := time.Now(); now.Sub(begun) > lockPatience {
			for _, s := range busy {
				s.cutUnread(now)
			}
		}
		time.Sleep(pause)
	}
}

// cutUnread ends what waits for a warehouse that does not read what it is sent, for longer than a busy machine explains.
func (s *Session) cutUnread(now time.Time) {
	w := s.leg.Load()
	if w == nil {
		return
	}
	if socket, can := innermost(w.NetConn()).(interface{ Stuck() time.Time }); can {
		if since := socket.Stuck(); since.IsZero() || now.Sub(since) < lockPatience/4 {
			return
		}
	}
	s.cutWarehouse()
}

// killing is a statement that must end.
type killing struct {
	session *Session
	flight  *flight
}

// The patience with a statement that was killed: a kill that reached the warehouse before the statement did is lost, so
// it is sent again; one that outlives all of them loses its connection.
const (
	killAgain = 20 * time.Millisecond
	killTries = 15
)

// seeThrough sends kills again until the statements have ended.
func (g *Gateway) seeThrough(ctx context.Context, left []*killing) {
	for try := 1; len(left) > 0 && try <= killTries; try++ {
		time.Sleep(killAgain)
		var still []*killing
		for _, k := range left {
			if !k.session.killAgain(ctx, k.flight, try < killTries) {
				still = append(still, k)
			}
		}
		left = still
	}
}

// killAgain reports whether a killed statement has ended, and kills it again if not.
func (s *Session) killAgain(ctx context.Context, f *flight, query bool) bool {
	if !s.mu.TryLock() {
		if !query {
			s.cutWarehouse() // it waits for a warehouse that does not read
		}
		return false
	}
	defer s.mu.Unlock()
	if s.flight != f {
		return true
	}
	s.kill(ctx, query)
	return false
}

// kill ends what the session runs, or its connection. It is called under the session's lock.
func (s *Session) kill(ctx context.Context, query bool) {
	if err := s.g.Warehouse.Kill(ctx, s.connection, query); err != nil {
		// Without the kill the answer must not arrive either.
		s.g.Log.Warn("kill a statement that is no longer permitted", "connection", s.connection, "error", err)
		_ = s.warehouse.Close()
	}
}

// rejudge is called with a new snapshot and under the session's lock. From then on no statement that an older
// snapshot decided can be sent, unless this one permits it; one that is under way and no longer permitted is killed, and given back.
func (s *Session) rejudge(ctx context.Context, next *enforcement.Snapshot) *flight {
	f := s.flight
	if f == nil || f.killed || f.graph == nil {
		return nil
	}
	r := f.request
	r.Now = time.Now()
	d := next.Decide(&r)
	if d.Permitted() {
		if !overtaken(f, next) {
			return nil
		}
		d = denial(d.Revision, enforcement.SealBroken, "the table was sealed while the statement waited to write to it")
	}
	f.killed = true
	late := &flight{statement: f.statement, graph: f.graph, request: r, decision: d, snapshot: next}
	if err := s.record(ctx, late); err != nil {
		s.g.Log.Error("record a killed statement", "connection", s.connection, "error", err)
	}
	if f.unsent {
		s.cutWarehouse()
		return nil
	}
	s.kill(ctx, true)
	return f
}

// overtaken tells whether a statement under way writes to a table that was sealed since it was decided. The table has been
// under a read lock since it was measured, so the statement waits for it, and would change what was just approved.
func overtaken(f *flight, next *enforcement.Snapshot) bool {
	return !f.preparing && len(next.SealsAffected(f.graph)) > 0
}
