package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// HandshakeResponse is a client's answer to the greeting (Protocol::HandshakeResponse41 page).
type HandshakeResponse struct {
	Capabilities Capability    // what the fields below are encoded by
	Extended     ExtCapability // zero unless ClientLongPassword is clear
	MaxPacket    uint32
	Collation    uint8
	User         string
	AuthResponse []byte // proof of the password; clear it when it is no longer needed
	Database     string
	AuthPlugin   string // "" when the client names none
	Attributes   []Attribute
	ZstdLevel    uint8

	reserved   [19]byte // first 19 of the 23 filler bytes; MariaDB's flags are the other 4
	filler     [4]byte  // those 4 as they came
	authRaw    []byte   // the auth response as it came, length and all
	authRead   []byte   // and what it said; bytes, so that Forget can clear them
	database   part
	plugin     part
	attributes []byte // the block as it came
	asRead     []Attribute
	zstdRead   bool
	authForm   Capability // the flags that authRaw was encoded by
	tail       []byte     // bytes behind the last field that the flags announce
	layout     Capability // the capabilities as they came
}

// layoutFlags are the capabilities that add or change fields of the response.
const layoutFlags = ClientPluginAuthLenencClientData | ClientSecureConnection |
	ClientConnectWithDB | ClientPluginAuth | ClientConnectAttrs | ClientZstdCompression

// sslRequestSize is the length of the fixed part of the response, which alone is an SSLRequest.
const sslRequestSize = 32

// IsSSLRequest tells whether the packet that follows the greeting asks for TLS and holds nothing
// else (Protocol::SSLRequest page).
func IsSSLRequest(payload []byte) bool {
	return len(payload) == sslRequestSize && Capability(binary.LittleEndian.Uint32(payload)).Has(ClientSSL|ClientProtocol41)
}

// ParseHandshakeResponse reads the response of a client that speaks protocol 4.1. For an older one
// (ClientProtocol41 is clear) it gives the capabilities alone, so that the caller can refuse it.
func ParseHandshakeResponse(payload []byte) (*HandshakeResponse, error) {
	c := read(payload)
	r := &HandshakeResponse{}
	if len(payload) >= 2 && !Capability(binary.LittleEndian.Uint16(payload)).Has(ClientProtocol41) {
		r.Capabilities = Capability(c.uint16("the capabilities"))
		return r, nil
	}
	r.Capabilities = Capability(c.uint32("the capabilities"))
	r.MaxPacket = c.uint32("the packet limit")
	r.Collation = c.uint8("the collation")
	copy(r.reserved[:], c.take(19, "the reserved bytes"))
	copy(r.filler[:], c.take(4, "the reserved bytes"))
	if !r.Capabilities.Has(ClientLongPassword) {
		r.Extended = ExtCapability(binary.LittleEndian.Uint32(r.filler[:]))
	}
	r.User = string(c.nul("the user"))
	r.readAuth(&c)
	if r.Capabilities.Has(ClientConnectWithDB) {
		r.Database, r.database = c.text()
	}
	if r.Capabilities.Has(ClientPluginAuth) {
		r.AuthPlugin, r.plugin = c.text()
	}
	if r.Capabilities.Has(ClientConnectAttrs) {
		r.attributes, r.Attributes = c.takeAttributes()
		r.asRead = slices.Clone(r.Attributes)
	}
	if r.Capabilities.Has(ClientZstdCompression) && len(c.rest) > 0 {
		r.ZstdLevel, r.zstdRead = c.uint8("the zstd level"), true
	}
	r.tail = slices.Clone(c.remaining())
	r.layout = r.Capabilities
	return r, c.err("handshake response")
}

// text reads a string that ends with a zero byte or with the payload, and keeps its bytes.
func (c *cursor) text() (string, part) {
	rest := c.rest
	s := string(c.nulOrRest())
	return s, part{raw: slices.Clone(between(rest, c)), value: s, known: c.fault == ""}
}

