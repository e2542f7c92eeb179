package wire

import (
	"bytes"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// A payload that is written in two steps reads as one that is written at once, and not before the second.
func TestWriteBeginning(t *testing.T) {
	for _, how := range []Compression{{}, {Algorithm: Zlib}, {Algorithm: Zstd, Level: 3}} {
		for _, size := range []int{0, 1, keptBack, keptBack + 1, frameSize, 100 << 10, MaxPart - 1, MaxPart, MaxPart + 1, MaxPart + keptBack + 1, 2 * MaxPart} {
			here, there := net.Pipe()
			w, r := NewConn(here), NewConn(there)
			w.Compress(how, false)
			r.Compress(how, true)
			payload := bytes.Repeat([]byte("some words to write "), size/20+1)[:size]
			begun := make(chan struct{})
			go func() {
				rest, err := w.WriteBeginning(payload)
				if err != nil || len(rest) == 0 {
					t.Errorf("%v %d: %d bytes are left, %v", how, size, len(rest), err)
				}
				<-begun
				if err := w.WriteRest(rest); err != nil {
					t.Error(err)
				}
			}()
			time.AfterFunc(time.Millisecond, func() { close(begun) })
			got, err := r.ReadPacket(1 << 30)
			if err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%v %d: %d bytes, %v", how, size, len(got), err)
			}
			_, _ = here.Close(), there.Close()
		}
	}
}

// A peer that began a packet is to go on with it; one that sends byte by byte does.
func TestPatience(t *testing.T) {
	for _, how := range []Compression{{}, {Algorithm: Zlib}} {
		here, there := net.Pipe()
		c, peer := NewConn(there), NewConn(here)
		c.ReadAhead(true)
		c.Compress(how, true)
		peer.Compress(how, false)
		packet := []byte{3, 0, 0, 0, 'a', 'b', 'c'}
		if how.Algorithm != Uncompressed {
			packet = StoredFrame(0, packet)
		}
		read := func() error {
			if err := c.Await(); err != nil {
				return err
			}
			c.Patience(50 * time.Millisecond)
			defer c.Patience(0)
			_, err := c.ReadPacket(100)
			return err
		}
		go func() {
			for i := range packet {
				time.Sleep(20 * time.Millisecond)
				_, _ = here.Write(packet[i : i+1])
			}
		}()
		if err := read(); err != nil {
			t.Errorf("byte by byte: %v", err)
		}
		c.ResetSequence()
		go func() {
			time.Sleep(150 * time.Millisecond) // before it begins it has all the time
			_, _ = here.Write(packet[:5])
		}()
		if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("half a packet: %v", err)
		}
		_, _ = here.Close(), there.Close()
	}
}
