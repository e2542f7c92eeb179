package gateway

import (
	"sluice/lineage"
	"sluice/parser"
)

// state is what a session's next statement depends on. It is asked of the warehouse or
// tracked, never guessed (contract 2).
type state struct {
	schema      string // current schema; "" for none
	schemaStale bool   // ask before the next statement
	reading     parser.Reading
	results     parser.Reading // what texts are spelt by that the client gets; it may be old
	modeStale   bool           // ask before the next text whose meaning depends on mode or charset
	// grammarStale: sql_mode was set, on a warehouse with modes that change the grammar: ask before the next text.
	grammarStale bool
	multi        bool // the client may send several statements in one text
	labels       lineage.Labels
	temporary    map[lineage.Object]bool // true: certain to be there
	prepared     map[uint32]*prepared
	last         *prepared // what EXECUTE(-1) runs
	named        map[string]*named
	own          uint32 // last id given to a prepared gateway command
	ownBytes     int    // of their texts
	// messages, found and counted are the statements that the warehouse's messages, FOUND_ROWS() and ROW_COUNT() tell of.
	messages, found, counted told
	// uncommitted are those that wrote in the open transaction, on TiDB.
	uncommitted told
	// withheld: the last statement was guarded, so its warnings are not shown.
	withheld bool
	// warnings are those of the gateway command before, nil after anything else.
	warnings []Warning
	// unread: a statement that was not understood ran while nothing was protected; what carriers
	// hold since then is unknown.
	unread bool
	// strange: stored code ran, or what was not understood, and may have prepared statements by name.
	strange bool
	// status is the last status flags that the warehouse sent.
	status uint16
}

// prepared is a statement of the binary protocol.
type prepared struct {
	held
	id      uint32
	params  uint16
	command parser.Command // a gateway command: it never reached the warehouse
	refused bool           // PREPARE was refused, so EXECUTE(-1) is too
	cursor  *cursor        // nil: none is open
	opaque  *lineage.Graph // a text that cannot be read, prepared while nothing was protected
}

// named is a statement that SQL PREPARE knows by name.
type named struct {
	held
	made []lineage.Source // the data that its text was made of
}

// mayName tells whether the warehouse may take a name for that of a statement that was prepared.
func (st *state) mayName(name string) bool {
	for n := range st.named {
		if lineage.MayEqual(n, name) {
			return true
		}
	}
	return false
}

// forgetNamed drops a name, and all that the warehouse may take for it.
func (st *state) forgetNamed(name string) {
	for n := range st.named {
		if lineage.MayEqual(n, name) {
			delete(st.named, n)
		}
	}
}

// reset forgets what COM_RESET_CONNECTION and COM_CHANGE_USER forget: all but FOUND_ROWS(), which MySQL and MariaDB go on telling.
func (st *state) reset() {
	st.labels.ResetBut(foundRows)
	st.messages, st.counted, st.uncommitted = nil, nil, nil
	st.temporary = nil
	st.prepared, st.ownBytes = nil, 0
	st.last = nil
	st.named = nil
	st.withheld = false
	st.unread = false
	st.strange = false
	st.modeStale = true
	st.grammarStale = true
	st.schemaStale = true
}

// settleTemporary takes the temporary tables that a statement made or dropped. A table that
// certainly exists shadows its base table; one that only may exist does not.
func (st *state) settleTemporary(e *lineage.Effects, ok bool) {
	for _, o := range e.CreatesTemporary {
		if st.temporary == nil {
			st.temporary = make(map[lineage.Object]bool)
		}
		st.temporary[o] = st.temporary[o] || (ok && !e.Routine)
	}
	for _, o := range e.DropsTemporary {
		if _, known := st.temporary[o]; !known {
			continue
		}
		if ok && !e.Routine {
			delete(st.temporary, o)
		} else {
			st.temporary[o] = false
		}
	}
	if e.Routine {
		for o := range st.temporary {
			st.temporary[o] = false
		}
	}
}

// used follows the current schema through a USE. A name that the warehouse could spell in another way is asked.
func (s *Session) used(schema string, ok bool) {
	if plainName(schema) && !s.state.schemaStale {
		if ok {
			s.state.schema = schema
		}
		return
	}
	s.state.schemaStale = true
}

// droppedSchema follows the current schema through a DROP DATABASE: it is none when it was that one.
func (s *Session) droppedSchema(schema string, ok bool) {
	if ok && plainName(schema) && plainName(s.state.schema) && !s.state.schemaStale {
		if s.state.schema == schema {
			s.state.schema = ""
		}
		return
	}
	s.state.schemaStale = true
}

// plainName tells whether a name is the same in every character set and under every lower_case_table_names.
func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return name != ""
}
