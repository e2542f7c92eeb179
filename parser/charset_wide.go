package parser

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// wideSet is a character set of several bytes for a character, ASCII below 0x80, walked as the warehouse's lexer walks it. What is
// no character there, or none that all servers and we give one meaning, is read as a stand-in, so that the rest of the
// text can be read and the client's bytes come back as they were. A stand-in may stand in strings and comments, never in a name.
type wideSet struct {
	wideRow
	fill  sync.Once
	runes []uint16 // by cell
	cells []uint32 // by rune
}

// The stand-ins are in the planes for private use, which hold no character of these sets but of gb18030; there they are refused.
const (
	standIn      = 0xF0000  // plus one or two bytes
	standInThree = 0x100000 // plus seven bits each of the two bytes behind a 0x8F
	threeBytes   = 1 << 16  // begins the cells of three bytes
	fourBytes    = 1 << 17  // begins the cells of four bytes
	fourCells    = 39420    // four bytes for a character of the basic plane
	astral       = 189000   // the number of four bytes that stands for U+10000
)

// decode gives the text in UTF-8; ok is false for what not even a stand-in can stand for.
func (s *wideSet) decode(text string) (decoded string, ok bool) {
	s.fill.Do(s.build)
	var b strings.Builder
	b.Grow(len(text) + len(text)/2)
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			b.WriteByte(text[i])
			i++
			continue
		}
		r, n := s.rune(text[i:])
		if n == 0 {
			return "", false
		}
		b.WriteRune(r)
		i += n
	}
	return b.String(), true
}

// rune gives the character that a text begins with, and how many bytes it has; none if it cannot be told.
func (s *wideSet) rune(text string) (rune, int) {
	n := s.size(text)
	switch n {
	case 0:
		return standIn + rune(text[0]), 1
	case 4:
		return s.four(text)
	}
	cell := uint32(text[0])
	switch n {
	case 2:
		cell = cell<<8 | uint32(text[1])
	case 3:
		cell = threeBytes | uint32(text[1]&0x7F)<<7 | uint32(text[2]&0x7F)
	}
	switch r := s.runes[cell]; {
	case r != 0:
		return rune(r), n
	case n == 3:
		return standInThree + rune(cell-threeBytes), 3
	}
	return standIn + rune(cell), n
}

// four reads four bytes of gb18030, which number their characters.
func (s *wideSet) four(text string) (rune, int) {
	number := int(text[0]-0x81)*12600 + int(text[1]-0x30)*1260 + int(text[2]-0x81)*10 + int(text[3]-0x30)
	if number < fourCells {
		if r := s.runes[fourBytes+number]; r != 0 {
			return rune(r), 4
		}
		return 0, 0
	}
	if r := rune(number - astral + 0x10000); r >= 0x10000 && r < standIn {
		return r, 4
	}
	return 0, 0
}

// encode spells what decode gave, its stand-ins too.
func (s *wideSet) encode(text string) (sent string, ok bool) {
	s.fill.Do(s.build)
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			b.WriteByte(byte(r))
		case r >= standInThree:
			cell := r - standInThree
			b.Write([]byte{0x8F, byte(cell>>7) | 0x80, byte(cell) | 0x80})
		case r >= standIn+0x100:
			b.Write([]byte{byte(r >> 8), byte(r)})
		case r >= standIn:
			b.WriteByte(byte(r))
		case r > 0xFFFF && s.fours:
			writeFour(&b, int(r)-0x10000+astral)
		case r > 0xFFFF || s.cells[r] == 0:
			return "", false
		default:
			s.write(&b, s.cells[r])
		}
	}
	return b.String(), true
}

func (s *wideSet) write(b *strings.Builder, cell uint32) {
	switch {
	case cell >= fourBytes:
		writeFour(b, int(cell-fourBytes))
	case cell >= threeBytes:
		b.Write([]byte{0x8F, byte(cell>>7) | 0x80, byte(cell) | 0x80})
	case cell >= 0x100:
		b.Write([]byte{byte(cell >> 8), byte(cell)})
	default:
		b.WriteByte(byte(cell))
	}
}

func writeFour(b *strings.Builder, number int) {
	b.Write([]byte{0x81 + byte(number/12600), 0x30 + byte(number/1260%10), 0x81 + byte(number/10%126), 0x30 + byte(number%10)})
}

// word tells whether a character may stand in a name without quotes: every byte of it is one of a word by itself. TiDB walks words
// byte by byte, and so does MariaDB behind a point.
func (s *wideSet) word(r rune) bool {
	s.fill.Do(s.build)
	return r <= 0xFFFF && s.cells[r] >= 0x100 && isWordByte(byte(s.cells[r])) // one byte is a sign
}

// put notes a character of the set.
func (s *wideSet) put(cell uint32, r rune) {
	s.runes[cell], s.cells[r] = uint16(r), cell
}

// slippedBy tells whether a backslash before this text, in a string, makes the warehouse read on in the middle of a character in such a way
// that a backslash counts that is part of a character, or the other way round: it passes over one byte, not one character.
func (s *wideSet) slippedBy(text string) bool {
	if !s.slips || text == "" || text[0] < utf8.RuneSelf {
		return false
	}
	end := strings.IndexFunc(text, func(r rune) bool { return r < utf8.RuneSelf }) + 1
	if end == 0 {
		end = len(text)
	}
	sent, ok := s.encode(text[:end])
	if !ok || s.fours && len(sent) > 2 {
		return true
	}
	last := len(sent) - 1
	for i := 1; i < len(sent); {
		n := 1
		if sent[i] >= utf8.RuneSelf {
			n = max(n, s.size(sent[i:]))
		}
		backslash := strings.IndexByte(sent[i:i+n], '\\')
		if backslash >= 0 && (n > 1) == (i+backslash == last && text[end-1] == '\\') {
			return true
		}
		i += n
	}
	return false
}
