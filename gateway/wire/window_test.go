package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// relay is the loop that a gateway runs: read, walk, write on.
func relay(w *Walker, from io.Reader, to io.Writer) error {
	var window Window
	defer window.Release()
	for !w.Done() {
		if err := window.Fill(from); err != nil {
			return err
		}
		for !w.Done() {
			buf := window.Bytes()
			e, err := w.Next(buf)
			if err != nil {
				return err
			}
			if _, err := to.Write(buf[:e.End]); err != nil {
				return err
			}
			window.Consume(e.End)
			if e.Kind == NeedMore {
				break
			}
		}
	}
	return nil
}

func TestRelay(t *testing.T) {
	big := TextColumn(string(bytes.Repeat([]byte("n"), 3*windowSize)))
	for name, stream := range map[string][]byte{
		"short":               longAnswer(3, ClientDeprecateEOF),
		"longer than windows": longAnswer(5000, ClientDeprecateEOF),
		"a long definition":   answer(count1, big.Append(nil, 0), rowOf("1"), endPart),
		"a long row":          answer(count1, columnPart, make([]byte, MaxPart+windowSize), endPart),
	} {
		for how, r := range map[string]io.Reader{
			"whole": bytes.NewReader(stream), "half reads": iotest.HalfReader(bytes.NewReader(stream)),
		} {
			w := &Walker{RowLimit: -1}
			w.Reset(ComQuery, ClientDeprecateEOF, 0)
			var out bytes.Buffer
			if err := relay(w, r, &out); err != nil || !bytes.Equal(out.Bytes(), stream) {
				t.Errorf("%s, %s: %d of %d bytes, %v", name, how, out.Len(), len(stream), err)
			}
		}
	}
}

func TestRelayOfAnAnswerThatEndsEarly(t *testing.T) {
	stream := longAnswer(3, ClientDeprecateEOF)
	for cut := range stream {
		w := &Walker{RowLimit: -1}
		w.Reset(ComQuery, ClientDeprecateEOF, 0)
		if err := relay(w, bytes.NewReader(stream[:cut]), io.Discard); err != io.EOF {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestFillReportsAReaderThatGivesNothing(t *testing.T) {
	var w Window
	defer w.Release()
	if err := w.Fill(stuck{}); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
	c := NewConn(&pipe{Reader: stuck{}})
	if _, err := c.ReadPacket(10); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
	c.ReadAhead(true)
	if _, err := c.ReadPacket(10); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

func TestWindowIsPooled(t *testing.T) {
	stream := longAnswer(10, ClientDeprecateEOF)
	w := &Walker{RowLimit: -1}
	r := bytes.NewReader(stream)
	allocs := testing.AllocsPerRun(200, func() {
		r.Reset(stream)
		w.Reset(ComQuery, ClientDeprecateEOF, 0)
		if err := relay(w, r, io.Discard); err != nil {
			t.Fatal(err)
		}
	})
	if allocs >= 2 { // a collection may empty the pool now and then
		t.Errorf("%v allocations an answer", allocs)
	}
}
