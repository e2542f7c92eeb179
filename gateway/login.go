package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"sluice/gateway/wire"
	"sluice/parser"
)

// maxHandshake bounds a login packet, which carries connection attributes at most.
const maxHandshake = 1 << 20

// Capabilities that are taken out of greeting, response and COM_CHANGE_USER alike:
// framings that the relay does not follow.
const (
	maskedCapabilities = wire.ClientOptionalResultsetMetadata | wire.ClientSSL
	passedExtended     = wire.ExtExtendedMetadata | wire.ExtStmtBulk
)

// errLogin ends a session whose login did not succeed; the client has been told.
var errLogin = errors.New("login refused")

// errRejected is errLogin by the warehouse's own word.
var errRejected = fmt.Errorf("%w by the warehouse", errLogin)

// login relays the connection phase: the warehouse's own greeting, the client's answer, the
// authentication dialogue (Connection Phase page of the protocol). When it returns nil, the client
// holds the warehouse's OK.
func (s *Session) login(ctx context.Context) error {
	deadline := time.Now().Add(s.g.Limits.LoginTimeout)
	_ = s.client.SetDeadline(deadline)
	s.loginBegins()
	if err := s.dial(ctx); err != nil {
		s.sayBeforeGreeting(wire.ErrNetRead, "08S01", "Sluice cannot reach the warehouse; try again later")
		s.g.Metrics.SessionRejected("warehouse")
		return err
	}
	_ = s.warehouse.SetDeadline(deadline)
	s.warehouse.ReadAhead(true) // the warehouse says nothing behind a greeting until it is answered
	greeting, err := s.relayGreeting()
	if err != nil {
		return err
	}
	response, err := s.readResponse()
	if err != nil {
		return err
	}
	if err := s.sendResponse(greeting, response); err != nil {
		return err
	}
	s.auth = &dialogue{plugin: response.AuthPlugin, salt: greeting.AuthData}
	if s.auth.plugin == "" {
		s.auth.plugin = greeting.AuthPlugin
	}
	s.auth.firstAnswer = response.AuthResponse
	ok, err := s.authenticate()
	if err != nil {
		return err
	}
	s.boundLogin(time.Time{})
	s.program = strings.Clone(response.Attribute("program_name")) // else it keeps the whole packet
	// Both legs are compressed as client and warehouse agreed, from behind the OK packet on.
	how := wire.AgreedCompression(s.caps, response.ZstdLevel)
	how.CountsRequests = s.state.reading.Dialect.Flavor == parser.TiDB
	s.warehouse.Compress(how, false)
	if err := s.welcome(ok, response.User); err != nil {
		return err
	}
	s.client.Compress(how, true)
	return nil
}

// boundLogin bounds a dialogue of authentication, or ends that: but not for a session that is to end.
func (s *Session) boundLogin(until time.Time) {
	_ = s.client.SetDeadline(until)
	_ = s.warehouse.SetDeadline(until)
	s.stillEnding()
}

// welcome hands the client the warehouse's OK. Who was let in is asked before it matters: see unsettle.
func (s *Session) welcome(ok []byte, name string) error {
	s.warehouse.ReadAhead(false)
	s.unsettle()
	s.loginName, s.nobodys = strings.Clone(name), false
	if p, err := wire.ParseOK(ok, s.caps); err == nil {
		s.state.status = p.Status
	}
	s.publish()
	s.client.ReadAhead(true)
	return s.client.WritePacket(ok)
}

func (s *Session) dial(ctx context.Context) error {
	network := "tcp"
	if len(s.g.Address) > 0 && s.g.Address[0] == '/' {
		network = "unix"
	}
	conn, err := wire.Dial(ctx, network, s.g.Address, s.g.DialTimeout)
	if err != nil {
		return fmt.Errorf("dial the warehouse: %w", err)
	}
	s.setWarehouse(conn)
	if !s.g.ProxySend {
		return nil
	}
	header := wire.ProxyHeader(s.address, addrPort(conn.RemoteAddr()))
	if _, err := conn.Write(header); err != nil {
		return fmt.Errorf("send the PROXY header: %w", err)
	}
	return nil
}

