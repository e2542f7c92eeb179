package wire

import (
	"encoding/binary"
)

// EventKind says why the walker stopped.
type EventKind uint8

// The events of a walk.
const (
	// NeedMore: every byte before Start may be written on; the rest, if any, is the beginning of a
	// packet that the walker must see more of. Give it again with more bytes behind it.
	NeedMore EventKind = iota
	// ResultSetStart: the column count packet of a result set. See Columns.
	ResultSetStart
	// ColumnDefinition: one column definition, of a result set, PREPARE or FIELD_LIST.
	ColumnDefinition
	// ColumnsEnd: the EOF packet behind column definitions, rows may follow.
	ColumnsEnd
	// RowLimitReached: a row begins at Start and RowLimit rows of this result set came before it.
	// Nothing of the row was walked. To go on, raise RowLimit and give the bytes again.
	RowLimitReached
	// Prepared: the first packet of PREPARE's answer.
	Prepared
	// LocalInfile: the warehouse asks the client for a file. The next bytes of the warehouse come
	// after the client's file, and answer it.
	LocalInfile
	// ResponseEnd: the last packet of one response. Done tells whether another follows.
	ResponseEnd
)

// Event is a packet that the caller may want to look at, or the end of the bytes.
type Event struct {
	Kind EventKind
	// Start and End are offsets into the bytes given to Next: those before Start are walked, and
	// [Start, End) is the packet, header included. The walker has counted it as passed on: give it
	// the bytes from End next, whatever became of the packet. For NeedMore and RowLimitReached both
	// are the same.
	Start, End int
	// Status is the offset of the packet's two bytes of status flags, 0 when it has none.
	Status int
}

// Payload gives the event's packet without its header. buf are the bytes given to Next.
func (e Event) Payload(buf []byte) []byte { return buf[e.Start+headerSize : e.End] }

// Outcome is what the last packet of a response said.
type Outcome struct {
	Header       byte   // HeaderOK, HeaderEOF, HeaderERR; 0x00 with Raw for COM_STATISTICS
	Raw          bool   // the packet is a string and no generic response
	Code         uint16 // of an ERR packet
	Status       uint16 // of OK and EOF packets; of an ERR packet 0
	Warnings     uint16
	AffectedRows uint64
	InsertID     uint64
	// Changes is the session state block of an OK packet. It aliases the bytes given to Next and
	// holds until they are overwritten.
	Changes []byte
}

// Failed tells whether the response ended in an ERR packet.
func (o *Outcome) Failed() bool { return o.Header == HeaderERR && !o.Raw }

// walkState is what the next packet is.
type walkState uint8

const (
	walkDone walkState = iota
	walkRefused
	walkFirst     // of a response to COM_QUERY and its like
	walkColumns   // the definitions that were counted
	walkFieldList // definitions until the end
	walkColumnEnd // the EOF packet behind definitions
	walkRows
	walkPrepareOK
	walkAfterFile // OK or ERR after LOCAL INFILE
	walkSingle    // one OK, EOF or ERR packet
	walkRaw       // one packet of any kind
)

// Walker follows the answer of a warehouse to one command, in the buffer where it was read, so that
// the same bytes can be written on. It copies nothing, allocates nothing, and the way the bytes are
// split between calls does not change its events. Use Reset, then Next until Done.
//
// Packets that are rows pass in pieces; every other packet must be whole in the buffer before it is
// reported (see Need).
type Walker struct {
	// Offset is added to the sequence id of each packet, in place, as it is walked. A caller that
	// takes a packet out or puts one in counts it here.
	Offset uint8
	// RowLimit is the number of rows of a result set after which RowLimitReached stops the walk;
	// negative for none. Reset leaves it as it is, and so does a next result set.
	RowLimit int64
	// NoCursor says that the EXECUTE asked for none. Set it after Reset. A stored program's own cursors leave their flag in the status
	// of answers that hold all their rows.
	NoCursor bool

	command Command
	caps    Capability
	ext     ExtCapability
	state   walkState
	body    int  // bytes of the current part that are still to come
	more    bool // the part is full, so that the next packet goes on with it
	left    uint64
	// outParams: MySQL announces the OK packet behind a CALL's output parameters in the EOF packet
	// before their row and, where EOF packets are in use, not again in the one behind it.
	outParams bool
	second    uint64 // column definitions of PREPARE behind its parameters
	columns   uint64
	rows      int64
	need      int
	sequence  uint8
	outcome   Outcome
	prepared  PrepareOK
}

