package lineage

import (
	"strings"

	"sluice/parser"
)

// Object is a table, view or other named object of the warehouse, spelt as the catalog spells it
// (lower case when the warehouse folds names).
type Object struct{ Schema, Name string }

// RoutineObject names a routine where tables are named too: the two may have one name, and a routine's has no case.
func RoutineObject(schema, name string) Object { return Object{schema, strings.ToLower(name) + "()"} }

// RoutineName gives the name of a routine, and whether the object is one.
func (o Object) RoutineName() (string, bool) { return strings.CutSuffix(o.Name, "()") }

// String gives schema.name.
func (o Object) String() string { return o.Schema + "." + o.Name }

// SourceKind says where data of a flow comes from.
type SourceKind uint8

// The kinds of source.
const (
	// TableSource is a base table (or sequence) of a project schema.
	TableSource SourceKind = iota + 1
	// CarrierSource is session state that may carry labels: "@v" a user variable, "@@v" a system
	// variable that holds text, "temporary s.t" a temporary table, "last_insert_id",
	// "diagnostics", "prepared n" … Labels.Expand replaces it by what it carries.
	CarrierSource
	// SystemSource is other people's data: logs, process lists, statistics with samples (contract 2,
	// side doors). Object names it. Refused while any project is protected.
	SystemSource
	// OpaqueSource is data whose origin cannot be read through: a server file, a federated table,
	// dynamic SQL inside a routine. Detail says what.
	OpaqueSource
)

// Source is what a flow reads.
type Source struct {
	Kind   SourceKind
	Object Object // of a TableSource or SystemSource; for OpaqueSource what names it, if anything
	Name   string // of a CarrierSource; detail of an OpaqueSource
	// Via are the views of project schemas that the data is read through, outermost first. Routines are not
	// among them: a rule for a table or view does not speak of the routine that has the same name.
	Via []Object
}

// SinkKind says where data comes to rest.
type SinkKind uint8

// The kinds of sink.
const (
	TableSink   SinkKind = iota + 1 // a table; also a view's or trigger's target, an FK cascade's
	ResultSink                      // the result set shown to the client
	FileSink                        // a server file, an external or federated table, a replication stream
	CarrierSink                     // session state: see CarrierSource for the names
)

// Sink is where a flow ends.
type Sink struct {
	Kind   SinkKind
	Object Object // of a TableSink
	Name   string // of a CarrierSink; the path or object of a FileSink
}

// Flow is one edge of the graph.
type Flow struct {
	Source Source
	Sink   Sink
	// Implicit: the sink only tells about the data (filter, join, group, order). Both kinds count.
	Implicit bool
}

// Write is an object that the statement changes, for seals and announcements.
type Write struct {
	Object Object
	// Definition: the object is created, altered, renamed or dropped, not only its rows.
	Definition bool
	Change     Change
}

// Change says what becomes of an object that a statement changes.
type Change uint8

// The changes.
const (
	Content  Change = iota // its rows
	Makes                  // it is made where the name is free; one that has the name stays as it is
	Rebuilds               // it is altered, emptied or built anew, and is the same object afterwards
	Ends                   // the name may mean another object afterwards: it is dropped, renamed, replaced or exchanged
)

// Graph is what one statement does with data. It is immutable once traced and shared by sessions.
type Graph struct {
	Kind string // as parser.Statement.Kind
	Tier parser.Tier
	// Flows are sorted and unique.
	Flows []Flow
	// Reads and Writes list all tables read and changed, views, triggers and cascades read through;
	// Names lists the views and routines themselves that were read through.
	Reads  []Object
	Writes []Write
	Names  []Object
	// Told are tables of which nothing flows anywhere but into the messages that the warehouse keeps: which of its rows kept
	// others out. SHOW WARNINGS behind the statement reads them.
	Told []Object
	// Structure lists the tables that the statement names without reading rows of them that belong to anyone: those
	// whose definition it shows, copies or builds on (a view's, read through; a stored program's body's), and the tables
	// of metadata. No data flows.
	Structure []Object
	// Carriers are the session carriers that the statement writes, whatever it reads: what they
	// held before is gone or mixed.
	Carriers []string
	// Carried are the carriers that the statement reads, once Labels.Expand has put what they hold in their place.
	Carried []string
	// Forbidden says why the statement is refused whatever is protected: it touches the schema that
	// holds the policy itself.
	Forbidden string
	// Refused says why the statement is not understood; "" when it is. A refused statement may
	// touch anything.
	Refused string
	// Opaque lists what could not be read through; it could reach any project.
	Opaque []string
	// Unread is set under TierTokens: what the reader did not understand. The flows then bound what
	// the statement could touch.
	Unread  string
	Effects Effects
	// literal: the value of a literal counts for the graph, so that it is only that one text's.
	literal bool
}

