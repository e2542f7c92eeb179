// Package audit is the decision log: hash-chained JSON lines, and rows of the warehouse that follow.
//
// What must be recorded is recorded before it is forwarded: Record returns when the entry is in the
// file, and an error means that the statement must not run. Entries are never changed or dropped; a gap or an
// edit shows in Verify.
package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"time"
)

// Entry is one line of the log (contract 7).
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
	plain, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode an audit entry: %w", err)
	}
	sum := sha256.Sum256(plain)
	e.Hash = hex.EncodeToString(sum[:])
	line, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode an audit entry: %w", err)
	}
	return append(line, '\n'), nil
}

// check tells whether the entry's hash is that of its content.
func (e *Entry) check() error {
	have := e.Hash
	again := *e
	if _, err := again.seal(e.Previous); err != nil {
		return err
	}
	if again.Hash != have {
		return fmt.Errorf("entry %s: its content does not fit its hash", e.ID)
	}
	return nil
}

// Digest is the digest of a statement's text.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

var secrets = regexp.MustCompile(`(?is)\b(identified\s+(?:with\s+\S+\s+)?(?:by|as)|password\s*(?:=|\()|set\s+password.*?=|secret[-_]?key\s*=|access[-_]?key\s*=|using\s+password)\s*('(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|\S+)`)

// Redact takes passwords and keys out of a statement's text.
func Redact(text string) string { return secrets.ReplaceAllString(text, "$1 '***'") }
