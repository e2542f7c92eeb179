package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"sluice/gateway/wire"
)

// stepCommands is how many commands each engine gets; SLUICE_STEP_COMMANDS asks for more, with other random numbers.
const stepCommands = 2000

// Whatever a client sends, whole or cut short, each answer belongs to its own command: were a warehouse to answer what has no
// answer, each answer would be taken for the next command's from then on, the gateway's own questions among them.
func TestInStep(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		w.warehouse.Exec(t, "CREATE USER 'probe'@'127.0.0.1' IDENTIFIED BY ''", "GRANT ALL ON *.* TO 'probe'@'127.0.0.1'")
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		s := stepping{w, rand.New(rand.NewPCG(1, 1)), stepCommands}
		if n, err := strconv.Atoi(os.Getenv("SLUICE_STEP_COMMANDS")); err == nil {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			s.Rand, s.left = rand.New(rand.NewPCG(seed, 1)), n
		}
		for s.left > 0 {
			s.connection(t)
		}
	})
}

// stepping sends random commands.
type stepping struct {
	*world
	*rand.Rand
	left int
}

// oneOf picks one of several.
func oneOf[T any](s *stepping, of ...T) T { return of[s.IntN(len(of))] }

// connection sends a few commands on a connection of its own. Behind each it asks for a marker, which must come, and then for
// another one, which must be all of the answer.
func (s *stepping) connection(t *testing.T) {
	caps := probeCaps | oneOf(s, 0, wire.ClientDeprecateEOF) | oneOf(s, 0, wire.ClientQueryAttributes) | oneOf(s, 0, wire.ClientMultiStatements) | oneOf(s, 0, wire.ClientSessionTrack)
	p, err := dialProber(s.gateway.Addr, "probe", oneOf(s, "prj2", "myprj", ""), caps, oneOf(s, 0, wire.ExtStmtBulk, wire.ExtStmtBulk|wire.ExtExtendedMetadata), false)
	if err != nil {
		t.Fatal(err)
	}
	defer p.conn.Close()
	var sent []string
	for range 1 + s.IntN(20) {
		command := s.command(p)
		sent = append(sent, fmt.Sprintf("%x", command))
		s.left--
		first, second := fmt.Sprintf("first %d", s.left), fmt.Sprintf("second %d", s.left)
		frames, _ := wire.AppendPacket(nil, 0, command)
		frames, _ = wire.AppendPacket(frames, 0, asking(p, []byte{0, 1}, "SELECT '"+first+"'"))
		if err := p.write(frames); err != nil {
			t.Fatalf("%q: %v", sent, err)
		}
		before, found := untilMarker(p, first)
		if !found {
			t.Fatalf("%q: no marker comes behind them; %q %x", sent, before, p.caps)
		}
		frames, _ = wire.AppendPacket(nil, 0, asking(p, []byte{0, 1}, "SELECT '"+second+"'"))
		if err := p.write(frames); err != nil {
			t.Fatal(err)
		}
		want := 2 // the number of columns, and one definition
		if !p.caps.Has(wire.ClientDeprecateEOF) {
			want++
		}
		if before, found = untilMarker(p, second); !found || len(before) != want {
			t.Fatalf("%q: the answer to another command comes; %q %x", sent, before, p.caps)
		}
	}
}

// asking is COM_QUERY with attributes before its text, where they are agreed on.
func asking(p *prober, attributes []byte, text string) []byte {
	q := []byte{byte(wire.ComQuery)}
	if p.caps.Has(wire.ClientQueryAttributes) {
		q = append(q, attributes...)
	}
	return append(q, text...)
}

// untilMarker reads packets until the row that holds a text, and the end packet behind it.
func untilMarker(p *prober, text string) (before [][]byte, found bool) {
	row := append([]byte{byte(len(text))}, text...)
	for {
		frame, err := p.frame()
		if err != nil {
			return before, false
		}
		if bytes.Equal(frame[4:], row) {
			_, err = p.frame()
			return before, err == nil
		}
		before = append(before, frame[4:])
	}
}

// command is a command that is whole, cut short or followed by zero bytes.
func (s *stepping) command(p *prober) []byte {
	c := s.whole(p)
	switch {
	case s.IntN(3) == 0:
		c = c[:s.IntN(len(c)+1)]
	case s.IntN(20) == 0:
		c = append(c, make([]byte, s.IntN(10))...)
	}
	if len(c) > 0 && endless[wire.Command(c[0])] {
		return nil
	}
	return c
}

