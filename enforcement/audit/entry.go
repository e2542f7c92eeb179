// Package audit is the decision log: hash-chained JSON lines, and rows of the warehouse that follow.
//
// What must be recorded is recorded before it is forwarded: Record returns when the entry is in the
// file, and an error means that the statement must not run. Entries are never changed or dropped; a gap or an
// edit shows in Verify.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"time"
)

// Entry is one line of the log (contract 7). A field that is added later is left out when empty, so that the lines
// before it keep their hashes.
type Entry struct {
	ID             string    `json:"id"`
	Time           time.Time `json:"time"`
	Gateway        string    `json:"gateway,omitempty"`
	User           string    `json:"user"`
	Host           string    `json:"host"`
	Client         string    `json:"client"`
	Connection     uint64    `json:"connection"`
	SessionProject string    `json:"session_project"`
	Schema         string    `json:"schema,omitempty"`
	Task           string    `json:"task"`
	Kind           string    `json:"kind"`
	Tier           string    `json:"tier,omitempty"`
	Digest         string    `json:"digest"`         // SHA-256 of the statement's text
	Text           string    `json:"text,omitempty"` // by configuration
	Flows          []string  `json:"flows,omitempty"`
	Projects       []string  `json:"projects,omitempty"` // whose data the decision was about
	Verdict        string    `json:"verdict"`            // permit, deny, dryrun, killed, command, alarm
	Rule           string    `json:"rule,omitempty"`
	Reason         string    `json:"reason,omitempty"`
	Alarm          string    `json:"alarm,omitempty"`
	Revision       uint64    `json:"revision"`
	Previous       string    `json:"previous"` // hash of the entry before
	Hash           string    `json:"hash"`     // of this entry with Hash empty
}

// seal sets the entry's place in the chain and gives its line.
func (e *Entry) seal(previous string) ([]byte, error) {
	e.Previous, e.Hash = previous, ""
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	plain, err := e.encode()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(plain)
	e.Hash = hex.EncodeToString(sum[:])
	line, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode an audit entry: %w", err)
	}
	return append(line, '\n'), nil
}

// encode gives the entry as it will read again. Bytes that are no UTF-8, as in a statement of another character
// set, become U+FFFD in the entry itself: otherwise they would be spelled otherwise the second time.
func (e *Entry) encode() ([]byte, error) {
	plain, err := json.Marshal(e)
	if err == nil && bytes.Contains(plain, []byte(`\ufffd`)) {
		if err = json.Unmarshal(plain, e); err == nil {
			plain, err = json.Marshal(e)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("encode an audit entry: %w", err)
	}
	return plain, nil
}

// Digest is the digest of a statement's text.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// secret finds the words that stand before a password or a key, in whatever statement: IDENTIFIED BY, PASSWORD(…),
// MASTER_PASSWORD =, OPTIONS (PASSWORD …), an S3 engine's keys.
var secret = regexp.MustCompile(`(?i)identified|passw|secret|(?:access|private)[-_]?key|credential`)

// literal is the beginning of a literal.
var literal = regexp.MustCompile(`(?i)['"]|\b0x[0-9a-f]`)

// Redact takes passwords and keys out of a statement's text. What follows the first literal behind a word
// that announces a secret is left out to the end: where a literal ends depends on the SQL mode, on comments
// and on whether the text was cut, and a log must not bet on it.
func Redact(text string) string {
	at := secret.FindStringIndex(text)
	if at == nil {
		return text
	}
	begin := literal.FindStringIndex(text[at[1]:])
	if begin == nil {
		return text
	}
	return text[:at[1]+begin[0]] + "'***'"
}
