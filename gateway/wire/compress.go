package wire

import (
	"errors"
	"io"
)

// Algorithm is how compressed packets are compressed.
type Algorithm uint8

// The algorithms of the protocol (Compression page).
const (
	Uncompressed Algorithm = iota
	Zlib
	Zstd
)

// Compression is what client and warehouse agreed on.
type Compression struct {
	Algorithm Algorithm
	Level     uint8 // of zstd, by the client's choice; zlib has one level
	// CountsRequests: the packets inside of an answer count on from those inside of its request (TiDB), and
	// not from the compressed packets of it (MySQL, MariaDB). No client looks at the numbers inside.
	CountsRequests bool
}

// AgreedCompression gives what both ends use after a login that agreed on caps: zlib goes before zstd
// where a client offers both.
func AgreedCompression(caps Capability, zstdLevel uint8) Compression {
	switch {
	case caps.Has(ClientCompress):
		return Compression{Algorithm: Zlib}
	case caps.Has(ClientZstdCompression):
		return Compression{Algorithm: Zstd, Level: zstdLevel}
	}
	return Compression{}
}

const (
	// compressedHeader is the header before each compressed packet: its length, its number, and the
	// length of what is in it, 0 when that is not compressed (Compressed Packet page).
	compressedHeader = headerSize + 3
	// minCompressed is the shortest content that is worth compressing, for servers and clients alike.
	minCompressed = 50
	// shortPacket is the longest compressed packet that is decoded at once, in pooled memory; servers
	// fill theirs to 16 KiB. It is also the most that is compressed at once.
	shortPacket = windowSize
)

// UncompressError is a compressed packet that does not hold what its header says.
type UncompressError struct{ Reason string }

func (e *UncompressError) Error() string { return "malformed compressed packet: " + e.Reason }

// ErrOutOfOrder is a compressed packet whose number is not the next one.
var ErrOutOfOrder = errors.New("compressed packet is out of order")

// compressed is a connection's compression layer. An idle connection holds no memory by it: what
// decodes, encodes or buffers is pooled, and held while a packet is under way.
//
// The packets inside are cut by compressed packets at any place. The layer counts numbers of its own;
// they begin at 0 with each command, as those of the packets inside do, which go on from them when one
// end has said what it had to say.
type compressed struct {
	how      Compression
	server   bool
	sequence uint8 // of the next compressed packet, whichever way it goes

	plain   []byte  // decoded and not given out yet
	pooled  *[]byte // whose memory that is, from its beginning; nil for a long packet's
	content int     // and how much was decoded into it
	stored  int     // bytes to come of a packet that is not compressed
	long    *longPacket

	keep      bool    // see KeepFrames
	body      *[]byte // the packet's bytes as they came, while keep or decoding
	frame     []byte  // what Frame gives
	headBytes [compressedHeader]byte
}

// Compress turns the compression layer on, which no message does: both ends begin behind the OK packet
// that ends the login. A server's end takes a packet under another number than the next for ErrOutOfOrder.
func (c *Conn) Compress(how Compression, server bool) {
	if how.Algorithm != Uncompressed {
		c.compressed = &compressed{how: how, server: server}
	}
}

// Compressed tells whether the compression layer is on.
func (c *Conn) Compressed() bool { return c.compressed != nil }

// EndAnswer says that the packet with this sequence id was the last of an answer.
func (c *Conn) EndAnswer(last uint8) {
	c.sequence = last + 1
	c.settle(true)
}

// Renumbers tells whether the packets inside of an answer count on from the compressed ones before them.
func (c *Conn) Renumbers() bool { return c.compressed != nil && !c.compressed.how.CountsRequests }

// settle lets the packets inside count on from the compressed ones, as servers do when they flush an
// answer, and most of them when they have read a request.
func (c *Conn) settle(answer bool) {
	if z := c.compressed; z != nil && (answer || !z.how.CountsRequests) {
		c.sequence = z.sequence
	}
}

// wrote settles the numbers behind what was written: an answer by a server, a request by a client.
func (c *Conn) wrote() {
	if c.compressed != nil {
		c.settle(c.compressed.server)
	}
}

// KeepFrames has Frame give the compressed packets that Read decodes, or ends that and gives their
// memory back.
func (c *Conn) KeepFrames(on bool) {
	z := c.compressed
	if z == nil {
		return
	}
	z.keep, z.frame = on, nil
	if !on {
		z.releaseBody()
	}
}

// Frame gives the compressed packet that the last Read gave the whole content of; nil when it gave
// something else, or frames are not kept. It holds until the next Read.
func (c *Conn) Frame() []byte {
	if c.compressed == nil {
		return nil
	}
	return c.compressed.frame
}

// WriteFrame writes a compressed packet as it came from a connection with the same algorithm, under
// the number that is next here.
func (c *Conn) WriteFrame(frame []byte) error {
	frame[3] = c.compressed.sequence
	c.compressed.sequence++
	c.wrote()
	_, err := c.conn.Write(frame)
	return err
}

