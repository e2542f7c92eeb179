package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"sluice/enforcement"
	"sluice/gateway/wire"
)

// Session is one client with its one connection to the warehouse.
type Session struct {
	g         *Gateway
	id        uint64 // the gateway's own number
	client    *wire.Conn
	warehouse *wire.Conn
	address   netip.AddrPort // the client's

	caps       wire.Capability // agreed by all three
	extended   wire.ExtCapability
	attributes []byte // of the client's query, nil for none
	auth       *dialogue
	connection uint64 // the warehouse's thread id, which the client was greeted with

	subject      enforcement.Subject
	program      string
	task         enforcement.Task
	taskAsked    bool
	loginName    string // what the client called itself, for people to see until the account is known
	identified   bool
	nobodys      bool      // the warehouse goes on without an account
	expired      *wire.ERR // what the warehouse says until the password is changed, nil: it runs statements
	account      account
	plain        bool // the last question was asked in words that a rule may replace
	warehouseTLS bool
	counted      bool // among the gateway's sessions
	since        time.Time
	state        state

	watched bool // the end of the warehouse's connection is reported; of the gateway's watch alone
	// gone: the warehouse closed its connection, perhaps while the session was busy.
	gone atomic.Bool
	open atomic.Bool // in a transaction or before a cursor's end
	// leg is warehouse, for others who may not wait for mu: it is held while the warehouse takes its time to read.
	leg atomic.Pointer[wire.Conn]
	// phase says who may end the session: see the constants.
	phase atomic.Int32
	// mu is held from the taking of a snapshot until the statement's bytes are on their way, so
	// that Apply can wait for the statements that an older snapshot decided.
	mu         sync.Mutex
	flight     *flight
	answering  answering
	unanswered int          // bytes that the warehouse was sent since it answered
	pending    atomic.Int64 // unix nanoseconds since the warehouse is being waited for; 0: not
	public     SessionInfo  // what others may know, under mu
}

// The phases of a session.
const (
	phaseBusy int32 = iota
	phaseIdle
	phaseClosed
)

// serveClient is one client from accept to end. No fault of one session ends the process. Its frame lies under every
// idle session, so that it does little by itself: a stack whose depth is more than a quarter of it does not shrink.
func (g *Gateway) serveClient(ctx context.Context, conn net.Conn) {
	s := &Session{g: g, id: g.next.Add(1), since: time.Now()}
	defer s.end(conn)
	if s.enter(ctx, conn) {
		s.ending(s.serve(ctx))
	}
}

// end leaves nothing of a session behind, whatever it ended by.
func (s *Session) end(conn net.Conn) {
	g := s.g
	if fault := recover(); fault != nil {
		g.Log.Error("session fault", "session", s.id, "fault", fault, "stack", string(debug.Stack()))
		g.Metrics.Alarm("panic")
	}
	_ = conn.Close()
	s.closeWarehouse()
	if s.counted {
		g.sessions.remove(s)
		g.Metrics.SessionClosed()
	}
}

// enter admits a client and logs it in.
//
//go:noinline
func (s *Session) enter(ctx context.Context, conn net.Conn) bool {
	g := s.g
	conn, err := g.believeProxy(ctx, conn)
	if err != nil {
		g.Log.Warn("PROXY header", "error", err)
		return false
	}
	s.client = wire.NewConn(conn)
	s.address = addrPort(conn.RemoteAddr())
	s.subject.Address = s.address.Addr()
	if g.draining.Load() {
		s.sayBeforeGreeting(1053, "08S01", "Sluice is shutting down; connect again")
		return false
	}
	if !g.sessions.add(s, g.Limits.Connections) {
		g.Metrics.SessionRejected("limit")
		s.sayBeforeGreeting(1040, "08004", "Too many connections")
		return false
	}
	s.counted = true
	g.Metrics.SessionOpened()
	if err := s.login(ctx); err != nil {
		g.Log.Debug("login", "session", s.id, "client", s.address, "error", err)
		return false
	}
	g.Metrics.LoginTook(time.Since(s.since))
	return true
}

// ending logs what a session ended by, where that is no ordinary end.
func (s *Session) ending(err error) {
	if err != nil && !ended(err) {
		s.g.Log.Info("session ended", "session", s.id, "connection", s.connection, "user", s.shownUser(), "error", err)
	}
}

// serve takes one command after the other until either side ends.
func (s *Session) serve(ctx context.Context) error {
	for {
		packet, err := s.receive()
		if err != nil {
			return err
		}
		if !s.phase.CompareAndSwap(phaseIdle, phaseBusy) {
			return nil // closeIfIdle was first
		}
		if err := s.dispatch(ctx, packet); err != nil {
			if errors.Is(err, errQuit) {
				return nil
			}
			return err
		}
		if len(packet) > keptPacket {
			packet = nil
		}
	}
}

