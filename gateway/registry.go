package gateway

import (
	"errors"
	"net/netip"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

// registry holds the live sessions.
type registry struct {
	mu   sync.Mutex
	live map[uint64]*Session // by the gateway's own number
}

// add takes s in unless limit sessions live already.
func (r *registry) add(s *Session, limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.live) >= limit {
		return false
	}
	if r.live == nil {
		r.live = make(map[uint64]*Session)
	}
	r.live[s.id] = s
	return true
}

func (r *registry) remove(s *Session) {
	r.mu.Lock()
	delete(r.live, s.id)
	r.mu.Unlock()
}

// get gives the session of a number, nil when it ended.
func (r *registry) get(id uint64) *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live[id]
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.live)
}

// each calls f for every session that lives now, without holding the registry.
func (r *registry) each(f func(*Session)) {
	r.mu.Lock()
	all := make([]*Session, 0, len(r.live))
	for _, s := range r.live {
		all = append(all, s)
	}
	r.mu.Unlock()
	for _, s := range all {
		f(s)
	}
}

// closeIdle ends sessions that wait for a command outside of a transaction.
func (r *registry) closeIdle() { r.each(func(s *Session) { s.closeIfIdle() }) }

// closeAll ends every session, whatever it is doing.
func (r *registry) closeAll() { r.each(func(s *Session) { s.abort() }) }

// SessionInfo is what the console shows of one session.
type SessionInfo struct {
	Connection uint64 // the warehouse's id, as the client was greeted with
	User       string
	Client     netip.AddrPort
	Schema     string
	Task       string
	Since      time.Time
	Running    bool
}

// Sessions lists the live sessions that are logged in.
func (g *Gateway) Sessions() []SessionInfo {
	var out []SessionInfo
	g.sessions.each(func(s *Session) {
		if info, ok := s.info(); ok {
			out = append(out, info)
		}
	})
	return out
}

// tidier gives memory back that logins leave behind: stacks that were deep once and buffers that were needed once. An
// idle gateway would not collect garbage for a long time.
type tidier struct {
	seen  uint64 // sessions up to the last time
	since time.Time
}

const (
	tidyEvery = 15 * time.Second
	tidyAfter = 256 // logins
	halvings  = 2   // from the 32 KiB of a login's TLS and compression
)

func (t *tidier) look(now time.Time, sessions uint64) {
	if sessions-t.seen < tidyAfter || now.Sub(t.since) < tidyEvery {
		return
	}
	t.seen, t.since = sessions, now
	for range halvings {
		runtime.GC() // halves the stacks that are too large
	}
	debug.FreeOSMemory()
}

// temporary tells accept errors that pass from those that last.
func temporary(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// hungUp tells a session that its warehouse closed. It does not wait for a client that takes nothing: others' warehouses close too.
func (r *registry) hungUp(id uint64) {
	if s := r.get(id); s != nil {
		go s.hungUp()
	}
}
