package catalog

import "sync/atomic"

// Kind says what a table-like name is.
type Kind uint8

// The kinds of object.
const (
	Table Kind = iota + 1
	View
	Sequence
	// SystemView is a table of information_schema, performance_schema, sys or mysql.
	SystemView
)

// Schema is all that one schema defines at one version. It is immutable but for what its readers remember of it.
type Schema struct {
	Programs
	Objects map[string]*Object // by name, folded as the warehouse folds
}

// Programs are the routines and events of one schema.
type Programs struct {
	Name     string
	Exists   bool
	Routines map[string]*Routine // by "procedure name" or "function name", name in lower case
	Events   map[string]*Program
	Memo     atomic.Value `json:"-"` // as Object.Memo
}

// Object is a table, view or sequence.
type Object struct {
	Schema, Name string
	Kind         Kind
	Columns      []string
	// Engine is the storage engine of a base table, upper case.
	Engine string
	// Union lists the tables of a MERGE table, as schema and name.
	Union [][2]string
	// External says how a table reaches outside of this server ("FEDERATED …"); "" when it does not.
	External string
	// Definition is the view's body as the warehouse prints it; to be read in the view's own schema.
	Definition string
	Definer    string
	Triggers   []*Program
	// Children are tables whose rows change when rows of this one are deleted or updated.
	Children []Cascade
	// Parents are the tables that must hold the keys of this one's rows; Columns are this table's.
	Parents []Key
	// Referring are the tables whose rows hold keys of this one's, whether or not they act on its changes;
	// Columns are this table's.
	Referring []Key
	// Memo is what a reader of the definition made of it, kept beside it.
	Memo atomic.Value `json:"-"`
	// Expressions are texts of defaults and generated columns that bring along more than their row: variables, sequences, files.
	Expressions []string
}

// Cascade is a foreign key of another table that acts on deletes or updates of this one.
type Cascade struct {
	Schema, Name       string // the child
	OnDelete, OnUpdate bool   // CASCADE, SET NULL or SET DEFAULT
}

// Key is a foreign key that ties another table's rows to those of the table it stands at: whether a row may come, change
// or go tells about the other table.
type Key struct {
	Schema, Name       string   // the other table
	Columns            []string // of the table at hand; nil when not known
	OnDelete, OnUpdate bool     // as in Cascade, of the child
}

// Program is a trigger's, event's or routine's body with what it is read under.
type Program struct {
	Schema, Name string
	Event        string // INSERT, UPDATE, DELETE of a trigger
	Body         string // the action statement or body, as information_schema shows it
	Create       string // the definition as it was written, where Body may read otherwise
	Lost         bool   // Body may read otherwise, and there is no Create: opaque
	SQLMode      string
	Charset      string // character_set_client at creation
	Definer      string
	Memo         atomic.Value `json:"-"` // as Object.Memo
}

// Routine is a stored procedure or function.
type Routine struct {
	Program
	Function bool
	// Foreign: the body is no SQL that can be read (a UDF or another language).
	Foreign bool
	// Readable: the service account could read the body. An unreadable one is opaque.
	Readable bool
}
