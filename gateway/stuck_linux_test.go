package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/gateway/wire"
	"sluice/lineage"
	"sluice/parser"
)

// stuck is a session whose statement copies p.t to q.t, and whose warehouse does not read.
type stuck struct {
	*Session
	t         *testing.T
	warehouse net.Conn // the warehouse's end
	client    net.Conn // the client's end
	trusting  *enforcement.Snapshot
	closed    *enforcement.Snapshot // q is not trusted
	current   atomic.Pointer[enforcement.Snapshot]
	stale     atomic.Bool
	verdicts  chan string
	killed    atomic.Int32
	logging   time.Duration // how long the log takes
}

func (s *stuck) Current() *enforcement.Snapshot { return s.current.Load() }
func (s *stuck) Fresh(time.Time) bool           { return !s.stale.Load() }
func (s *stuck) VerifySeal(context.Context, *enforcement.Seal) (string, error) {
	return "", nil
}

func (s *stuck) Record(_ context.Context, e *audit.Entry) error {
	time.Sleep(s.logging)
	s.verdicts <- e.Verdict
	return nil
}

func (s *stuck) Kill(context.Context, uint64, bool) error {
	s.killed.Add(1)
	return nil
}

func newStuck(t *testing.T) *stuck {
	t.Helper()
	s := &stuck{t: t, verdicts: make(chan string, 64)}
	build := func(revision uint64, trusted ...string) *enforcement.Snapshot {
		p := &enforcement.Policy{Revision: revision, Projects: map[string]*enforcement.Project{"p": {Name: "p", Protection: parser.Protected, Trusted: trusted}}}
		snapshot, err := enforcement.Build(p, enforcement.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return snapshot
	}
	s.trusting, s.closed = build(1, "q"), build(2)
	s.current.Store(s.trusting)
	g := New(Options{Policies: s, Audit: s, Warehouse: s})
	s.Session = &Session{g: g, identified: true, caps: wire.ClientProtocol41}
	var here net.Conn
	here, s.warehouse = sockets(t)
	s.setWarehouse(here)
	here, s.client = sockets(t)
	s.Session.client = wire.NewConn(here)
	g.sessions.add(s.Session, 1)
	return s
}

// sockets gives the two ends of a connection.
func sockets(t *testing.T) (here, there net.Conn) {
	t.Helper()
	l, err := wire.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if here, err = wire.Dial(context.Background(), "tcp", l.Addr().String(), time.Second); err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = here.Close(); _ = there.Close() })
	return here, there
}

// fill makes the connection to the warehouse take no byte more.
func (s *stuck) fill() {
	s.t.Helper()
	conn := s.Session.warehouse
	for size := 64 << 10; size > 0; { // what no longer takes many bytes may take few
		_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := conn.Write(make([]byte, size)); err != nil {
			size /= 8
		}
	}
	_ = conn.SetWriteDeadline(time.Time{})
}

// begin has the statement be sent until the warehouse takes no more of it.
func (s *stuck) begin(size int) <-chan error {
	s.t.Helper()
	done := s.run(size)
	deadline := time.Now().Add(10 * time.Second)
	for socket := s.Session.warehouse.NetConn().(interface{ Stuck() time.Time }); socket.Stuck().IsZero(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("the warehouse takes everything: the test does not do what it is for")
		}
	}
	return done
}

// run judges and sends the statement beside the test.
func (s *stuck) run(size int) <-chan error {
	table := func(schema string) lineage.Object { return lineage.Object{Schema: schema, Name: "t"} }
	graph := &lineage.Graph{Kind: "insert", Reads: []lineage.Object{table("p")}, Writes: []lineage.Write{{Object: table("q")}}, Flows: []lineage.Flow{{
		Source: lineage.Source{Kind: lineage.TableSource, Object: table("p")}, Sink: lineage.Sink{Kind: lineage.TableSink, Object: table("q")}}}}
	f := &flight{statement: &parser.Statement{Kind: "insert"}, graph: graph, snapshot: s.Current()}
	f.request = s.request(graph)
	s.decide(f, f.snapshot, time.Now())
	if !f.decision.Permitted() {
		s.t.Fatalf("not permitted: %+v", f.decision)
	}
	packet := append([]byte{byte(wire.ComQuery)}, bytes.Repeat([]byte("x"), size)...)
	done := make(chan error, 1)
	go func() {
		_, err := s.commit(context.Background(), f, packet)
		if errors.Is(err, errWithheld) {
			s.sayStopped(f)
		}
		done <- err
	}()
	return done
}

