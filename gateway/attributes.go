package gateway

import (
	"bytes"

	"sluice/gateway/wire"
)

// noAttributes is what stands before a text without query attributes (COM_QUERY page): none, in one set.
var noAttributes = []byte{0, 1}

// takeAttributes cuts query attributes off a COM_QUERY, so that behind it a text is a text. They go to the warehouse
// with each statement of the text: values of the client's own, which no statement's flows depend on.
func (s *Session) takeAttributes(packet []byte) ([]byte, error) {
	if !s.caps.Has(wire.ClientQueryAttributes) {
		return packet, nil
	}
	q, err := wire.ParseQuery(packet, s.caps)
	if err != nil {
		return nil, err
	}
	s.attributes = nil
	if !bytes.Equal(q.Attributes, noAttributes) {
		s.attributes = bytes.Clone(q.Attributes)
	}
	text := packet[len(q.Attributes):]
	text[0] = byte(wire.ComQuery)
	return text, nil
}

// attributed puts the attributes back, where the warehouse expects some.
func (s *Session) attributed(packet []byte) []byte {
	if len(packet) == 0 || wire.Command(packet[0]) != wire.ComQuery || !s.caps.Has(wire.ClientQueryAttributes) {
		return packet
	}
	attributes := s.attributes
	if attributes == nil {
		attributes = noAttributes
	}
	return wire.Query{Attributes: attributes, SQL: packet[1:]}.Encode()
}
