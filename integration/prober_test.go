package integration

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"time"

	"sluice/gateway/wire"
)

// prober is a client that sends raw packets and keeps what comes back, byte for byte. It uses the walker only to
// know where an answer ends: a walker that is wrong shows up before a warehouse without a gateway.
type prober struct {
	conn     net.Conn
	packed   *packed // conn, once it is compressed
	caps     wire.Capability
	extended wire.ExtCapability
	greeting []byte
	id       uint32
	seq      byte
	// cursorless: the EXECUTE that is answered next asked for no cursor.
	cursorless bool
	files      [][]byte // for the LOCAL INFILE requests to come
	salt       []byte
	dialogue   []string // of the login
}

// probeCaps are the flags that each probing client asks for; cases add and take away.
const probeCaps = wire.ClientLongPassword | wire.ClientLongFlag | wire.ClientProtocol41 | wire.ClientTransactions |
	wire.ClientSecureConnection | wire.ClientPluginAuth | wire.ClientMultiResults | wire.ClientPSMultiResults | wire.ClientLocalFiles

// probePatience bounds the wait for one packet: a statement of 64 MB through zstd takes half a minute on a busy machine.
const probePatience = 2 * time.Minute

// dialProber connects and logs in. The client's flags are cut to what it was greeted with, as clients do.
func dialProber(addr, user, schema string, caps wire.Capability, ext wire.ExtCapability, encrypt bool) (*prober, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &prober{conn: conn}
	if err := p.login(user, schema, caps, ext, encrypt); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return p, nil
}

func (p *prober) login(user, schema string, caps wire.Capability, ext wire.ExtCapability, encrypt bool) error {
	var err error
	if p.greeting, err = p.packet(); err != nil {
		return err
	}
	g, err := wire.ParseGreeting(p.greeting)
	if err != nil {
		return fmt.Errorf("%w: %q", err, p.greeting)
	}
	p.id, p.salt = g.ConnectionID, g.AuthData
	if schema != "" {
		caps |= wire.ClientConnectWithDB
	}
	p.caps, p.extended = caps&g.Capabilities, ext&g.Extended
	if p.extended != 0 {
		p.caps &^= wire.ClientLongPassword
	}
	if encrypt {
		p.caps |= wire.ClientSSL
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(p.caps))
	head = binary.LittleEndian.AppendUint32(head, 1<<30)
	head = append(head, 45) // utf8mb4_general_ci
	head = append(head, make([]byte, 19)...)
	head = binary.LittleEndian.AppendUint32(head, uint32(p.extended))
	if encrypt {
		if err := p.send(head); err != nil {
			return err
		}
		p.conn = tls.Client(p.conn, &tls.Config{InsecureSkipVerify: true})
	}
	body := append(head, user...)
	body = append(body, 0, 0) // no password
	if p.caps.Has(wire.ClientConnectWithDB) {
		body = append(append(body, schema...), 0)
	}
	if p.caps.Has(wire.ClientPluginAuth) {
		body = append(append(body, g.AuthPlugin...), 0)
	}
	if p.caps.Has(wire.ClientConnectAttrs) {
		body = append(body, "\x1a\x0cprogram_name\x0cprobing-tool"...)
	}
	if p.caps.Has(wire.ClientZstdCompression) {
		body = append(body, 3) // the level
	}
	if err := p.send(body); err != nil {
		return err
	}
	if err := p.authenticate(); err != nil {
		return err
	}
	p.pack()
	return nil
}

// authenticate answers every request of an account without password with nothing.
func (p *prober) authenticate() error {
	for {
		answer, err := p.packet()
		if err != nil {
			return err
		}
		p.dialogue = append(p.dialogue, fmt.Sprintf("%02x", answer[:1]))
		switch answer[0] {
		case wire.HeaderOK:
			p.dialogue = append(p.dialogue, fmt.Sprintf("%q", answer))
			return nil
		case wire.HeaderERR:
			return fmt.Errorf("login: %q", answer)
		case wire.HeaderAuthSwitch:
			if err := p.send(nil); err != nil {
				return err
			}
		case wire.HeaderAuthMore:
		default:
			return fmt.Errorf("login: %q", answer)
		}
	}
}

