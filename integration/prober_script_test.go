package integration

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sluice/gateway/wire"
)

// probeCase is one connection's worth of commands. testdata/prober/README says how they are written.
type probeCase struct {
	file, name string
	options    map[string]bool
	only       string   // an engine, "" for all
	without    []string // engines
	steps      []string
}

// probeCases reads every file of testdata/prober.
func probeCases(t testing.TB) []probeCase {
	t.Helper()
	files, err := filepath.Glob("testdata/prober/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var cases []probeCase
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			switch {
			case strings.TrimSpace(line) == "", strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, "case "):
				cases = append(cases, probeHead(filepath.Base(f), strings.Fields(line)[1:]))
			case len(cases) == 0:
				t.Fatalf("%s: a step stands before the first case", f)
			default:
				c := &cases[len(cases)-1]
				c.steps = append(c.steps, strings.TrimSpace(line))
			}
		}
	}
	return cases
}

func probeHead(file string, words []string) probeCase {
	c := probeCase{file: file, name: words[0], options: map[string]bool{}}
	for _, w := range words[1:] {
		if engine, ok := strings.CutPrefix(w, "only="); ok {
			c.only = engine
			continue
		}
		if engine, ok := strings.CutPrefix(w, "without="); ok {
			c.without = append(c.without, engine)
			continue
		}
		c.options[w] = true
	}
	return c
}

// probing is a case that runs on one connection.
type probing struct {
	*prober
	prepared []uint32
	batch    []request // collected between pipeline and end
	piping   bool
	joining  bool // the batch goes out as one compressed packet
	out      []string
}

// request is one command on its way.
type request struct {
	command wire.Command
	payload []byte
	mask    bool // digits of the answer do not count
	next    byte // the number of the answer's first compressed packet
}

// run takes every step and gives the transcript.
func (c *probing) run(steps []string) ([]string, error) {
	for _, step := range steps {
		c.out = append(c.out, "> "+step)
		if err := c.step(step); err != nil {
			return c.out, fmt.Errorf("%s: %w", step, err)
		}
	}
	return c.out, nil
}

func (c *probing) step(step string) error {
	verb, rest, _ := strings.Cut(step, " ")
	mask := strings.HasPrefix(verb, "~")
	switch verb = strings.TrimPrefix(verb, "~"); verb {
	case "file":
		c.files = append(c.files, []byte(c.expand(rest)))
		return nil
	case "pipeline", "joined":
		c.piping, c.joining = true, verb == "joined"
		return nil
	case "end":
		batch := c.batch
		err := c.exchange(batch)
		c.piping, c.joining, c.batch = false, false, nil
		return err
	case "cut": // N STEP: with N bytes in each compressed packet
		n, step, _ := strings.Cut(rest, " ")
		c.packed.cut, _ = strconv.Atoi(n)
		defer func() { c.packed.cut = 0 }()
		return c.step(step)
	case "asis": // STEP: in compressed packets that are not compressed
		c.packed.asIs = true
		defer func() { c.packed.asIs = false }()
		return c.step(rest)
	case "packed": // raw bytes below the compression, and what comes before the connection ends
		raw, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if err != nil {
			return err
		}
		if _, err := c.packed.Conn.Write(raw); err != nil {
			return err
		}
		c.packed.next = 1
		c.out = append(c.out, "  "+c.rest())
		return nil
	case "bytes": // raw bytes, and what comes before the connection ends
		raw, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if err != nil {
			return err
		}
		if err := c.write(raw); err != nil {
			return err
		}
		c.out = append(c.out, "  "+c.rest())
		return nil
	case "changeuser":
		return c.changeUser(strings.Fields(rest))
	}
	payload, err := c.payload(verb, rest)
	if err != nil {
		return err
	}
	r := request{payload: payload, mask: mask, command: wire.ComPing}
	if len(payload) > 0 {
		r.command = wire.Command(payload[0])
	}
	if c.piping {
		c.batch = append(c.batch, r)
		return nil
	}
	return c.exchange([]request{r})
}