// relayGreeting sends the warehouse's greeting on, with the capabilities that this relay can follow.
func (s *Session) relayGreeting() (*wire.Greeting, error) {
	payload, err := s.warehouse.ReadPacket(maxHandshake)
	if err != nil {
		s.sayBeforeGreeting(wire.ErrNetRead, "08S01", "the warehouse closed the connection before it greeted")
		return nil, fmt.Errorf("read the greeting: %w", err)
	}
	if len(payload) > 0 && payload[0] == wire.HeaderERR {
		_ = s.client.WritePacket(payload)
		return nil, errLogin
	}
	greeting, err := wire.ParseGreeting(payload)
	if err != nil {
		s.sayBeforeGreeting(1105, "HY000", "the warehouse's greeting cannot be read")
		return nil, err
	}
	s.connection = uint64(greeting.ConnectionID)
	s.state.reading.Dialect = s.dialect(greeting.Version)
	allowed := ^maskedCapabilities
	add := wire.Capability(0)
	if s.clientTLS() != nil {
		add = wire.ClientSSL
	}
	edited := wire.EditGreeting(payload, allowed, add, passedExtended)
	return greeting, s.client.WritePacket(edited)
}

func (s *Session) dialect(version string) parser.Dialect {
	d := parser.ParseVersion(version)
	if s.g.Flavor != 0 {
		d.Flavor = s.g.Flavor
	}
	return d
}

func (s *Session) clientTLS() *tls.Config {
	if s.g.ClientTLS == nil {
		return nil
	}
	return s.g.ClientTLS()
}

// readResponse reads the client's answer to the greeting, through TLS if it asks for that. Nothing
// behind an SSLRequest is read as plain text: the packet is read to its exact end.
func (s *Session) readResponse() (*wire.HandshakeResponse, error) {
	payload, err := s.client.ReadPacket(maxHandshake)
	if err != nil {
		return nil, fmt.Errorf("read the handshake response: %w", err)
	}
	if wire.IsSSLRequest(payload) {
		if payload, err = s.startTLS(); err != nil {
			return nil, err
		}
	}
	response, err := wire.ParseHandshakeResponse(payload)
	if err != nil {
		s.sayError(1043, "08S01", "bad handshake: "+err.Error())
		return nil, err
	}
	if !response.Capabilities.Has(wire.ClientProtocol41) {
		s.sayError(1251, "08004", "Sluice needs a client that speaks protocol 4.1 or later")
		return nil, errLogin
	}
	return response, nil
}

func (s *Session) startTLS() ([]byte, error) {
	cfg := s.clientTLS()
	if cfg == nil {
		s.sayError(1043, "08S01", "TLS was asked for but Sluice offers none")
		return nil, errLogin
	}
	t := tls.Server(s.client.NetConn(), cfg)
	if err := t.Handshake(); err != nil {
		return nil, fmt.Errorf("TLS handshake with the client: %w", err)
	}
	s.client.Upgrade(t)
	s.subject.TLS = true
	return s.client.ReadPacket(maxHandshake)
}

// sendResponse hands the client's answer to the warehouse, with the capabilities masked and TLS
// begun first where the configuration says so.
func (s *Session) sendResponse(greeting *wire.Greeting, r *wire.HandshakeResponse) error {
	s.state.multi = r.Capabilities.Has(wire.ClientMultiStatements)
	if s.state.multi {
		// The warehouse gets one statement a text, and is to refuse any other; answers to the client may
		// still be several.
		r.Capabilities |= wire.ClientMultiResults
		r.Capabilities &^= wire.ClientMultiStatements
	}
	r.Capabilities &= ^maskedCapabilities & greeting.Capabilities
	r.Extended &= passedExtended & greeting.Extended
	s.caps, s.extended = r.Capabilities, r.Extended
	if err := s.encryptWarehouse(greeting, r); err != nil {
		return err
	}
	if s.warehouseTLS {
		r.Capabilities |= wire.ClientSSL
	}
	return s.warehouse.WritePacket(r.Encode())
}

func (s *Session) encryptWarehouse(greeting *wire.Greeting, r *wire.HandshakeResponse) error {
	if s.g.WarehouseTLS == TLSDisabled {
		return nil
	}
	if !greeting.Capabilities.Has(wire.ClientSSL) {
		if s.g.WarehouseTLS == TLSPreferred {
			return nil
		}
		s.sayError(1105, "HY000", "the warehouse offers no TLS and Sluice's configuration requires it (warehouse.tls)")
		return errLogin
	}
	if err := s.warehouse.WritePacket(r.SSLRequest()); err != nil {
		return err
	}
	t := tls.Client(s.warehouse.NetConn(), s.g.TLSConfig)
	if err := t.Handshake(); err != nil {
		s.sayError(1105, "HY000", "TLS with the warehouse failed; see Sluice's log")
		return fmt.Errorf("TLS handshake with the warehouse: %w", err)
	}
	s.warehouse.Upgrade(t)
	s.warehouseTLS = true
	return nil
}

// sayBeforeGreeting is an ERR in place of the greeting, which clients accept there.
func (s *Session) sayBeforeGreeting(code uint16, sqlState, message string) {
	_ = s.client.WritePacket(wire.EncodeERR(code, sqlState, message, wire.ClientProtocol41))
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