// Reset starts the walk through the answer to a command. caps and ext are what client and warehouse
// agreed on. For a command without an answer Done is true at once. COM_CHANGE_USER, replication
// commands and unknown ones are not for a walker, nor are CLIENT_OPTIONAL_RESULTSET_METADATA and
// MariaDB's progress reports: Next then fails.
func (w *Walker) Reset(command Command, caps Capability, ext ExtCapability) {
	*w = Walker{Offset: w.Offset, RowLimit: w.RowLimit, command: command, caps: caps, ext: ext}
	w.state = firstState(command)
	unreadable := caps.Has(ClientOptionalResultsetMetadata) || // its column counts look like OK packets
		ext.Has(ExtProgress) // its ERR packets do not end anything
	if unreadable && w.state != walkDone {
		w.state = walkRefused
	}
}

func firstState(command Command) walkState {
	switch command {
	case ComQuery, ComStmtExecute, ComStmtBulkExecute, ComProcessInfo:
		return walkFirst
	case ComStmtFetch:
		return walkRows
	case ComStmtPrepare:
		return walkPrepareOK
	case ComFieldList:
		return walkFieldList
	case ComStatistics:
		return walkRaw
	case ComInitDB, ComCreateDB, ComDropDB, ComRefresh, ComShutdown, ComProcessKill, ComDebug, ComPing,
		ComStmtReset, ComSetOption, ComResetConnection:
		return walkSingle
	case ComQuit, ComStmtSendLongData, ComStmtClose:
		return walkDone
	default:
		return walkRefused
	}
}

// Done tells whether the whole answer was walked.
func (w *Walker) Done() bool { return w.state == walkDone && w.body == 0 && !w.more }

// Rows gives the number of rows of the current or last result set that were begun.
func (w *Walker) Rows() int64 { return w.rows }

// Columns gives the number of columns of the current or last result set.
func (w *Walker) Columns() uint64 { return w.columns }

// Outcome gives what the last ResponseEnd said. Its slices hold as long as the buffer does.
func (w *Walker) Outcome() *Outcome { return &w.outcome }

// PrepareOK gives what the Prepared event said.
func (w *Walker) PrepareOK() PrepareOK { return w.prepared }

// Sequence gives the sequence id of the last packet that was walked, Offset added.
func (w *Walker) Sequence() uint8 { return w.sequence }

// Need gives, after NeedMore, how many bytes from Start the buffer must hold for the walk to go on.
// Memory for it is best granted as bytes arrive: the warehouse announced the number.
func (w *Walker) Need() int { return w.need }

// Mid tells whether the walk stands inside a packet, where nothing may be put between.
func (w *Walker) Mid() bool { return w.body > 0 || w.more }

// Next walks buf, which begins where the event before ended. It changes sequence ids in place and
// nothing else. An error means that the bytes do not fit the protocol: nothing after it can be told
// apart, so the connection must end. The bytes before the event's Start were sound.
func (w *Walker) Next(buf []byte) (Event, error) {
	at := 0
	for {
		if w.body > 0 {
			n := min(w.body, len(buf)-at)
			at += n
			if w.body -= n; w.body > 0 {
				return w.wait(at, 1), nil
			}
		}
		if w.state == walkDone && !w.more {
			return w.wait(at, 0), nil
		}
		if len(buf)-at < headerSize {
			return w.wait(at, headerSize), nil
		}
		size := int(buf[at]) | int(buf[at+1])<<8 | int(buf[at+2])<<16
		if w.more {
			w.begin(buf[at:], size)
			at += headerSize
			continue
		}
		if w.state == walkRows && size > 0 {
			if len(buf)-at == headerSize {
				return w.wait(at, headerSize+1), nil
			}
			if row, err := w.isRow(buf[at+headerSize], size); err != nil {
				return w.wait(at, 0), err
			} else if row {
				if w.rows == w.RowLimit {
					return Event{Kind: RowLimitReached, Start: at, End: at}, nil
				}
				w.rows++
				w.begin(buf[at:], size)
				at += headerSize
				continue
			}
		}
		return w.control(buf, at, size)
	}
}

func (w *Walker) wait(at, need int) Event {
	w.need = need
	return Event{Kind: NeedMore, Start: at, End: at}
}

