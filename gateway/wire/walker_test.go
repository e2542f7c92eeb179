package wire

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
)

// TestWalk walks answers that real servers gave. Each file names the server that was recorded.
func TestWalk(t *testing.T) {
	datadriven.Walk(t, "testdata/walk", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "walk" {
				d.Fatalf(t, "no command %q", d.Cmd)
			}
			stream := scriptBytes(t, d.Input)
			caps, ext := scriptCaps(t, d)
			command := scriptCommand(t, d.CmdArgs[0].Key)
			limit := -1
			d.MaybeScanArgs(t, "limit", &limit)
			start := func() *Walker {
				w := &Walker{RowLimit: int64(limit), Offset: 7}
				w.Reset(command, caps, ext)
				return w
			}
			want := walk(start(), stream, whole)
			everySplit(t, start, stream, want)
			return want.describe(ext)
		})
	})
}

// everySplit walks a stream byte by byte and cut in two at every place, at about 200 of a long one.
func everySplit(t *testing.T, start func() *Walker, stream []byte, want walked) {
	t.Helper()
	got := walk(start(), stream, func(int) int { return 1 })
	if !reflect.DeepEqual(want, got) {
		t.Errorf("byte by byte (-whole +bytes):\n%s", cmp.Diff(want, got, compareWalks))
	}
	for at := 1; at < len(stream); at += 1 + len(stream)/200 {
		next := at
		got := walk(start(), stream, func(left int) int {
			n := min(next, left)
			next = left
			return n
		})
		if !reflect.DeepEqual(want, got) { // far quicker than a difference
			t.Fatalf("cut at %d (-whole +cut):\n%s", at, cmp.Diff(want, got, compareWalks))
		}
	}
}

var compareWalks = cmp.AllowUnexported(walked{}, stepSeen{})

// answer frames packets with sequence ids from 1 on.
func answer(payloads ...[]byte) []byte {
	var out []byte
	sequence := uint8(1)
	for _, p := range payloads {
		out, sequence = AppendPacket(out, sequence, p)
	}
	return out
}

var (
	oneColumn  = TextColumn("a")
	columnPart = oneColumn.Append(nil, 0)
	count1     = []byte{1}
	eofPart    = (&EOF{Status: StatusAutocommit}).Encode()
	eofMore    = (&EOF{Status: StatusAutocommit | StatusMoreResults}).Encode()
	okPart     = (&OK{Status: StatusAutocommit}).Encode(ClientProtocol41)
	okMore     = (&OK{Status: StatusAutocommit | StatusMoreResults}).Encode(ClientProtocol41)
	endPart    = EncodeEnd(StatusAutocommit, 0, ClientDeprecateEOF)
	errPart    = EncodeERR(ErrParse, "42000", "no", ClientProtocol41)
)

func rowOf(s string) []byte { return appendLenencString(nil, s) }

// TestLongRows walks rows of 16 MiB and more, whose further parts look like control packets.
func TestLongRows(t *testing.T) {
	for _, size := range []int{MaxPart - 1, MaxPart, MaxPart + 1, 2 * MaxPart, 2*MaxPart + 3} {
		for _, first := range []byte{0x01, 0xfb, 0xfc, 0xfe} {
			row := bytes.Repeat([]byte{first}, size)
			if size > MaxPart {
				row[MaxPart] = HeaderERR // the tail's first byte is data
			}
			for _, caps := range []Capability{0, ClientDeprecateEOF} {
				if first == 0xfe && size < MaxPart && caps != 0 {
					continue // that is no row but a packet that ends rows
				}
				stream := answer(count1, columnPart, row, errPart)
				if caps == 0 {
					stream = answer(count1, columnPart, eofPart, row, errPart)
				}
				w := &Walker{RowLimit: -1, Offset: 3}
				w.Reset(ComQuery, caps, 0)
				got := walk(w, stream, func(left int) int { return min(left, 1<<20-1) })
				if !got.done || got.err != "" || w.Rows() != 1 || !w.Outcome().Failed() || len(got.out) != len(stream) {
					t.Errorf("row of %d bytes from %#x: done %v %s, %d rows", size, first, got.done, got.err, w.Rows())
				}
			}
		}
	}
}

