package gateway

import (
	"io"
	"net"
	"testing"
	"time"

	"sluice/gateway/wire"
)

// Clients that take nothing do not hold up a drain, or the end of the others' sessions.
func TestDrainBesideClientsThatTakeNothing(t *testing.T) {
	const deaf = 30
	g := new(Gateway)
	idle := func(id uint64) net.Conn {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _ = ours.Close() })
		s := &Session{g: g, id: id, client: wire.NewConn(ours)}
		s.phase.Store(phaseIdle)
		g.sessions.add(s, deaf+1)
		return theirs
	}
	begun := time.Now()
	var left []net.Conn
	for id := range uint64(deaf) {
		left = append(left, idle(id))
	}
	reads := idle(deaf)
	g.sessions.closeIdle()
	p, err := wire.NewConn(reads).ReadPacket(1 << 10)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := wire.ParseERR(p); err != nil || e.Code != wire.ErrServerShutdown {
		t.Errorf("%q, %v", p, err)
	}
	for _, c := range append(left, reads) {
		_ = c.SetWriteDeadline(time.Now().Add(deaf * time.Second))
		if _, err := c.Write([]byte{0}); err != io.ErrClosedPipe {
			t.Errorf("a session was not closed: %v", err)
		}
	}
	if took := time.Since(begun); took > deaf*time.Second/3 {
		t.Errorf("it took %v", took)
	}
}
