package wire

import "encoding/binary"

// Query is COM_QUERY (COM_QUERY page). With CLIENT_QUERY_ATTRIBUTES parameters stand before the text.
type Query struct {
	// Attributes is all that stands between the command byte and the text, as sent.
	Attributes []byte
	SQL        []byte
}

// ParseQuery reads the payload of COM_QUERY, command byte included. Both fields alias payload.
// caps are the flags that client and warehouse agreed on.
func ParseQuery(payload []byte, caps Capability) (Query, error) {
	c := read(payload)
	if first := c.uint8("the command"); c.fault == "" && Command(first) != ComQuery {
		c.fail("not COM_QUERY")
	}
	start := c.rest
	if caps.Has(ClientQueryAttributes) {
		c.skipAttributes()
	}
	q := Query{Attributes: between(start, &c)}
	q.SQL = c.remaining()
	return q, c.err("COM_QUERY")
}

// Encode gives the payload, command byte included: the same attributes before another text, say.
func (q Query) Encode() []byte {
	b := make([]byte, 0, 1+len(q.Attributes)+len(q.SQL))
	b = append(append(b, byte(ComQuery)), q.Attributes...)
	return append(b, q.SQL...)
}

// skipAttributes reads parameter count, set count, null bitmap, types with names, and values.
func (c *cursor) skipAttributes() {
	count := c.lenenc("the attribute count")
	sets := c.lenenc("the attribute set count")
	if c.fault == "" && sets != 1 {
		c.fail("attribute set count is not 1")
	}
	// The bitmap alone takes a bit each, so the payload bounds the count before anything is kept.
	nulls := c.take((min(count, uint64(c.size)*8+8)+7)/8, "the attributes' null bitmap")
	if count == 0 || c.fault != "" {
		return
	}
	if c.uint8("the bind flag") != 1 { // MySQL takes others for 1 too; no client sends them
		c.fail("attributes come without their types")
		return
	}
	if count > uint64(len(c.rest)) {
		c.fail("more attributes than bytes")
		return
	}
	types := make([]uint16, 0, min(count, 64))
	for range count {
		types = append(types, c.uint16("an attribute type"))
		c.lenencBytes("an attribute name")
		if c.fault != "" {
			return
		}
	}
	for i, t := range types {
		if nulls[i/8]&(1<<(i%8)) == 0 {
			c.skipValue(t)
		}
	}
}

// unsignedParameter is the bit of a parameter's type that says that its integer has no sign.
const unsignedParameter = 0x8000

// skipValue reads one value of the binary protocol (Binary Protocol Value page). Where the text
// begins decides what is judged, so only types are taken that MySQL reads as the page says: it
// takes MEDIUMINT, YEAR, NULL and numbers that are no type for strings, for example.
func (c *cursor) skipValue(code uint16) {
	const what = "an attribute value"
	code &^= unsignedParameter
	if code > 0xff {
		c.fail("unknown attribute type")
		return
	}
	switch Type(code) {
	case TypeTiny:
		c.take(1, what)
	case TypeShort:
		c.take(2, what)
	case TypeLong, TypeFloat:
		c.take(4, what)
	case TypeLongLong, TypeDouble:
		c.take(8, what)
	case TypeDate, TypeDatetime, TypeTimestamp, TypeTime:
		c.takeTime()
	case TypeDecimal, TypeNewDecimal, TypeVarchar, TypeVarString, TypeString, TypeJSON,
		TypeTinyBlob, TypeMediumBlob, TypeLongBlob, TypeBlob:
		c.lenencBytes(what)
	default:
		c.fail("unknown attribute type")
	}
}

// takeTime reads a date, time or both, at most the 13 bytes of a DATETIME with microseconds and its time zone's
// distance, as Connector/J writes it.
func (c *cursor) takeTime() {
	size := c.uint8("an attribute value")
	if size > 13 {
		c.fail("a time that is longer than 13 bytes")
	}
	c.take(uint64(size), "an attribute value")
}

// Execute is COM_STMT_EXECUTE or COM_STMT_BULK_EXECUTE, its parameters undecoded.
type Execute struct {
	StatementID uint32 // LastStatement: the statement prepared last (MariaDB)
	Flags       uint8  // Cursor… and ParameterCountAvailable; the low byte of the bulk flags
	Iterations  uint32 // always 1; 0 for a bulk, which has none
	Rest        []byte // null bitmap, types, values; for a bulk all that follows the id
}

