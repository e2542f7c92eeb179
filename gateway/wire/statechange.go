package wire

// StateKind says what a session state change is about (OK_Packet page, enum_session_state_type).
type StateKind uint8

// The kinds of session state changes.
const (
	StateVariable        StateKind = 0 // a system variable: Name and Value
	StateSchema          StateKind = 1 // the current schema: Value
	StateFlag            StateKind = 2 // whether session state changed: Value "1"
	StateGTIDs           StateKind = 3 // Value
	StateCharacteristics StateKind = 4 // the statements that would begin the transaction again: Value
	StateTransaction     StateKind = 5 // eight letters: Value
)

// StateChange is one change that session tracking reported.
type StateChange struct {
	Kind  StateKind
	Name  string // of a variable
	Value string
}

// ParseStateChanges reads the session state block of an OK packet. Kinds that are not listed above
// keep their bytes as Value.
func ParseStateChanges(block []byte) ([]StateChange, error) {
	c := read(block)
	var out []StateChange
	for len(c.rest) > 0 {
		kind := StateKind(c.uint8("the kind"))
		d := read(c.lenencBytes("the change"))
		switch kind {
		case StateVariable:
			// MariaDB puts several variables into one entry.
			for len(d.rest) > 0 {
				ch := StateChange{Kind: kind, Name: string(d.lenencBytes("a name")), Value: string(d.lenencBytes("a value"))}
				if d.fault == "" {
					out = append(out, ch)
				}
			}
		case StateGTIDs:
			d.uint8("the encoding")
			out = append(out, StateChange{Kind: kind, Value: string(d.lenencBytes("the value"))})
		case StateSchema, StateFlag, StateCharacteristics, StateTransaction:
			out = append(out, StateChange{Kind: kind, Value: string(d.lenencBytes("the value"))})
		default:
			out = append(out, StateChange{Kind: kind, Value: string(d.remaining())})
		}
		if d.fault != "" {
			c.fail(d.fault)
		}
	}
	if err := c.err("session state"); err != nil {
		return nil, err
	}
	return out, nil
}

// EncodeStateChanges gives the session state block that says these changes.
func EncodeStateChanges(changes []StateChange) []byte {
	var b []byte
	for _, ch := range changes {
		var entry []byte
		switch ch.Kind {
		case StateVariable:
			entry = appendLenencString(appendLenencString(nil, ch.Name), ch.Value)
		case StateGTIDs:
			entry = appendLenencString([]byte{0}, ch.Value)
		case StateSchema, StateFlag, StateCharacteristics, StateTransaction:
			entry = appendLenencString(nil, ch.Value)
		default:
			entry = []byte(ch.Value)
		}
		b = appendLenencString(append(b, byte(ch.Kind)), entry)
	}
	return b
}