// Effects is what a statement does to session state and definitions, for steps 1 and 8 of its trip.
type Effects struct {
	// Shaped: the lengths of a new table's columns depend on the values of parameters.
	Shaped bool
	// Use is the schema that USE makes current.
	Use string
	// Mode and Charset: the statement may change sql_mode or the client character set (also CALL,
	// a function that is not known to leave them alone …): ask the warehouse before the next
	// text whose meaning depends on them.
	Mode, Charset bool
	// ModeText is the literal that sql_mode is set to, if ModeKnown.
	ModeText  string
	ModeKnown bool
	// CharsetName is the literal that SET NAMES or SET character_set_client names, lower case, if any.
	CharsetName string
	// CreatesTemporary and DropsTemporary are the temporary tables that come and go.
	CreatesTemporary, DropsTemporary []Object
	// Routine: stored code runs, which may create temporary tables or set variables.
	Routine bool
	// Dynamic is set for PREPARE, EXECUTE, EXECUTE IMMEDIATE and DEALLOCATE.
	Dynamic *parser.Dynamic
	// Prepares and Executes are the names that stored programs prepare and execute in the session.
	Prepares, Executes []string
	// Signals: stored code may raise errors whose number and state it chooses.
	Signals bool
	// Overwritten are the user variables that SET gave values that stand in its text: when it succeeded, they hold
	// nothing else.
	Overwritten []string
	// Kill is set for KILL.
	Kill *Kill
	// CreatesSchema and DropsSchema are set for CREATE and DROP DATABASE.
	CreatesSchema, DropsSchema string
	// Unknown names a routine that does not exist as the warehouse would in its error ("PROCEDURE prj2.p").
	Unknown string
	// LocalFile: the warehouse will ask the client for a file (LOAD DATA LOCAL INFILE).
	LocalFile bool
	// Definitions: the statement changes definitions that other gateways must hear of first.
	Definitions []Object
	// ProcessList: the statement shows other sessions' texts among much that is harmless (SHOW PROCESSLIST, and in SHOW REPLICA STATUS the
	// last error, which quotes keys).
	ProcessList bool
	// Diagnostics: the statement reads the diagnostics of the one before (SHOW WARNINGS …), so it
	// must not disturb them and shows what they carry.
	Diagnostics bool
}

// Kill is a KILL statement that names a connection by a number.
type Kill struct {
	ID    uint64
	Query bool
}

// Inert tells whether a statement whose carriers were expanded meets nobody's data and changes no definition, so that every
// policy permits it to every account in every schema.
func (g *Graph) Inert() bool {
	e := &g.Effects
	return len(g.Flows)+len(g.Reads)+len(g.Writes)+len(g.Names)+len(g.Structure)+len(g.Opaque) == 0 &&
		g.Forbidden == "" && g.Refused == "" && g.Tier != parser.TierTokens &&
		e.Use == "" && e.Dynamic == nil && e.Kill == nil && e.CreatesSchema == "" && e.DropsSchema == "" && e.Unknown == "" &&
		len(e.Definitions)+len(e.Prepares)+len(e.Executes)+len(e.CreatesTemporary)+len(e.DropsTemporary) == 0 &&
		!e.Routine && !e.Signals && !e.LocalFile && !e.ProcessList && !e.Diagnostics && !e.Mode
}
