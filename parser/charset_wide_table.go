package parser

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// wideRow is one character set of several bytes: how it is walked, and where the servers' table is another than the one of
// golang.org/x/text. A test asks the servers for every character.
type wideRow struct {
	size  func(text string) int // bytes of the character that a text begins with, its first byte above 0x7F; 0 if that is none
	table encoding.Encoding
	// but are the codes from, to of which x/text makes a character and the servers none, another, or one that has two codes.
	but   [][2]uint32
	also  map[uint32]rune
	slips bool // a byte of a character may be a backslash
	fours bool // characters of four bytes
	// blurs: the servers turn a character of this set into a backslash when they convert it.
	blurs bool
}

func between(c, from, to byte) bool { return from <= c && c <= to }

// two gives the size of a character of two bytes, or 0.
func two(text string, lead, trail func(c byte) bool) int {
	if len(text) > 1 && lead(text[0]) && trail(text[1]) {
		return 2
	}
	return 0
}

func sizeGBK(text string) int {
	return two(text, func(c byte) bool { return between(c, 0x81, 0xFE) }, func(c byte) bool { return between(c, 0x40, 0x7E) || between(c, 0x80, 0xFE) })
}

func sizeGB18030(text string) int {
	if n := sizeGBK(text); n > 0 || len(text) < 4 {
		return n
	}
	if between(text[0], 0x81, 0xFE) && between(text[1], '0', '9') && between(text[2], 0x81, 0xFE) && between(text[3], '0', '9') {
		return 4
	}
	return 0
}

func sizeGB2312(text string) int {
	return two(text, func(c byte) bool { return between(c, 0xA1, 0xF7) }, func(c byte) bool { return between(c, 0xA1, 0xFE) })
}

func sizeBig5(text string) int {
	return two(text, func(c byte) bool { return between(c, 0xA1, 0xF9) }, func(c byte) bool { return between(c, 0x40, 0x7E) || between(c, 0xA1, 0xFE) })
}

func sizeEUCKR(text string) int {
	return two(text, func(c byte) bool { return between(c, 0x81, 0xFE) }, func(c byte) bool {
		return between(c, 'A', 'Z') || between(c, 'a', 'z') || between(c, 0x81, 0xFE)
	})
}

func sizeSJIS(text string) int {
	if between(text[0], 0xA1, 0xDF) {
		return 1
	}
	return two(text, func(c byte) bool { return between(c, 0x81, 0x9F) || between(c, 0xE0, 0xFC) }, func(c byte) bool { return between(c, 0x40, 0x7E) || between(c, 0x80, 0xFC) })
}

func sizeEUCJP(text string) int {
	high := func(c byte) bool { return between(c, 0xA1, 0xFE) }
	switch {
	case text[0] == 0x8E:
		return two(text, func(byte) bool { return true }, func(c byte) bool { return between(c, 0xA1, 0xDF) })
	case text[0] == 0x8F && len(text) > 2 && high(text[1]) && high(text[2]):
		return 3
	}
	return two(text, high, high)
}

