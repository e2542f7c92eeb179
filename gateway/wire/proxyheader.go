package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// proxySignature begins a PROXY header of version 2 (HAProxy: The PROXY protocol, 2.2).
const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

// ProxyHeader gives the PROXY header of version 2 that says that a connection comes from one
// address and was accepted at another. Without valid addresses it is the LOCAL command, by which
// the receiver takes the socket's own. IPv4 beside IPv6 is written as IPv6.
func ProxyHeader(from, to netip.AddrPort) []byte {
	b := append(make([]byte, 0, 52), proxySignature...)
	if !from.IsValid() || !to.IsValid() {
		return append(b, 0x20, 0x00, 0, 0)
	}
	source, target, v4 := sameFamily(from.Addr(), to.Addr())
	if v4 {
		b = append(b, 0x21, 0x11, 0, 12)
	} else {
		b = append(b, 0x21, 0x21, 0, 36)
	}
	b = append(b, source.AsSlice()...)
	b = append(b, target.AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	return binary.BigEndian.AppendUint16(b, to.Port())
}

// ProxyHeaderV1 is the same in the text form of version 1.
func ProxyHeaderV1(from, to netip.AddrPort) []byte {
	if !from.IsValid() || !to.IsValid() {
		return []byte("PROXY UNKNOWN\r\n")
	}
	source, target, v4 := sameFamily(from.Addr(), to.Addr())
	family := "TCP6"
	if v4 {
		family = "TCP4"
	}
	return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", family, text6(source), text6(target), from.Port(), to.Port())
}

// sameFamily gives both addresses as IPv4 if both are, else both as IPv6, without zones.
func sameFamily(a, b netip.Addr) (netip.Addr, netip.Addr, bool) {
	a, b = a.Unmap().WithZone(""), b.Unmap().WithZone("")
	if a.Is4() && b.Is4() {
		return a, b, true
	}
	return netip.AddrFrom16(a.As16()), netip.AddrFrom16(b.As16()), false
}

// text6 writes an IPv4 address inside IPv6 in hexadecimal groups: not every reader takes dots there.
func text6(a netip.Addr) string {
	if !a.Is4In6() {
		return a.String()
	}
	v := a.As16()
	return fmt.Sprintf("::ffff:%x:%x", binary.BigEndian.Uint16(v[12:]), binary.BigEndian.Uint16(v[14:]))
}

// longestV1 is the length of the longest header of version 1.
const longestV1 = 107

// ErrNoProxyHeader is a connection that begins with something else.
var ErrNoProxyHeader = errors.New("no PROXY header")

// ReadProxyHeader reads a PROXY header of version 1 or 2, however it was cut on its way, and no byte behind it. It gives the address
// that the connection comes from, and the zero one where that is the socket's own: for the balancer's own checks (LOCAL), UNKNOWN
// and addresses that are none of the internet's.
func ReadProxyHeader(r io.Reader) (netip.AddrPort, error) {
	head := make([]byte, len(proxySignature), longestV1) // any header is longer
	if _, err := io.ReadFull(r, head); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read a PROXY header: %w", err)
	}
	switch {
	case string(head) == proxySignature:
		return readV2(r)
	case bytes.HasPrefix(head, []byte("PROXY ")):
		return readV1(r, head)
	}
	return netip.AddrPort{}, ErrNoProxyHeader
}

// readV1 reads the rest of a line byte by byte: its length is nowhere told.
func readV1(r io.Reader, line []byte) (netip.AddrPort, error) {
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == longestV1 {
			return netip.AddrPort{}, errors.New("a PROXY header of version 1 that does not end")
		}
		line = line[:len(line)+1]
		if _, err := io.ReadFull(r, line[len(line)-1:]); err != nil {
			return netip.AddrPort{}, fmt.Errorf("read a PROXY header: %w", err)
		}
	}
	words := strings.Split(string(line[:len(line)-2]), " ")
	if words[1] == "UNKNOWN" {
		return netip.AddrPort{}, nil
	}
	malformed := fmt.Errorf("a PROXY header of version 1 that cannot be read: %q", line)
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return netip.AddrPort{}, malformed
	}
	from, err := addressV1(words[1], words[2], words[4])
	if _, err2 := addressV1(words[1], words[3], words[5]); err != nil || err2 != nil {
		return netip.AddrPort{}, malformed
	}
	return from, nil
}

func addressV1(family, address, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() != (family == "TCP4") || a.Zone() != "" {
		return netip.AddrPort{}, errors.New("no address of its family")
	}
	p, err := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), err
}

// The second bytes of version 2: version and command, and what the addresses are.
const (
	v2Local = 0x20
	v2Proxy = 0x21
	v2TCP4  = 0x11
	v2TCP6  = 0x21
	v2Unix  = 0x31
)

// readV2 reads what is behind the signature. The fields behind the addresses (TLVs) say nothing that is used here.
func readV2(r io.Reader) (netip.AddrPort, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read a PROXY header: %w", err)
	}
	rest := make([]byte, binary.BigEndian.Uint16(head[2:]))
	if _, err := io.ReadFull(r, rest); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read a PROXY header: %w", err)
	}
	if head[0] == v2Local {
		return netip.AddrPort{}, nil
	}
	size := 0
	switch head[1] {
	case v2TCP4:
		size = 4
	case v2TCP6:
		size = 16
	}
	switch {
	case head[0] != v2Proxy, size > 0 && len(rest) < 2*size+4, size == 0 && head[1] != 0 && (head[1] != v2Unix || len(rest) < 2*108):
		return netip.AddrPort{}, fmt.Errorf("a PROXY header of version 2 that cannot be read: % x with %d bytes", head[:2], len(rest))
	case size == 0:
		return netip.AddrPort{}, nil
	}
	a, _ := netip.AddrFromSlice(rest[:size])
	return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(rest[2*size:])), nil
}
