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

// dynamicText gives the text as it will be read, byte by byte: the literal, or what the warehouse says the expression's value is.
func (s *Session) dynamicText(ctx context.Context, st *parser.Statement, d *parser.Dynamic) (text string, asked bool, err error) {
	if d.Expression != "" {
		text, err = s.textOf(ctx, st.SentPart(d.Expression))
		return text, true, err
	}
	reading := s.state.reading
	switch {
	case ascii(d.Text):
		return d.Text, false, nil
	case !reading.Faithful(d.Text):
		return "", false, errUnspeakable
	case reading.Dialect.Flavor == parser.MariaDB: // a literal goes through character_set_connection
		text, err = s.textOf(ctx, "'"+strings.ReplaceAll(st.SentPart(d.Text), "'", "''")+"'")
		return text, false, err
	case reading.Dialect.Flavor == parser.TiDB: // reads what the literal means
		if text, ok := reading.Encode(d.Text); ok {
			return text, false, nil
		}
	case reading.Unicode(), st.Bare() != st.Text: // MySQL puts a literal into UTF-8, and then reads these bytes in the client's character set
		return d.Text, false, nil
	}
	return "", false, errUnspeakable
}

// textOf asks for the text that an expression has as its value, as the bytes that the warehouse will read. They come in hex: the
// character set for results may lack a name's letters. They are asked for as they are, too: to convert them is to lose what is no character,
// and some sets turn a character into a backslash.
func (s *Session) textOf(ctx context.Context, expression string) (string, error) {
	if s.state.reading.Dialect.Flavor == parser.MySQL && !isVariable(expression) {
		return s.literalOf(ctx, expression)
	}
	// CONCAT makes a text of a number.
	rows, err := s.askRow(ctx, "HEX(CONCAT("+expression+")), CHARSET(CONCAT("+expression+")), @@character_set_connection")
	if err != nil {
		return "", err
	}
	if len(rows) != 1 || len(rows[0]) != 3 || rows[0][0] == nil || rows[0][1] == nil || rows[0][2] == nil {
		return "", nil // NULL: the warehouse answers with its own error
	}
	raw, charset := *rows[0][0], *rows[0][1]
	value, err := unhex(raw)
	if err != nil {
		return "", err
	}
	if parser.ModeFree(value) && asciiBased(charset) && asciiBased(s.state.reading.Charset) && asciiBased(*rows[0][2]) {
		return value, nil
	}
	if err := s.refreshFor(ctx, []byte("\\")); err != nil { // the character set may have changed since a text last depended on it
		return "", err
	}
	reading := s.state.reading
	target := reading.Charset
	switch reading.Dialect.Flavor {
	case parser.MySQL: // and reads the bytes in the client's character set
		target = *rows[0][2]
	case parser.TiDB:
		target = "utf8mb4"
	}
	switch {
	case charset == "binary" && !(reading.Unicode() && utf8.ValidString(value)):
		return "", errUnspeakable // bytes are read as they are
	case charset != "binary" && charset != target:
		if value, err = s.converted(ctx, expression, value, target); err != nil {
			return "", err
		}
	}
	if reading.Dialect.Flavor == parser.TiDB {
		var ok bool
		if value, ok = reading.Encode(value); !ok {
			return "", errUnspeakable
		}
	}
	return value, nil
}

// literalOf gives the text that a literal of MySQL's with backslashes in it spells.
func (s *Session) literalOf(ctx context.Context, expression string) (string, error) {
	rows, err := s.askRow(ctx, "HEX(CONVERT(("+expression+") USING utf8mb4))")
	if err != nil {
		return "", err
	}
	if len(rows) != 1 || len(rows[0]) != 1 || rows[0][0] == nil {
		return "", nil
	}
	value, err := unhex(*rows[0][0])
	if err == nil && !ascii(value) {
		if err = s.refreshFor(ctx, []byte(value)); err == nil && !s.state.reading.Unicode() {
			err = errUnspeakable
		}
	}
	return value, err
}

// converted asks for a value in another character set; what is not to be had there would be a question mark.
func (s *Session) converted(ctx context.Context, expression, value, charset string) (string, error) {
	if strings.Trim(charset, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "", errUnspeakable
	}
	rows, err := s.askRow(ctx, "HEX(CONVERT(("+expression+") USING "+charset+"))")
	if err != nil {
		return "", err
	}
	if len(rows) != 1 || len(rows[0]) != 1 || rows[0][0] == nil {
		return "", errUnspeakable
	}
	text, err := unhex(*rows[0][0])
	if err == nil && strings.Count(text, "?") > strings.Count(value, "?") {
		err = errUnspeakable
	}
	return text, err
}

func unhex(s string) (string, error) {
	value, err := hex.DecodeString(s)
	if err != nil {
		return "", fmt.Errorf("read the text of a statement: %w", err)
	}
	return string(value), nil
}

// asciiBased tells whether the bytes of ASCII are ASCII in a character set.
func asciiBased(charset string) bool {
	switch charset {
	case "ucs2", "utf16", "utf16le", "utf32", "swe7":
		return false
	}
	return true
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
	quoted, ok := s.quoted(text)
	if !ok {
		return nil, errUnspeakable
	}
	return append([]byte{byte(t.command)}, st[:at]+quoted+st[at+len(expression):]...), nil
}

// quoted spells a text of the client's character set as a literal.
func (s *Session) quoted(text string) (string, bool) {
	reading, introducer := s.state.reading, ""
	if reading.Dialect.Flavor == parser.MariaDB && !parser.ModeFree(text) {
		introducer = "_" + reading.Charset // else it would go through character_set_connection
	}
	known := reading.Unicode()
	if !known { // a byte of a character may be a backslash
		if text, known = reading.Decode(text); !known {
			return "", false
		}
	}
	text = strings.ReplaceAll(text, "'", "''")
	if reading.Mode&parser.NoBackslashEscapes == 0 {
		text = strings.ReplaceAll(text, `\`, `\\`)
	}
	sent, known := reading.Encode(text)
	return introducer + "'" + sent + "'", known
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
