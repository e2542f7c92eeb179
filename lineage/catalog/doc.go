// Package catalog says what a name of the warehouse means: base table or view,
// columns, view bodies, triggers, routines, events, foreign keys, engines that reach outside.
//
// Definitions are loaded in bulk per schema, or one by one where a statement would wait for the bulk, kept by version and
// never served older than the age limit once the catalog clock moved (contract section 5). It parses no SQL.
package catalog
