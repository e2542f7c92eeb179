package wire

import (
	"encoding/binary"
	"slices"
)

// ChangeUser is COM_CHANGE_USER (COM_CHANGE_USER page).
type ChangeUser struct {
	User         string
	AuthResponse []byte
	Database     string
	Collation    uint16 // valid when HasCollation
	HasCollation bool   // old clients stop after the database
	AuthPlugin   string
	Attributes   []Attribute

	caps       Capability // the client's
	database   part
	plugin     part
	attributes []byte
	asRead     []Attribute
	tail       []byte
}

// ParseChangeUser reads the payload of COM_CHANGE_USER, command byte included. caps are the flags
// that the client sent in its handshake response: it encodes by those.
func ParseChangeUser(payload []byte, caps Capability) (*ChangeUser, error) {
	c := read(payload)
	u := &ChangeUser{caps: caps}
	if first := c.uint8("the command"); c.fault == "" && Command(first) != ComChangeUser {
		c.fail("not COM_CHANGE_USER")
	}
	u.User = string(c.nul("the user"))
	if caps.Has(ClientSecureConnection) {
		u.AuthResponse = slices.Clone(c.take(uint64(c.uint8("the auth response")), "the auth response"))
	} else {
		u.AuthResponse = slices.Clone(c.nul("the auth response"))
	}
	u.Database, u.database = c.text()
	if len(c.rest) >= 2 {
		u.Collation, u.HasCollation = c.uint16("the collation"), true
		if caps.Has(ClientPluginAuth) {
			u.AuthPlugin, u.plugin = c.text()
		}
		if caps.Has(ClientConnectAttrs) {
			u.attributes, u.Attributes = c.takeAttributes()
			u.asRead = slices.Clone(u.Attributes)
		}
	}
	u.tail = slices.Clone(c.remaining())
	return u, c.err("COM_CHANGE_USER")
}

// Attribute gives the value of a connection attribute, "" when the client sent none.
func (u *ChangeUser) Attribute(key string) string { return findAttribute(u.Attributes, key) }

// Encode gives the payload, command byte included, by the flags agreed with the warehouse. Fields
// that were read and not changed since keep their bytes.
func (u *ChangeUser) Encode(agreed Capability) []byte {
	b := appendNul([]byte{byte(ComChangeUser)}, u.User)
	b = appendProof(b, u.AuthResponse, agreed)
	b = u.database.put(b, u.Database)
	if u.HasCollation {
		b = binary.LittleEndian.AppendUint16(b, u.Collation)
		if agreed.Has(ClientPluginAuth) {
			b = u.plugin.put(b, u.AuthPlugin)
		}
		if agreed.Has(ClientConnectAttrs) {
			if u.caps.Has(ClientConnectAttrs) && slices.Equal(u.asRead, u.Attributes) {
				b = append(b, u.attributes...)
			} else {
				b = appendAttributes(b, u.Attributes)
			}
		}
	}
	if agreed&layoutFlags == u.caps&layoutFlags {
		b = append(b, u.tail...)
	}
	return b
}

// Forget clears the proof.
func (u *ChangeUser) Forget() {
	clear(u.AuthResponse)
	u.AuthResponse = nil
}