func TestRowLimit(t *testing.T) {
	stream := answer(count1, columnPart, rowOf("1"), rowOf("2"), rowOf("3"), EncodeEnd(StatusMoreResults, 0, ClientDeprecateEOF),
		count1, columnPart, rowOf("4"), rowOf("5"), rowOf("6"), endPart)
	third := len(answer(count1, columnPart, rowOf("1"), rowOf("2")))
	for limit, want := range map[int64]int{0: len(answer(count1, columnPart)), 2: third, 3: -1, -1: -1} {
		w := &Walker{RowLimit: limit}
		w.Reset(ComQuery, ClientDeprecateEOF, 0)
		at, stopped := 0, -1
		for !w.Done() {
			e, err := w.Next(stream[at:])
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == RowLimitReached {
				if again, _ := w.Next(stream[at+e.Start:]); again.Kind != RowLimitReached || again.Start != 0 {
					t.Errorf("limit %d: asked again it gives %+v", limit, again)
				}
				stopped = at + e.Start
				break
			}
			at += e.End
		}
		if stopped != want {
			t.Errorf("limit %d: stopped at %d, want %d", limit, stopped, want)
		}
		if limit >= 0 && stopped >= 0 && w.Rows() != limit {
			t.Errorf("limit %d: %d rows", limit, w.Rows())
		}
	}
}

// A batch that was split goes on counting where the client's sequence ids stand.
func TestSequenceIsMovedOn(t *testing.T) {
	stream := answer(count1, columnPart, eofPart, rowOf("1"), eofMore, okPart)
	for _, split := range []int{1, 3, len(stream)} {
		w := &Walker{RowLimit: -1, Offset: 252}
		w.Reset(ComQuery, 0, 0)
		got := walk(w, append([]byte(nil), stream...), func(left int) int { return min(left, split) })
		var ids []byte
		for out := got.out; len(out) > 0; {
			ids = append(ids, out[3])
			out = out[headerSize+int(out[0]):]
		}
		if diff := cmp.Diff([]byte{253, 254, 255, 0, 1, 2}, ids); diff != "" || got.sequence != 2 {
			t.Errorf("pieces of %d: last %d\n%s", split, got.sequence, diff)
		}
	}
}

func TestMoreResultsIsSetInPlace(t *testing.T) {
	for _, tt := range []struct {
		caps   Capability
		stream []byte
		more   []byte
	}{
		{0, answer(okPart), answer(okMore)},
		{0, answer(count1, columnPart, eofPart, rowOf("1"), eofPart), answer(count1, columnPart, eofPart, rowOf("1"), eofMore)},
		{ClientDeprecateEOF, answer(count1, columnPart, rowOf("1"), endPart),
			answer(count1, columnPart, rowOf("1"), EncodeEnd(StatusAutocommit|StatusMoreResults, 0, ClientDeprecateEOF))},
		{0, answer(errPart), answer(errPart)},
	} {
		w := &Walker{RowLimit: -1}
		w.Reset(ComQuery, tt.caps, 0)
		buf := append([]byte(nil), tt.stream...)
		for at := 0; !w.Done(); {
			e, err := w.Next(buf[at:])
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == ResponseEnd {
				e.SetMoreResults(buf[at:], true)
				if diff := cmp.Diff(tt.more, buf); diff != "" {
					t.Errorf("set:\n%s", diff)
				}
				e.SetMoreResults(buf[at:], false)
			}
			at += e.End
		}
		if diff := cmp.Diff(tt.stream, buf); diff != "" {
			t.Errorf("cleared:\n%s", diff)
		}
	}
}

// What does not fit the protocol is an error, and stays one.
func TestAnswersThatCannotBeFollowed(t *testing.T) {
	for name, tt := range map[string]struct {
		command Command
		caps    Capability
		ext     ExtCapability
		stream  []byte
	}{
		"empty packet":               {ComQuery, 0, 0, answer(nil)},
		"empty packet for a row":     {ComQuery, ClientDeprecateEOF, 0, answer(count1, columnPart, nil)},
		"EOF first":                  {ComQuery, 0, 0, answer(eofPart)},
		"no columns":                 {ComStmtExecute, 0, ExtCacheMetadata, answer([]byte{0xfc, 0, 0, 1})},
		"bytes behind the count":     {ComQuery, 0, 0, answer([]byte{1, 1})},
		"count cut":                  {ComQuery, 0, 0, answer([]byte{0xfc, 1})},
		"column missing":             {ComQuery, 0, 0, answer([]byte{2}, columnPart, eofPart)},
		"EOF behind columns missing": {ComQuery, 0, 0, answer(count1, columnPart, rowOf("1"))},
		"EOF too short":              {ComQuery, 0, 0, answer(count1, columnPart, []byte{0xfe, 0})},
		"OK cut":                     {ComPing, 0, 0, answer([]byte{0, 0, 0, 2})},
		"ERR cut":                    {ComPing, 0, 0, answer([]byte{0xff, 1})},
		"no OK":                      {ComPing, 0, 0, answer([]byte{7, 0, 0, 2, 0, 0, 0})},
		"binary row":                 {ComStmtFetch, 0, 0, answer([]byte{1, 0, 0})},
		"prepare OK cut":             {ComStmtPrepare, 0, 0, answer([]byte{0, 1})},
		"long control packet":        {ComQuery, 0, 0, []byte{0xff, 0xff, 0xff, 1, 3}},
		"change user":                {ComChangeUser, 0, 0, answer(okPart)},
		"binlog":                     {ComBinlogDump, 0, 0, answer(okPart)},
		"unknown command":            {Command(0x77), 0, 0, answer(errPart)},
		"optional metadata":          {ComQuery, ClientOptionalResultsetMetadata, 0, answer(okPart)},
		"progress reports":           {ComQuery, 0, ExtProgress, answer(okPart)},
	} {
		start := func() *Walker {
			w := &Walker{RowLimit: -1}
			w.Reset(tt.command, tt.caps, tt.ext)
			return w
		}
		w := start()
		got := walk(w, tt.stream, whole)
		if got.err == "" || got.done {
			t.Errorf("%s: no error, %+v", name, got.steps)
			continue
		}
		if _, err := w.Next(answer(okPart)); err == nil || w.Done() {
			t.Errorf("%s: went on after an error", name)
		}
		everySplit(t, start, tt.stream, got)
	}
}