// readAuth reads the proof in the form that the capabilities name.
func (r *HandshakeResponse) readAuth(c *cursor) {
	const what = "the auth response"
	rest := c.rest
	var proof []byte
	switch {
	case r.Capabilities.Has(ClientPluginAuthLenencClientData):
		proof = c.lenencBytes(what)
	case r.Capabilities.Has(ClientSecureConnection):
		proof = c.take(uint64(c.uint8(what)), what)
	default:
		proof = c.nul(what)
	}
	r.AuthResponse = slices.Clone(proof)
	r.authRead, r.authRaw = slices.Clone(proof), slices.Clone(between(rest, c))
	r.authForm = r.Capabilities & (ClientPluginAuthLenencClientData | ClientSecureConnection)
}

// Attribute gives the value of a connection attribute, "" when the client sent none.
func (r *HandshakeResponse) Attribute(key string) string { return findAttribute(r.Attributes, key) }

// SSLRequest gives the payload that asks for TLS before the response: its fixed part, with ClientSSL.
func (r *HandshakeResponse) SSLRequest() []byte {
	return r.appendFixed(make([]byte, 0, sslRequestSize), r.Capabilities|ClientSSL)
}

func (r *HandshakeResponse) appendFixed(b []byte, caps Capability) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(caps))
	b = binary.LittleEndian.AppendUint32(b, r.MaxPacket)
	b = append(b, r.Collation)
	b = append(b, r.reserved[:]...)
	if caps.Has(ClientLongPassword) {
		return append(b, r.filler[:]...)
	}
	return binary.LittleEndian.AppendUint32(b, uint32(r.Extended))
}

// Encode gives the payload by the capabilities as they are now. Fields that were read and not
// changed since keep their bytes; a flag that was cleared takes its field out.
func (r *HandshakeResponse) Encode() []byte {
	b := r.appendFixed(make([]byte, 0, 128+len(r.AuthResponse)+len(r.attributes)), r.Capabilities)
	b = appendNul(b, r.User)
	b = r.appendAuth(b)
	if r.Capabilities.Has(ClientConnectWithDB) {
		b = r.database.put(b, r.Database)
	}
	if r.Capabilities.Has(ClientPluginAuth) {
		b = r.plugin.put(b, r.AuthPlugin)
	}
	if r.Capabilities.Has(ClientConnectAttrs) {
		if r.layout.Has(ClientConnectAttrs) && slices.Equal(r.asRead, r.Attributes) {
			b = append(b, r.attributes...)
		} else {
			b = appendAttributes(b, r.Attributes)
		}
	}
	if r.Capabilities.Has(ClientZstdCompression) && (r.zstdRead || r.ZstdLevel != 0) {
		b = append(b, r.ZstdLevel)
	}
	if r.Capabilities&layoutFlags == r.layout&layoutFlags {
		b = append(b, r.tail...)
	}
	return b
}

func (r *HandshakeResponse) appendAuth(b []byte) []byte {
	form := r.Capabilities & (ClientPluginAuthLenencClientData | ClientSecureConnection)
	if len(r.authRaw) > 0 && form == r.authForm && bytes.Equal(r.authRead, r.AuthResponse) {
		return append(b, r.authRaw...)
	}
	if form.Has(ClientPluginAuthLenencClientData) {
		return appendLenencString(b, r.AuthResponse)
	}
	return appendProof(b, r.AuthResponse, form)
}

// appendProof writes a proof in one of the older forms. What a form cannot hold is cut off, and the
// login then fails: past the form's end it would be read as other fields.
func appendProof(b, proof []byte, form Capability) []byte {
	if form.Has(ClientSecureConnection) {
		proof = proof[:min(len(proof), 255)]
		return append(append(b, byte(len(proof))), proof...)
	}
	proof, _, _ = bytes.Cut(proof, []byte{0})
	return append(append(b, proof...), 0)
}

// Forget clears every copy of the proof that the value holds.
func (r *HandshakeResponse) Forget() {
	clear(r.AuthResponse)
	clear(r.authRead)
	clear(r.authRaw)
	r.AuthResponse, r.authRead, r.authRaw = nil, nil, nil
}
