package gateway

import (
	"fmt"
	"net"
	"time"

	"github.com/pires/go-proxyproto"
)

// believeProxy takes the client's address from a PROXY header when the connection comes from a listed
// network; a header from anywhere else is refused as a bad login packet would be.
func (g *Gateway) believeProxy(conn net.Conn) (net.Conn, error) {
	from := addrPort(conn.RemoteAddr())
	for _, network := range g.ProxyFrom {
		if !network.Contains(from.Addr()) {
			continue
		}
		c := proxyproto.NewConn(conn, proxyproto.WithPolicy(proxyproto.REQUIRE))
		_ = conn.SetReadDeadline(time.Now().Add(g.Limits.LoginTimeout))
		defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
		if c.ProxyHeader() == nil {
			return conn, fmt.Errorf("no PROXY header from %s, which proxy_protocol.listen_from lists", from)
		}
		return c, nil
	}
	return conn, nil
}
