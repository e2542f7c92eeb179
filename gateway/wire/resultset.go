package wire

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// Value is one cell of the gateway's own answers. The zero value is NULL.
type Value struct {
	kind   valueKind
	text   string
	number int64
}

type valueKind uint8

const (
	nullValue valueKind = iota
	textValue
	intValue
)

// Text is a cell of characters.
func Text(s string) Value { return Value{kind: textValue, text: s} }

// Int is a cell that holds an integer.
func Int(n int64) Value { return Value{kind: intValue, number: n} }

// String gives the cell as the text protocol shows it; NULL is "NULL".
func (v Value) String() string {
	switch v.kind {
	case textValue:
		return v.text
	case intValue:
		return strconv.FormatInt(v.number, 10)
	default:
		return "NULL"
	}
}

// ResultSet is an answer of the gateway's own.
type ResultSet struct {
	Columns  []Column
	Rows     [][]Value
	Status   uint16 // flags of the closing packet, but for StatusMoreResults
	Warnings uint16
}

// ResultOptions say how an answer is encoded.
type ResultOptions struct {
	Capabilities Capability
	Extended     ExtCapability
	Binary       bool // rows of COM_STMT_EXECUTE
	More         bool // another response follows
}

// Append frames the whole result set behind dst, its first packet with the given sequence id, and
// gives the sequence id after the last (Text Resultset and Binary Protocol Resultset pages). A row
// that does not fit the columns is an error, and dst then is as it was.
func (rs *ResultSet) Append(dst []byte, sequence uint8, o ResultOptions) ([]byte, uint8, error) {
	head := appendLenenc(nil, uint64(len(rs.Columns)))
	if o.Extended.Has(ExtCacheMetadata) {
		head = append(head, 1) // the definitions follow
	}
	out, seq := AppendPacket(dst, sequence, head)
	out, seq = appendColumns(out, seq, rs.Columns, rs.Status, o.Capabilities, o.Extended)
	var payload []byte
	for i, row := range rs.Rows {
		if len(row) != len(rs.Columns) {
			return dst, sequence, fmt.Errorf("encode row %d: %d cells for %d columns", i, len(row), len(rs.Columns))
		}
		var err error
		if payload, err = rs.appendRow(payload[:0], row, o.Binary); err != nil {
			return dst, sequence, fmt.Errorf("encode row %d: %w", i, err)
		}
		out, seq = AppendPacket(out, seq, payload)
	}
	status := rs.Status &^ StatusMoreResults
	if o.More {
		status |= StatusMoreResults
	}
	out, seq = AppendPacket(out, seq, EncodeEnd(status, rs.Warnings, o.Capabilities))
	return out, seq, nil
}

// appendColumns frames definitions and, without CLIENT_DEPRECATE_EOF, the EOF packet behind them.
func appendColumns(dst []byte, seq uint8, columns []Column, status uint16, caps Capability, ext ExtCapability) ([]byte, uint8) {
	var payload []byte
	for i := range columns {
		payload = columns[i].Append(payload[:0], ext)
		dst, seq = AppendPacket(dst, seq, payload)
	}
	if caps.Has(ClientDeprecateEOF) {
		return dst, seq
	}
	return AppendPacket(dst, seq, (&EOF{Status: status &^ StatusMoreResults}).Encode())
}

func (rs *ResultSet) appendRow(dst []byte, row []Value, binary bool) ([]byte, error) {
	if binary {
		return rs.appendBinaryRow(dst, row)
	}
	for _, v := range row {
		if v.kind == nullValue {
			dst = append(dst, 0xfb)
		} else {
			dst = appendLenencString(dst, v.String())
		}
	}
	return dst, nil
}

// appendBinaryRow writes a row of the binary protocol, whose null bitmap starts at bit 2 (Binary
// Protocol Resultset Row page).
func (rs *ResultSet) appendBinaryRow(dst []byte, row []Value) ([]byte, error) {
	dst = append(dst, 0)
	bitmap := len(dst)
	dst = append(dst, make([]byte, (len(row)+9)/8)...)
	for i, v := range row {
		switch {
		case v.kind == nullValue:
			dst[bitmap+(i+2)/8] |= 1 << ((i + 2) % 8)
		case rs.Columns[i].Type == TypeLongLong:
			n := v.number
			if v.kind == textValue {
				var err error
				if n, err = strconv.ParseInt(v.text, 10, 64); err != nil {
					return dst, fmt.Errorf("column %s: %w", rs.Columns[i].Name, err)
				}
			}
			dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
		case rs.Columns[i].Type == TypeVarString:
			dst = appendLenencString(dst, v.String())
		default:
			return dst, fmt.Errorf("column %s: type %#02x has no encoding here", rs.Columns[i].Name, rs.Columns[i].Type)
		}
	}
	return dst, nil
}

// PrepareOK is the first packet of the answer to COM_STMT_PREPARE (COM_STMT_PREPARE Response page).
type PrepareOK struct {
	StatementID uint32
	Columns     uint16
	Params      uint16
	Warnings    uint16
}

// ParsePrepareOK reads the packet.
func ParsePrepareOK(payload []byte) (PrepareOK, error) {
	c := read(payload)
	if first := c.uint8("the header"); c.fault == "" && first != HeaderOK {
		c.fail("header is not 0x00")
	}
	p := PrepareOK{StatementID: c.uint32("the statement id"), Columns: c.uint16("the column count"), Params: c.uint16("the parameter count")}
	c.take(1, "the filler")
	if len(c.rest) > 0 || c.fault != "" { // absent in the first 4.1 servers
		p.Warnings = c.uint16("the warnings")
	}
	return p, c.err("prepare OK")
}

// Encode gives the payload.
func (p *PrepareOK) Encode() []byte {
	b := binary.LittleEndian.AppendUint32([]byte{HeaderOK}, p.StatementID)
	b = binary.LittleEndian.AppendUint16(b, p.Columns)
	b = binary.LittleEndian.AppendUint16(b, p.Params)
	return binary.LittleEndian.AppendUint16(append(b, 0), p.Warnings)
}

// AppendPrepared frames the whole answer to COM_STMT_PREPARE for a statement of the gateway's own,
// and gives the sequence id after it.
func AppendPrepared(dst []byte, sequence uint8, id uint32, params, columns []Column, status uint16, o ResultOptions) ([]byte, uint8) {
	ok := PrepareOK{StatementID: id, Columns: uint16(len(columns)), Params: uint16(len(params))}
	dst, sequence = AppendPacket(dst, sequence, ok.Encode())
	for _, block := range [...][]Column{params, columns} {
		if len(block) > 0 {
			dst, sequence = appendColumns(dst, sequence, block, status, o.Capabilities, o.Extended)
		}
	}
	return dst, sequence
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }
