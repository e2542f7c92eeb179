package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// FuzzCompressed: no bytes make the reader panic or give more than the headers admit to, and how they
// arrive and are asked for changes nothing.
func FuzzCompressed(f *testing.F) {
	for _, a := range []Algorithm{Zlib, Zstd} {
		text := someText(400)
		long := append(someText(70_000), make([]byte, 70_000)...)
		stored := compressedFrame(0, text[:30], 0)
		for _, seed := range [][]byte{
			compressedFrame(0, other(f, a, text), 400), stored, compressedFrame(0, nil, 0), compressedFrame(0, nil, 9),
			append(bytes.Clone(stored), compressedFrame(1, other(f, a, long), 140_000)...),
			compressedFrame(0, other(f, a, text), 399), compressedFrame(0, other(f, a, make([]byte, 1<<20)), MaxPart),
		} {
			f.Add(a == Zstd, seed)
		}
	}
	f.Fuzz(func(t *testing.T, unfold bool, stream []byte) {
		how := Compression{Algorithm: Zlib}
		if unfold {
			how.Algorithm = Zstd
		}
		at := func(r io.Reader, ahead bool, most int) (int, uint32, error) {
			c, p := compressing(nil, how, true)
			p.Reader = r
			c.ReadAhead(ahead)
			c.KeepFrames(!ahead)
			return summed(plainOnly{c}, most)
		}
		n, sum, err := at(bytes.NewReader(stream), false, windowSize)
		if most := admitted(stream); n > most {
			t.Errorf("%d bytes of content, the headers admit to %d", n, most)
		}
		for _, most := range []int{7, windowSize} {
			if n > 1<<20 && most == 7 {
				continue
			}
			n2, sum2, err2 := at(iotest.OneByteReader(bytes.NewReader(stream)), true, most)
			if n != n2 && err == nil || sum != sum2 && err == nil || (err == nil) != (err2 == nil) {
				t.Errorf("%d bytes %x %v, and otherwise %d %x %v", n, sum, err, n2, sum2, err2)
			}
		}
		var malformed *UncompressError
		if err != nil && !errors.As(err, &malformed) && !errors.Is(err, ErrOutOfOrder) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%T %v", err, err)
		}
	})
}

// summed reads to the end, at most so many bytes at a time.
func summed(r io.Reader, most int) (n int, sum uint32, err error) {
	b := make([]byte, most)
	for {
		got, err := r.Read(b)
		for _, c := range b[:got] {
			sum = sum*31 + uint32(c)
		}
		if n += got; err != nil {
			if err == io.EOF {
				err = nil
			}
			return n, sum, err
		}
	}
}

// admitted is the length of the content by the headers in a stream.
func admitted(stream []byte) int {
	total := 0
	for len(stream) >= compressedHeader {
		size := int(stream[0]) | int(stream[1])<<8 | int(stream[2])<<16
		content := int(stream[4]) | int(stream[5])<<8 | int(stream[6])<<16
		if content == 0 {
			content = size
		}
		total += content
		stream = stream[min(len(stream), compressedHeader+size):]
	}
	return total
}

// FuzzCompressedRoundTrip: what is written comes back, however it was cut.
func FuzzCompressedRoundTrip(f *testing.F) {
	f.Add(uint8(0), uint16(100), someText(1000))
	f.Add(uint8(3), uint16(4_000), someText(9_000))
	f.Fuzz(func(t *testing.T, level uint8, cut uint16, payload []byte) {
		how := Compression{Algorithm: Zlib}
		if level > 0 {
			how = Compression{Algorithm: Zstd, Level: level}
		}
		w, p := compressing(nil, how, true)
		stream := framed(payload, nil, payload)
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), max(1, int(cut)))
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		r, _ := compressing(p.written.Bytes(), how, true)
		r.ReadAhead(cut%2 == 0)
		for _, want := range [][]byte{payload, {}, payload} {
			got, err := r.ReadPacket(len(payload))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes of %d came back, %v", len(got), len(want), err)
			}
		}
		idle(t, r)
	})
}