// exchange sends all requests at once and reads their answers.
func (c *probing) exchange(batch []request) error {
	if err := c.request(batch); err != nil {
		return err
	}
	for _, r := range batch {
		if c.packed != nil {
			c.packed.next = r.next
		}
		if r.command == wire.ComQuit {
			c.out = append(c.out, "  "+c.rest())
			return nil
		}
		x, err := wire.ParseExecute(r.payload)
		c.cursorless = r.command == wire.ComStmtExecute && err == nil && !x.WantsCursor()
		lines, packets, err := c.answer(answered(r.command))
		if r.command == wire.ComStmtPrepare && len(packets) > 0 && packets[0][0] == wire.HeaderOK {
			ok, err := wire.ParsePrepareOK(packets[0])
			if err != nil {
				return err
			}
			c.prepared = append(c.prepared, ok.StatementID)
			lines[0] = fmt.Sprintf("1 PREPARED columns %d parameters %d warnings %d", ok.Columns, ok.Params, ok.Warnings)
		}
		if r.mask {
			lines = masked(lines)
		}
		for _, l := range lines {
			c.out = append(c.out, "  "+c.numbered(l))
		}
		if c.packed != nil && len(c.packed.faults) > 0 {
			c.out, c.packed.faults = append(c.out, "! "+strings.Join(c.packed.faults, "; ")), nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// request sends a batch: plain all at once, compressed each command in packets of its own or, joined, all in one.
func (c *probing) request(batch []request) error {
	var frames []byte
	for i := range batch {
		r := &batch[i]
		if c.packed != nil && !c.joining {
			frames = nil
		}
		c.begin()
		frames, c.seq = wire.AppendPacket(frames, 0, r.payload)
		if c.packed == nil || c.joining && i < len(batch)-1 {
			continue // the number stays 0: no compressed packet began with the next command

		}
		if err := c.write(frames); err != nil {
			return err
		}
		if r.next = c.packed.next; c.joining {
			batch[0].next, r.next = r.next, 0
		}
	}
	if c.packed != nil {
		return nil
	}
	return c.write(frames)
}

// numbered replaces the ids that the warehouse gave to statements by their order: ids are its own choice.
func (c *probing) numbered(line string) string {
	for i, id := range c.prepared {
		n := fmt.Sprintf("(%d)", id)
		if at := strings.Index(line, n); at >= 0 && strings.Contains(line, "HY000") {
			_, after, _ := strings.Cut(line, " \"")
			line = fmt.Sprintf("%q", strings.Replace(after, n, fmt.Sprintf("(#%d)", i+1), 1))
		}
	}
	return line
}

// answered is how the answer to a command is read: commands that no server knows get one packet.
func answered(c wire.Command) wire.Command {
	switch {
	case c >= wire.ComInitDB && c <= wire.ComProcessInfo, c >= wire.ComProcessKill && c <= wire.ComPing && c != wire.ComConnect,
		c >= wire.ComStmtPrepare && c <= wire.ComStmtFetch, c == wire.ComResetConnection, c == wire.ComStmtBulkExecute:
		return c
	}
	return wire.ComPing
}

var expansions = regexp.MustCompile(`\{\{(\w+)(?: (\S+) (\d+))?\}\}`)

// expand replaces {{repeat x n}}, {{zeros}} and {{id}}, the greeted thread id.
func (c *probing) expand(text string) string {
	return expansions.ReplaceAllStringFunc(text, func(m string) string {
		part := expansions.FindStringSubmatch(m)
		switch part[1] {
		case "repeat":
			n, _ := strconv.Atoi(part[3])
			return strings.Repeat(part[2], n)
		case "nul":
			return "\x00"
		case "newline":
			return "\n"
		case "id":
			return strconv.FormatUint(uint64(c.id), 10)
		}
		return m
	})
}

// payload builds a command's packet.
func (c *probing) payload(verb, rest string) ([]byte, error) {
	text := c.expand(rest)
	var words []string
	if len(text) < 1<<20 { // what is longer is one text
		words = strings.Fields(text)
	}
	switch verb {
	case "empty":
		return nil, nil
	case "raw":
		return hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
	case "query", "prepare", "initdb", "createdb", "dropdb":
		commands := map[string]wire.Command{"query": wire.ComQuery, "prepare": wire.ComStmtPrepare, "initdb": wire.ComInitDB, "createdb": wire.ComCreateDB, "dropdb": wire.ComDropDB}
		head := []byte{byte(commands[verb])}
		if verb == "query" && c.caps.Has(wire.ClientQueryAttributes) {
			head = append(head, 0, 1) // none, in one set
		}
		return append(head, text...), nil
	case "attributed": // NAME VALUE TEXT: COM_QUERY with one query attribute
		p := append([]byte{byte(wire.ComQuery), 1, 1, 0, 1, byte(wire.TypeString), 0, byte(len(words[0]))}, words[0]...)
		p = append(append(p, byte(len(words[1]))), words[1]...)
		return append(p, strings.Join(words[2:], " ")...), nil
	case "bulk":
		return c.bulkPayload(words)
	case "fieldlist":
		table, wild, _ := strings.Cut(text, " ")
		return append(append(append([]byte{byte(wire.ComFieldList)}, table...), 0), wild...), nil
	case "execute":
		return c.executePayload(words)
	case "fetch":
		n, err := strconv.Atoi(words[1])
		p := binary.LittleEndian.AppendUint32([]byte{byte(wire.ComStmtFetch)}, c.statement(words[0]))
		return binary.LittleEndian.AppendUint32(p, uint32(n)), err
	case "longdata":
		words = strings.SplitN(text, " ", 3)
		n, err := strconv.Atoi(words[1])
		p := binary.LittleEndian.AppendUint32([]byte{byte(wire.ComStmtSendLongData)}, c.statement(words[0]))
		p = binary.LittleEndian.AppendUint16(p, uint16(n))
		return append(p, words[2]...), err
	case "close", "reset":
		command := map[string]wire.Command{"close": wire.ComStmtClose, "reset": wire.ComStmtReset}[verb]
		return binary.LittleEndian.AppendUint32([]byte{byte(command)}, c.statement(words[0])), nil
	case "kill":
		n, err := strconv.Atoi(words[0])
		return binary.LittleEndian.AppendUint32([]byte{byte(wire.ComProcessKill)}, uint32(n)), err
	case "setoption":
		n, err := strconv.Atoi(words[0])
		return binary.LittleEndian.AppendUint16([]byte{byte(wire.ComSetOption)}, uint16(n)), err
	}
	return nil, fmt.Errorf("no step %q", verb)
}

// statement gives the id of the n-th statement that this case prepared; last is EXECUTE(-1).
func (c *probing) statement(word string) uint32 {
	n, err := strconv.Atoi(word)
	switch {
	case word == "last":
		return wire.LastStatement
	case err != nil || n < 1 || n > len(c.prepared):
		return 12345
	}
	return c.prepared[n-1]
}

// executePayload is COM_STMT_EXECUTE: execute N [cursor] value…, where a value is NULL, long (sent before) or text.
func (c *probing) executePayload(words []string) ([]byte, error) {
	p := binary.LittleEndian.AppendUint32([]byte{byte(wire.ComStmtExecute)}, c.statement(words[0]))
	words = words[1:]
	if len(words) > 0 && words[0] == "cursor" {
		p, words = append(p, wire.CursorReadOnly), words[1:]
	} else {
		p = append(p, 0)
	}
	p = binary.LittleEndian.AppendUint32(p, 1)
	if len(words) == 0 {
		return p, nil
	}
	bitmap := make([]byte, (len(words)+7)/8)
	var types, values []byte
	for i, v := range words {
		kind := wire.TypeVarString
		switch n, err := strconv.ParseInt(v, 10, 64); {
		case v == "NULL":
			bitmap[i/8] |= 1 << (i % 8)
		case v == "long":
			kind = wire.TypeLongBlob
		case err == nil:
			kind = wire.TypeLongLong
			values = binary.LittleEndian.AppendUint64(values, uint64(n))
		default:
			values = append(append(values, byte(len(v))), v...)
		}
		types = append(types, byte(kind), 0)
	}
	p = append(append(p, bitmap...), 1)
	return append(append(p, types...), values...), nil
}

// bulkPayload is MariaDB's COM_STMT_BULK_EXECUTE: bulk N V … | V …, texts and NULL, row after row.
func (c *probing) bulkPayload(words []string) ([]byte, error) {
	p := binary.LittleEndian.AppendUint32([]byte{byte(wire.ComStmtBulkExecute)}, c.statement(words[0]))
	p = binary.LittleEndian.AppendUint16(p, 128) // types are sent
	var values []byte
	rows := 0
	for _, v := range words[1:] {
		switch {
		case v == "|":
			rows++
			continue
		case v == "NULL":
			values = append(values, 1)
		default:
			values = append(append(values, 0, byte(len(v))), v...)
		}
		if rows == 0 {
			p = append(p, byte(wire.TypeVarString), 0)
		}
	}
	return append(p, values...), nil
}

// changeUser is COM_CHANGE_USER to an account without password, and its dialogue.
func (c *probing) changeUser(words []string) error {
	p := append([]byte{byte(wire.ComChangeUser)}, words[0]...)
	p = append(p, 0, 0)
	if len(words) > 1 {
		p = append(p, words[1]...)
	}
	p = append(p, 0, 45, 0)
	if c.caps.Has(wire.ClientPluginAuth) {
		p = append(append(p, "mysql_native_password"...), 0)
	}
	if c.caps.Has(wire.ClientConnectAttrs) {
		p = append(p, 0)
	}
	c.begin()
	c.dialogue = nil
	if err := c.send(p); err != nil {
		return err
	}
	err := c.authenticate()
	c.out = append(c.out, fmt.Sprintf("  %s %v seq %d", c.dialogue, err, c.seq))
	return nil
}