// endless are commands that end the connection, or begin a dialogue.
var endless = map[wire.Command]bool{wire.ComQuit: true, wire.ComShutdown: true, wire.ComChangeUser: true, wire.ComBinlogDump: true,
	wire.ComTableDump: true, wire.ComRegisterSlave: true, wire.ComBinlogDumpGTID: true, wire.ComSubscribeGroup: true}

func (s *stepping) whole(p *prober) []byte {
	noise := func(n int) []byte {
		b := make([]byte, s.IntN(n))
		for i := range b {
			b[i] = byte(s.Uint32())
		}
		return b
	}
	// The statements' ids: known, unknown, closed ones, those of gateway commands, the last.
	statement := func(c wire.Command) []byte {
		return binary.LittleEndian.AppendUint32([]byte{byte(c)}, oneOf[uint32](s, 0, 1, 2, 3, 99, 0x7f000001, 0x7f000002, 0x7fffffff, 0xfffffffe, 0xffffffff))
	}
	switch s.IntN(13) {
	case 0:
		head := append(statement(wire.ComStmtExecute), oneOf[byte](s, 0, 1, 2, 4, 8, 9, 255), 1, 0, 0, 0)
		return append(head, noise(12)...)
	case 1: // two texts
		return append(append(statement(wire.ComStmtExecute), oneOf[byte](s, 0, 1), 1, 0, 0, 0), "\x00\x01\xfd\x00\xfd\x00\x01a\x01b"...)
	case 2:
		head := binary.LittleEndian.AppendUint16(statement(wire.ComStmtSendLongData), oneOf[uint16](s, 0, 1, 2, 9, 65535))
		return append(head, "abc"[:s.IntN(4)]...)
	case 3:
		return statement(oneOf(s, wire.ComStmtClose, wire.ComStmtReset))
	case 4:
		return binary.LittleEndian.AppendUint32(statement(wire.ComStmtFetch), oneOf[uint32](s, 0, 1, 2, 1<<32-1))
	case 5:
		head := binary.LittleEndian.AppendUint16(statement(wire.ComStmtBulkExecute), oneOf[uint16](s, 0, 1, 64, 128, 192, 65535))
		return append(head, noise(20)...)
	case 6:
		return binary.LittleEndian.AppendUint16([]byte{byte(wire.ComSetOption)}, oneOf[uint16](s, 0, 1, 2, 65535))
	case 7:
		return append([]byte{byte(wire.ComInitDB)}, oneOf(s, "prj2", "myprj", "nowhere", "")...)
	case 8:
		return append([]byte{byte(wire.ComFieldList)}, oneOf(s, "t\x00", "t", "", "t\x00%\x00")...)
	case 9:
		return asking(p, oneOf(s, []byte{0, 1}, []byte("\x01\x01\x00\x01\xfd\x00\x01n\x01v"), []byte{1, 1, 0, 1}, []byte{0, 0}, []byte{255}), oneOf(s, stepTexts...))
	case 10:
		return append([]byte{byte(wire.ComStmtPrepare)}, oneOf(s, stepTexts...)...)
	case 11:
		return append([]byte{byte(s.Uint32())}, noise(8)...)
	default:
		return []byte{byte(oneOf(s, wire.ComResetConnection, wire.ComPing, wire.ComStatistics, wire.ComProcessInfo, wire.ComSleep, wire.ComDebug))}
	}
}

// stepTexts are statements and what is none, permitted, refused and answered by the gateway itself.
var stepTexts = []string{"SELECT 1", "SELECT ?", "SELECT v FROM myprj.table1", "SET @a = (SELECT v FROM myprj.table1 LIMIT 1)", "SELECT @a", "SELEC", "SELECT 1; SELECT 2",
	"DO 1", "CREATE TEMPORARY TABLE IF NOT EXISTS tt AS SELECT * FROM myprj.table1", "CALL nope()", "PREPARE s FROM 'SELECT 1'", "EXECUTE s", "BEGIN", "COMMIT",
	"INSERT INTO prj2.t VALUES (?, ?)", "INSERT INTO prj2.t SELECT id, ? FROM prj2.t LIMIT 1", "SHOW PACKAGES", "SHOW WARNINGS", "SHOW PROCESSLIST", "SET NAMES latin1", "SET NAMES utf8mb4", ""}
