package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	headerSize = 4
	// MaxPart is the longest payload of one packet; a longer one goes on in the next packet
	// (Protocol Basics: MySQL Packets).
	MaxPart = 1<<24 - 1
	// readAhead is how much is read at once where reading ahead is on: most requests fit.
	readAhead = 1024
	// firstGrant is the memory given to a payload before any of it arrived.
	firstGrant = 16 << 10
)

// TooLargeError is a payload above the limit of its reader. The rest of it has not been read: see
// [Conn.SkipRest].
type TooLargeError struct{ Limit int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("packet is longer than %d bytes", e.Limit)
}

// Conn reads and writes packets on a connection and counts their sequence ids. One goroutine reads
// and one writes at a time, and they share the sequence id; Close and the deadlines may be used by
// any.
type Conn struct {
	conn     net.Conn
	sequence uint8
	ahead    bool
	buf      []byte // read and not yet given out: buf[from:]
	from     int
	store    []byte
	head     [headerSize]byte
	// skip is what a TooLargeError left unread: bytes of its part, and whether more parts follow.
	skip     int
	skipMore bool

	patience time.Duration // see Patience
	hurried  bool          // it set a deadline

	compressed *compressed // nil: packets are not compressed
}

// NewConn wraps a connection. It reads no byte past the packet that is asked for until ReadAhead.
func NewConn(c net.Conn) *Conn { return &Conn{conn: c} }

// ReadAhead lets the connection read more than the packet asked for, or no more, which gives the memory back. It stays
// off while bytes behind an SSLRequest may come, which belong to TLS.
func (c *Conn) ReadAhead(on bool) {
	c.ahead = on
	if !on && c.Buffered() == 0 {
		if c.store != nil {
			clear(c.store) // it may have held a password's proof
			stores.Put((*[readAhead]byte)(c.store))
		}
		c.store, c.buf, c.from = nil, nil, 0
	}
}

// Upgrade goes on over another connection, TLS over NetConn. What was read ahead is dropped: plain
// bytes must never be taken for bytes that came encrypted.
func (c *Conn) Upgrade(to net.Conn) {
	c.conn, c.buf, c.from = to, nil, 0
}

// NetConn gives the connection underneath.
func (c *Conn) NetConn() net.Conn { return c.conn }

// Close closes the connection underneath.
func (c *Conn) Close() error { return c.conn.Close() }

// SetDeadline sets both deadlines of the connection underneath.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// SetReadDeadline sets the read deadline of the connection underneath.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline sets the write deadline of the connection underneath.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }

// Patience bounds the wait for each further byte from here on, by the read deadline; 0 bounds it no more. A peer that began to say
// something is to go on.
func (c *Conn) Patience(d time.Duration) {
	if c.patience = d; d == 0 && c.hurried {
		c.hurried = false
		_ = c.conn.SetReadDeadline(time.Time{})
	}
}

// await is called before the connection is read, which may wait.
func (c *Conn) await() {
	if c.patience > 0 {
		c.hurried = true
		_ = c.conn.SetReadDeadline(time.Now().Add(c.patience))
	}
}

// ResetSequence starts a new command: its packet has sequence id 0.
func (c *Conn) ResetSequence() {
	c.sequence = 0
	if c.compressed != nil {
		c.compressed.sequence = 0
	}
}

// Sequence gives the sequence id of the packet that is written next.
func (c *Conn) Sequence() uint8 { return c.sequence }

// SetSequence sets the sequence id of the packet that is written next.
func (c *Conn) SetSequence(s uint8) { c.sequence = s }

// Buffered gives the number of bytes that were read and not given out yet: pipelined requests.
func (c *Conn) Buffered() int { return len(c.buf) - c.from }

// Read gives the bytes of packets. On a compressed connection they are those of one compressed packet
// at most.
func (c *Conn) Read(p []byte) (int, error) {
	if c.compressed != nil {
		return c.compressed.read(c, p)
	}
	return c.readRaw(p)
}

// readRaw gives bytes as they came, those that were read ahead first.
func (c *Conn) readRaw(p []byte) (int, error) {
	if c.from < len(c.buf) {
		n := copy(p, c.buf[c.from:])
		c.from += n
		return n, nil
	}
	c.await()
	return c.conn.Read(p)
}

