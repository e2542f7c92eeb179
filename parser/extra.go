package parser

import (
	"reflect"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// Extra is what a recogniser found in a statement that the tree parser cannot read as it
// stands. Everything in it belongs to the statement: an analysis that ignores a field that is
// set is unsound.
type Extra struct {
	// Into names the targets of SELECT … INTO @a, b or EXECUTE … INTO, in order.
	Into []Variable
	// Returning is the RETURNING list as a SELECT of it from the statement's target.
	Returning *ast.SelectStmt
	// More are further trees evaluated with the statement: the values of SET STATEMENT … FOR,
	// a JSON_TABLE's argument, a RETURN's expression (as a SELECT without FROM or a DO).
	More []ast.StmtNode
	// RowAlias is the name that INSERT … VALUES (…) AS new gives the new row, RowColumns those of its columns.
	RowAlias   string
	RowColumns []string
	// Objects are tables and other objects that the construct names outside any tree.
	Objects []Named
	// Program is the stored program that the statement defines, alters or drops.
	Program *Program
	// Dynamic is set when the statement runs or prepares a text that is a value.
	Dynamic *Dynamic
	// File is set for SELECT … INTO OUTFILE|DUMPFILE that a recogniser cut out: the file's name.
	File string
	// Explained: the statement is run or planned and a report about it goes to the client
	// (EXPLAIN, ANALYZE), so all that it reads tells something to the result.
	Explained bool
	// Planned: an EXPLAIN without ANALYZE. The statement is not run, so its target stays as it is.
	Planned bool
	// Table is a CREATE or ALTER TABLE that a recogniser read; Node is its query, if it has one.
	Table *TableDefinition
	// Control: the statement moves no data of tables (XA, FLUSH, replication verbs …).
	Control bool
	// Private says that the statement shows other people's data or moves whole files or streams of
	// data past all tables: what it is, "" when it does not.
	Private string
	// Kill is the connection that KILL names by number.
	Kill *Killed
	// Locals are the names of parameters and local variables that a body declares, lower case.
	Locals []string
	// Locks: a locking clause was cut out, so that rows of what the statement reads are locked.
	Locks bool
	// SessionState: settings that the statement may change for itself or for the session
	// (SET STATEMENT sql_mode=…), lower-case names.
	Settings []string
}

// empty tells whether a recogniser found nothing.
func (e *Extra) empty() bool { return reflect.ValueOf(*e).IsZero() }

// Variable is a target or a source that is no table: a user variable (@a) or a local variable
// or parameter of a stored program.
type Variable struct {
	Name   string // lower case, without '@'
	User   bool
	Global bool // a system variable of all sessions (SET GLOBAL, SET PERSIST)
}

// Access says what a statement does with an object that it names.
type Access uint8

// The accesses.
const (
	Structure Access = iota + 1 // its definition is read; no row is
	Read
	Write
	ReadWrite
	Define // its definition is created, changed or dropped
	Invoke // a routine is run
)

// Named is an object that a statement names; Schema is "" when unqualified.
type Named struct {
	Schema, Name string
	Access       Access
}

// Program is a stored program's definition.
type Program struct {
	Kind         string // procedure, function, trigger, event, package, package body
	Schema, Name string
	Replace      bool
	Drop         bool
	Alter        bool
	RenameTo     *Named // of ALTER EVENT
	// TableSchema, Table, Event and Time belong to a trigger: BEFORE|AFTER INSERT|UPDATE|DELETE ON table.
	TableSchema, Table, Event, Time string
	// Body is the text of the body; read it with ParseBody. "" when the body is not SQL (a UDF by SONAME).
	Body string
	// Foreign: the body is no SQL that can be read (a UDF, another language).
	Foreign bool
}

// Dynamic is a text that is known only when it is run.
type Dynamic struct {
	// Name is the prepared statement's name (lower case); "" for EXECUTE IMMEDIATE.
	Name string
	// Text is the statement when it was given as a literal; Expression is the SQL expression to
	// ask the warehouse for otherwise.
	Text, Expression string
	// Verb is prepare, execute, immediate or deallocate.
	Verb string
	// Using are the expressions of EXECUTE … USING.
	Using []string
}

// Killed is what a KILL statement ends.
type Killed struct {
	ID    uint64
	Query bool
}

// TableDefinition is what counts of a CREATE or ALTER TABLE that the tree parser does not read.
type TableDefinition struct {
	Schema, Name              string
	Temporary, Replace, Alter bool
	Engine                    string // upper case
	Reaches                   string // CONNECTION or DIRECTORY: the table reaches outside
	Union                     []Named
	RenameTo, Exchange        *Named
	Becomes, Takes            *Named // the table that a partition becomes, and the one that becomes a partition
}
