package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice/enforcement"
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// flight is one statement from its decision to its answer's end.
type flight struct {
	statement *parser.Statement
	graph     *lineage.Graph // carriers expanded
	request   enforcement.Request
	decision  enforcement.Decision
	snapshot  *enforcement.Snapshot
	id        string         // of the audit entry, "" when none was written
	killed    bool           // a newer policy ended it
	preparing bool           // only PREPARE: nothing is written yet
	shows     *lineage.Graph // the graph before its carriers were expanded, of what runs
	announced bool           // other gateways know of its definitions
	text      []byte         // what COM_QUERY sends; nil for everything else
	awaits    bool           // a shared table that it reads is being built anew
	rebuild   *rebuild
	asked     bool   // the warehouse was asked whether it would refuse it
	hopeless  []byte // the ERR packet by which the warehouse would refuse it anyway
	unsent    bool   // its last bytes are not written, so that it does not run; under mu
}

var flights = sync.Pool{New: func() any { return new(flight) }}

// recycle gives the memory back for another statement, of whatever session. The flight has landed; one that was killed
// whoever killed it still knows.
func (f *flight) recycle() {
	if !f.killed {
		*f = flight{}
		flights.Put(f)
	}
}

// attempts bounds how often a statement is judged anew because the policy changed under it.
const attempts = 16

// judge takes steps 4 to 6 for a graph and sends the statement to the warehouse if it may run. Its last bytes are
// written under the session's lock, with the snapshot that decided still the current one, or one that permits it
// too: that is what Apply relies on. A denied statement has been recorded and not sent.
func (s *Session) judge(ctx context.Context, f *flight, packet []byte) error {
	verified := map[*enforcement.Seal]bool(nil)
	for range attempts {
		f.snapshot = s.g.Policies.Current()
		if f.shows != nil && s.hides(f.snapshot, f.shows) {
			return errShown
		}
		s.decide(f, f.snapshot, time.Now())
		if f.decision.Permitted() && s.needsCare(f) {
			changed, err := s.care(ctx, f, &verified)
			if err != nil {
				return err
			}
			if changed {
				continue
			}
		}
		done, err := s.commit(ctx, f, packet)
		if errors.Is(err, errWithheld) {
			s.sayStopped(f)
		}
		if done || err != nil {
			return err
		}
	}
	reason := "the policy changes too fast to decide by; try again"
	if f.awaits {
		reason = "a shared table that it reads is being built anew (ALTER, OPTIMIZE); try again when that is over"
	}
	s.deny(f, enforcement.Stale, reason)
	return s.record(ctx, f)
}

// decide is step 5: pure but for the lease.
func (s *Session) decide(f *flight, snapshot *enforcement.Snapshot, now time.Time) {
	f.request.Now = now
	snapshot.DecideInto(&f.decision, &f.request)
	if f.decision.Permitted() && !s.g.Policies.Fresh(now) && crosses(snapshot, &f.request) {
		s.deny(f, enforcement.Stale, "Sluice cannot renew its lease on the policy")
	}
	if f.decision.Permitted() && s.nobody(f, snapshot) {
		s.deny(f, enforcement.NotUnderstood, "the warehouse does not tell whose session this is before its password is changed")
	}
	if f.decision.Permitted() && restsOnName(&f.decision) && s.abandoned() {
		s.deny(f, enforcement.Abandoned, abandonment)
	}
}

// nobody tells whether a permit could be another one if it were known whose session it is, and by which sql_mode and
// character set the statement is read.
func (s *Session) nobody(f *flight, snapshot *enforcement.Snapshot) bool {
	return !s.identified && snapshot.Protected() && (crosses(snapshot, &f.request) || !parser.ModeFree(f.statement.Sent()))
}

// deny turns a permit into a denial for a reason of the gateway's own.
func (s *Session) deny(f *flight, rule enforcement.Rule, detail string) {
	f.decision = denial(f.decision.Revision, rule, detail)
}

func denial(revision uint64, rule enforcement.Rule, detail string) enforcement.Decision {
	return enforcement.Decision{
		Effect: enforcement.Deny, Revision: revision, Cap: -1, DryCap: -1, Recorded: true,
		Reasons: []enforcement.Reason{{Effect: enforcement.Deny, Rule: rule, Detail: detail}},
	}
}

// commit is step 6 and the first half of step 7. It reports false when the snapshot changed.
func (s *Session) commit(ctx context.Context, f *flight, packet []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.g.Policies.Current() != f.snapshot {
		return false, nil
	}
	if f.decision.Recorded {
		if err := s.record(ctx, f); err != nil {
			s.deny(f, enforcement.NotRecorded, "the decision log cannot be written")
		}
	}
	now := time.Now() // read anew: the process may have been stopped since it decided, and others no longer wait for it
	if f.decision.Permitted() && !s.g.Policies.Fresh(now) && crosses(f.snapshot, &f.request) {
		s.deny(f, enforcement.Stale, "Sluice cannot renew its lease on the policy")
		_ = s.record(ctx, f)
	}
	if !f.decision.Permitted() {
		return true, nil
	}
	s.flight = f
	s.pending.Store(now.UnixNano())
	send := s.send
	if len(packet) > windowed {
		send = func(packet []byte) error { return s.sendLong(ctx, f, packet) }
	}
	err := send(packet)
	if err != nil { // nothing is under way that Apply would have to end
		s.flight = nil
		s.pending.Store(0)
	}
	return true, err
}

