package wire

import (
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"
)

// BenchmarkStream relays a result of 25 MB over loopback: the processor time of all three ends is what tells.
func BenchmarkStream(b *testing.B) {
	parts := append([][]byte{count1, columnPart}, slices.Repeat([][]byte{rowOf(string(make([]byte, 1000)))}, 25_000)...)
	stream := answer(append(parts, endPart)...)
	from, warehouse := loopback(b)
	to, client := loopback(b)
	go func() { _, _ = io.Copy(io.Discard, client) }()
	b.SetBytes(int64(len(stream)))
	before := cpu(b)
	for b.Loop() {
		go func() { _, _ = warehouse.Write(stream) }()
		w := &Walker{RowLimit: -1}
		w.Reset(ComQuery, ClientDeprecateEOF, 0)
		if err := passOn(w, from, to); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// passOn writes what was read at once, as the gateway does.
func passOn(w *Walker, from io.Reader, to io.Writer) error {
	var window Window
	defer window.Release()
	for !w.Done() {
		if err := window.Fill(from); err != nil {
			return err
		}
		buf, at := window.Bytes(), 0
		for !w.Done() {
			e, err := w.Next(buf[at:])
			if err != nil {
				return err
			}
			if e.Kind == NeedMore {
				at += e.Start
				break
			}
			at += e.End
		}
		if _, err := to.Write(buf[:at]); err != nil {
			return err
		}
		window.Consume(at)
	}
	return nil
}

func loopback(b *testing.B) (net.Conn, net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close(); _ = d.Close() })
	return c, d
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
