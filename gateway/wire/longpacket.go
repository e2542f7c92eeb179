package wire

import (
	"bufio"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// longPacket is a compressed packet that is decoded as it comes and is read: up to 16 MiB each way pass
// through little memory.
type longPacket struct {
	from *Conn
	size int // bytes of the packet that are still to come
	left int // of its content
	in   *bufio.Reader
	out  io.Reader
	free func() // gives out back to its pool
	one  [1]byte
	all  []byte // the content, where it was decoded at once
	done bool
}

// Read gives the packet's bytes as they come, and their end.
func (l *longPacket) Read(p []byte) (int, error) {
	if l.size == 0 {
		return 0, io.EOF
	}
	n, err := l.from.readRaw(p[:min(len(p), l.size)])
	l.size -= n
	return n, inside(err)
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, shortPacket) }}

// newLongPacket begins with a packet that is too long to be decoded in pooled memory.
func newLongPacket(c *Conn, a Algorithm, size, content int) (*longPacket, error) {
	l := &longPacket{from: c, size: size, left: content, in: readers.Get().(*bufio.Reader)}
	l.in.Reset(l)
	begin := l.inflate
	if a == Zstd {
		begin = l.unfold
	}
	err := begin()
	if err != nil || l.done {
		l.release()
	}
	return l, err
}

func (l *longPacket) inflate() error {
	z := inflaters.Get().(*inflater)
	l.free = func() { inflaters.Put(z) }
	var err error
	l.out, err = z.on(l.in)
	return l.fault(err)
}

// whole decodes a packet that refers back to its beginning anyway. Memory for it is granted as it comes.
func (l *longPacket) whole(size, content int) ([]byte, error) {
	var packet []byte
	for len(packet) < size {
		grant := min(size-len(packet), max(shortPacket, len(packet)))
		packet = append(packet, make([]byte, grant)...)
		if _, err := io.ReadFull(l.in, packet[len(packet)-grant:]); err != nil {
			return nil, inside(err)
		}
	}
	all := make([]byte, content)
	return all, expandZstd(all, packet)
}

// unfolders decode zstd as it comes.
var unfolders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(MaxPart))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
}}

// largeWindow is the size from which the memory of a decoder is not kept in the pool.
const largeWindow = 1 << 20

func (l *longPacket) unfold() error {
	size := l.size
	head, err := l.in.Peek(min(zstd.HeaderMaxSize, size))
	if err != nil {
		return err
	}
	window, err := zstdWindow(head, l.left)
	switch {
	case err != nil:
		return err
	case window >= l.left:
		l.all, err = l.whole(size, l.left)
		l.done = err == nil
		return err
	}
	d := unfolders.Get().(*zstd.Decoder)
	l.free = func() {
		_ = d.Reset(nil)
		if window <= largeWindow {
			unfolders.Put(d)
		} else {
			d.Close()
		}
	}
	l.out = d
	return l.fault(d.Reset(l.in))
}

// read gives content. With its last bytes the packet's end is looked at.
func (l *longPacket) read(p []byte) (int, error) {
	n, err := l.out.Read(p[:min(len(p), l.left)])
	if l.left -= n; l.left == 0 {
		err = ended(l.out, l.one[:])
		if err == nil && l.size+l.in.Buffered() > 0 {
			err = errors.New("bytes behind its end")
		}
		err = l.fault(err)
		l.release()
		if err != nil {
			return 0, err
		}
		return n, nil
	}
	if n > 0 {
		return n, nil
	}
	switch err {
	case nil:
		err = io.ErrNoProgress
	case io.EOF:
		err = errors.New("less content than it says")
	}
	return 0, l.fault(err)
}

// fault tells a packet that cannot be decoded from a connection that ended or timed out.
func (l *longPacket) fault(err error) error {
	if err == nil || l.size > 0 && isConnectionError(err) {
		return err
	}
	return &UncompressError{err.Error()}
}

func isConnectionError(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (l *longPacket) release() {
	l.in.Reset(nil)
	readers.Put(l.in)
	if l.free != nil {
		l.free()
	}
	l.in, l.out, l.free = nil, nil, nil
}
