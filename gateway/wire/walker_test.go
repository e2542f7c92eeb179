package wire

import (
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

// everySplit walks a stream byte by byte and cut in two at every place.
func everySplit(t *testing.T, start func() *Walker, stream []byte, want walked) {
	t.Helper()
	got := walk(start(), stream, func(int) int { return 1 })
	if diff := cmp.Diff(want, got, compareWalks); diff != "" {
		t.Errorf("byte by byte (-whole +bytes):\n%s", diff)
	}
	for at := 1; at < len(stream); at++ {
		next := at
		got := walk(start(), stream, func(left int) int {
			n := min(next, left)
			next = left
			return n
		})
		if diff := cmp.Diff(want, got, compareWalks); diff != "" {
			t.Fatalf("cut at %d (-whole +cut):\n%s", at, diff)
		}
	}
}

var compareWalks = cmp.AllowUnexported(walked{}, stepSeen{})
