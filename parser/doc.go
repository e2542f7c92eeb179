// Package parser reads the warehouse's SQL dialect: text in, statements or
// gateway commands out.
//
// It begins with a lexer of its own that reads a text exactly as the given
// warehouse would (flavour, version, sql_mode, client character set): it splits
// batches, re-spells executable comments and refuses what has no single meaning.
// The text that comes out is the text that is parsed, judged and forwarded, so
// that no two readings can differ. It never looks at a catalog, decides nothing
// and does no I/O; no input makes it panic.
package parser
