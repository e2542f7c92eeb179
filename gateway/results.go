package gateway

import (
	"strings"

	"sluice/gateway/wire"
	"sluice/parser"
)

// collations are the default collations of the character sets that Sluice spells its own answers in, as columns tell them.
var collations = map[string]uint16{
	"big5": 1, "latin2": 9, "cp850": 4, "dec8": 3, "hp8": 6, "koi8r": 7, "latin1": 8, "ujis": 12, "sjis": 13, "hebrew": 16, "tis620": 18, "euckr": 19, "koi8u": 22,
	"gb2312": 24, "greek": 25, "cp1250": 26, "gbk": 28, "latin5": 30, "armscii8": 32, "cp866": 36, "keybcs2": 37, "macce": 38, "macroman": 39, "cp852": 40,
	"latin7": 41, "cp1251": 51, "cp1256": 57, "cp1257": 59, "geostd8": 92, "cp932": 95, "eucjpms": 97, "gb18030": 248,
}

// adoptResults keeps the character set that the client gets texts in.
func (st *state) adoptResults(charset string) {
	st.results = parser.Reading{Dialect: st.reading.Dialect, Charset: strings.ToLower(charset)}
}

// shown spells a text of the gateway's own as the client gets texts.
func (s *Session) shown(text string) string { return s.state.results.Show(text) }

// shownColumn is a column of such texts.
func (s *Session) shownColumn(name string) wire.Column {
	c := wire.TextColumn(s.shown(name))
	if id, known := collations[s.state.results.Charset]; known && !s.state.results.Unicode() {
		c.Charset = id
	}
	return c
}