// LastStatement stands for the statement that was prepared last on a MariaDB connection.
const LastStatement uint32 = 0xffffffff

// ParseExecute reads the payload of either command, command byte included. Rest aliases payload.
func ParseExecute(payload []byte) (Execute, error) {
	c := read(payload)
	command := Command(c.uint8("the command"))
	if c.fault == "" && command != ComStmtExecute && command != ComStmtBulkExecute {
		c.fail("not COM_STMT_EXECUTE")
	}
	e := Execute{StatementID: c.uint32("the statement id")}
	if command == ComStmtBulkExecute {
		e.Rest = c.rest
		e.Flags = uint8(c.uint16("the bulk flags"))
		c.remaining()
		return e, c.err("COM_STMT_BULK_EXECUTE")
	}
	e.Flags = c.uint8("the flags")
	e.Iterations = c.uint32("the iteration count")
	e.Rest = c.remaining()
	return e, c.err("COM_STMT_EXECUTE")
}

// WantsCursor tells whether the client asks for a cursor instead of rows.
func (e Execute) WantsCursor() bool {
	return e.Flags&(CursorReadOnly|CursorForUpdate|CursorScrollable) != 0
}

// Fetch is COM_STMT_FETCH (COM_STMT_FETCH page).
type Fetch struct {
	StatementID uint32
	Rows        uint32
}

// ParseFetch reads the payload of COM_STMT_FETCH, command byte included.
func ParseFetch(payload []byte) (Fetch, error) {
	c := read(payload)
	c.take(1, "the command")
	f := Fetch{StatementID: c.uint32("the statement id"), Rows: c.uint32("the row count")}
	return f, c.err("COM_STMT_FETCH")
}

// Encode gives the payload, command byte included.
func (f Fetch) Encode() []byte {
	b := binary.LittleEndian.AppendUint32([]byte{byte(ComStmtFetch)}, f.StatementID)
	return binary.LittleEndian.AppendUint32(b, f.Rows)
}

// ParseStatementID gives the statement that a command of the binary protocol is about: EXECUTE,
// BULK_EXECUTE, SEND_LONG_DATA, CLOSE, RESET and FETCH all begin with it.
func ParseStatementID(payload []byte) (uint32, error) {
	c := read(payload)
	c.take(1, "the command")
	id := c.uint32("the statement id")
	return id, c.err("statement command")
}

// SetStatementID changes the statement id of such a payload in place. A payload that
// ParseStatementID refuses stays as it is.
func SetStatementID(payload []byte, id uint32) {
	if len(payload) >= 5 {
		binary.LittleEndian.PutUint32(payload[1:], id)
	}
}

// EncodeStatement gives the payload of a command that holds a statement id and nothing else:
// COM_STMT_CLOSE and COM_STMT_RESET.
func EncodeStatement(command Command, id uint32) []byte {
	return binary.LittleEndian.AppendUint32([]byte{byte(command)}, id)
}

// FieldList is COM_FIELD_LIST (COM_FIELD_LIST page).
type FieldList struct {
	Table    string
	Wildcard string // a LIKE pattern of column names
}

// ParseFieldList reads the payload of COM_FIELD_LIST, command byte included.
func ParseFieldList(payload []byte) (FieldList, error) {
	c := read(payload)
	c.take(1, "the command")
	f := FieldList{Table: string(c.nulOrRest())}
	f.Wildcard = string(c.remaining())
	return f, c.err("COM_FIELD_LIST")
}

// ParseInitDB gives the schema of COM_INIT_DB (COM_INIT_DB page).
func ParseInitDB(payload []byte) (string, error) {
	c := read(payload)
	c.take(1, "the command")
	schema := string(c.remaining())
	return schema, c.err("COM_INIT_DB")
}

// ParseProcessKill gives the connection id of COM_PROCESS_KILL (COM_PROCESS_KILL page).
func ParseProcessKill(payload []byte) (uint32, error) {
	c := read(payload)
	c.take(1, "the command")
	id := c.uint32("the connection id")
	return id, c.err("COM_PROCESS_KILL")
}

// ParseSetOption gives the option of COM_SET_OPTION: 0 turns multi-statements on, 1 off.
func ParseSetOption(payload []byte) (uint16, error) {
	c := read(payload)
	c.take(1, "the command")
	option := c.uint16("the option")
	return option, c.err("COM_SET_OPTION")
}
