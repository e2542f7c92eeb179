package parser

import "fmt"

// Flavor is the family of the warehouse whose reading of a text counts.
type Flavor uint8

// The flavors. The zero value is no flavor and is refused by Parse.
const (
	MariaDB Flavor = iota + 1
	MySQL
	TiDB
)

// String gives the flavor as configuration spells it.
func (f Flavor) String() string {
	switch f {
	case MariaDB:
		return "mariadb"
	case MySQL:
		return "mysql"
	case TiDB:
		return "tidb"
	default:
		return fmt.Sprintf("flavor(%d)", uint8(f))
	}
}

// Dialect is one warehouse's SQL: its flavor and its version as
// major*10000 + minor*100 + patch (10.11.19 is 101119, 9.7.4 is 90704).
type Dialect struct {
	Flavor  Flavor
	Version int
}

// Mode holds the sql_mode flags that change how a text is read.
type Mode uint16

// The modes that matter to a reader.
const (
	ANSIQuotes Mode = 1 << iota
	NoBackslashEscapes
	PipesAsConcat
	HighNotPrecedence
	IgnoreSpace
	// ForeignGrammar stands for ORACLE, MSSQL, DB2, POSTGRESQL, MAXDB: modes that change
	// the grammar itself. A text is refused under it.
	ForeignGrammar
)

// Reading is all that the meaning of a text depends on besides the text itself.
type Reading struct {
	Dialect Dialect
	Mode    Mode
	Charset string // character_set_client, lower case ("utf8mb4"); "" means utf8mb4

	bare ownSet // the client's own character set, whose words are told by it, of a text that was put into UTF-8
	told bool   // put into UTF-8 by the warehouse, from bytes that are not known
}
