package wire

// Capability is the set of 32 capability flags that both ends agree on in the connection phase
// (Capabilities Flags page).
type Capability uint32

// The capability flags. MariaDB calls ClientLongPassword CLIENT_MYSQL: a peer that leaves it out
// fills in the [ExtCapability] flags.
const (
	ClientLongPassword Capability = 1 << iota
	ClientFoundRows
	ClientLongFlag
	ClientConnectWithDB
	ClientNoSchema
	ClientCompress
	ClientODBC
	ClientLocalFiles
	ClientIgnoreSpace
	ClientProtocol41
	ClientInteractive
	ClientSSL
	ClientIgnoreSigpipe
	ClientTransactions
	ClientReserved
	ClientSecureConnection
	ClientMultiStatements
	ClientMultiResults
	ClientPSMultiResults
	ClientPluginAuth
	ClientConnectAttrs
	ClientPluginAuthLenencClientData
	ClientCanHandleExpiredPasswords
	ClientSessionTrack
	ClientDeprecateEOF
	ClientOptionalResultsetMetadata
	ClientZstdCompression
	ClientQueryAttributes
	ClientMultiFactorAuthentication
	ClientCapabilityExtension
	ClientSSLVerifyServerCert
	ClientRememberOptions
)

// Has tells whether every flag of want is set.
func (c Capability) Has(want Capability) bool { return c&want == want }

// ExtCapability is MariaDB's second set of 32 flags (MariaDB: Connecting page). They travel in the last
// four reserved bytes of the greeting and of the handshake response.
type ExtCapability uint32

// The extended flags of MariaDB.
const (
	ExtProgress         ExtCapability = 1 << iota // progress reports inside ERR packets
	ExtComMulti                                   // withdrawn
	ExtStmtBulk                                   // COM_STMT_BULK_EXECUTE
	ExtExtendedMetadata                           // type and format names in column definitions
	ExtCacheMetadata                              // column definitions may be left out
	ExtBulkUnitResults                            // a result for each row of a bulk
)

// Has tells whether every flag of want is set.
func (c ExtCapability) Has(want ExtCapability) bool { return c&want == want }