// read gives plain bytes, at most those of one compressed packet at a time.
func (z *compressed) read(c *Conn, p []byte) (int, error) {
	z.frame = nil
	for len(p) > 0 {
		switch {
		case len(z.plain) > 0:
			n := copy(p, z.plain)
			if z.plain = z.plain[n:]; len(z.plain) == 0 {
				z.releasePlain()
			}
			return n, nil
		case z.stored > 0:
			n, err := c.readRaw(p[:min(len(p), z.stored)])
			z.stored -= n
			return n, inside(err)
		case z.long != nil:
			n, err := z.long.read(p)
			if z.long.left == 0 {
				z.long = nil
			}
			return n, err
		}
		if n, err := z.next(c, p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

// Leftover tells whether bytes were read, or a compressed packet begun, that nobody was given yet.
func (c *Conn) Leftover() bool {
	return c.Buffered() > 0 || c.compressed != nil && c.compressed.begun()
}

// begun tells whether a compressed packet has been begun and not been given out.
func (z *compressed) begun() bool { return len(z.plain) > 0 || z.stored > 0 || z.long != nil }

// next begins with the next compressed packet; its content is put into p at once where it fits.
func (z *compressed) next(c *Conn, p []byte) (int, error) {
	head := z.headBytes[:]
	if err := c.fillRaw(head); err != nil {
		return 0, err
	}
	size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	content := int(head[4]) | int(head[5])<<8 | int(head[6])<<16
	if z.server && head[3] != z.sequence {
		return 0, ErrOutOfOrder
	}
	z.sequence = head[3] + 1
	switch {
	case size == 0 && content > 0:
		return 0, &UncompressError{"it is empty and says that it is not"}
	case size == 0:
		return 0, nil // TiDB sends them
	case content == 0 && (!z.keep || size > shortPacket || len(p) < size):
		z.stored = size
		return 0, nil
	case size > shortPacket || content > shortPacket:
		return 0, z.begin(c, size, content)
	}
	return z.short(c, p, size, content)
}

// begin begins with a long packet. One that takes less memory that way is decoded at once.
func (z *compressed) begin(c *Conn, size, content int) error {
	l, err := newLongPacket(c, z.how.Algorithm, size, content)
	if l.done {
		z.plain = l.all
	} else if err == nil {
		z.long = l
	}
	return err
}

// short reads a packet whole, and decodes it whole.
func (z *compressed) short(c *Conn, p []byte, size, content int) (int, error) {
	if z.body == nil {
		z.body = bodies.Get().(*[]byte)
	}
	whole := (*z.body)[:compressedHeader+size]
	copy(whole, z.headBytes[:])
	if err := c.fillRaw(whole[compressedHeader:]); err != nil {
		z.releaseBody()
		return 0, inside(err)
	}
	n, err := z.decode(p, whole[compressedHeader:], content)
	if !z.keep || err != nil {
		z.releaseBody()
	} else if n > 0 {
		z.frame = whole
	}
	return n, err
}

func (z *compressed) decode(p, body []byte, content int) (int, error) {
	if content == 0 {
		return copy(p, body), nil
	}
	if len(p) >= content {
		if err := z.how.Algorithm.expand(p[:content], body); err != nil {
			return 0, err // nothing of it counts
		}
		return content, nil
	}
	z.pooled = windows.Get().(*[]byte)
	z.content = content
	if err := z.how.Algorithm.expand((*z.pooled)[:content], body); err != nil {
		z.releasePlain()
		return 0, err
	}
	z.plain = (*z.pooled)[:content]
	return 0, nil
}

func (z *compressed) releaseBody() {
	if z.body != nil {
		bodies.Put(z.body)
		z.body, z.frame = nil, nil
	}
}

func (z *compressed) releasePlain() {
	if z.pooled != nil {
		clear((*z.pooled)[:z.content]) // it may have held a password
		windows.Put(z.pooled)
	}
	z.pooled, z.plain = nil, nil
}

// inside makes the end of a connection an unexpected one.
func inside(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// write compresses bytes and writes them at once.
func (z *compressed) write(c *Conn, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), shortPacket)
		if err := z.writeShort(c, p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// writePart writes a header and a body that do not lie together.
func (z *compressed) writePart(c *Conn, head, body []byte) error {
	scratch := windows.Get().(*[]byte)
	n := copy(*scratch, head)
	m := copy((*scratch)[n:shortPacket], body)
	err := z.writeShort(c, (*scratch)[:n+m])
	windows.Put(scratch)
	if err != nil {
		return err
	}
	return z.write(c, body[m:])
}

// writeShort writes one compressed packet, or one as it is where compressing does not pay.
func (z *compressed) writeShort(c *Conn, plain []byte) error {
	out := bodies.Get().(*[]byte)
	defer bodies.Put(out)
	size, content := 0, 0
	if len(plain) >= minCompressed {
		size, content = z.how.squeeze((*out)[compressedHeader:compressedHeader+len(plain)-1], plain), len(plain)
	}
	if size == 0 {
		size, content = copy((*out)[compressedHeader:], plain), 0
	}
	frame := (*out)[:compressedHeader+size]
	putCompressedHeader(frame, size, z.sequence, content)
	z.sequence++
	_, err := c.conn.Write(frame)
	clear(frame) // it may have held a password
	return err
}

func putCompressedHeader(b []byte, size int, sequence uint8, content int) {
	b[0], b[1], b[2], b[3] = byte(size), byte(size>>8), byte(size>>16), sequence
	b[4], b[5], b[6] = byte(content), byte(content>>8), byte(content>>16)
}

// StoredFrame frames packets as one compressed packet that is not compressed, for a connection that
// someone else may be reading: it needs no state.
func StoredFrame(sequence uint8, packets []byte) []byte {
	frame := append(make([]byte, compressedHeader, compressedHeader+len(packets)), packets...)
	putCompressedHeader(frame, len(packets), sequence, 0)
	return frame
}
