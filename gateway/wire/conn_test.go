package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"
	"time"
)

// pipe is a connection whose reads and writes are in memory.
type pipe struct {
	io.Reader
	written bytes.Buffer
	reads   int
}

func (p *pipe) Read(b []byte) (int, error)       { p.reads++; return p.Reader.Read(b) }
func (p *pipe) Write(b []byte) (int, error)      { return p.written.Write(b) }
func (p *pipe) Close() error                     { return nil }
func (p *pipe) LocalAddr() net.Addr              { return nil }
func (p *pipe) RemoteAddr() net.Addr             { return nil }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

func reading(b []byte) (*Conn, *pipe) {
	p := &pipe{Reader: bytes.NewReader(b)}
	return NewConn(p), p
}

func framed(payloads ...[]byte) []byte {
	var out []byte
	for _, p := range payloads {
		out, _ = AppendPacket(out, 0, p)
	}
	return out
}

func TestPacketsAroundTheLongestPart(t *testing.T) {
	for _, size := range []int{0, 1, 4, frameSize - headerSize, frameSize, MaxPart - 1, MaxPart, MaxPart + 1, 2 * MaxPart, 2*MaxPart + 5} {
		payload := bytes.Repeat([]byte{0xfe}, size)
		c, p := reading(nil)
		c.SetSequence(250)
		if err := c.WritePacket(payload); err != nil {
			t.Fatal(err)
		}
		parts := size/MaxPart + 1
		if got := uint8(250 + parts); c.Sequence() != got {
			t.Errorf("%d bytes: next sequence id %d, want %d", size, c.Sequence(), got)
		}
		if got := p.written.Len(); got != size+parts*headerSize {
			t.Errorf("%d bytes: wrote %d", size, got)
		}
		want, sequence := AppendPacket(nil, 250, payload)
		if sequence != c.Sequence() || !bytes.Equal(want, p.written.Bytes()) {
			t.Errorf("%d bytes: AppendPacket and WritePacket differ", size)
		}
		for _, ahead := range []bool{false, true} {
			r, _ := reading(want)
			r.ReadAhead(ahead)
			got, err := r.ReadPacket(size)
			if err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%d bytes: read %d back, %v", size, len(got), err)
			}
			if r.Sequence() != sequence {
				t.Errorf("%d bytes: sequence id of the answer %d, want %d", size, r.Sequence(), sequence)
			}
		}
	}
}

func TestPacketAboveTheLimit(t *testing.T) {
	for _, tt := range []struct{ size, limit int }{{11, 10}, {MaxPart, 10}, {MaxPart + 10, MaxPart + 9}, {2 * MaxPart, MaxPart}} {
		stream := framed(bytes.Repeat([]byte{1}, tt.size), []byte("next"))
		c, _ := reading(stream)
		_, err := c.ReadPacket(tt.limit)
		var large *TooLargeError
		if !errors.As(err, &large) || large.Limit != tt.limit {
			t.Fatalf("%d bytes, limit %d: %v", tt.size, tt.limit, err)
		}
		if err := c.SkipRest(1 << 30); err != nil {
			t.Fatal(err)
		}
		if c.Sequence() != uint8(tt.size/MaxPart+1) {
			t.Errorf("%d bytes: sequence id of the answer %d", tt.size, c.Sequence())
		}
		if next, err := c.ReadPacket(10); err != nil || string(next) != "next" {
			t.Errorf("%d bytes: then %q, %v", tt.size, next, err)
		}
	}
}

func TestSkipRestGivesUp(t *testing.T) {
	c, _ := reading(framed(make([]byte, 100000)))
	if _, err := c.ReadPacket(10); err == nil {
		t.Fatal("no error")
	}
	if err := c.SkipRest(50000); err == nil {
		t.Error("skipped more than the limit")
	}
}

func TestEndsOfStream(t *testing.T) {
	whole := framed([]byte("hello"))
	for cut := range whole {
		for _, ahead := range []bool{false, true} {
			c, _ := reading(whole[:cut])
			c.ReadAhead(ahead)
			want := io.ErrUnexpectedEOF
			if cut == 0 {
				want = io.EOF
			}
			if _, err := c.ReadPacket(10); err != want {
				t.Errorf("%d bytes: %v, want %v", cut, err, want)
			}
		}
	}
	full := framed(make([]byte, MaxPart))
	c, _ := reading(full[:len(full)-headerSize]) // the empty part is missing
	if _, err := c.ReadPacket(MaxPart); err != io.ErrUnexpectedEOF {
		t.Errorf("missing last part: %v", err)
	}
}

