package wire

// The one-byte messages of caching_sha2_password inside AuthMoreData (Caching SHA-2 page).
const (
	FastAuthOK byte = 0x03 // the cache knew the proof; OK follows
	FullAuth   byte = 0x04 // the password itself is wanted
)

// AuthSwitch asks the client to begin again with another plugin (Protocol::AuthSwitchRequest page).
type AuthSwitch struct {
	Plugin string
	Data   []byte // the new salt as sent: 20 bytes and a zero for the usual plugins
}

// oldPassword is what a bare 0xFE means: the pre-4.1 method (Protocol::OldAuthSwitchRequest page).
const oldPassword = "mysql_old_password"

// ParseAuthSwitch reads an AuthSwitchRequest. Data aliases payload.
func ParseAuthSwitch(payload []byte) (*AuthSwitch, error) {
	c := read(payload)
	if first := c.uint8("the header"); c.fault == "" && first != HeaderAuthSwitch {
		c.fail("header is not 0xfe")
	}
	if c.fault == "" && len(c.rest) == 0 {
		return &AuthSwitch{Plugin: oldPassword}, nil
	}
	s := &AuthSwitch{Plugin: string(c.nul("the plugin name"))}
	s.Data = c.remaining()
	return s, c.err("auth switch request")
}

// Salt gives Data without its closing zero.
func (s *AuthSwitch) Salt() []byte {
	if n := len(s.Data); n > 0 && s.Data[n-1] == 0 {
		return s.Data[:n-1]
	}
	return s.Data
}

// Encode gives the payload.
func (s *AuthSwitch) Encode() []byte {
	return append(appendNul([]byte{HeaderAuthSwitch}, s.Plugin), s.Data...)
}

// ParseAuthMoreData gives the plugin's bytes of an AuthMoreData packet (Protocol::AuthMoreData page).
func ParseAuthMoreData(payload []byte) ([]byte, error) {
	c := read(payload)
	if first := c.uint8("the header"); c.fault == "" && first != HeaderAuthMore {
		c.fail("header is not 0x01")
	}
	return c.remaining(), c.err("auth more data")
}

// EncodeAuthMoreData gives the payload of an AuthMoreData packet.
func EncodeAuthMoreData(data []byte) []byte { return append([]byte{HeaderAuthMore}, data...) }

// AuthNextFactor begins a further factor of a multi-factor account (Protocol::AuthNextFactor page).
type AuthNextFactor struct {
	Plugin string
	Data   []byte
}

// ParseAuthNextFactor reads an AuthNextFactor packet. Data aliases payload.
func ParseAuthNextFactor(payload []byte) (*AuthNextFactor, error) {
	c := read(payload)
	if first := c.uint8("the header"); c.fault == "" && first != HeaderNextFactor {
		c.fail("header is not 0x02")
	}
	f := &AuthNextFactor{Plugin: string(c.nul("the plugin name"))}
	f.Data = c.remaining()
	return f, c.err("auth next factor")
}

// Encode gives the payload.
func (f *AuthNextFactor) Encode() []byte {
	return append(appendNul([]byte{HeaderNextFactor}, f.Plugin), f.Data...)
}
