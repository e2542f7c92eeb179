// Package lineage turns one statement into the graph of its data flows.
//
// Resolve binds the statement's names to one version of the catalog; all I/O is
// there. Trace is pure: it reads no clock, network or global. A construct that it
// does not know makes the graph Refused or Opaque, never a missing flow: a table
// read that the graph misses would be a leak.
package lineage
