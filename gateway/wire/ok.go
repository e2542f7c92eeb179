package wire

import "encoding/binary"

// OK is an OK packet (OK_Packet page). Under CLIENT_DEPRECATE_EOF it also ends result sets, with
// the header 0xFE.
type OK struct {
	EndsRows     bool // header 0xFE
	AffectedRows uint64
	InsertID     uint64
	Status       uint16
	Warnings     uint16
	Info         []byte // for people: "Rows matched: 1 ..."
	// Changes is the session state block, undecoded: see ParseStateChanges.
	Changes []byte

	statusAt int // where the status flags lie in the payload
}

// ParseOK reads an OK packet with either header. The slices alias payload. It does not allocate
// unless it fails.
func ParseOK(payload []byte, caps Capability) (OK, error) {
	c := read(payload)
	p := c.ok(caps)
	return p, c.err("OK packet")
}

func (c *cursor) ok(caps Capability) OK {
	var p OK
	switch c.uint8("the header") {
	case HeaderOK:
	case HeaderEOF:
		p.EndsRows = true
	default:
		c.fail("header is neither 0x00 nor 0xfe")
	}
	p.AffectedRows = c.lenenc("the affected rows")
	p.InsertID = c.lenenc("the insert id")
	p.statusAt = c.offset()
	p.Status = c.uint16("the status flags")
	p.Warnings = c.uint16("the warnings")
	if !caps.Has(ClientSessionTrack) {
		p.Info = c.remaining()
		return p
	}
	if len(c.rest) > 0 {
		p.Info = c.lenencBytes("the info")
	}
	if p.Status&StatusSessionStateChanged != 0 && len(c.rest) > 0 {
		p.Changes = c.lenencBytes("the session state")
	}
	return p
}

// Encode gives the payload.
func (p *OK) Encode(caps Capability) []byte {
	header := HeaderOK
	if p.EndsRows {
		header = HeaderEOF
	}
	b := appendLenenc([]byte{header}, p.AffectedRows)
	b = appendLenenc(b, p.InsertID)
	b = binary.LittleEndian.AppendUint16(b, p.Status)
	b = binary.LittleEndian.AppendUint16(b, p.Warnings)
	if !caps.Has(ClientSessionTrack) {
		return append(b, p.Info...)
	}
	changed := p.Status&StatusSessionStateChanged != 0
	if len(p.Info) > 0 || changed {
		b = appendLenencString(b, p.Info)
	}
	if changed {
		b = appendLenencString(b, p.Changes)
	}
	return b
}

// EOF is an EOF packet (EOF_Packet page).
type EOF struct {
	Warnings uint16
	Status   uint16
}

// eofStatusAt is where the status flags lie in the payload of an EOF packet.
const eofStatusAt = 3

// ParseEOF reads an EOF packet.
func ParseEOF(payload []byte) (EOF, error) {
	c := read(payload)
	if first := c.uint8("the header"); c.fault == "" && first != HeaderEOF {
		c.fail("header is not 0xfe")
	}
	p := EOF{Warnings: c.uint16("the warnings"), Status: c.uint16("the status flags")}
	return p, c.err("EOF packet")
}

// Encode gives the payload.
func (p *EOF) Encode() []byte {
	b := binary.LittleEndian.AppendUint16([]byte{HeaderEOF}, p.Warnings)
	return binary.LittleEndian.AppendUint16(b, p.Status)
}

// IsEOF tells an EOF packet from a row, and an auth switch, by header and length.
func IsEOF(payload []byte) bool {
	return len(payload) > 0 && len(payload) < 9 && payload[0] == HeaderEOF
}

// EncodeEnd gives the packet that ends a result set: an EOF packet, or under CLIENT_DEPRECATE_EOF
// an OK packet with the header 0xFE.
func EncodeEnd(status, warnings uint16, caps Capability) []byte {
	if caps.Has(ClientDeprecateEOF) {
		return (&OK{EndsRows: true, Status: status, Warnings: warnings}).Encode(caps)
	}
	return (&EOF{Status: status, Warnings: warnings}).Encode()
}
