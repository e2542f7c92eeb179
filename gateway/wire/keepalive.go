package wire

import (
	"context"
	"net"
	"time"
)

// KeepAlive has a connection of Dial, which is to last, kept alive: that a peer is gone without a word is noticed.
func KeepAlive(c net.Conn) {
	if socket, can := c.(interface{ KeepAlive() }); can { // any other is kept alive from the start
		socket.KeepAlive()
	}
}

// DialLasting is Dial for a connection that is to last.
func DialLasting(ctx context.Context, network, address string, timeout time.Duration) (net.Conn, error) {
	c, err := Dial(ctx, network, address, timeout)
	if err == nil {
		KeepAlive(c)
	}
	return c, err
}
