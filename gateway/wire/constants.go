package wire

// The first payload byte of generic packets (Generic Response Packets page).
const (
	HeaderOK          byte = 0x00
	HeaderAuthMore    byte = 0x01 // AuthMoreData
	HeaderNextFactor  byte = 0x02 // AuthNextFactor
	HeaderLocalInfile byte = 0xfb
	HeaderEOF         byte = 0xfe // also an OK packet that ends a result set under CLIENT_DEPRECATE_EOF
	HeaderAuthSwitch  byte = 0xfe // in the connection phase
	HeaderERR         byte = 0xff
)

// The status flags of OK and EOF packets (SERVER_STATUS_flags_enum page).
const (
	StatusInTransaction       uint16 = 0x0001
	StatusAutocommit          uint16 = 0x0002
	StatusMoreResults         uint16 = 0x0008
	StatusNoGoodIndex         uint16 = 0x0010
	StatusNoIndex             uint16 = 0x0020
	StatusCursorExists        uint16 = 0x0040
	StatusLastRowSent         uint16 = 0x0080
	StatusSchemaDropped       uint16 = 0x0100
	StatusNoBackslashEscapes  uint16 = 0x0200
	StatusMetadataChanged     uint16 = 0x0400
	StatusSlowQuery           uint16 = 0x0800
	StatusPSOutParams         uint16 = 0x1000
	StatusInReadOnlyTrans     uint16 = 0x2000
	StatusSessionStateChanged uint16 = 0x4000
	StatusANSIQuotes          uint16 = 0x8000 // MariaDB
)

// Error numbers of the MySQL error message reference that a gateway has a use for.
const (
	ErrConnectionCount      uint16 = 1040 // ER_CON_COUNT_ERROR, 08004
	ErrOutOfResources       uint16 = 1041 // ER_OUT_OF_RESOURCES, HY000
	ErrHandshake            uint16 = 1043 // ER_HANDSHAKE_ERROR, 08S01
	ErrAccessDenied         uint16 = 1045 // ER_ACCESS_DENIED_ERROR, 28000
	ErrNoDB                 uint16 = 1046 // ER_NO_DB_ERROR, 3D000
	ErrUnknownCommand       uint16 = 1047 // ER_UNKNOWN_COM_ERROR, 08S01
	ErrBadDB                uint16 = 1049 // ER_BAD_DB_ERROR, 42000
	ErrServerShutdown       uint16 = 1053 // ER_SERVER_SHUTDOWN, 08S01
	ErrParse                uint16 = 1064 // ER_PARSE_ERROR, 42000
	ErrNoSuchThread         uint16 = 1094 // ER_NO_SUCH_THREAD, HY000
	ErrUnknown              uint16 = 1105 // ER_UNKNOWN_ERROR, HY000
	ErrTableAccessDenied    uint16 = 1142 // ER_TABLEACCESS_DENIED_ERROR, 42000
	ErrNoSuchTable          uint16 = 1146 // ER_NO_SUCH_TABLE, 42S02
	ErrNotAllowedCommand    uint16 = 1148 // ER_NOT_ALLOWED_COMMAND, 42000
	ErrPacketTooLarge       uint16 = 1153 // ER_NET_PACKET_TOO_LARGE, 08S01
	ErrPacketsOutOfOrder    uint16 = 1156 // ER_NET_PACKETS_OUT_OF_ORDER, 08S01
	ErrNetRead              uint16 = 1158 // ER_NET_READ_ERROR, 08S01
	ErrUnknownStatement     uint16 = 1243 // ER_UNKNOWN_STMT_HANDLER, HY000
	ErrNotSupportedAuthMode uint16 = 1251 // ER_NOT_SUPPORTED_AUTH_MODE, 08004
	ErrQueryInterrupted     uint16 = 1317 // ER_QUERY_INTERRUPTED, 70100
	ErrMalformedPacket      uint16 = 1835 // ER_MALFORMED_PACKET, HY000
	ErrSecureTransport      uint16 = 3159 // ER_SECURE_TRANSPORT_REQUIRED, HY000
)

// Type is the type byte of a column or a parameter (Protocol::MYSQL_TYPE page).
type Type uint8

// The column types.
const (
	TypeDecimal    Type = 0x00
	TypeTiny       Type = 0x01
	TypeShort      Type = 0x02
	TypeLong       Type = 0x03
	TypeFloat      Type = 0x04
	TypeDouble     Type = 0x05
	TypeNull       Type = 0x06
	TypeTimestamp  Type = 0x07
	TypeLongLong   Type = 0x08
	TypeInt24      Type = 0x09
	TypeDate       Type = 0x0a
	TypeTime       Type = 0x0b
	TypeDatetime   Type = 0x0c
	TypeYear       Type = 0x0d
	TypeVarchar    Type = 0x0f
	TypeBit        Type = 0x10
	TypeVector     Type = 0xf2
	TypeBool       Type = 0xf4
	TypeJSON       Type = 0xf5
	TypeNewDecimal Type = 0xf6
	TypeEnum       Type = 0xf7
	TypeSet        Type = 0xf8
	TypeTinyBlob   Type = 0xf9
	TypeMediumBlob Type = 0xfa
	TypeLongBlob   Type = 0xfb
	TypeBlob       Type = 0xfc
	TypeVarString  Type = 0xfd
	TypeString     Type = 0xfe
	TypeGeometry   Type = 0xff
)

// The flags of COM_STMT_EXECUTE (COM_STMT_EXECUTE page).
const (
	CursorReadOnly          uint8 = 0x01
	CursorForUpdate         uint8 = 0x02
	CursorScrollable        uint8 = 0x04
	ParameterCountAvailable uint8 = 0x08
)