// packet reads one payload, its parts joined.
func (p *prober) packet() ([]byte, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(probePatience))
	var payload []byte
	for {
		var head [4]byte
		if _, err := io.ReadFull(p.conn, head[:]); err != nil {
			return nil, err
		}
		p.seq = head[3] + 1
		part := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
		if _, err := io.ReadFull(p.conn, part); err != nil {
			return nil, err
		}
		if payload = append(payload, part...); len(part) < wire.MaxPart {
			return payload, nil
		}
	}
}

// send writes one payload with the sequence id that is next.
func (p *prober) send(payload []byte) error {
	if p.packed != nil {
		p.seq = p.packed.next
	}
	var frames []byte
	frames, p.seq = wire.AppendPacket(nil, p.seq, payload)
	return p.write(frames)
}

func (p *prober) write(frames []byte) error {
	_ = p.conn.SetWriteDeadline(time.Now().Add(probePatience))
	_, err := p.conn.Write(frames)
	return err
}

// answer reads the whole answer to a command: one line a packet, sequence id and payload.
func (p *prober) answer(command wire.Command) (lines []string, packets [][]byte, err error) {
	w := wire.Walker{RowLimit: -1}
	w.Reset(command, p.caps, p.extended)
	w.NoCursor = p.cursorless
	for !w.Done() {
		// Parts are kept apart: where a long packet is cut must not differ either.
		frame, err := p.frame()
		if err != nil {
			return append(lines, ending(err)), packets, nil
		}
		lines = append(lines, fmt.Sprintf("%d %s", frame[3], shown(frame[4:])))
		packets = append(packets, frame[4:])
		for at := 0; ; {
			e, err := w.Next(frame[at:])
			if err != nil {
				return lines, packets, fmt.Errorf("answer to %v after %q: %w", command, lines, err)
			}
			if e.Kind == wire.LocalInfile {
				p.seq = frame[3] + 1
				if err := p.sendFile(); err != nil {
					return lines, packets, err
				}
			}
			if e.Kind == wire.NeedMore {
				break
			}
			at += e.End
		}
	}
	return lines, packets, nil
}

func (p *prober) frame() ([]byte, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(probePatience))
	frame := make([]byte, 4)
	if _, err := io.ReadFull(p.conn, frame); err != nil {
		return nil, err
	}
	frame = append(frame, make([]byte, int(frame[0])|int(frame[1])<<8|int(frame[2])<<16)...)
	_, err := io.ReadFull(p.conn, frame[4:])
	return frame, err
}

// sendFile answers a LOCAL INFILE request with the next file, in packets of 1000 bytes and an empty one.
func (p *prober) sendFile() error {
	var file []byte
	if len(p.files) > 0 {
		file, p.files = p.files[0], p.files[1:]
	}
	for len(file) > 0 {
		n := min(len(file), 1000)
		if err := p.send(file[:n]); err != nil {
			return err
		}
		file = file[n:]
	}
	return p.send(nil)
}

// rest reads what comes before the connection ends.
func (p *prober) rest() string {
	_ = p.conn.SetReadDeadline(time.Now().Add(probePatience))
	all, err := io.ReadAll(p.conn)
	if err == nil {
		err = io.EOF
	}
	return fmt.Sprintf("%q %s", all, ending(err))
}

// ending names the end of a connection; how the kernel tells it is not the server's choice.
func ending(err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "TIMEOUT"
	default:
		return "closed"
	}
}

// shown is a payload as text, long ones by their ends and a sum.
func shown(p []byte) string {
	if len(p) <= 600 {
		return fmt.Sprintf("%d %q", len(p), p)
	}
	return fmt.Sprintf("%d %q … %q #%x", len(p), p[:60], p[len(p)-60:], crc32.ChecksumIEEE(p))
}

// masked replaces runs of digits, for texts that count something.
func masked(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		var b bytes.Buffer
		for _, part := range strings.FieldsFunc(l, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' }) {
			b.WriteString(part + "#")
		}
		out[i] = b.String()
	}
	return out
}