func TestCommandsWithoutAnAnswer(t *testing.T) {
	for _, c := range []Command{ComQuit, ComStmtClose, ComStmtSendLongData} {
		w := &Walker{}
		w.Reset(c, ClientOptionalResultsetMetadata, ExtProgress)
		if !w.Done() {
			t.Errorf("%v waits for an answer", c)
		}
		if e, err := w.Next([]byte("x")); err != nil || e.End != 0 || e.Kind != NeedMore {
			t.Errorf("%v: %+v, %v", c, e, err)
		}
	}
}

// The bytes behind an answer are those of the next one: they are not touched.
func TestPipelinedAnswers(t *testing.T) {
	stream := append(answer(okPart), answer(errPart)...)
	w := &Walker{RowLimit: -1, Offset: 5}
	w.Reset(ComQuery, 0, 0)
	e, err := w.Next(stream)
	if err != nil || !w.Done() || e.End != len(answer(okPart)) {
		t.Fatalf("%+v, %v", e, err)
	}
	if diff := cmp.Diff(answer(errPart), stream[e.End:]); diff != "" {
		t.Error(diff)
	}
}

func TestWalkAllocatesNothing(t *testing.T) {
	for name, caps := range map[string]Capability{"EOF": 0, "OK": ClientDeprecateEOF} {
		stream := longAnswer(100, caps)
		w := &Walker{RowLimit: 1000}
		allocs := testing.AllocsPerRun(100, func() {
			w.Reset(ComQuery, caps, 0)
			for at := 0; !w.Done(); {
				e, err := w.Next(stream[at:])
				if err != nil {
					t.Fatal(err)
				}
				if e.Kind == ColumnDefinition {
					if schema, _, err := ColumnOrigin(e.Payload(stream[at:])); err != nil || len(schema) != 3 {
						t.Fatal(schema, err)
					}
				}
				at += e.End
			}
			if w.Rows() != 100 {
				t.Fatal(w.Rows())
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations an answer", name, allocs)
		}
	}
}

func longAnswer(rows int, caps Capability) []byte {
	column := Column{Catalog: "def", Schema: "pay", Table: "s", OrgTable: "salary", Name: "amount", OrgName: "amount", Type: TypeVarString}
	parts := [][]byte{{2}, column.Append(nil, 0), column.Append(nil, 0)}
	if caps == 0 {
		parts = append(parts, eofPart)
	}
	for range rows {
		parts = append(parts, appendLenencString(rowOf("a short cell"), "and one that is a little longer than that"))
	}
	return answer(append(parts, EncodeEnd(StatusAutocommit, 0, caps))...)
}

// BenchmarkWalk gives the cost of following a result of 1,000 rows in reads of 32 KiB.
func BenchmarkWalk(b *testing.B) {
	stream := longAnswer(1000, ClientDeprecateEOF)
	w := &Walker{RowLimit: 10000}
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		w.Reset(ComQuery, ClientDeprecateEOF, 0)
		for at, upTo := 0, 0; !w.Done(); {
			e, err := w.Next(stream[at:upTo])
			if err != nil {
				b.Fatal(err)
			}
			at += e.End
			if e.Kind == NeedMore {
				upTo = min(upTo+windowSize, len(stream))
			}
		}
	}
}

// BenchmarkWalkPoint gives the cost of following a result of one row.
func BenchmarkWalkPoint(b *testing.B) {
	stream := longAnswer(1, ClientDeprecateEOF)
	w := &Walker{RowLimit: 10000}
	b.ReportAllocs()
	for b.Loop() {
		w.Reset(ComQuery, ClientDeprecateEOF, 0)
		for at := 0; !w.Done(); {
			e, err := w.Next(stream[at:])
			if err != nil {
				b.Fatal(err)
			}
			at += e.End
		}
	}
}
