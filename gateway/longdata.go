package gateway

import (
	"encoding/binary"

	"sluice/gateway/wire"
	"sluice/parser"
)

// longDataHead is the command, the statement's id and the parameter's number.
const longDataHead = 7

// longData serves COM_STMT_SEND_LONG_DATA, which has no answer. What a warehouse would answer all the same does not reach it:
// from then on each answer would be taken for the next command's.
func (s *Session) longData(packet []byte) error {
	switch {
	case len(packet) < longDataHead:
		if s.state.reading.Dialect.Flavor == parser.MySQL {
			return s.malformed() // as MySQL does
		}
		return nil
	case s.ownStatement(packet) || !s.takesLongData(packet):
		return nil
	}
	return s.send(packet)
}

// takesLongData tells whether the warehouse takes a part of a parameter silently. TiDB answers one that it cannot take.
func (s *Session) takesLongData(packet []byte) bool {
	if s.state.reading.Dialect.Flavor != parser.TiDB {
		return true
	}
	id, err := wire.ParseStatementID(packet)
	p := s.state.prepared[id]
	return err == nil && p != nil && binary.LittleEndian.Uint16(packet[5:]) < p.params
}
