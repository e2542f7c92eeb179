package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/gateway/wire"
	"sluice/parser"
)

// outcome is how an answer of the warehouse ended.
type outcome struct {
	failed   bool
	code     uint16
	prepared wire.PrepareOK
	cursor   bool
	rows     int64
	// overDryCap: it went past the display cap of a project in dry run.
	overDryCap bool
	// contradicted: the columns named what the graph does not.
	contradicted bool
}

// answerOptions say what an answer is watched for.
type answerOptions struct {
	more       bool              // another statement of the client's batch follows: say so where the warehouse would
	rowLimit   int64             // rows of a result set that may be shown; -1 for all
	rowNote    int64             // rows after which dry run would have stopped it; -1 for none
	cursorless bool              // an EXECUTE that asks for no cursor
	rowless    bool              // no rows are expected, and none go out
	watch      bool              // compare the columns' origin with the graph
	batch      *parser.Statement // the statement of a batch that this answers; nil otherwise
}

// errCut ends an answer that the gateway itself ended with an ERR packet; the session lives.
var errCut = errors.New("answer ended by Sluice")

// send writes a request to the warehouse; its answer begins with sequence id 1.
func (s *Session) send(packet []byte) error {
	packet = s.attributed(packet)
	s.warehouse.ResetSequence()
	if s.unanswered += len(packet); s.unanswered > windowed {
		_ = s.warehouse.SetWriteDeadline(time.Now().Add(s.g.Limits.WriteTimeout))
		defer s.unbound()
	}
	return s.sent(s.warehouse.WritePacket(packet))
}

// sendBeginning is send but for the last bytes, which sendRest sends.
func (s *Session) sendBeginning(packet []byte) (rest []byte, err error) {
	packet = s.attributed(packet)
	s.warehouse.ResetSequence()
	s.unanswered += len(packet)
	_ = s.warehouse.SetWriteDeadline(time.Now().Add(s.g.Limits.WriteTimeout))
	defer s.unbound()
	rest, err = s.warehouse.WriteBeginning(packet)
	return rest, s.sent(err)
}

func (s *Session) sendRest(rest []byte) error {
	_ = s.warehouse.SetWriteDeadline(time.Now().Add(s.g.Limits.WriteTimeout))
	defer s.unbound()
	return s.sent(s.warehouse.WriteRest(rest))
}

// unbound takes the bound of a write away.
func (s *Session) unbound() {
	_ = s.warehouse.SetWriteDeadline(time.Time{})
	s.stillEnding()
}

// stillEnding is called behind whatever sets a deadline anew: abort may have set one before, by which the session is to end.
func (s *Session) stillEnding() {
	if s.phase.Load() == phaseClosed {
		s.abort()
	}
}

func (s *Session) sent(err error) error {
	if err != nil {
		return fmt.Errorf("send to the warehouse: %w", err)
	}
	return nil
}

// windowed is how much can be written to a warehouse that does not read without waiting for long, and how much to a client.
const windowed = 32 << 10

// relay is step 7 for a permitted statement: the warehouse's answer, byte for byte.
func (s *Session) relay(ctx context.Context, t *trip, f *flight) error {
	o := answerOptions{more: t.more, rowLimit: f.decision.Cap, rowNote: f.decision.DryCap, cursorless: t.cursorless, watch: f.snapshot.Protected()}
	if t.more && t.command == wire.ComQuery {
		o.batch = t.statement
	}
	if c := t.cursor; c != nil {
		o.rowLimit, o.rowNote = c.left(o.rowLimit), c.left(o.rowNote)
		if c.overDryCap {
			o.rowNote = -1
		}
	}
	out, err := s.answer(ctx, t.command, f, o)
	if t.cursor != nil && out.overDryCap {
		t.cursor.overDryCap = true
	}
	if errors.Is(err, errCut) {
		out.failed, err = true, nil
	}
	t.outcome, t.succeeded = out, err == nil && !out.failed
	return err
}

// forward sends a command that no decision is about and relays its answer.
func (s *Session) forward(ctx context.Context, command wire.Command, packet []byte, f *flight, o answerOptions) error {
	_, err := s.forwarded(ctx, command, packet, f, o)
	return err
}

func (s *Session) forwarded(ctx context.Context, command wire.Command, packet []byte, f *flight, o answerOptions) (outcome, error) {
	if f == nil {
		o.rowLimit, o.rowNote = -1, -1
		if o.rowless {
			o.rowLimit = 0
		}
	}
	if err := s.send(packet); err != nil {
		return outcome{}, err
	}
	s.pending.Store(time.Now().UnixNano())
	defer s.pending.Store(0)
	out, err := s.answer(ctx, command, f, o)
	s.publish()
	if errors.Is(err, errCut) {
		out.failed, err = true, nil
	}
	return out, err
}