// begin passes a header: the body is walked as it comes.
func (w *Walker) begin(header []byte, size int) {
	header[3] += w.Offset
	w.sequence = header[3]
	w.body, w.more = size, size == MaxPart
}

// isRow tells rows from the packets that may end them. A text row of 16 MiB may begin with 0xFE.
func (w *Walker) isRow(first byte, size int) (bool, error) {
	switch {
	case first == HeaderERR:
		return false, nil
	case first == HeaderEOF && w.caps.Has(ClientDeprecateEOF) && size < MaxPart:
		return false, nil
	case first == HeaderEOF && !w.caps.Has(ClientDeprecateEOF) && size < 9:
		return false, nil
	case w.command != ComQuery && w.command != ComProcessInfo && first != 0:
		return false, w.fault("a binary row does not begin with 0x00")
	}
	return true, nil
}

func (w *Walker) fault(reason string) error {
	w.state = walkRefused
	return &MalformedError{Message: "answer to " + w.command.String(), Reason: reason}
}

// control reports the packet at buf[at:], which is no row, once it is whole.
func (w *Walker) control(buf []byte, at, size int) (Event, error) {
	if w.state == walkRefused {
		return w.wait(at, 0), w.fault("it cannot be followed")
	}
	if size == 0 && w.state != walkRaw {
		return w.wait(at, 0), w.fault("an empty packet")
	}
	if size == MaxPart {
		return w.wait(at, 0), w.fault("a packet of 16 MiB that is no row")
	}
	if len(buf)-at < headerSize+size {
		return w.wait(at, headerSize+size), nil
	}
	e := Event{Start: at, End: at + headerSize + size}
	if err := w.step(&e, e.Payload(buf)); err != nil {
		return w.wait(at, 0), err
	}
	buf[at+3] += w.Offset
	w.sequence = buf[at+3]
	return e, nil
}

// step moves the state over one whole packet and fills the event in.
func (w *Walker) step(e *Event, p []byte) error {
	if w.state == walkRaw {
		w.state, w.outcome = walkDone, Outcome{Raw: true}
		if len(p) > 0 && p[0] == HeaderERR {
			return w.failed(e, p)
		}
		e.Kind = ResponseEnd
		return nil
	}
	if p[0] == HeaderERR {
		return w.failed(e, p)
	}
	switch w.state {
	case walkFirst:
		return w.first(e, p)
	case walkColumns:
		return w.column(e, p)
	case walkFieldList:
		if p[0] == HeaderEOF {
			return w.end(e, p)
		}
		e.Kind = ColumnDefinition
		return nil
	case walkColumnEnd:
		return w.columnEnd(e, p)
	case walkPrepareOK:
		return w.prepareOK(e, p)
	case walkRows, walkSingle, walkAfterFile:
		return w.end(e, p)
	default:
		return w.fault("it cannot be followed")
	}
}

// failed is an ERR packet, which ends the whole answer wherever it comes.
func (w *Walker) failed(e *Event, p []byte) error {
	if len(p) < 3 {
		return w.fault("an ERR packet without its number")
	}
	w.outcome = Outcome{Header: HeaderERR, Code: binary.LittleEndian.Uint16(p[1:])}
	w.state, e.Kind = walkDone, ResponseEnd
	return nil
}

func (w *Walker) first(e *Event, p []byte) error {
	switch p[0] {
	case HeaderOK:
		return w.end(e, p)
	case HeaderLocalInfile:
		w.state, e.Kind = walkAfterFile, LocalInfile
		return nil
	case HeaderEOF:
		return w.fault("it begins with an EOF packet")
	}
	c := read(p)
	w.columns = c.lenenc("the column count")
	definitions := true
	if w.ext.Has(ExtCacheMetadata) {
		definitions = c.uint8("the metadata flag") != 0
	}
	if c.fault != "" || len(c.rest) > 0 || w.columns == 0 {
		return w.fault("no column count")
	}
	w.rows, w.outParams = 0, false
	w.left, e.Kind = w.columns, ResultSetStart
	switch {
	case definitions:
		w.state = walkColumns
	case w.caps.Has(ClientDeprecateEOF):
		w.state = walkRows
	default:
		w.state = walkColumnEnd
	}
	return nil
}

func (w *Walker) column(e *Event, p []byte) error {
	if p[0] == HeaderEOF {
		return w.fault("fewer column definitions than counted")
	}
	e.Kind = ColumnDefinition
	if w.left--; w.left > 0 {
		return nil
	}
	if w.caps.Has(ClientDeprecateEOF) {
		w.afterColumns()
	} else {
		w.state = walkColumnEnd
	}
	return nil
}

