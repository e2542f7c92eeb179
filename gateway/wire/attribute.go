package wire

// Attribute is one connection attribute of a client, such as _client_name or program_name
// (Protocol::HandshakeResponse41 page, CLIENT_CONNECT_ATTRS).
type Attribute struct{ Key, Value string }

// parseAttributes reads the pairs of an attribute block. Clients are known to cut the block
// short, and the servers let them: pairs that are not whole are left out.
func parseAttributes(block []byte) []Attribute {
	c := read(block)
	text := string(block) // one for all of them
	taken := func(b []byte) string { end := len(block) - len(c.rest); return text[end-len(b) : end] }
	out := make([]Attribute, 0, usualAttributes)
	for len(c.rest) > 0 {
		a := Attribute{Key: taken(c.lenencBytes("a key")), Value: taken(c.lenencBytes("a value"))}
		if c.fault != "" {
			break
		}
		out = append(out, a)
	}
	return out
}

// usualAttributes is how many clients send.
const usualAttributes = 8

func appendAttributes(dst []byte, attributes []Attribute) []byte {
	var block []byte
	for _, a := range attributes {
		block = appendLenencString(appendLenencString(block, a.Key), a.Value)
	}
	return appendLenencString(dst, block)
}

// takeAttributes reads an attribute block with its length. A length past the end of the payload
// counts as the rest of it.
func (c *cursor) takeAttributes() (raw []byte, attributes []Attribute) {
	if len(c.rest) == 0 || c.fault != "" {
		return nil, nil
	}
	whole := c.rest
	size := c.lenenc("the attributes' length")
	if c.fault != "" {
		return nil, nil
	}
	block := c.take(min(size, uint64(len(c.rest))), "the attributes")
	return whole[:len(whole)-len(c.rest)], parseAttributes(block)
}

func findAttribute(attributes []Attribute, key string) string {
	for _, a := range attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// part is a string field of a message together with the bytes it was read from, so that a message that is
// written again differs only where a field was changed.
type part struct {
	raw   []byte
	value string
	known bool
}

// put appends the bytes as they were read when value is still what they said.
func (p part) put(dst []byte, value string) []byte {
	if p.known && p.value == value {
		return append(dst, p.raw...)
	}
	return appendNul(dst, value)
}

// between gives the bytes that a cursor has read since rest was its rest.
func between(rest []byte, c *cursor) []byte {
	if c.fault != "" {
		return nil
	}
	return rest[:len(rest)-len(c.rest)]
}
