// Package wire turns MySQL protocol bytes into values and values into bytes.
//
// It takes an io.Reader, an io.Writer or a payload in memory and gives packets, the messages
// inside them, and for the answer of a warehouse a [Walker] that follows the packets where they
// lie in the read buffer. A compressed connection gives the same as a plain one. It decides nothing,
// logs nothing and starts no goroutine. No input makes it panic, read past a payload, or take memory
// for bytes that have not arrived, nor more than a compressed packet says is in it: what does not fit
// the protocol is a [*MalformedError] or an [*UncompressError].
//
// Page names in the comments are those of the MySQL "Client/Server Protocol" manual; where
// MariaDB differs the page of its protocol reference is named.
package wire
