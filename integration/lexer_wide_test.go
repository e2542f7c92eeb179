package integration

import (
	"math/rand/v2"

	"sluice/parser"
)

// wideNames are tables of the canary: 表 ends in a backslash in sjis, 功 in big5, 縗 in gbk, and 乣 ends in a backtick in gbk.
var wideNames = []string{"表", "功", "縗", "乣"}

// wideBytes begin and end characters in the sets of several bytes, or seem to.
var wideBytes = []string{"\x81", "\x8e", "\x8f", "\x95", "\xa1", "\xa5", "\xbf", "\xc6", "\xdf", "\xe0", "\xfc", "\xfd", "\xfe", "\xff", "\x80", "\xa0",
	"\\", "\\", "`", "'", "\"", "@", "a", "A", "1", "0", "~", "{", "\x7f", "\x40", "\n", "*/", "/*", "-- ", "\x81\x30\x81\x30", "\x84\x31\xa4\x37", "\x95\\", "\xbf\\", "\xa5\\", "\x81`", "\xb1\xed", "\x8f\xa1\xa1", "\x8e\xa1", "\\\x81", "\\\xbf", "\\\xa1", "\\\\"}

// widePiece makes a piece of bytes that meet in the character sets of several bytes, or of a name spelt in the client's set.
func widePiece(r *rand.Rand, by parser.Reading, other string) string {
	switch r.IntN(4) {
	case 0:
		name, ok := by.Encode(wideNames[r.IntN(len(wideNames))])
		if !ok {
			return other
		}
		return []string{name, "`" + name + "`", "secret." + name, "secret.`" + name + "`", " UNION SELECT v FROM secret.`" + name + "` ", " UNION SELECT v FROM secret." + name + " ", ", (SELECT v FROM secret." + name + ") -- ", "'" + name + "'", "@`" + name + "`", "AS " + name + " "}[r.IntN(10)]
	case 1:
		return wideBytes[r.IntN(len(wideBytes))] + wideBytes[r.IntN(len(wideBytes))]
	case 2:
		return string([]byte{byte(0x80 + r.IntN(128)), byte(0x20 + r.IntN(224))})
	}
	return wideBytes[r.IntN(len(wideBytes))]
}
