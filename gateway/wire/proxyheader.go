package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
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