// keptPacket is the size above which a request's memory is given back at once.
const keptPacket = 1 << 16

// receive is step 1 of a statement's trip: one command, whole.
func (s *Session) receive() ([]byte, error) {
	s.client.ResetSequence()
	if !s.phase.CompareAndSwap(phaseBusy, phaseIdle) {
		return nil, net.ErrClosed // abort was first
	}
	if s.gone.Load() {
		s.hungUp()
	}
	if s.g.Limits.IdleTimeout > 0 {
		_ = s.client.SetReadDeadline(time.Now().Add(s.g.Limits.IdleTimeout))
	}
	if err := s.client.Await(); err != nil {
		return nil, err
	}
	s.client.Patience(s.g.Limits.WriteTimeout) // what has begun is to go on
	packet, err := s.client.ReadPacket(s.g.Limits.StatementBytes)
	s.client.Patience(0)
	if err != nil {
		s.sayUnreceived(err)
		return nil, err
	}
	return packet, nil
}

// sayUnreceived tells a client why its command cannot be read, where that is its doing.
func (s *Session) sayUnreceived(err error) {
	var large *wire.TooLargeError
	var malformed *wire.UncompressError
	switch {
	case errors.As(err, &malformed):
		_ = s.sayError(1157, "08S01", "Couldn't uncompress communication packet")
	case errors.Is(err, wire.ErrOutOfOrder):
		_ = s.sayError(wire.ErrPacketsOutOfOrder, "08S01", "Got packets out of order")
	case errors.As(err, &large):
		_ = s.sayError(1153, "08S01", "Got a packet bigger than Sluice takes (limits.statement_bytes)")
	}
}

// closeIfIdle ends a session that waits for a command outside of a transaction.
func (s *Session) closeIfIdle() {
	if s.open.Load() || !s.phase.CompareAndSwap(phaseIdle, phaseClosed) {
		return
	}
	s.goodbye()
}

// abort ends a session whatever it is doing.
func (s *Session) abort() {
	if s.phase.Swap(phaseClosed) == phaseIdle {
		s.goodbye()
		return
	}
	if s.client != nil {
		_ = s.client.SetDeadline(time.Now())
	}
	s.cutWarehouse()
}

// cutWarehouse ends whatever waits for the warehouse.
func (s *Session) cutWarehouse() {
	if w := s.leg.Load(); w != nil {
		_ = w.SetDeadline(time.Now())
	}
}

// goodbye tells an idle client why its connection ends, and closes it. Whoever ends many does not wait: a client that has read
// nothing of its last answer takes nothing now.
func (s *Session) goodbye() { go s.sayGoodbye() }

func (s *Session) sayGoodbye() {
	_ = s.client.SetDeadline(time.Now().Add(time.Second))
	p := wire.EncodeERR(1053, "08S01", "Server shutdown in progress", wire.ClientProtocol41)
	frame := append([]byte{byte(len(p)), byte(len(p) >> 8), 0, 0}, p...)
	if s.client.Compressed() {
		frame = wire.StoredFrame(0, frame)
	}
	_, _ = s.client.NetConn().Write(frame)
	_ = s.client.Close()
}

func (s *Session) setWarehouse(conn net.Conn) {
	s.mu.Lock()
	s.warehouse = wire.NewConn(conn)
	s.leg.Store(s.warehouse)
	s.mu.Unlock()
}

func (s *Session) closeWarehouse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.warehouse != nil {
		_ = s.warehouse.Close()
	}
}

func (s *Session) info() (SessionInfo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := s.public
	info.Running = s.flight != nil
	return info, info.Connection != 0
}

// publish shows others what the session is now.
func (s *Session) publish() {
	s.open.Store(s.state.status&(wire.StatusInTransaction|wire.StatusCursorExists) != 0)
	public := SessionInfo{
		Connection: s.connection, User: s.shownUser(), Client: s.address,
		Schema: s.state.schema, Task: s.task.String(), Since: s.since,
	}
	if public == s.public { // only this goroutine sets it
		return
	}
	s.mu.Lock()
	s.public = public
	s.mu.Unlock()
}

// shownUser is the account's name, or until that is known the one that the client gave.
func (s *Session) shownUser() string {
	if s.identified {
		return s.subject.User
	}
	return s.loginName
}

// ended tells the ordinary ends of a session from faults.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF)
}

var errQuit = errors.New("client quit")
