package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// ERR is an ERR packet (ERR_Packet page).
type ERR struct {
	Code    uint16
	State   string // SQLSTATE, five characters; "" when the packet has none
	Message string
}

// maxMessage is the length in bytes that the servers cut messages to (MYSQL_ERRMSG_SIZE).
const maxMessage = 512

// ParseERR reads an ERR packet. A packet in place of the greeting has no SQLSTATE; that is told by
// its missing '#'.
func ParseERR(payload []byte) (*ERR, error) {
	c := read(payload)
	if first := c.uint8("the header"); c.fault == "" && first != HeaderERR {
		c.fail("header is not 0xff")
	}
	p := &ERR{Code: c.uint16("the error number")}
	if len(c.rest) >= 6 && c.rest[0] == '#' {
		p.State = string(c.take(6, "the SQLSTATE")[1:])
	}
	p.Message = string(c.remaining())
	return p, c.err("ERR packet")
}

// Error gives the error the way the mysql command line prints it.
func (p *ERR) Error() string {
	return "ERROR " + itoa(uint64(p.Code)) + " (" + p.State + "): " + p.Message
}

// Encode gives the payload; without ClientProtocol41 there is no SQLSTATE in it.
func (p *ERR) Encode(caps Capability) []byte { return EncodeERR(p.Code, p.State, p.Message, caps) }

// EncodeERR gives the payload of an ERR packet. The message is cut to 512 bytes between two
// characters. A state that does not have five characters becomes HY000.
func EncodeERR(code uint16, state, message string, caps Capability) []byte {
	message = cut(message, maxMessage)
	b := make([]byte, 0, 9+len(message))
	b = binary.LittleEndian.AppendUint16(append(b, HeaderERR), code)
	if caps.Has(ClientProtocol41) {
		if len(state) != 5 {
			state = "HY000"
		}
		b = append(append(b, '#'), state...)
	}
	return append(b, message...)
}

// cut shortens s to at most limit bytes and does not split a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
