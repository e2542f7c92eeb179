package gateway

import (
	"io"
	"time"
)

// resequenced lowers the sequence ids of a client's packets by what the gateway added to those of
// the answers before: a client counts through a whole batch, the warehouse one statement.
type resequenced struct {
	to     io.Writer
	offset uint8
	left   int // bytes of the current packet's body still to come
	head   int // bytes of its header that came
	size   int
}

// Write passes bytes on and edits the headers among them, wherever they are split.
func (r *resequenced) Write(p []byte) (int, error) {
	for i := 0; i < len(p); {
		if r.left > 0 {
			n := min(r.left, len(p)-i)
			r.left -= n
			i += n
			continue
		}
		switch r.head {
		case 0, 1, 2:
			r.size |= int(p[i]) << (8 * r.head)
			r.head++
		default:
			//lint:ignore SA1023 the buffer is the relay's own, and nobody reads it again
			p[i] -= r.offset
			r.left, r.head, r.size = r.size, 0, 0
		}
		i++
	}
	return r.to.Write(p)
}

// patient writes a client's file to the warehouse. The client has its time for each part of it, however long all of it
// takes, and however long the warehouse takes over a part.
type patient struct {
	s     *Session
	since time.Time
}

func (p *patient) Write(b []byte) (int, error) {
	n, err := p.s.warehouse.Write(b)
	if now := time.Now(); now.Sub(p.since) > p.s.g.Limits.WriteTimeout/8 {
		p.since = now
		_ = p.s.client.SetReadDeadline(now.Add(p.s.g.Limits.WriteTimeout))
		p.s.stillEnding()
	}
	return n, err
}
