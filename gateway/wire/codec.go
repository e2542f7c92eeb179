package wire

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// bodies are buffers for one short compressed packet.
var bodies = sync.Pool{New: func() any { b := make([]byte, compressedHeader+shortPacket); return &b }}

// zlibLevel gives packets as small as level 6 of zlib, which servers and clients use, in less time.
const zlibLevel = 3

// expand decodes src into exactly the bytes of dst: whatever gives more, less, or goes on behind its
// end is refused.
func (a Algorithm) expand(dst, src []byte) error {
	if a == Zstd {
		return expandZstd(dst, src)
	}
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	z.src.Reset(src)
	defer z.src.Reset(nil)
	r, err := z.on(&z.src)
	if err == nil {
		_, err = io.ReadFull(r, dst)
	}
	if err == nil {
		err = z.ended()
	}
	if err != nil {
		return &UncompressError{err.Error()}
	}
	if z.src.Len() > 0 {
		return &UncompressError{"bytes behind its end"}
	}
	return nil
}

// inflater decodes zlib.
type inflater struct {
	src bytes.Reader // of a short packet
	r   io.ReadCloser
	one [1]byte
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// on begins to decode from src.
func (z *inflater) on(src io.Reader) (io.Reader, error) {
	var err error
	if z.r == nil {
		z.r, err = zlib.NewReader(src)
		return z.r, err
	}
	return z.r, z.r.(zlib.Resetter).Reset(src, nil)
}

// ended reads the checksum behind the content, and finds content behind what was announced.
func (z *inflater) ended() error { return ended(z.r, z.one[:]) }

func ended(r io.Reader, one []byte) error {
	switch n, err := r.Read(one); {
	case n > 0:
		return errors.New("more content than it says")
	case err == io.EOF:
		return nil
	case err == nil:
		return io.ErrNoProgress
	default:
		return err
	}
}

// zstdAll decodes what is in memory, into memory. What bounds it is the room in its output.
var zstdAll = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

func expandZstd(dst, src []byte) error {
	if _, err := zstdWindow(src, len(dst)); err != nil {
		return err
	}
	out, err := zstdAll().DecodeAll(src, dst[:0:len(dst)])
	switch {
	case err != nil:
		return &UncompressError{err.Error()}
	case len(out) != len(dst):
		return &UncompressError{"less content than it says"}
	}
	if &out[0] != &dst[0] {
		copy(dst, out)
	}
	return nil
}

// zstdWindow reads the frame header at the beginning of src, for a content of size bytes, and gives how
// far back its references reach.
func zstdWindow(src []byte, size int) (int, error) {
	var h zstd.Header
	switch err := h.Decode(src); {
	case err != nil:
		return 0, &UncompressError{err.Error()}
	case h.Skippable || h.DictionaryID != 0:
		return 0, &UncompressError{"it is no frame of its own"}
	case h.HasFCS && h.FrameContentSize != uint64(size):
		return 0, &UncompressError{"its frame holds another length than it says"}
	case h.SingleSegment || h.WindowSize > uint64(size):
		return size, nil
	}
	return int(h.WindowSize), nil
}

// squeeze compresses src into dst and gives the number of bytes, 0 when dst is too small for them.
func (how Compression) squeeze(dst, src []byte) int {
	if how.Algorithm == Zstd {
		out := zstdEncoder(how.Level).EncodeAll(src, dst[:0])
		if len(out) > len(dst) {
			return 0
		}
		return len(out)
	}
	z := deflaters.Get().(*deflater)
	defer deflaters.Put(z)
	z.dst, z.n = dst, 0
	z.w.Reset(z)
	_, err := z.w.Write(src)
	if err == nil {
		err = z.w.Close()
	}
	z.dst = nil
	if err != nil {
		return 0
	}
	return z.n
}

// deflater encodes zlib into a slice.
type deflater struct {
	w   *zlib.Writer
	dst []byte
	n   int
}

var errFull = errors.New("compressed content is not shorter")

func (z *deflater) Write(p []byte) (int, error) {
	if len(p) > len(z.dst)-z.n {
		return 0, errFull
	}
	z.n += copy(z.dst[z.n:], p)
	return len(p), nil
}

var deflaters = sync.Pool{New: func() any {
	z := new(deflater)
	z.w, _ = zlib.NewWriterLevel(z, zlibLevel) // fails for unknown levels only
	return z
}}

// encoderWindow is how far back an encoder looks: the next power of two behind shortPacket, which nothing that it encodes exceeds.
const encoderWindow = 64 << 10

// zstdEncoders hold one encoder a speed, which as many use at a time as there are processors.
var zstdEncoders = func() (all [zstd.SpeedBetterCompression + 1]func() *zstd.Encoder) {
	for speed := range all {
		all[speed] = sync.OnceValue(func() *zstd.Encoder {
			e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevel(speed)), zstd.WithEncoderCRC(false),
				zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(encoderWindow))
			if err != nil {
				panic(err) // the options are constants
			}
			return e
		})
	}
	return all
}()

// zstdEncoder gives the encoder of a level. The slowest one's tables would take 32 MiB and find nothing
// more in so short pieces.
func zstdEncoder(level uint8) *zstd.Encoder {
	return zstdEncoders[min(zstd.EncoderLevelFromZstd(int(level)), zstd.SpeedBetterCompression)]()
}
