package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"sluice/parser"
)

// errUnspeakable is a text that the warehouse cannot be told as it was judged.
var errUnspeakable = errors.New("the text that it runs holds characters that the client's character set lacks, or that Sluice cannot spell in it; SET NAMES utf8mb4")

// dynamicText gives the text as it will be read, in the client's character set: the literal, or what the warehouse says
// the expression's value is.
func (s *Session) dynamicText(ctx context.Context, st *parser.Statement, d *parser.Dynamic) (text string, asked bool, err error) {
	if d.Expression != "" {
		text, err = s.textOf(ctx, st.SentPart(d.Expression))
		return text, true, err
	}
	switch {
	case ascii(d.Text):
		return d.Text, false, nil
	case s.state.reading.Dialect.Flavor == parser.MariaDB: // a literal goes through character_set_connection
		text, err = s.textOf(ctx, "'"+strings.ReplaceAll(st.SentPart(d.Text), "'", "''")+"'")
		return text, false, err
	case s.state.reading.Unicode(), st.Bare() != st.Text: // MySQL puts a literal into UTF-8, and then reads these bytes in the client's character set
		return d.Text, false, nil
	}
	return "", false, errUnspeakable
}

// textOf asks for the value of an expression, which is in the client's character set. It comes in hex: the character set
// for results may lack a name's letters, and the warehouse would say '?' for them.
func (s *Session) textOf(ctx context.Context, expression string) (string, error) {
	rows, err := s.ask(ctx, "SELECT HEX(CONVERT(("+expression+") USING utf8mb4)), CHARSET(("+expression+"))")
	if err != nil {
		return "", err
	}
	if len(rows) != 1 || len(rows[0]) != 2 || rows[0][0] == nil {
		return "", nil // NULL: the warehouse answers with its own error
	}
	value, err := hex.DecodeString(*rows[0][0])
	if err != nil {
		return "", fmt.Errorf("read the text of a statement: %w", err)
	}
	if ascii(string(value)) {
		return string(value), nil
	}
	if err := s.refreshFor(ctx, value); err != nil { // the character set may have changed since a text last depended on it
		return "", err
	}
	text, ok := s.state.reading.Encode(string(value))
	if bytes := rows[0][1] != nil && *rows[0][1] == "binary"; !ok || bytes && !s.state.reading.Unicode() {
		return "", errUnspeakable // bytes are read as they are
	}
	return text, nil
}

// byItself is a text out of a statement as the client would send it alone.
func (s *Session) byItself(text string) string {
	if sent, ok := s.state.reading.Encode(text); ok {
		return sent
	}
	return text // it was left as it came
}

// replaced puts the judged text in the place of the expression that had it as its value.
func (s *Session) replaced(t *trip, d *parser.Dynamic, text string) ([]byte, error) {
	// Without the comments: one could hold the expression, too.
	st, expression := t.statement.Bare(), t.statement.SentPart(d.Expression)
	if isVariable(d.Expression) {
		return t.packet, nil // a user variable of this session: it cannot change in between
	}
	at := strings.LastIndex(st, expression)
	if at < 0 {
		return nil, errors.New("the expression that it runs was not found in it")
	}
	quoted := strings.ReplaceAll(text, "'", "''")
	if s.state.reading.Mode&parser.NoBackslashEscapes == 0 {
		quoted = strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return append([]byte{byte(t.command)}, st[:at]+"'"+quoted+"'"+st[at+len(expression):]...), nil
}

// ascii tells whether a text is the same in every client character set.
func ascii(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func isVariable(expression string) bool {
	if !strings.HasPrefix(expression, "@") || strings.HasPrefix(expression, "@@") {
		return false
	}
	return strings.Trim(strings.ToLower(expression[1:]), "abcdefghijklmnopqrstuvwxyz0123456789_$.") == ""
}
