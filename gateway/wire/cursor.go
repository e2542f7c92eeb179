package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// MalformedError says what is wrong with bytes that do not fit the protocol.
type MalformedError struct {
	Message string // which message was read, "greeting"
	Offset  int    // bytes of the payload that were read before the fault
	Reason  string
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("malformed %s at byte %d: %s", e.Message, e.Offset, e.Reason)
}

// cursor reads a payload from front to back. After its first fault it gives zero values only, so
// that a decoder reads like its protocol page and asks for the error once, at the end.
type cursor struct {
	rest  []byte
	size  int // of the whole payload
	fault string
	at    int // where the fault is
}

func read(payload []byte) cursor { return cursor{rest: payload, size: len(payload)} }

func (c *cursor) offset() int { return c.size - len(c.rest) }

func (c *cursor) fail(reason string) {
	if c.fault == "" {
		c.fault, c.at = reason, c.offset()
	}
	c.rest = nil
}

func (c *cursor) err(message string) error {
	if c.fault == "" {
		return nil
	}
	return &MalformedError{Message: message, Offset: c.at, Reason: c.fault}
}

// take gives the next n bytes, which alias the payload.
func (c *cursor) take(n uint64, what string) []byte {
	if c.fault != "" {
		return nil
	}
	if n > uint64(len(c.rest)) {
		c.fail("ends inside " + what)
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) uint8(what string) uint8 {
	b := c.take(1, what)
	if b == nil {
		return 0
	}
	return b[0]
}

func (c *cursor) uint16(what string) uint16 {
	b := c.take(2, what)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint16(b)
}

func (c *cursor) uint32(what string) uint32 {
	b := c.take(4, what)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// lenenc reads a length-encoded integer (Protocol Basics: Integer Types).
func (c *cursor) lenenc(what string) uint64 {
	first := c.take(1, what)
	if first == nil {
		return 0
	}
	width := uint64(0)
	switch first[0] {
	case 0xfc:
		width = 2
	case 0xfd:
		width = 3
	case 0xfe:
		width = 8
	case 0xfb, 0xff:
		c.fail("no length in " + what)
		return 0
	default:
		return uint64(first[0])
	}
	var n uint64
	for i, b := range c.take(width, what) {
		n |= uint64(b) << (8 * i)
	}
	return n
}

// lenencBytes reads a length-encoded string.
func (c *cursor) lenencBytes(what string) []byte {
	return c.take(c.lenenc(what), what)
}

// nul reads a string that ends with a zero byte.
func (c *cursor) nul(what string) []byte {
	if c.fault != "" {
		return nil
	}
	end := bytes.IndexByte(c.rest, 0)
	if end < 0 {
		c.fail("no end of " + what)
		return nil
	}
	b := c.rest[:end:end]
	c.rest = c.rest[end+1:]
	return b
}

// nulOrRest reads a string that ends with a zero byte or with the payload: several clients leave
// the last zero byte out, and the servers let them.
func (c *cursor) nulOrRest() []byte {
	if end := bytes.IndexByte(c.rest, 0); end >= 0 {
		return c.nul("")
	}
	return c.remaining()
}

func (c *cursor) remaining() []byte {
	b := c.rest
	c.rest = nil
	return b
}

// appendLenenc writes a length-encoded integer in its shortest form.
func appendLenenc(dst []byte, n uint64) []byte {
	switch {
	case n < 0xfb:
		return append(dst, byte(n))
	case n <= 0xffff:
		return binary.LittleEndian.AppendUint16(append(dst, 0xfc), uint16(n))
	case n <= 0xffffff:
		return append(dst, 0xfd, byte(n), byte(n>>8), byte(n>>16))
	default:
		return binary.LittleEndian.AppendUint64(append(dst, 0xfe), n)
	}
}

// appendLenencString writes a length-encoded string.
func appendLenencString[T string | []byte](dst []byte, s T) []byte {
	return append(appendLenenc(dst, uint64(len(s))), s...)
}

func appendNul(dst []byte, s string) []byte { return append(append(dst, s...), 0) }