// afterColumns goes on behind a block of definitions.
func (w *Walker) afterColumns() {
	switch {
	case w.command != ComStmtPrepare:
		w.state = walkRows
	case w.second > 0:
		w.left, w.second, w.state = w.second, 0, walkColumns
	default:
		w.state = walkDone
	}
}

func (w *Walker) columnEnd(e *Event, p []byte) error {
	if !IsEOF(p) || len(p) < eofStatusAt+2 {
		return w.fault("no EOF packet behind the column definitions")
	}
	status := binary.LittleEndian.Uint16(p[eofStatusAt:])
	if w.opened(status) {
		return w.end(e, p) // the rows come with COM_STMT_FETCH
	}
	const outParams = StatusPSOutParams | StatusMoreResults
	w.outParams = status&outParams == outParams
	e.Kind, e.Status = ColumnsEnd, e.Start+headerSize+eofStatusAt
	w.afterColumns()
	return nil
}

// opened tells whether the status of an answer to EXECUTE says that its rows wait at a cursor. The results of a CALL, behind which
// another response always follows, never do.
func (w *Walker) opened(status uint16) bool {
	return status&StatusCursorExists != 0 && status&StatusMoreResults == 0 && w.command == ComStmtExecute && !w.NoCursor
}

// Opened tells whether the response that ended last left a cursor of the statement open.
func (w *Walker) Opened() bool { return w.opened(w.outcome.Status) }

func (w *Walker) prepareOK(e *Event, p []byte) error {
	ok, err := ParsePrepareOK(p)
	if err != nil {
		w.state = walkRefused
		return err
	}
	w.prepared, e.Kind = ok, Prepared
	w.columns = uint64(ok.Columns)
	w.left, w.second = uint64(ok.Params), uint64(ok.Columns)
	if w.left == 0 {
		w.left, w.second = w.second, 0
	}
	if w.state = walkColumns; w.left == 0 {
		w.state = walkDone
	}
	return nil
}

// end is the OK or EOF packet that ends one response; more may follow.
func (w *Walker) end(e *Event, p []byte) error {
	e.Kind = ResponseEnd
	if p[0] == HeaderEOF && (!w.caps.Has(ClientDeprecateEOF) || len(p) < 7) {
		if len(p) < eofStatusAt+2 || len(p) >= 9 {
			return w.fault("no EOF packet where one must be")
		}
		w.outcome = Outcome{
			Header: HeaderEOF, Warnings: binary.LittleEndian.Uint16(p[1:]),
			Status: binary.LittleEndian.Uint16(p[eofStatusAt:]),
		}
		e.Status = e.Start + headerSize + eofStatusAt
	} else {
		if w.state == walkRows && p[0] != HeaderEOF {
			return w.fault("rows end without an end packet")
		}
		c := read(p)
		ok := c.ok(w.caps)
		// Some servers do not length-encode the info: what ends the response is readable before it.
		if ok.statusAt == 0 || len(p) < ok.statusAt+4 {
			return w.fault("no OK packet where one must be")
		}
		w.outcome = Outcome{
			Header: p[0], Status: ok.Status, Warnings: ok.Warnings,
			AffectedRows: ok.AffectedRows, InsertID: ok.InsertID, Changes: ok.Changes,
		}
		e.Status = e.Start + headerSize + ok.statusAt
	}
	more := w.outcome.Status&StatusMoreResults != 0 || w.outParams
	w.outParams = false
	if w.state = walkDone; more && w.chains() {
		w.state = walkFirst
	}
	return nil
}

// chains tells whether the command's answer can hold several responses. The flag is also set in
// packets of other commands by servers that have it left over.
func (w *Walker) chains() bool {
	return firstState(w.command) == walkFirst
}

// SetMoreResults sets or clears SERVER_MORE_RESULTS_EXISTS in the event's packet. buf are the bytes
// given to Next. A packet without status flags stays as it is.
func (e Event) SetMoreResults(buf []byte, more bool) {
	if e.Status == 0 {
		return
	}
	status := binary.LittleEndian.Uint16(buf[e.Status:]) &^ StatusMoreResults
	if more {
		status |= StatusMoreResults
	}
	binary.LittleEndian.PutUint16(buf[e.Status:], status)
}
