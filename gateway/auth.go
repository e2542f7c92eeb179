package gateway

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"sluice/gateway/wire"
	"sluice/parser"
)

// The plugins whose full authentication sends the password itself, in a form that depends on
// whether the leg is encrypted (caching_sha2_password and sha256_password pages).
const (
	cachingSHA2   = "caching_sha2_password"
	sha256Plugin  = "sha256_password"
	clearPassword = "mysql_clear_password"
	pamDialog     = "dialog"
)

// dialogue is one authentication in progress.
type dialogue struct {
	plugin      string
	salt        []byte
	firstAnswer []byte // the auth response of the packet that began the dialogue
}

// authenticate relays the dialogue until the warehouse says OK, which it returns for later, or ERR.
func (s *Session) authenticate() ([]byte, error) {
	if err := s.refuseCleartext(s.auth.plugin); err != nil {
		return nil, err
	}
	// sha256_password has no fast path: with it the first answer is the password or a key request.
	if s.auth.plugin == sha256Plugin && s.legsDiffer() && len(s.auth.firstAnswer) > 0 {
		return nil, s.refuseLogin(3159, "HY000", "sha256_password as the client's default plugin needs TLS on both legs or neither")
	}
	for {
		p, err := s.warehouse.ReadPacket(maxHandshake)
		if err != nil {
			s.sayError(wire.ErrNetRead, "08S01", "the warehouse closed the connection during login")
			return nil, fmt.Errorf("read the warehouse's login answer: %w", err)
		}
		if len(p) == 0 {
			return nil, s.refuseLogin(1043, "08S01", "the warehouse sent an empty login packet")
		}
		switch {
		case p[0] == wire.HeaderOK:
			return p, nil
		case p[0] == wire.HeaderERR:
			_ = s.client.WritePacket(p)
			return nil, errRejected
		case p[0] == wire.HeaderAuthSwitch:
			err = s.switchPlugin(p)
		default:
			err = s.continueDialogue(p)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (s *Session) switchPlugin(p []byte) error {
	sw, err := wire.ParseAuthSwitch(p)
	if err != nil {
		return s.refuseLogin(1043, "08S01", "the warehouse's auth switch cannot be read")
	}
	s.auth.plugin, s.auth.salt = sw.Plugin, sw.Data
	if err := s.refuseCleartext(sw.Plugin); err != nil {
		return err
	}
	if err := s.client.WritePacket(p); err != nil {
		return err
	}
	if sw.Plugin == sha256Plugin && s.legsDiffer() {
		return s.bridge()
	}
	return s.passAnswer()
}

// continueDialogue passes on what the warehouse sent and, when it is the client's turn, the answer.
func (s *Session) continueDialogue(p []byte) error {
	if err := s.client.WritePacket(p); err != nil {
		return err
	}
	if s.auth.plugin == cachingSHA2 && len(p) == 2 && p[0] == wire.HeaderAuthMore {
		switch p[1] {
		case wire.FastAuthOK:
			return nil // the warehouse speaks again
		case wire.FullAuth:
			if s.legsDiffer() {
				return s.bridge()
			}
			if !s.warehouseTLS {
				return s.plainAnswer()
			}
		}
	}
	return s.passAnswer()
}

// plainAnswer passes on what a plain client answers to a plain warehouse. MariaDB's client library sends the
// password as it is here, which the warehouse refuses: it gets the form that it expects. Such a password
// has crossed the client's link already; TLS towards clients keeps it off.
func (s *Session) plainAnswer() error {
	answer, err := s.client.ReadPacket(maxHandshake)
	if err != nil {
		return fmt.Errorf("read the client's login answer: %w", err)
	}
	defer clear(answer)
	if s.g.RSABridge && len(answer) > 1 && len(answer) < shortestRSA && answer[len(answer)-1] == 0 {
		return s.passwordToPlain(answer)
	}
	return s.warehouse.WritePacket(answer)
}

// shortestRSA is the length of the shortest RSA ciphertext that servers take: 1024 bits.
const shortestRSA = 128

func (s *Session) passAnswer() error {
	answer, err := s.client.ReadPacket(maxHandshake)
	if err != nil {
		return fmt.Errorf("read the client's login answer: %w", err)
	}
	defer clear(answer)
	return s.warehouse.WritePacket(answer)
}

// legsDiffer tells whether just one of the two legs is encrypted.
func (s *Session) legsDiffer() bool { return s.subject.TLS != s.warehouseTLS }

// bridge carries a password between an encrypted and a plain leg: each leg gets the form that its
// end expects. The gateway holds the password for as long as this function runs.
func (s *Session) bridge() error {
	if !s.g.RSABridge {
		return s.refuseAnswer(3159, "HY000", "this account's login needs TLS on both sides of Sluice or on neither (auth.rsa_bridge is off)")
	}
	if !s.warehouseTLS && s.state.reading.Dialect.Flavor == parser.TiDB {
		return s.refuseAnswer(3159, "HY000", "TiDB takes this account's password over TLS alone: Sluice's operator sets warehouse.tls")
	}
	var password []byte
	var err error
	if s.subject.TLS {
		password, err = s.client.ReadPacket(maxHandshake)
	} else {
		password, err = s.passwordOverPlain()
	}
	if err != nil {
		return err
	}
	defer clear(password)
	if s.warehouseTLS || len(password) <= 1 {
		return s.warehouse.WritePacket(password)
	}
	return s.passwordToPlain(password)
}

// passwordOverPlain plays the server's part of the RSA exchange with a plain client.
func (s *Session) passwordOverPlain() ([]byte, error) {
	request, err := s.client.ReadPacket(maxHandshake)
	if err != nil {
		return nil, fmt.Errorf("read the client's key request: %w", err)
	}
	if len(request) <= 1 && !bytes.Equal(request, []byte{s.keyRequest()}) {
		return request, nil // an empty password
	}
	key, err := s.g.rsaKey()
	if err != nil {
		return nil, err
	}
	encrypted := request
	if len(request) == 1 {
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("encode the public key: %w", err)
		}
		pub := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		if err := s.client.WritePacket(append([]byte{wire.HeaderAuthMore}, pub...)); err != nil {
			return nil, err
		}
		if encrypted, err = s.client.ReadPacket(maxHandshake); err != nil {
			return nil, fmt.Errorf("read the client's encrypted password: %w", err)
		}
	}
	password, err := wire.DecryptPassword(encrypted, s.auth.salt, key)
	if err != nil {
		return nil, s.refuseLogin(1045, "28000", "the encrypted password cannot be read; use TLS, or let the client ask for the server's public key")
	}
	return password, nil
}

// passwordToPlain plays the client's part of the RSA exchange with a plain warehouse.
func (s *Session) passwordToPlain(password []byte) error {
	if err := s.warehouse.WritePacket([]byte{s.keyRequest()}); err != nil {
		return err
	}
	p, err := s.warehouse.ReadPacket(maxHandshake)
	if err != nil {
		return fmt.Errorf("read the warehouse's public key: %w", err)
	}
	if len(p) < 2 || p[0] != wire.HeaderAuthMore {
		if len(p) > 0 && p[0] == wire.HeaderERR {
			_ = s.client.WritePacket(p)
			return errLogin
		}
		return s.refuseLogin(1043, "08S01", "the warehouse sent no public key")
	}
	encrypted, err := wire.EncryptPassword(password, s.auth.salt, p[1:])
	if err != nil {
		return s.refuseLogin(1043, "08S01", "the warehouse's public key cannot be used")
	}
	return s.warehouse.WritePacket(encrypted)
}

// keyRequest is the byte that asks for the public key: it differs between the two plugins.
func (s *Session) keyRequest() byte {
	if s.auth.plugin == sha256Plugin {
		return 0x01
	}
	return 0x02
}

// refuseCleartext keeps passwords off a plain client link.
func (s *Session) refuseCleartext(plugin string) error {
	if s.subject.TLS || (plugin != clearPassword && plugin != pamDialog) {
		return nil
	}
	return s.refuseLogin(3159, "HY000", "this account's plugin "+plugin+" sends the password in clear: connect to Sluice with TLS")
}

func (s *Session) refuseLogin(code uint16, sqlState, message string) error {
	s.sayError(code, sqlState, message)
	return errLogin
}

// refuseAnswer is refuseLogin where it is the client's turn: it sends its part before it reads.
func (s *Session) refuseAnswer(code uint16, sqlState, message string) error {
	answer, err := s.client.ReadPacket(maxHandshake)
	if err != nil {
		return fmt.Errorf("read the client's login answer: %w", err)
	}
	clear(answer)
	return s.refuseLogin(code, sqlState, message)
}

// rsaKey is made on first use and lives as long as the process.
func (g *Gateway) rsaKey() (*rsa.PrivateKey, error) {
	var err error
	g.keyOnce.Do(func() { g.key, err = rsa.GenerateKey(rand.Reader, 2048) })
	if g.key == nil {
		return nil, fmt.Errorf("make the RSA key of the login bridge: %w", err)
	}
	return g.key, nil
}
