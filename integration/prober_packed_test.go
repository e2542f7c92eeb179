package integration

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/klauspost/compress/zstd"

	"sluice/gateway/wire"
)

// packed is a connection whose packets are compressed, as a client sees it. It shares no code with the gateway's.
type packed struct {
	net.Conn
	zstd   bool
	next   byte   // the number of the next compressed packet, either way
	cut    int    // content of one compressed packet that is sent; 0: as much as fits
	asIs   bool   // compress nothing that is sent
	plain  []byte // received and not read yet
	faults []string
}

// packedMost is the longest content of one compressed packet.
const packedMost = 1<<24 - 1

func (c *packed) Write(p []byte) (int, error) {
	most := packedMost
	if c.cut > 0 {
		most = c.cut
	}
	for at := 0; at < len(p); at += most {
		if err := c.writeOne(p[at:min(len(p), at+most)]); err != nil {
			return at, err
		}
	}
	return len(p), nil
}

func (c *packed) writeOne(content []byte) error {
	var body bytes.Buffer
	size := len(content)
	switch {
	case c.asIs || size < 50:
		body.Write(content)
		size = 0
	case c.zstd:
		w, err := zstd.NewWriter(&body, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		_, _ = w.Write(content)
		_ = w.Close()
	default:
		w := zlib.NewWriter(&body)
		_, _ = w.Write(content)
		_ = w.Close()
	}
	n := body.Len()
	frame := append([]byte{byte(n), byte(n >> 8), byte(n >> 16), c.next, byte(size), byte(size >> 8), byte(size >> 16)}, body.Bytes()...)
	c.next++
	_, err := c.Conn.Write(frame)
	return err
}

func (c *packed) Read(p []byte) (int, error) {
	for len(c.plain) == 0 {
		if err := c.readOne(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.plain)
	c.plain = c.plain[n:]
	return n, nil
}

func (c *packed) readOne() error {
	var head [7]byte
	if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
		return err
	}
	body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	if _, err := io.ReadFull(c.Conn, body); err != nil {
		return err
	}
	if head[3] != c.next {
		c.faults = append(c.faults, fmt.Sprintf("compressed packet %d where %d is next", head[3], c.next))
	}
	c.next = head[3] + 1
	size := int(head[4]) | int(head[5])<<8 | int(head[6])<<16
	if size == 0 {
		c.plain = body
		return nil
	}
	content, err := c.expand(body)
	if err == nil && len(content) != size {
		err = errors.New("content of another length than announced")
	}
	if err != nil {
		c.faults = append(c.faults, err.Error())
		return err
	}
	c.plain = content
	return nil
}

func (c *packed) expand(body []byte) ([]byte, error) {
	if c.zstd {
		d, err := zstd.NewReader(nil)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.DecodeAll(body, nil)
	}
	r, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// pack turns compression on where the login agreed on it.
func (p *prober) pack() {
	if p.caps&(wire.ClientCompress|wire.ClientZstdCompression) != 0 {
		p.packed = &packed{Conn: p.conn, zstd: !p.caps.Has(wire.ClientCompress)}
		p.conn = p.packed
	}
}

// begin is the beginning of a command: numbers count from 0.
func (p *prober) begin() {
	p.seq = 0
	if p.packed != nil {
		p.packed.next = 0
	}
}