// answer walks the warehouse's answer to a command and writes it on to the client as it was read.
func (s *Session) answer(ctx context.Context, command wire.Command, f *flight, o answerOptions) (outcome, error) {
	s.unanswered = 0
	a := &s.answering
	*a = answering{s: s, f: f, o: o, window: wire.Window{}}
	a.walker.RowLimit = o.rowLimit
	if o.rowNote >= 0 && (o.rowLimit < 0 || o.rowNote < o.rowLimit) {
		a.walker.RowLimit = o.rowNote
	}
	// The client counts on through a batch, the warehouse one statement; both count the parts of a long one.
	a.walker.Offset = s.client.Sequence() - s.warehouse.Sequence()
	a.walker.Reset(command, s.caps, s.extended)
	a.walker.NoCursor = o.cursorless
	// What is not changed on its way keeps the warehouse's own compression.
	a.through = a.walker.Offset == 0 && !o.more
	s.warehouse.KeepFrames(a.through)
	defer func() {
		s.warehouse.KeepFrames(false)
		a.unhurry()
		a.window.Release()
		a.f = nil // an idle session keeps nothing of the answer
	}()
	for !a.walker.Done() {
		fresh := len(a.window.Bytes()) == 0
		if err := a.window.Fill(s.warehouse); err != nil {
			return a.out, a.warehouseLost(err)
		}
		if a.frame = nil; fresh && a.through {
			a.frame = s.warehouse.Frame()
		}
		if err := a.walk(ctx); err != nil {
			return a.out, err
		}
	}
	if len(a.window.Bytes()) > 0 || s.warehouse.Leftover() {
		// One command is under way at a time: more would be taken for the next one's answer.
		return a.out, a.unreadable(errors.New("it goes on behind its end"))
	}
	s.client.EndAnswer(a.walker.Sequence())
	a.out.rows = a.walker.Rows()
	return a.out, nil
}

// answering is one answer on its way.
type answering struct {
	s       *Session
	f       *flight
	o       answerOptions
	window  wire.Window
	walker  wire.Walker
	out     outcome
	written int
	hurried time.Time // when the client's leg got a write deadline; zero: it has none
	through bool      // nothing in the answer is changed on its way, but for what takes its place
	frame   []byte    // the compressed packet that holds what the window does; nil for none

	// While the origin of columns is watched, a result set goes out only when all its definitions were looked
	// at: clients take an error in its place, and not in the middle of the definitions.
	held    int    // where it begins in the window
	columns uint64 // its definitions that are still to come; 0: nothing is held
	walked  int    // how far the window was walked already
}

// hold keeps back what begins at a position of the window until its column definitions came.
func (a *answering) hold(at int, columns uint64) {
	if a.o.watch && a.f != nil && !a.s.extended.Has(wire.ExtCacheMetadata) {
		a.held, a.columns = at, columns
	}
}

// walk passes on what the window holds.
func (a *answering) walk(ctx context.Context) error {
	buf := a.window.Bytes()
	at := a.walked
	a.walked = 0
	for {
		e, err := a.walker.Next(buf[at:])
		if err != nil {
			return a.unreadable(err)
		}
		switch e.Kind {
		case wire.NeedMore:
			at += e.Start
			ready := at
			if a.columns > 0 {
				ready, a.walked, a.held = a.held, at-a.held, 0
			}
			if a.frame == nil || ready < len(buf) {
				err = a.flush(buf[:ready])
			} else {
				err = a.flushFrame(ready)
			}
			a.window.Consume(ready)
			return err
		case wire.ResultSetStart:
			a.hold(at+e.Start, a.walker.Columns())
		case wire.ColumnDefinition:
			if a.columns > 0 {
				if err := a.checkOrigin(ctx, buf, at, e); err != nil {
					return err
				}
				a.columns--
			}
		case wire.ColumnsEnd:
			if a.o.more {
				e.SetMoreResults(buf[at:], true)
			}
		case wire.RowLimitReached:
			if a.o.rowless {
				return a.unreadable(errors.New("rows of a cursor that nobody judged"))
			}
			passed, err := a.limited(ctx, buf, at+e.Start)
			if err != nil || !passed {
				return err
			}
		case wire.Prepared:
			a.out.prepared = a.walker.PrepareOK()
			a.hold(at+e.Start, uint64(a.out.prepared.Params)+uint64(a.out.prepared.Columns))
		case wire.LocalInfile:
			if err := a.flush(buf[:at+e.End]); err != nil {
				return err
			}
			a.window.Consume(at + e.End)
			return a.turnAround()
		case wire.ResponseEnd:
			replaced, err := a.end(buf, at, e)
			if err != nil || replaced {
				return err
			}
		}
		at += e.End
	}
}

