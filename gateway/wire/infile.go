package wire

import (
	"errors"
	"fmt"
	"io"
)

// EncodeLocalInfile gives the payload by which a server asks for a file of the client
// (LOCAL INFILE Request page).
func EncodeLocalInfile(name string) []byte { return append([]byte{HeaderLocalInfile}, name...) }

// ParseLocalInfile gives the file name of such a packet.
func ParseLocalInfile(payload []byte) (string, error) {
	c := read(payload)
	if first := c.uint8("the header"); c.fault == "" && first != HeaderLocalInfile {
		c.fail("header is not 0xfb")
	}
	name := string(c.remaining())
	return name, c.err("LOCAL INFILE request")
}

// ErrFileTooLarge says that a client's file is longer than the limit.
var ErrFileTooLarge = errors.New("the file is too large")

// RequestFile plays the server's part of LOCAL INFILE: it asks the client for a file and reads it.
// A file above limit bytes is read to its end, so that the connection stays usable, and is
// ErrFileTooLarge. A client that cannot read its file sends an empty one.
func (c *Conn) RequestFile(name string, limit int) ([]byte, error) {
	if err := c.WritePacket(EncodeLocalInfile(name)); err != nil {
		return nil, fmt.Errorf("ask for the file: %w", err)
	}
	var file []byte
	var part bodyReader
	tooLarge := false
	for {
		if err := part.next(c); err != nil {
			return nil, fmt.Errorf("read the file: %w", err)
		}
		if part.end() {
			break
		}
		if part.size > limit-len(file) {
			tooLarge, file = true, nil
		}
		if err := part.each(c, nil, func(b []byte) {
			if !tooLarge {
				file = append(file, b...)
			}
		}); err != nil {
			return nil, fmt.Errorf("read the file: %w", err)
		}
	}
	if tooLarge {
		return nil, ErrFileTooLarge
	}
	return file, nil
}

// CopyFile relays what a client sends after a LOCAL INFILE request, up to and with the empty
// packet that ends it, sequence ids kept, and gives the number of file bytes. When writing fails
// the client is read on to that packet, so that it comes to read its answer; the error is the
// writer's.
func (c *Conn) CopyFile(to io.Writer) (int64, error) {
	var total int64
	var failed error
	write := func(b []byte) {
		if failed == nil {
			_, failed = to.Write(b)
		}
	}
	var part bodyReader
	for !part.end() {
		if err := part.next(c); err != nil {
			return total, fmt.Errorf("read the client's file: %w", err)
		}
		total += int64(part.size)
		if err := part.each(c, c.head[:], write); err != nil {
			return total, fmt.Errorf("read the client's file: %w", err)
		}
	}
	if failed != nil {
		return total, fmt.Errorf("send the client's file on: %w", failed)
	}
	return total, nil
}

// bodyReader reads the parts of a file. An empty part ends the file, but for one that ends a
// packet of n*MaxPart bytes.
type bodyReader struct {
	size int
	goes bool // the part before was full
	last bool
}

func (r *bodyReader) next(c *Conn) error {
	size, err := c.readHeader()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	r.last = size == 0 && !r.goes
	r.size, r.goes = size, size == MaxPart
	if r.last {
		c.settle(false)
	}
	return err
}

func (r *bodyReader) end() bool { return r.last }

// each gives the prefix and the part's bytes, in pieces that hold until use returns.
func (r *bodyReader) each(c *Conn, prefix []byte, use func([]byte)) error {
	scratch := frames.Get().(*[]byte)
	defer frames.Put(scratch)
	held := copy(*scratch, prefix)
	for left := r.size; left > 0 || held > 0; held = 0 {
		n := min(left, frameSize-held)
		if err := c.fill((*scratch)[held : held+n]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		use((*scratch)[:held+n])
		left -= n
	}
	return nil
}
