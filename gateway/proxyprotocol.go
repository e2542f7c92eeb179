package gateway

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"sluice/gateway/wire"
)

// believeProxy takes the client's address from a PROXY header when the connection comes from a listed
// network; a header from anywhere else is refused as a bad login packet would be.
func (g *Gateway) believeProxy(ctx context.Context, conn net.Conn) (net.Conn, error) {
	at := addrPort(conn.RemoteAddr())
	for _, network := range g.ProxyFrom {
		if !network.Contains(at.Addr()) {
			continue
		}
		_ = conn.SetReadDeadline(time.Now().Add(g.Limits.LoginTimeout))
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		defer func() { stop(); _ = conn.SetReadDeadline(time.Time{}) }()
		from, err := wire.ReadProxyHeader(conn)
		switch {
		case err != nil:
			return conn, fmt.Errorf("%s, which proxy_protocol.listen_from lists: %w", at, err)
		case !from.IsValid():
			return conn, nil
		}
		return &proxied{conn, from}, nil
	}
	return conn, nil
}

// proxied is a connection that comes from further than it seems.
type proxied struct {
	net.Conn
	from netip.AddrPort
}

// RemoteAddr gives the client's address.
func (p *proxied) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(p.from) }

// NetConn gives the balancer's connection.
func (p *proxied) NetConn() net.Conn { return p.Conn }