// end looks at the last packet of a response. It reports true when it answered in its place.
func (a *answering) end(buf []byte, at int, e wire.Event) (bool, error) {
	o := a.walker.Outcome()
	if o.Failed() {
		a.out.failed, a.out.code = true, o.Code
		return a.failed(buf, at, e)
	}
	if !o.Raw {
		a.s.state.status = o.Status
		a.out.cursor = a.walker.Opened()
	}
	if a.o.more && a.walker.Done() && !o.Raw {
		e.SetMoreResults(buf[at:], true)
	}
	if a.f != nil && a.f.decision.Guarded && !o.Raw && o.Header == wire.HeaderOK && o.InsertID != 0 {
		return true, a.withoutInsertID(buf, at, e)
	}
	return false, nil
}

// flush writes packets to the client.
func (a *answering) flush(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	s := a.s
	a.hurry(len(p))
	a.written += len(p)
	if _, err := s.client.Write(p); err != nil {
		s.clientLost()
		return fmt.Errorf("write to the client: %w", err)
	}
	return nil
}

// hurry bounds the next write to the client, of n bytes, when it may block. The bound of a write a moment ago does for it, too.
func (a *answering) hurry(n int) {
	if a.written == 0 && n < windowed {
		return
	}
	now, timeout := time.Now(), a.s.g.Limits.WriteTimeout
	if now.Sub(a.hurried) > timeout/64 {
		a.hurried = now
		_ = a.s.client.SetWriteDeadline(now.Add(timeout))
		a.s.stillEnding()
	}
}

// unhurry takes the bound away: the next answer may come long after it.
func (a *answering) unhurry() {
	if !a.hurried.IsZero() {
		_ = a.s.client.SetWriteDeadline(time.Time{})
		a.s.stillEnding()
	}
}

// flushFrame writes all that the window holds to the client as the warehouse compressed it.
func (a *answering) flushFrame(plain int) error {
	s := a.s
	a.hurry(plain)
	a.written += plain
	if err := s.client.WriteFrame(a.frame); err != nil {
		s.clientLost()
		return fmt.Errorf("write to the client: %w", err)
	}
	return nil
}

// turnAround relays LOCAL INFILE: the client, not the warehouse, speaks next, or both wait.
func (a *answering) turnAround() error {
	s := a.s
	if a.f == nil || a.f.graph == nil || !a.f.graph.Effects.LocalFile {
		return a.unreadable(errors.New("the warehouse asks for a file that the statement does not name"))
	}
	s.pending.Store(0)
	_ = s.client.SetReadDeadline(time.Now().Add(s.g.Limits.WriteTimeout))
	s.stillEnding()
	defer func() {
		_ = s.client.SetReadDeadline(time.Time{})
		s.stillEnding()
	}()
	var to io.Writer = &patient{s: s}
	if a.walker.Offset != 0 {
		to = &resequenced{to: to, offset: a.walker.Offset}
	}
	if _, err := s.client.CopyFile(to); err != nil {
		return fmt.Errorf("relay the client's file: %w", err)
	}
	if s.client.Renumbers() {
		a.walker.Offset = s.client.Sequence() - s.warehouse.Sequence()
		a.through = a.through && a.walker.Offset == 0
	}
	s.pending.Store(time.Now().UnixNano())
	return nil
}

// warehouseLost ends a session whose warehouse closed the connection, as the warehouse did: clients say by themselves that it
// is lost, and know from that what they may try again. MariaDB's take a packet that says so for malformed.
func (a *answering) warehouseLost(cause error) error {
	s := a.s
	if !a.walker.Mid() && s.phase.Load() == phaseClosed {
		if a.written > 0 {
			s.client.SetSequence(a.walker.Sequence() + 1)
		}
		_ = s.client.SetWriteDeadline(time.Now().Add(time.Second))
		_ = s.sayError(wire.ErrServerShutdown, "08S01", "Server shutdown in progress")
	}
	return fmt.Errorf("read the warehouse's answer: %w", cause)
}

// unreadable ends a session whose warehouse answered what cannot be followed.
func (a *answering) unreadable(cause error) error {
	return fmt.Errorf("follow the warehouse's answer: %w", cause)
}