// apply changes the policy and tells how long that took.
func (s *stuck) apply(next *enforcement.Snapshot) time.Duration {
	s.t.Helper()
	s.current.Store(next)
	begun := time.Now()
	if err := s.g.Apply(context.Background(), next); err != nil {
		s.t.Error(err)
	}
	return time.Since(begun)
}

// arrived gives how many bytes of packets the warehouse was sent until the connection's end, or until size of them.
func (s *stuck) arrived(size int64) int64 {
	_ = s.warehouse.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, _ := io.CopyN(io.Discard, s.warehouse, size)
	return n
}

// goesThrough looks that the statement comes to the warehouse whole.
func (s *stuck) goesThrough(done <-chan error, whole int64) {
	s.t.Helper()
	if n := s.arrived(whole); n != whole {
		s.t.Errorf("%d bytes of %d came", n, whole)
	}
	if err := <-done; err != nil {
		s.t.Error(err)
	}
}

const longText = 24 << 20

// A statement that waits for its warehouse to read delays no change of the policy that permits it.
func TestChangeBesideLongStatement(t *testing.T) {
	s := newStuck(t)
	done := s.begin(longText)
	if took := s.apply(s.trusting); took > lockPatience/2 {
		t.Errorf("the change took %v", took)
	}
	s.goesThrough(done, longText+1+2*4)
}

// One that a change forbids is not sent to its end, and its client is told why.
func TestChangeForbidsLongStatement(t *testing.T) {
	s := newStuck(t)
	done := s.begin(longText)
	if took := s.apply(s.closed); took > lockPatience/2 {
		t.Errorf("the change took %v", took)
	}
	if err := <-done; !errors.Is(err, errWithheld) {
		t.Errorf("withheld is expected, got %v", err)
	}
	if n := s.arrived(longText); n == longText {
		t.Error("it was sent")
	}
	p, err := wire.NewConn(s.client).ReadPacket(1 << 10)
	if err != nil || !bytes.Contains(p, []byte("stopped this statement")) {
		t.Errorf("%q, %v", p, err)
	}
}

// The lease is looked at before a long statement's last bytes are written: others wait for it, and no longer.
func TestLeaseEndsDuringLongStatement(t *testing.T) {
	s := newStuck(t)
	done := s.begin(longText)
	s.stale.Store(true)
	go s.arrived(2 * longText)
	if err := <-done; !errors.Is(err, errWithheld) {
		t.Errorf("withheld is expected, got %v", err)
	}
	p, err := wire.NewConn(s.client).ReadPacket(1 << 10)
	if err != nil || !bytes.Contains(p, []byte("cannot renew its lease")) {
		t.Errorf("%q, %v", p, err)
	}
}

// A short statement that finds the way to the warehouse full, by commands that have no answer, delays a change for a moment, and
// neither the gateway's watch nor a drain.
func TestChangeBesideStuckStatement(t *testing.T) {
	s := newStuck(t)
	s.fill()
	done := s.begin(100)
	begun := time.Now()
	s.watchWarehouse()
	s.closeIfIdle()
	if took := time.Since(begun); took > lockPatience/2 {
		t.Errorf("the session was looked at for %v", took)
	}
	if took := s.apply(s.trusting); took > 4*lockPatience {
		t.Errorf("the change took %v", took)
	}
	if err := <-done; err == nil {
		t.Error("it was sent")
	}
}

// A statement whose record takes long is waited for: its connection is fine.
func TestChangeBesideSlowLog(t *testing.T) {
	s := newStuck(t)
	s.logging = 3 * lockPatience
	done := s.run(100)
	time.Sleep(lockPatience / 4) // it holds the lock
	if took := s.apply(s.trusting); took < lockPatience {
		t.Errorf("the change took %v: the statement did not hold it up", took)
	}
	s.goesThrough(done, 100+1+4)
}

func TestDrainEndsStuckStatement(t *testing.T) {
	s := newStuck(t)
	s.fill()
	done := s.begin(100)
	begun := time.Now()
	s.g.cut()
	if err := <-done; err == nil {
		t.Error("it was sent")
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if s.killed.Load() == 0 {
		t.Error("what the warehouse may still run was not killed")
	}
}