// An announced length alone must not cost memory.
func TestMemoryFollowsTheBytes(t *testing.T) {
	stream := append([]byte{0xff, 0xff, 0xff, 0}, make([]byte, 100)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		c, _ := reading(stream)
		if _, err := c.ReadPacket(1 << 30); err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / 20; per > 64<<10 {
		t.Errorf("%d bytes of memory for 100 bytes of a packet", per)
	}
}

// Before TLS nothing behind the packet asked for may be read: it would be taken for plain text.
func TestNoByteIsReadBehindAnSSLRequest(t *testing.T) {
	stream := framed(make([]byte, sslRequestSize), []byte("smuggled"))
	c, p := reading(stream)
	if _, err := c.ReadPacket(1 << 20); err != nil {
		t.Fatal(err)
	}
	if c.Buffered() != 0 {
		t.Errorf("%d bytes buffered", c.Buffered())
	}
	rest, err := io.ReadAll(p.Reader)
	if err != nil || !bytes.Equal(rest, framed([]byte("smuggled"))) {
		t.Errorf("left on the connection: %q, %v", rest, err)
	}
}

func TestUpgradeDropsWhatWasReadAhead(t *testing.T) {
	c, _ := reading(framed([]byte("one"), []byte("smuggled")))
	c.ReadAhead(true)
	if _, err := c.ReadPacket(10); err != nil {
		t.Fatal(err)
	}
	if c.Buffered() == 0 {
		t.Fatal("nothing was read ahead")
	}
	c.Upgrade(&pipe{Reader: bytes.NewReader(framed([]byte("secure")))})
	if got, err := c.ReadPacket(10); err != nil || string(got) != "secure" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestPipelinedPackets(t *testing.T) {
	stream := framed([]byte("one"), nil, bytes.Repeat([]byte("x"), 5000), []byte("four"))
	for name, reader := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "bytes": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves": iotest.HalfReader(bytes.NewReader(stream)), "late error": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		c := NewConn(&pipe{Reader: reader})
		c.ReadAhead(true)
		var sizes []int
		for {
			p, err := c.ReadPacket(10000)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(name, err)
			}
			sizes = append(sizes, len(p))
		}
		if !slices.Equal(sizes, []int{3, 0, 5000, 4}) || c.Buffered() != 0 {
			t.Errorf("%s: %v, %d buffered", name, sizes, c.Buffered())
		}
	}
}

func TestOneReadForASmallRequest(t *testing.T) {
	c, p := reading(framed(bytes.Repeat([]byte("x"), 900)))
	c.ReadAhead(true)
	if _, err := c.ReadPacket(1000); err != nil {
		t.Fatal(err)
	}
	if p.reads != 1 {
		t.Errorf("%d reads", p.reads)
	}
}

func TestReadPacketIntoKeepsItsMemory(t *testing.T) {
	stream := bytes.Repeat(framed([]byte("select 1")), 200)
	c, _ := reading(stream)
	c.ReadAhead(true)
	memory := make([]byte, 0, 64)
	if _, err := c.ReadPacketInto(memory, 64); err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(100, func() {
		p, err := c.ReadPacketInto(memory, 64)
		if err != nil || string(p) != "select 1" {
			t.Fatal(p, err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a packet", allocs)
	}
}

func TestRequestFile(t *testing.T) {
	big := bytes.Repeat([]byte("b"), 40000)
	for _, tt := range []struct {
		name  string
		parts [][]byte
		limit int
		want  []byte
		err   error
	}{
		{"two parts", [][]byte{[]byte("ab"), []byte("cd"), nil}, 4, []byte("abcd"), nil},
		{"no file", [][]byte{nil}, 4, nil, nil},
		{"too large", [][]byte{[]byte("abc"), []byte("cde"), nil}, 4, nil, ErrFileTooLarge},
		{"too large at once", [][]byte{big, nil}, 4, nil, ErrFileTooLarge},
		{"full part", [][]byte{bytes.Repeat([]byte("f"), MaxPart), nil}, MaxPart, bytes.Repeat([]byte("f"), MaxPart), nil},
	} {
		c, p := reading(append(framed(tt.parts...), framed([]byte("next"))...))
		got, err := c.RequestFile("policy.json", tt.limit)
		if !errors.Is(err, tt.err) || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %d bytes, %v", tt.name, len(got), err)
		}
		if want := framed([]byte("\xfbpolicy.json")); !bytes.Equal(p.written.Bytes(), want) {
			t.Errorf("%s: asked %q", tt.name, p.written.Bytes())
		}
		if next, err := c.ReadPacket(10); err != nil || string(next) != "next" {
			t.Errorf("%s: then %q, %v", tt.name, next, err)
		}
	}
	c, _ := reading(framed([]byte("ab")))
	if _, err := c.RequestFile("f", 10); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("client gone: %v", err)
	}
}

type failingWriter struct{ left int }

var errWrite = errors.New("write failed")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errWrite
	}
	return len(p), nil
}

func TestCopyFile(t *testing.T) {
	file := framed(bytes.Repeat([]byte("f"), 40000), bytes.Repeat([]byte("g"), MaxPart), []byte("h"), nil)
	c, _ := reading(append(slices.Clone(file), framed([]byte("next"))...))
	var out bytes.Buffer
	n, err := c.CopyFile(&out)
	if err != nil || n != 40000+MaxPart+1 || !bytes.Equal(out.Bytes(), file) {
		t.Errorf("%d bytes, %v, same %v", n, err, bytes.Equal(out.Bytes(), file))
	}
	c, _ = reading(append(slices.Clone(file), framed([]byte("next"))...))
	if _, err := c.CopyFile(&failingWriter{left: 50000}); !errors.Is(err, errWrite) {
		t.Errorf("failing writer: %v", err)
	}
	if next, err := c.ReadPacket(10); err != nil || string(next) != "next" {
		t.Errorf("after a failing writer: %q, %v", next, err)
	}
}
