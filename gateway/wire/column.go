package wire

import "encoding/binary"

// Column is a column definition (Protocol::ColumnDefinition41 page; MariaDB: Result Set Packets).
type Column struct {
	Catalog  string // always "def"
	Schema   string
	Table    string // the alias
	OrgTable string
	Name     string // the alias
	OrgName  string
	// Metadata is MariaDB's extended type block, undecoded.
	Metadata []byte
	Charset  uint16
	Length   uint32
	Type     Type
	Flags    uint16
	Decimals uint8
	// Default is what COM_FIELD_LIST adds behind the definition, undecoded.
	Default []byte
}

// Character set ids and column flags of the gateway's own columns.
const (
	CharsetUTF8MB4 uint16 = 45
	CharsetBinary  uint16 = 63

	ColumnNotNull  uint16 = 0x0001
	ColumnUnsigned uint16 = 0x0020
	ColumnBinary   uint16 = 0x0080
)

// TextColumn is a column of characters for the gateway's own answers.
func TextColumn(name string) Column {
	return Column{Catalog: "def", Name: name, Charset: CharsetUTF8MB4, Length: 65535 * 4, Type: TypeVarString, Decimals: 31}
}

// IntColumn is a column of signed 64-bit integers for the gateway's own answers.
func IntColumn(name string) Column {
	return Column{Catalog: "def", Name: name, Charset: CharsetBinary, Length: 21, Type: TypeLongLong, Flags: ColumnBinary}
}

// ParseColumn reads a column definition. ext are the extended flags that were agreed on.
func ParseColumn(payload []byte, ext ExtCapability) (Column, error) {
	c := read(payload)
	col := Column{
		Catalog:  string(c.lenencBytes("the catalog")),
		Schema:   string(c.lenencBytes("the schema")),
		Table:    string(c.lenencBytes("the table")),
		OrgTable: string(c.lenencBytes("the original table")),
		Name:     string(c.lenencBytes("the name")),
		OrgName:  string(c.lenencBytes("the original name")),
	}
	if ext.Has(ExtExtendedMetadata) {
		col.Metadata = c.lenencBytes("the extended metadata")
	}
	fixed := read(c.lenencBytes("the fixed part"))
	if c.fault == "" && len(fixed.rest) < 10 {
		c.fail("the fixed part is shorter than 10 bytes")
	}
	col.Charset = fixed.uint16("the character set")
	col.Length = fixed.uint32("the length")
	col.Type = Type(fixed.uint8("the type"))
	col.Flags = fixed.uint16("the flags")
	col.Decimals = fixed.uint8("the decimals")
	if rest := c.remaining(); len(rest) > 0 {
		col.Default = rest
	}
	if err := c.err("column definition"); err != nil {
		return Column{}, err
	}
	return col, nil
}

// ColumnOrigin gives the schema and the original table of a column definition, and does not
// allocate unless it fails: both alias payload. They are empty for computed columns.
func ColumnOrigin(payload []byte) (schema, table []byte, err error) {
	c := read(payload)
	c.lenencBytes("the catalog")
	schema = c.lenencBytes("the schema")
	c.lenencBytes("the table")
	table = c.lenencBytes("the original table")
	if err := c.err("column definition"); err != nil {
		return nil, nil, err
	}
	return schema, table, nil
}

// Append writes the payload behind dst.
func (col *Column) Append(dst []byte, ext ExtCapability) []byte {
	for _, s := range [...]string{col.Catalog, col.Schema, col.Table, col.OrgTable, col.Name, col.OrgName} {
		dst = appendLenencString(dst, s)
	}
	if ext.Has(ExtExtendedMetadata) {
		dst = appendLenencString(dst, col.Metadata)
	}
	dst = append(dst, 0x0c)
	dst = binary.LittleEndian.AppendUint16(dst, col.Charset)
	dst = binary.LittleEndian.AppendUint32(dst, col.Length)
	dst = append(dst, byte(col.Type))
	dst = binary.LittleEndian.AppendUint16(dst, col.Flags)
	dst = append(dst, col.Decimals, 0, 0)
	return append(dst, col.Default...)
}
