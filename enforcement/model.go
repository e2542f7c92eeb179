package enforcement

import (
	"time"

	"sluice/parser"
)

// Policy is the whole policy of a warehouse at one revision: what the truth holds.
type Policy struct {
	Revision uint64              `json:"revision"`
	Projects map[string]*Project `json:"projects"` // by name; a project without an entry has the defaults
}

// DefaultMaxRow is the display cap of a project that set none (contract 2, READ_TABLE_MAX_ROW).
const DefaultMaxRow = 10000

// Project is one project's policy. It outlives the schema that it is about.
type Project struct {
	Name       string            `json:"name"`
	Protection parser.Protection `json:"protection"`
	// Exception is the text of the exception policy as its owner gave it; "" when there is none.
	Exception string `json:"exception,omitempty"`
	// Seals belong to Exception, one for each table that a sealed clause names.
	Seals   []Seal   `json:"seals,omitempty"`
	Trusted []string `json:"trusted,omitempty"`
	Owners  []string `json:"owners,omitempty"` // account patterns: user or user@host
	Admins  []string `json:"admins,omitempty"`
	// MaxRow is READ_TABLE_MAX_ROW; nil means DefaultMaxRow, 0 that nothing is shown.
	MaxRow    *int64              `json:"max_row,omitempty"`
	Packages  map[string]*Package `json:"packages,omitempty"`
	Installed []Installation      `json:"installed,omitempty"`
}

// Package is a set of objects that a project shares.
type Package struct {
	Name    string     `json:"name"`
	Created time.Time  `json:"created"`
	Items   []Item     `json:"items,omitempty"`
	Allowed []Allowed  `json:"allowed,omitempty"`
	Lost    []LostItem `json:"lost,omitempty"` // objects that left with their definition (contract 4)
}

// Item is one object of a package.
type Item struct {
	Type       string   `json:"type"` // "table"
	Name       string   `json:"name"` // may hold '*'
	Privileges []string `json:"privileges"`
	// Definition is the digest of a view's definition when it was added; a view that changed leaves.
	Definition string `json:"definition,omitempty"`
	// Identity are the marks by which the warehouse tells a table from another one of its name; a table with other
	// marks leaves. "" when none were noted yet.
	Identity string `json:"identity,omitempty"`
	// Rebuilding are the statements under way, at some gateway, that may give the same table other marks.
	Rebuilding []string `json:"rebuilding,omitempty"`
}

// LostItem is an object that a DROP, RENAME or changed definition took out of a package.
type LostItem struct {
	Name  string    `json:"name"`
	Cause string    `json:"cause"`
	Time  time.Time `json:"time"`
}

// Allowed is a project that may install a package; Project may be "*".
type Allowed struct {
	Project string `json:"project"`
	Label   int    `json:"label,omitempty"`
}

// Installation is a package of another project, installed here.
type Installation struct {
	Project string    `json:"project"`
	Package string    `json:"package"`
	Time    time.Time `json:"time"`
	Readers []string  `json:"readers,omitempty"` // accounts granted Read
}

// Seal is what one table was when an exception was approved for it (contract 4).
type Seal struct {
	Table      string    `json:"table"` // name in the project's schema, or schema.name in a group
	Schema     string    `json:"schema"`
	Identity   string    `json:"identity"`   // creation time and table id
	Definition string    `json:"definition"` // digest of the definition
	Rows       int64     `json:"rows"`
	Checksum   string    `json:"checksum,omitempty"` // "" above the configured size
	Bases      []Seal    `json:"bases,omitempty"`    // the base tables of a view
	Time       time.Time `json:"time"`
	Broken     *Breach   `json:"broken,omitempty"`
}

// Breach says who broke a seal, when and by what. A broken seal never heals.
type Breach struct {
	By    string    `json:"by"`
	Time  time.Time `json:"time"`
	Cause string    `json:"cause"`
}
