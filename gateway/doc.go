// Package gateway is the MySQL-protocol relay between clients and the warehouse.
//
// It relays logins (it knows no passwords), takes every command through the eight
// steps of a statement's trip (receive, parse, resolve, trace, decide, record,
// relay or refuse, settle), keeps the session state that decisions depend on and
// runs the gateway commands. It never forwards a text that was not judged, never
// guesses session state, and answers each refusal with one ERR packet.
package gateway