// wideRows are the sets. gbk and euckr are those of x/text, but for few codes; the others are older than what browsers read under
// their names. Kana and Cyrillic that big5 has twice, and the letters of users' own, are left out.
var wideRows = map[string]wideRow{
	"gbk":     {size: sizeGBK, table: simplifiedchinese.GBK, slips: true, but: [][2]uint32{{0xA2E3, 0xA2E3}, {0xA3A0, 0xA3A0}, {0xA8BF, 0xA8BF}, {0xA989, 0xA995}, {0xFE50, 0xFE9F}}},
	"gb18030": {size: sizeGB18030, table: simplifiedchinese.GB18030, slips: true, fours: true, but: [][2]uint32{{0xA3A0, 0xA3A0}, {0x8135F437, 0x8135F437}}},
	"gb2312": {size: sizeGB2312, table: simplifiedchinese.GBK, but: [][2]uint32{{0xA2A1, 0xA2AA}, {0xA2E3, 0xA2E3}, {0xA6E0, 0xA6F5}, {0xA8BB, 0xA8C0}},
		also: map[uint32]rune{0xA1A4: '・', 0xA1AA: '―'}},
	"big5": {size: sizeBig5, table: traditionalchinese.Big5, slips: true,
		but:  [][2]uint32{{0xA15A, 0xA15A}, {0xA1C3, 0xA1C3}, {0xA1C5, 0xA1C5}, {0xA1FE, 0xA240}, {0xA2CC, 0xA2CC}, {0xA2CE, 0xA2CE}, {0xA3C0, 0xA3E1}, {0xC6A1, 0xC8FE}, {0xF9DD, 0xF9FE}},
		also: map[uint32]rune{0xA145: '•', 0xA14E: '､', 0xA1C2: '‾', 0xA1E3: '∼', 0xA1F2: '♁', 0xA1F3: '☉', 0xA241: '／', 0xA242: '＼', 0xA244: '¥', 0xA246: '¢', 0xA247: '£'}},
	"euckr": {size: sizeEUCKR, table: korean.EUCKR},
	"sjis": {size: sizeSJIS, table: japanese.ShiftJIS, slips: true, blurs: true, but: [][2]uint32{{0x815F, 0x815F}, {0x8740, 0x879C}, {0xED40, 0xFC4B}},
		also: map[uint32]rune{0x8160: '〜', 0x8161: '‖', 0x817C: '−', 0x8191: '¢', 0x8192: '£', 0x81CA: '¬'}},
	"cp932": {size: sizeSJIS, table: japanese.ShiftJIS, slips: true, but: [][2]uint32{{0x8790, 0x8792}, {0x8795, 0x8797}, {0x879A, 0x879C}, {0xED40, 0xEEFC}, {0xFA4A, 0xFA54}, {0xFA58, 0xFA5B}}},
	"ujis": {size: sizeEUCJP, table: japanese.EUCJP, blurs: true, but: [][2]uint32{{0xA1C0, 0xA1C0}, {0xADA1, 0xADFC}, {0xF9A1, 0xFCFE}, {0x8FA2B7, 0x8FA2B7}},
		also: map[uint32]rune{0xA1C1: '〜', 0xA1C2: '‖', 0xA1DD: '−', 0xA1F1: '¢', 0xA1F2: '£', 0xA2CC: '¬'}},
	"eucjpms": {size: sizeEUCJP, table: japanese.EUCJP, but: [][2]uint32{{0xADF0, 0xADF2}, {0xADF5, 0xADF7}, {0xADFA, 0xADFC}, {0xF9A1, 0xFCFE}, {0x8FA2B7, 0x8FA2B7}, {0x8FA2C3, 0x8FA2C3}, {0x8FA2F1, 0x8FA2F1}}},
}

var wideSets = sync.OnceValue(func() map[string]*wideSet {
	sets := make(map[string]*wideSet, len(wideRows))
	for name, row := range wideRows {
		sets[name] = &wideSet{wideRow: row}
	}
	return sets
})

// build fills the tables; they are large, and most gateways need none.
func (s *wideSet) build() {
	cells := threeBytes
	if s.table == japanese.EUCJP {
		cells = fourBytes
	}
	if s.fours {
		cells = fourBytes + fourCells
	}
	s.runes, s.cells = make([]uint16, cells), make([]uint32, 1<<16)
	decoder := s.table.NewDecoder()
	try := func(code, cell uint32, bytes ...byte) {
		if s.size(string(bytes)) != len(bytes) || s.without(code) {
			return
		}
		r, known := s.also[code]
		if !known {
			text, err := decoder.Bytes(bytes)
			var n int
			if r, n = utf8.DecodeRune(text); err != nil || n != len(text) {
				return
			}
		}
		if r >= utf8.RuneSelf && r != utf8.RuneError && r <= 0xFFFF && (r < 0xE000 || r > 0xF8FF) {
			s.put(cell, r)
		}
	}
	for a := uint32(0x80); a < 0x100; a++ {
		try(a, a, byte(a))
		for b := uint32(0x40); b < 0x100; b++ {
			try(a<<8|b, a<<8|b, byte(a), byte(b))
			if cells == fourBytes {
				try(0x8F0000|a<<8|b, threeBytes|(a&0x7F)<<7|b&0x7F, 0x8F, byte(a), byte(b))
			}
		}
	}
	for n := uint32(0); n < fourCells && s.fours; n++ {
		a, b, c, d := 0x81+n/12600, 0x30+n/1260%10, 0x81+n/10%126, 0x30+n%10
		try(a<<24|b<<16|c<<8|d, fourBytes+n, byte(a), byte(b), byte(c), byte(d))
	}
}

func (s *wideSet) without(code uint32) bool {
	for _, r := range s.but {
		if r[0] <= code && code <= r[1] {
			return true
		}
	}
	return false
}
