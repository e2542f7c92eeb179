package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

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

// v2 is a header of version 2 by its parts.
func v2(command, family byte, rest []byte) string {
	return string(append(binary.BigEndian.AppendUint16([]byte(proxySignature+string([]byte{command, family})), uint16(len(rest))), rest...))
}

func TestReadProxyHeader(t *testing.T) {
	four := []byte{192, 0, 2, 1, 198, 51, 100, 7, 0xc3, 0x50, 0x0c, 0xea}
	six := append(make([]byte, 32), 0, 1, 0, 2)
	six[15], six[31] = 1, 2
	mapped := append(append(make([]byte, 10), 0xff, 0xff, 192, 0, 2, 1), six[16:]...)
	fields := []byte{0x03, 0, 4, 1, 2, 3, 4, 0x20, 0, 5, 0, 0, 0, 0, 0} // a checksum and TLS, which nobody looks at
	for _, tt := range []struct{ header, want string }{
		{"PROXY TCP4 192.0.2.1 198.51.100.7 50000 3306\r\n", "192.0.2.1:50000"},
		{"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", "[2001:db8::1]:1"},
		{"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
		{"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1:1"},
		{"PROXY UNKNOWN\r\n", "none"},
		{"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "none"},
		{v2(0x21, 0x11, four), "192.0.2.1:50000"},
		{v2(0x21, 0x11, append(bytes.Clone(four), fields...)), "192.0.2.1:50000"},
		{v2(0x21, 0x11, append(bytes.Clone(four), make([]byte, 65535-12)...)), "192.0.2.1:50000"},
		{v2(0x21, 0x21, six), "[::1]:1"},
		{v2(0x21, 0x21, mapped), "192.0.2.1:1"},
		{v2(0x21, 0x31, make([]byte, 216)), "none"}, // a socket of the balancer's machine
		{v2(0x21, 0x00, fields), "none"},
		{v2(0x20, 0x00, nil), "none"}, // the balancer's own check
		{v2(0x20, 0x11, four), "none"},
	} {
		for _, read := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, func(r io.Reader) io.Reader { return r }} {
			r := strings.NewReader(tt.header + "next")
			from, err := ReadProxyHeader(read(r))
			got := from.String()
			if !from.IsValid() {
				got = "none"
			}
			if rest, _ := io.ReadAll(r); err != nil || got != tt.want || string(rest) != "next" {
				t.Errorf("%.60q: %s, %v, and %q is left", tt.header, got, err, rest)
			}
		}
	}
	for _, header := range []string{
		"", "PROXY ", "PROXY TCP4 192.0.2.1", "\x05\x00\x00\x01\x85\xa6\xff\x01\x00\x00\x00\x40",
		"GET / HTTP/1.1\r\n", "PROXY  TCP4 192.0.2.1 198.51.100.7 1 2\r\n", "PROXY TCP4 192.0.2.1 198.51.100.7 1\r\n", "PROXY TCP4 192.0.2.1 198.51.100.7 1 2 3\r\n",
		"PROXY TCP4 2001:db8::1 198.51.100.7 1 2\r\n", "PROXY TCP6 192.0.2.1 ::1 1 2\r\n", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "PROXY TCP4 192.0.2.1 198.51.100.7 1 65536\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.7 -1 2\r\n", "PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n", "PROXY X\r\nUNKNOWN\r\n", "proxy UNKNOWN\r\n",
		"PROXY UNKNOWN " + strings.Repeat("x", 200) + "\r\n",
		v2(0x11, 0x11, four), v2(0x22, 0x11, four), v2(0x21, 0x12, four), v2(0x21, 0x41, six), v2(0x21, 0x11, four[:11]), v2(0x21, 0x21, four), v2(0x21, 0x31, four),
		v2(0x21, 0x11, four)[:20], proxySignature, proxySignature + "\x21\x11\xff\xff",
	} {
		if from, err := ReadProxyHeader(iotest.OneByteReader(strings.NewReader(header))); err == nil {
			t.Errorf("%.60q: is taken for %v", header, from)
		}
	}
}

// Whatever is read is what another reader of headers reads.
func FuzzProxyHeader(f *testing.F) {
	from := netip.MustParseAddrPort("192.0.2.1:50000")
	f.Add(ProxyHeader(from, from))
	f.Add(ProxyHeaderV1(from, from))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Fuzz(func(t *testing.T, header []byte) {
		r := bytes.NewReader(header)
		from, err := ReadProxyHeader(r)
		if err != nil {
			return
		}
		h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(header[:len(header)-r.Len()])))
		if err != nil || !from.IsValid() || h.Command.IsLocal() {
			return // that one refuses more
		}
		source, _, ok := h.TCPAddrs()
		if a, err := netip.ParseAddrPort(source.String()); !ok || err != nil || netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) != from {
			t.Errorf("%q: %v, the other reads %v", header, from, source)
		}
	})
}
