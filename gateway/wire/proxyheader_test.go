package wire

import (
	"bufio"
	"bytes"
	"net/netip"
	"testing"

	proxyproto "github.com/pires/go-proxyproto"
)

func TestProxyHeader(t *testing.T) {
	for _, tt := range []struct{ from, to, wantFrom, wantTo string }{
		{"192.0.2.1:50000", "198.51.100.7:3306", "192.0.2.1:50000", "198.51.100.7:3306"},
		{"[2001:db8::1]:1", "[2001:db8::2]:65535", "[2001:db8::1]:1", "[2001:db8::2]:65535"},
		{"192.0.2.1:50000", "[2001:db8::2]:3306", "192.0.2.1:50000", "[2001:db8::2]:3306"},
		{"[::ffff:192.0.2.1]:50000", "198.51.100.7:3306", "192.0.2.1:50000", "198.51.100.7:3306"},
		{"[fe80::1%eth0]:50000", "[fe80::2]:3306", "[fe80::1]:50000", "[fe80::2]:3306"},
	} {
		from, to := netip.MustParseAddrPort(tt.from), netip.MustParseAddrPort(tt.to)
		for version, header := range map[string][]byte{"v2": ProxyHeader(from, to), "v1": ProxyHeaderV1(from, to)} {
			r := bufio.NewReader(bytes.NewReader(append(header, "next"...)))
			h, err := proxyproto.Read(r)
			if err != nil {
				t.Errorf("%s %s: %v", version, tt.from, err)
				continue
			}
			source, target, ok := h.TCPAddrs()
			if !ok || source.String() != tt.wantFrom || target.String() != tt.wantTo {
				t.Errorf("%s %s -> %s: reads %v -> %v", version, tt.from, tt.to, source, target)
			}
			if r.Buffered() != len("next") {
				t.Errorf("%s %s: %d bytes behind the header", version, tt.from, r.Buffered())
			}
		}
	}
}

func TestProxyHeaderWithoutAddresses(t *testing.T) {
	var none netip.AddrPort
	some := netip.MustParseAddrPort("192.0.2.1:1")
	for _, header := range [][]byte{ProxyHeader(none, some), ProxyHeader(some, none), ProxyHeaderV1(none, none)} {
		h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(header)))
		if err != nil || h.TransportProtocol != proxyproto.UNSPEC {
			t.Errorf("%q: %+v, %v", header, h, err)
		}
	}
}
