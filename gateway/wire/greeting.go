package wire

import (
	"encoding/binary"
	"strings"
)

// Greeting is the first packet of a server (Protocol::HandshakeV10 page).
type Greeting struct {
	Version      string // as sent, with MariaDB's "5.5.5-" in front where it is
	ConnectionID uint32 // thread id, the number that KILL takes; TiDB's ids are cut to 32 bits
	AuthData     []byte // the salt: 20 bytes for the usual plugins, without the closing zero
	Capabilities Capability
	Extended     ExtCapability // zero unless ClientLongPassword is clear
	Collation    uint8
	Status       uint16
	AuthPlugin   string // "" when the server names none
}

// mariaDBPrefix stands before the version of MariaDB servers up to 10.x, for old replicas.
const mariaDBPrefix = "5.5.5-"

// ServerVersion is the version without the prefix that MariaDB puts before its own.
func (g *Greeting) ServerVersion() string { return strings.TrimPrefix(g.Version, mariaDBPrefix) }

// MariaDB tells whether the version names MariaDB.
func (g *Greeting) MariaDB() bool {
	return strings.HasPrefix(g.Version, mariaDBPrefix) || strings.Contains(strings.ToLower(g.Version), "mariadb")
}

// ParseGreeting reads a greeting of protocol 10. An ERR packet in its place is for the caller to
// tell by its first byte.
func ParseGreeting(payload []byte) (*Greeting, error) {
	g, _, err := parseGreeting(payload)
	return g, err
}

// greetingOffsets say where the parts that are edited lie.
type greetingOffsets struct{ lower, upper, extended int }

func parseGreeting(payload []byte) (*Greeting, greetingOffsets, error) {
	c := read(payload)
	g := &Greeting{}
	var at greetingOffsets
	if version := c.uint8("the protocol version"); c.fault == "" && version != 10 {
		c.fail("protocol version is not 10")
	}
	g.Version = string(c.nul("the server version"))
	g.ConnectionID = c.uint32("the connection id")
	salt := append([]byte(nil), c.take(8, "the auth data")...)
	c.take(1, "the filler")
	at.lower = c.offset()
	g.Capabilities = Capability(c.uint16("the capabilities"))
	if c.fault == "" && len(c.rest) == 0 {
		g.AuthData = salt
		return g, at, nil // servers before 4.1 stop here
	}
	g.Collation = c.uint8("the collation")
	g.Status = c.uint16("the status flags")
	at.upper = c.offset()
	g.Capabilities |= Capability(c.uint16("the upper capabilities")) << 16
	saltSize := int(c.uint8("the auth data length"))
	reserved := c.take(10, "the reserved bytes")
	at.extended = c.offset() - 4
	if reserved != nil && !g.Capabilities.Has(ClientLongPassword) {
		g.Extended = ExtCapability(binary.LittleEndian.Uint32(reserved[6:]))
	}
	if g.Capabilities.Has(ClientSecureConnection) || saltSize > 8 {
		// At least 13 bytes, the last a zero (page: $length=MAX(13, length of auth-plugin-data - 8)).
		salt = append(salt, c.take(uint64(max(13, saltSize-8)), "the auth data")...)
		if n := len(salt); n > 0 && salt[n-1] == 0 {
			salt = salt[:n-1]
		}
	}
	g.AuthData = salt
	if g.Capabilities.Has(ClientPluginAuth) {
		g.AuthPlugin = string(c.nulOrRest())
	}
	return g, at, c.err("greeting")
}

// Encode gives the payload of the greeting.
func (g *Greeting) Encode() []byte {
	salt := append(append([]byte(nil), g.AuthData...), 0)
	for len(salt) < 21 {
		salt = append(salt, 0)
	}
	b := appendNul([]byte{10}, g.Version)
	b = binary.LittleEndian.AppendUint32(b, g.ConnectionID)
	b = append(append(b, salt[:8]...), 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(g.Capabilities))
	b = append(b, g.Collation)
	b = binary.LittleEndian.AppendUint16(b, g.Status)
	b = binary.LittleEndian.AppendUint16(b, uint16(g.Capabilities>>16))
	if g.Capabilities.Has(ClientPluginAuth) {
		b = append(b, byte(len(salt)))
	} else {
		b = append(b, 0)
	}
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(g.Extended))
	b = append(b, salt[8:]...)
	if g.Capabilities.Has(ClientPluginAuth) {
		b = appendNul(b, g.AuthPlugin)
	}
	return b
}

// EditGreeting changes the capabilities inside a greeting's payload and gives the same slice; all
// other bytes stay. The capabilities become (theirs & allowed) | add, the extended ones theirs &
// extended. A payload that ParseGreeting refuses is returned unchanged.
func EditGreeting(payload []byte, allowed, add Capability, extended ExtCapability) []byte {
	g, at, err := parseGreeting(payload)
	if err != nil {
		return payload
	}
	caps := g.Capabilities&allowed | add
	binary.LittleEndian.PutUint16(payload[at.lower:], uint16(caps))
	if at.upper == 0 {
		return payload
	}
	binary.LittleEndian.PutUint16(payload[at.upper:], uint16(caps>>16))
	if !g.Capabilities.Has(ClientLongPassword) {
		binary.LittleEndian.PutUint32(payload[at.extended:], uint32(g.Extended&extended))
	}
	return payload
}
