package wire

import (
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A long answer comes about as fast as it is relayed, so a relay waits for it again and again, and each wait costs two changes
// of threads: a fifth of the processor time of a result of 25 MB. So once an answer is long, the kernel is asked to tell of
// new bytes when there are many of them (SO_RCVLOWAT, socket(7)), or after a millisecond, whichever is first.
const (
	// gatherAfter is how many bytes come without a word to the peer before it is a long answer: its last bytes may come
	// up to gatherFor later, which is to be little of what it took.
	gatherAfter = 1 << 20
	// gatherAgain is after how many further bytes it is tried again where the time was up.
	gatherAgain = 256 << 10
	gatherSize  = 1 << 20
	gatherFor   = time.Millisecond
)

// gathering is how far the answer that a connection reads is one that is waited for in large pieces.
type gathering struct {
	since atomic.Int64 // bytes read since the last write
	high  atomic.Bool  // the kernel waits for many
	timer *time.Timer  // made by the first long answer
}

// awaitMany has the wait that comes now last until there are many bytes, or for gatherFor.
//
// The socket is never left waiting for many without a timer that runs: it is started after the socket was told, since this
// thread may stand still between the two for longer than it runs, and its end makes the kernel tell of what is there.
func (c *directConn) awaitMany(fd uintptr) {
	g := &c.gather
	if g.since.Load() < gatherAfter || !canGather {
		return
	}
	if !g.high.Swap(true) {
		lowWater(fd, gatherSize)
	}
	if g.timer == nil {
		g.timer = time.AfterFunc(gatherFor, c.awaitFew)
	} else {
		g.timer.Reset(gatherFor)
	}
}

// awaitFew is called when the time is up.
func (c *directConn) awaitFew() {
	c.endGathering()
	c.gather.since.Store(gatherAfter - gatherAgain)
}

// endGathering has the kernel tell of each byte. It says so before the mark is taken away: a reader that comes between may
// wait for few where it could for many, never the other way round without a timer.
func (c *directConn) endGathering() {
	_ = c.raw.Control(func(fd uintptr) { lowWater(fd, 1) })
	c.gather.high.Store(false)
}

// asked notes that the peer was written to: what comes next is another answer.
func (c *directConn) asked() {
	c.gather.since.Store(0)
	if c.gather.high.Load() {
		c.endGathering()
	}
}

func lowWater(fd uintptr, n int32) { setOption(fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n) }

// canGather tells whether the kernel's poll heeds SO_RCVLOWAT and tells of waiting bytes when it is lowered: Linux 4.18.
var canGather = func() bool {
	var name syscall.Utsname
	if syscall.Uname(&name) != nil {
		return false
	}
	var release strings.Builder
	for _, c := range name.Release {
		if c == 0 {
			break
		}
		release.WriteByte(byte(c))
	}
	return atLeast(release.String(), 4, 18)
}()

// atLeast compares the first two numbers of a release of the kernel; of one that is not understood it says no.
func atLeast(release string, major, minor int) bool {
	parts := strings.SplitN(release, ".", 3)
	if len(parts) < 2 {
		return false
	}
	first, err := strconv.Atoi(parts[0])
	if err != nil {
		return false
	}
	digits := parts[1][:len(parts[1])-len(strings.TrimLeft(parts[1], "0123456789"))]
	second, err := strconv.Atoi(digits)
	return err == nil && (first > major || first == major && second >= minor)
}