// Raw gives the bytes as they come, below the compression.
func (c *Conn) Raw() io.Reader { return rawReader{c} }

type rawReader struct{ c *Conn }

func (r rawReader) Read(p []byte) (int, error) { return r.c.readRaw(p) }

// Write writes packets that are framed already.
func (c *Conn) Write(p []byte) (int, error) {
	if c.compressed == nil {
		return c.conn.Write(p)
	}
	if err := c.compressed.write(c, p); err != nil {
		return 0, err
	}
	c.wrote()
	return len(p), nil
}

// write writes the bytes of a packet of which more may follow.
func (c *Conn) write(p []byte) error {
	if c.compressed != nil {
		return c.compressed.write(c, p)
	}
	_, err := c.conn.Write(p)
	return err
}

// fill reads exactly len(p) bytes of packets; io.EOF means that none came.
func (c *Conn) fill(p []byte) error {
	if c.compressed == nil {
		return c.fillRaw(p)
	}
	for got := 0; got < len(p); {
		n, err := c.compressed.read(c, p[got:])
		got += n
		if err == io.EOF && got > 0 {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fillRaw reads exactly len(p) bytes as they come; io.EOF means that none came.
func (c *Conn) fillRaw(p []byte) error {
	for got := 0; got < len(p); {
		var n int
		var err error
		if c.Buffered() == 0 && c.ahead && len(p)-got < readAhead {
			err = c.readMore()
		}
		if err == nil {
			n, err = c.readRaw(p[got:])
			got += n
		}
		switch {
		case got == len(p):
			return nil
		case err == io.EOF && got > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case n == 0:
			return io.ErrNoProgress
		}
	}
	return nil
}

// stores are buffers of connections that stopped reading ahead.
var stores = sync.Pool{New: func() any { return new([readAhead]byte) }}

func (c *Conn) readMore() error {
	if c.store == nil {
		c.store = stores.Get().(*[readAhead]byte)[:]
	}
	c.await()
	n, err := c.conn.Read(c.store)
	c.buf, c.from = c.store[:n], 0
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// Await waits until there is something to read, where reading ahead is on. Whoever waits long waits here: few frames lie
// between the caller and the connection, so that a goroutine keeps a small stack.
func (c *Conn) Await() error {
	if c.Leftover() {
		return nil
	}
	return c.readMore()
}

// readHeader gives the length of the next part and takes over its sequence id.
func (c *Conn) readHeader() (int, error) {
	if err := c.fill(c.head[:]); err != nil {
		return 0, err
	}
	c.sequence = c.head[3] + 1
	return int(c.head[0]) | int(c.head[1])<<8 | int(c.head[2])<<16, nil
}

// ReadPacket reads one payload, its parts joined, into new memory. limit bounds it in bytes; a
// longer one is a *TooLargeError. A connection that ends before the first byte is io.EOF, one that
// ends later io.ErrUnexpectedEOF. The sequence id becomes that of the answer.
func (c *Conn) ReadPacket(limit int) ([]byte, error) { return c.ReadPacketInto(nil, limit) }

// ReadPacketInto is ReadPacket into the memory of dst, from its beginning, as far as it goes.
func (c *Conn) ReadPacketInto(dst []byte, limit int) ([]byte, error) {
	payload := dst[:0]
	for first := true; ; first = false {
		size, err := c.readHeader()
		if err != nil {
			if !first && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if size > limit-len(payload) {
			c.skip, c.skipMore = size, size == MaxPart
			return nil, &TooLargeError{Limit: limit}
		}
		if payload, err = c.readPart(payload, size); err != nil {
			return nil, err
		}
		if size < MaxPart {
			c.settle(false)
			return payload, nil
		}
	}
}

// readPart appends size bytes. Memory grows with the bytes that came, not with what was announced.
func (c *Conn) readPart(payload []byte, size int) ([]byte, error) {
	for size > 0 {
		if len(payload) == cap(payload) {
			grant := min(size, max(firstGrant, len(payload)))
			payload = append(make([]byte, 0, len(payload)+grant), payload...)
		}
		n := min(size, cap(payload)-len(payload))
		if err := c.fill(payload[len(payload) : len(payload)+n]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		payload = payload[:len(payload)+n]
		size -= n
	}
	return payload, nil
}

// SkipRest reads and drops what a TooLargeError left, at most limit bytes of it, so that the peer
// stops writing and reads the answer. The sequence id becomes that of the answer.
func (c *Conn) SkipRest(limit int64) error {
	scratch := frames.Get().(*[]byte)
	defer frames.Put(scratch)
	for c.skip > 0 || c.skipMore {
		if c.skip == 0 {
			size, err := c.readHeader()
			if err != nil {
				return err
			}
			c.skip, c.skipMore = size, size == MaxPart
			continue
		}
		n := min(c.skip, frameSize)
		if limit -= int64(n); limit < 0 {
			return errors.New("skip a packet: it does not end")
		}
		if err := c.fill((*scratch)[:n]); err != nil {
			return err
		}
		c.skip -= n
	}
	return nil
}

// frameSize is the size of pooled write buffers.
const frameSize = 16 << 10

var frames = sync.Pool{New: func() any { b := make([]byte, frameSize); return &b }}

// WritePacket writes one payload, in parts where it is long: one of exactly n*MaxPart bytes ends
// with an empty part. The sequence id moves on by the number of parts.
func (c *Conn) WritePacket(payload []byte) error {
	for {
		part := payload[:min(len(payload), MaxPart)]
		if err := c.writePart(part); err != nil {
			return err
		}
		payload = payload[len(part):]
		if len(part) < MaxPart {
			c.wrote()
			return nil
		}
	}
}

// keptBack is how many of a packet's bytes WriteBeginning leaves to be written at most.
const keptBack = 1 << 10

// WriteBeginning writes a payload as WritePacket does, but for its last bytes, and gives those as WriteRest is to write them. The peer
// does nothing before it has them.
func (c *Conn) WriteBeginning(payload []byte) (rest []byte, err error) {
	for ; len(payload) >= MaxPart; payload = payload[MaxPart:] {
		if err := c.writePart(payload[:MaxPart]); err != nil {
			return nil, err
		}
	}
	head := c.header(len(payload))
	if len(payload) <= keptBack {
		return append(head[:], payload...), nil
	}
	begins := len(payload) - keptBack
	return payload[begins:], c.writeFramed(head, payload[:begins])
}

// WriteRest writes what WriteBeginning left.
func (c *Conn) WriteRest(rest []byte) error {
	if err := c.write(rest); err != nil {
		return err
	}
	c.wrote()
	return nil
}

// header gives the header of the part that is written next.
func (c *Conn) header(size int) [headerSize]byte {
	head := [headerSize]byte{byte(size), byte(size >> 8), byte(size >> 16), c.sequence}
	c.sequence++
	return head
}

func (c *Conn) writePart(part []byte) error { return c.writeFramed(c.header(len(part)), part) }

// writeFramed writes a header and the beginning of its body, or all of it.
func (c *Conn) writeFramed(head [headerSize]byte, part []byte) error {
	if headerSize+len(part) <= frameSize {
		frame := frames.Get().(*[]byte)
		n := copy(*frame, head[:])
		n += copy((*frame)[n:], part)
		err := c.write((*frame)[:n])
		clear((*frame)[:n]) // it may have held a password
		frames.Put(frame)
		return err
	}
	if c.compressed != nil {
		return c.compressed.writePart(c, head[:], part)
	}
	frame := frames.Get().(*[]byte) // the header goes with the beginning: alone it would be a packet of the network's
	copied := copy((*frame)[copy(*frame, head[:]):], part)
	err := c.write(*frame)
	clear(*frame)
	frames.Put(frame)
	if err != nil {
		return err
	}
	return c.write(part[copied:])
}

// AppendPacket frames a payload behind dst and gives the sequence id after it.
func AppendPacket(dst []byte, sequence uint8, payload []byte) ([]byte, uint8) {
	for {
		n := min(len(payload), MaxPart)
		dst = append(dst, byte(n), byte(n>>8), byte(n>>16), sequence)
		dst = append(dst, payload[:n]...)
		sequence++
		payload = payload[n:]
		if n < MaxPart {
			return dst, sequence
		}
	}
}
