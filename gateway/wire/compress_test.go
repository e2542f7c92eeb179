package wire

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

var compressions = map[string]Compression{
	"zlib": {Algorithm: Zlib}, "zstd": {Algorithm: Zstd, Level: 3}, "zstd fast": {Algorithm: Zstd, Level: 1},
	"zstd best": {Algorithm: Zstd, Level: 22},
}

// other compresses as another implementation does: for zlib Go's own, for zstd frames with checksums.
func other(t testing.TB, a Algorithm, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w interface {
		io.WriteCloser
		Reset(io.Writer)
	} = otherZlib
	if a == Zstd {
		w = otherZstd()
	}
	w.Reset(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	otherZlib = zlib.NewWriter(nil)
	otherZstd = sync.OnceValue(func() *zstd.Encoder {
		e, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		return e
	})
)

// compressedFrame is one compressed packet.
func compressedFrame(sequence uint8, body []byte, content int) []byte {
	f := StoredFrame(sequence, body)
	putCompressedHeader(f, len(body), sequence, content)
	return f
}

// cuttings compresses a stream of packets, cut into pieces of the sizes that cut gives.
func cuttings(t testing.TB, a Algorithm, stream []byte, cut func() int) []byte {
	t.Helper()
	var out []byte
	for sequence := uint8(0); len(stream) > 0; sequence++ {
		piece := stream[:min(len(stream), cut())]
		stream = stream[len(piece):]
		if len(piece) < minCompressed {
			out = append(out, compressedFrame(sequence, piece, 0)...)
		} else {
			out = append(out, compressedFrame(sequence, other(t, a, piece), len(piece))...)
		}
	}
	return out
}

func someText(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var b []byte
	for len(b) < n {
		// Words that come again: of letters by chance an encoder may find that they are not worth its work.
		b = append(b, [...]string{"some ", "words ", "of a ", "result ", "that ", "repeats ", "itself, ", "as rows ", "do; "}[r.IntN(9)]...)
	}
	return b[:n]
}

func compressing(b []byte, how Compression, server bool) (*Conn, *pipe) {
	c, p := reading(b)
	c.Compress(how, server)
	return c, p
}

// Packets may be cut by compressed packets at any place, and many may lie in one.
func TestCompressedPacketsInEverySplit(t *testing.T) {
	all := [][]byte{{}, []byte("one"), someText(200), {}, []byte("two"), someText(1000), someText(40_000), someText(150_000)}
	for name, how := range compressions {
		for _, size := range []int{1, 2, 3, 4, 5, 7, 49, 50, 51, 300, shortPacket, shortPacket + 1, 150_000, 1 << 20} {
			if size < minCompressed && how.Level != 0 {
				continue // stored in any case
			}
			payloads := all
			if size < 300 {
				payloads = all[:6]
			}
			stream := framed(payloads...)
			packets := cuttings(t, how.Algorithm, stream, func() int { return size })
			for _, slow := range []bool{false, true} {
				if slow && size < 1000 {
					continue
				}
				c, p := compressing(packets, how, true)
				c.ReadAhead(true)
				if slow {
					p.Reader = iotest.HalfReader(iotest.DataErrReader(p.Reader))
				}
				for i, want := range payloads {
					got, err := c.ReadPacket(1 << 20)
					if err != nil || !bytes.Equal(got, want) {
						t.Fatalf("%s, pieces of %d: packet %d: %d bytes, %v", name, size, i, len(got), err)
					}
				}
				if _, err := c.ReadPacket(10); err != io.EOF {
					t.Errorf("%s, pieces of %d: then %v", name, size, err)
				}
				idle(t, c)
			}
		}
	}
}

// idle checks that a connection between two commands holds nothing.
func idle(t testing.TB, c *Conn) {
	t.Helper()
	z := c.compressed
	if z.pooled != nil || z.body != nil || z.long != nil || z.plain != nil || z.frame != nil {
		t.Errorf("an idle connection holds %+v", z)
	}
}

// What one end writes, the other reads, in both directions and with numbers that count on.
func TestCompressedRoundTrip(t *testing.T) {
	text, random := someText(100_000), noise(MaxPart+7)
	for name, how := range compressions {
		for _, n := range []int{0, 1, 45, 46, 47, 100, 16000, frameSize, shortPacket - 4, shortPacket, shortPacket + 1, 100_000, MaxPart, MaxPart + 7} {
			for kind, payload := range map[string][]byte{"text": text[:min(n, len(text))], "noise": random[:n]} {
				if n >= MaxPart && (kind == "text" || how.Level > 1 || (n == MaxPart) != (how.Algorithm == Zlib)) {
					continue // takes its time
				}
				w, p := compressing(nil, how, false)
				if err := w.WritePacket(payload); err != nil {
					t.Fatal(err)
				}
				out := bytes.Clone(p.written.Bytes())
				if kind == "text" && n > 1000 && how.Level != 1 && len(out) > n*3/4 {
					t.Errorf("%s: %d bytes of text take %d", name, n, len(out))
				}
				if most := n + 4*(n/MaxPart+1) + compressedHeader*(n/shortPacket+3); len(out) > most {
					t.Errorf("%s: %d bytes of %s take %d", name, n, kind, len(out))
				}
				r, _ := compressing(out, how, true)
				got, err := r.ReadPacket(n)
				if err != nil || !bytes.Equal(got, payload) {
					t.Fatalf("%s: %d bytes of %s: %d came back, %v", name, n, kind, len(got), err)
				}
				if r.Sequence() != w.Sequence() || r.compressed.sequence != w.compressed.sequence {
					t.Errorf("%s: %d bytes: the ends count %d and %d", name, n, r.Sequence(), w.Sequence())
				}
				idle(t, r)
			}
		}
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

// Short packets go as they are, as servers send them, and longer ones compressed.
func TestCompressedPacketsBelowTheMinimum(t *testing.T) {
	for _, n := range []int{minCompressed - headerSize - 1, 300} {
		c, p := compressing(nil, Compression{Algorithm: Zlib}, false)
		if err := c.WritePacket(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if stored := p.written.Bytes()[4] == 0; stored != (n+headerSize < minCompressed) {
			t.Errorf("%d bytes: stored %v", n, stored)
		}
	}
}

// The layer counts by itself, from 0 with each command. A server's end insists on it; a client's takes
// what a server sends.
func TestCompressedSequence(t *testing.T) {
	how := Compression{Algorithm: Zlib}
	inner := framed([]byte("a"))
	for _, server := range []bool{true, false} {
		c, _ := compressing(slices.Concat(StoredFrame(0, inner), StoredFrame(0, inner), StoredFrame(7, inner)), how, server)
		for range 2 {
			c.ResetSequence()
			if _, err := c.ReadPacket(10); err != nil {
				t.Fatal(err)
			}
			if c.Sequence() != 1 {
				t.Errorf("the answer begins with %d", c.Sequence())
			}
		}
		_, err := c.ReadPacket(10)
		if errors.Is(err, ErrOutOfOrder) != server {
			t.Errorf("server %v: %v", server, err)
		}
	}
	// The request takes three compressed packets: an answer goes on from there, its packets inside too,
	// but for TiDB's, which go on from those of the request.
	request := cuttings(t, Zlib, framed(someText(250)), func() int { return 100 })
	for _, counts := range []bool{false, true} {
		how.CountsRequests = counts
		c, p := compressing(request, how, true)
		if _, err := c.ReadPacket(1000); err != nil {
			t.Fatal(err)
		}
		if err := c.WritePacket([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		first := p.written.Bytes()
		want := uint8(3)
		if counts {
			want = 1
		}
		if first[3] != 3 || first[compressedHeader+3] != want || c.Sequence() != 4 {
			t.Errorf("counts %v: compressed packet %d, packet %d, next %d", counts, first[3], first[compressedHeader+3], c.Sequence())
		}
	}
}

// What does not hold what its header says is refused, whichever way it is decoded, and nothing of it is
// given out as a packet.
func TestMalformedCompressedPackets(t *testing.T) {
	for _, a := range []Algorithm{Zlib, Zstd} {
		for _, n := range []int{300, 100_000, 1 << 20} {
			content := append([]byte{byte(n - 4), byte((n - 4) >> 8), byte((n - 4) >> 16), 0}, someText(n-4)...)
			body := other(t, a, content)
			corrupt := bytes.Clone(body)
			corrupt[len(corrupt)-3] ^= 0x41
			for name, frame := range map[string][]byte{
				"more than it says":  compressedFrame(0, body, n-1),
				"less than it says":  compressedFrame(0, body, n+1),
				"nothing":            compressedFrame(0, nil, n),
				"cut short":          compressedFrame(0, body[:len(body)-1], n),
				"bytes behind it":    compressedFrame(0, append(bytes.Clone(body), 0), n),
				"no compressed data": compressedFrame(0, content, n),
				"a wrong checksum":   compressedFrame(0, corrupt, n),
				"half":               compressedFrame(0, body[:len(body)/2], n),
			} {
				c, _ := compressing(frame, Compression{Algorithm: a}, true)
				got, err := c.ReadPacket(MaxPart)
				if err == nil && n > shortPacket { // whose end comes behind that of the packet inside
					got, err = c.ReadPacket(MaxPart)
				}
				var malformed *UncompressError
				if !errors.As(err, &malformed) {
					t.Errorf("algorithm %d, %d bytes, %s: %d bytes, %v", a, n, name, len(got), err)
				}
			}
			for cut := 1; cut < len(body); cut += max(1, len(body)/5) {
				c, _ := compressing(compressedFrame(0, body, n)[:cut], Compression{Algorithm: a}, true)
				if _, err := c.ReadPacket(MaxPart); err != io.ErrUnexpectedEOF {
					t.Errorf("algorithm %d, %d bytes, %d of them: %v", a, n, cut, err)
				}
			}
		}
	}
}

// What cannot be decoded never comes to lie in a window, where it would be taken for an answer.
func TestWindowOfMalformedPackets(t *testing.T) {
	for _, a := range []Algorithm{Zlib, Zstd} {
		for _, n := range []int{300, 100_000} {
			text := someText(n)
			body := other(t, a, text)
			for i := range min(len(body), 60) {
				spoilt := bytes.Clone(body)
				spoilt[len(spoilt)-1-i] ^= 0x10
				c, _ := compressing(compressedFrame(0, spoilt, n), Compression{Algorithm: a}, false)
				c.KeepFrames(true)
				var w Window
				var got []byte
				err := w.Fill(c)
				for ; err == nil; err = w.Fill(c) {
					got = append(got, w.Bytes()...)
					w.Consume(len(w.Bytes()))
				}
				var malformed *UncompressError
				switch {
				case err == io.EOF && len(got) == n && i > 4: // not every bit means something, and zlib's sum is a weak one
				case errors.As(err, &malformed) && len(w.Bytes()) == 0 && c.Frame() == nil && len(got) < n:
				default:
					t.Fatalf("algorithm %d, %d bytes, byte %d spoilt: %d bytes read, %d in the window, %v", a, n, len(spoilt)-1-i, len(got), len(w.Bytes()), err)
				}
				w.Release()
			}
		}
	}
}

// Frames of zstd that need a dictionary, are meant to be skipped or reach back further than content can
// be are refused before memory is taken for them.
func TestForeignFrames(t *testing.T) {
	for name, body := range map[string]string{
		"skippable":          "\x50\x2a\x4d\x18\x04\x00\x00\x00abcd",
		"dictionary":         "\x28\xb5\x2f\xfd\x21\x07\x64" + strings.Repeat("x", 50),
		"another length":     "\x28\xb5\x2f\xfd\xa0\xff\xff\xff\x7f\x01\x00\x00",
		"no frame":           "GET / HTTP/1.1\r\n",
		"window of terabyte": "\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00",
	} {
		c, _ := compressing(compressedFrame(0, []byte(body), 100), Compression{Algorithm: Zstd}, true)
		var malformed *UncompressError
		if _, err := c.ReadPacket(1000); !errors.As(err, &malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A bomb gives as much as its header admits to, which is less than 16 MiB, and passes through little
// memory when its content is read piece by piece.
func TestDecompressionBomb(t *testing.T) {
	for _, a := range []Algorithm{Zlib, Zstd} {
		bomb := other(t, a, make([]byte, 17<<20))
		c, _ := compressing(compressedFrame(0, bomb, MaxPart), Compression{Algorithm: a}, true)
		if n, err := io.Copy(io.Discard, plainOnly{c}); err == nil || n > MaxPart {
			t.Errorf("algorithm %d: %d bytes, %v", a, n, err)
		}
	}
	honest := compressedFrame(0, other(t, Zlib, make([]byte, MaxPart)), MaxPart)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 2 {
		c, _ := compressing(honest, Compression{Algorithm: Zlib}, true)
		if n, err := io.Copy(io.Discard, plainOnly{c}); err != nil || n != MaxPart {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
		t.Errorf("32 MiB of content took %d KiB of memory", grown>>10)
	}
}

// plainOnly hides a Conn's other methods from io.Copy.
type plainOnly struct{ io.Reader }

// A statement of a client's that is above its limit is told, and its rest can be skipped.
func TestCompressedPacketAboveTheLimit(t *testing.T) {
	stream := cuttings(t, Zlib, framed(make([]byte, 500_000), []byte("next")), func() int { return 100_000 })
	c, _ := compressing(stream, Compression{Algorithm: Zlib}, true)
	var large *TooLargeError
	if _, err := c.ReadPacket(1000); !errors.As(err, &large) {
		t.Fatal(err)
	}
	if err := c.SkipRest(1 << 20); err != nil {
		t.Fatal(err)
	}
	if got, err := c.ReadPacket(1000); err != nil || string(got) != "next" {
		t.Errorf("%q, %v", got, err)
	}
}

// A compressed packet whose content is passed on whole goes on as it came, under this side's number.
func TestFramesPassOn(t *testing.T) {
	for name, how := range compressions {
		packets := [][]byte{framed([]byte("ok")), framed(someText(16_000)), framed(someText(shortPacket * 2)), framed([]byte("end"))}
		var in []byte
		for _, p := range packets {
			in = append(in, cuttings(t, how.Algorithm, p, func() int { return MaxPart })...)
		}
		from, _ := compressing(in, how, false)
		to, p := compressing(nil, how, true)
		to.compressed.sequence = 5
		from.KeepFrames(true)
		var w Window
		kept := 0
		for {
			err := w.Fill(from)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if f := from.Frame(); f != nil {
				kept++
				err = to.WriteFrame(f)
			} else {
				_, err = to.Write(w.Bytes())
			}
			if err != nil {
				t.Fatal(err)
			}
			w.Consume(len(w.Bytes()))
		}
		from.KeepFrames(false)
		w.Release()
		idle(t, from)
		if kept != 3 {
			t.Errorf("%s: %d packets went on as they came", name, kept)
		}
		back, _ := compressing(p.written.Bytes(), how, true)
		back.compressed.sequence = 5
		got, err := io.ReadAll(plainOnly{back})
		if err != nil || !bytes.Equal(got, slices.Concat(packets...)) {
			t.Errorf("%s: %d bytes went through, %v", name, len(got), err)
		}
	}
}

// A file of a client's goes through both layers, its packets cut at other places.
func TestCompressedFile(t *testing.T) {
	for name, how := range compressions {
		how.CountsRequests = how.Level == 1
		stream := framed(someText(100_000), []byte("x"), someText(70_000), nil)
		client, _ := compressing(cuttings(t, how.Algorithm, stream, func() int { return 33_333 }), how, true)
		warehouse, p := compressing(nil, how, false)
		if n, err := client.CopyFile(warehouse); err != nil || n != 170_001 {
			t.Fatalf("%s: %d, %v", name, n, err)
		}
		back, _ := compressing(p.written.Bytes(), how, true)
		if got, err := io.ReadAll(plainOnly{back}); err != nil || !bytes.Equal(got, stream) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(stream), err)
		}
		idle(t, client)
	}
}

// Without compression nothing is allocated, and with it nothing for packets of common size.
func TestCompressedAllocations(t *testing.T) {
	payload := someText(8000)
	for name, how := range compressions {
		packets := cuttings(t, how.Algorithm, framed(payload), func() int { return MaxPart })
		c, p := compressing(nil, how, true)
		r := bytes.NewReader(nil)
		p.Reader = r
		buf := make([]byte, 10_000)
		run := func() {
			r.Reset(packets)
			c.ResetSequence()
			if _, err := c.ReadPacketInto(buf, 10_000); err != nil {
				t.Fatal(err)
			}
			p.written.Reset()
			if err := c.WritePacket(payload); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			run()
		}
		if n := testing.AllocsPerRun(100, run); n > 3 && !raced {
			t.Errorf("%s: %v allocations for a packet each way", name, n)
		}
	}
}