// sayStopped tells why a statement ends that was decided and begun.
func (s *Session) sayStopped(f *flight) {
	if !f.decision.Permitted() {
		_ = s.refuse(f)
		return
	}
	_ = s.sayError(1142, "42000", stopped)
}

const stopped = "Sluice stopped this statement: the policy changed while it ran and no longer permits it. SHOW FLOW LOG in the owner's project finds the entry"

// errWithheld says that a statement was not sent to its end, and that the connection is of no use now.
var errWithheld = errors.New("the statement is no longer permitted, and was withheld")

// sendLong sends a statement that may be a while on its way, since the warehouse reads as it likes. The session's lock, which it
// is called with, is given up meanwhile: a change of the policy waits for it. Before the last bytes the decision is looked at again.
func (s *Session) sendLong(ctx context.Context, f *flight, packet []byte) error {
	f.unsent = true
	rest, err := s.unlockedly(func() ([]byte, error) { return s.sendBeginning(packet) })
	f.unsent = false
	if err == nil && !f.killed && !s.g.Policies.Fresh(time.Now()) && crosses(f.snapshot, &f.request) {
		s.deny(f, enforcement.Stale, "Sluice cannot renew its lease on the policy")
		_ = s.record(ctx, f)
		f.killed = true
	}
	if f.killed {
		_ = s.warehouse.Close()
		return errWithheld
	}
	if err == nil {
		err = s.sendRest(rest)
	}
	return err
}

// unlockedly calls a function without the lock that the caller holds.
func (s *Session) unlockedly(f func() ([]byte, error)) ([]byte, error) {
	s.mu.Unlock()
	defer s.mu.Lock()
	return f()
}

// landed ends the flight when the answer is through, and tells whether the statement was killed meanwhile.
func (s *Session) landed() (killed bool) {
	if s.flight == nil { // only this goroutine sets it
		return false
	}
	s.mu.Lock()
	killed = s.flight.killed
	s.flight = nil
	s.mu.Unlock()
	s.pending.Store(0)
	return killed
}

// absorbKill takes a KILL QUERY that came behind the end of its statement: it must not hit the client's next one.
func (s *Session) absorbKill(ctx context.Context) error {
	_, err := s.ask(ctx, "DO 0")
	var refused *wire.ERR
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

// crosses tells whether a request holds a flow that some policy could forbid: data of a project
// that leaves it, or something that is not understood.
func crosses(snapshot *enforcement.Snapshot, r *enforcement.Request) bool {
	g := r.Graph
	if g.Refused != "" || len(g.Opaque) > 0 {
		return true
	}
	session := snapshot.ProjectOf(r.Schema)
	for i := range g.Flows {
		f := &g.Flows[i]
		if f.Source.Kind != lineage.TableSource {
			if f.Source.Kind != lineage.CarrierSource {
				return true
			}
			continue
		}
		from := snapshot.ProjectOf(f.Source.Object.Schema)
		if from == "" {
			continue
		}
		switch f.Sink.Kind {
		case lineage.CarrierSink:
		case lineage.TableSink:
			if snapshot.ProjectOf(f.Sink.Object.Schema) != from {
				return true
			}
		case lineage.ResultSink:
			if session != from || r.Task != enforcement.SQL {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// record is step 6.
func (s *Session) record(ctx context.Context, f *flight) error {
	e := s.entry(f)
	if err := s.g.Audit.Record(ctx, e); err != nil {
		s.g.Log.Error("record a decision", "connection", s.connection, "error", err)
		return err
	}
	f.id = e.ID
	return nil
}

// raise records an alarm about a statement that was permitted.
func (s *Session) raise(ctx context.Context, f *flight, alarm string) {
	s.g.Metrics.Alarm(alarm)
	e := s.entry(f)
	e.Alarm = alarm
	if err := s.g.Audit.Record(ctx, e); err != nil {
		s.g.Log.Error("record an alarm", "alarm", alarm, "error", err)
		return
	}
	f.id = e.ID
}

// refuse answers with the one ERR packet of a refusal.
func (s *Session) refuse(f *flight) error {
	message := enforcement.Refusal(&f.decision, &f.request, f.id)
	s.state.warnings = []Warning{{"Error", 1142, message}} // the warehouse never saw the statement
	return s.sayError(1142, "42000", message)
}

// sayError writes an ERR packet where the client's answer stands now.
func (s *Session) sayError(code uint16, sqlState, message string) error {
	return s.client.WritePacket(wire.EncodeERR(code, sqlState, s.shown(message), s.caps|wire.ClientProtocol41))
}
