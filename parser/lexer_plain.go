package parser

// Most of most texts needs no thought: blanks, words and numbers of ASCII, strings without escapes, lone punctuation. plain
// reads these with one look at each byte, and leaves everything else to next, which reads all of it. A test holds
// the two to each other.

// byteClass says what a byte may be part of.
type byteClass uint8

const (
	blankByte  byteClass = 1 << iota // white space between tokens
	firstByte                        // begins a word: letters and '_'
	wordByte                         // goes on with a word, if it is ASCII
	digitByte                        // 0 to 9
	loneByte                         // punctuation that never begins a longer one
	quotedByte                       // stands for itself inside of quotes, whatever mode and character set
)

var byteClasses = func() (classes [256]byteClass) {
	for i := range classes {
		c := byte(i)
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			classes[i] = blankByte
		case isDigit(c):
			classes[i] = digitByte | wordByte
		case c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z':
			classes[i] = firstByte | wordByte
		case c == '$':
			classes[i] = wordByte
		case c == ',' || c == ';' || c == '=' || c == '+' || c == '%' || c == '^' || c == '~' || c == '*' || c == ')':
			classes[i] = loneByte
		}
		if c > 0 && c < 0x80 && c != '\'' && c != '"' && c != '`' && c != '\\' {
			classes[i] |= quotedByte
		}
	}
	return classes
}()

// plain reads on while what it meets has one meaning under every reading. It is for a text that was not respelt
// so far, outside of executed comments: there positions are the client's own.
func (l *lexer) plain() {
	in, pos, tokens := l.in, l.pos, l.tokens
	for pos < len(in) && len(tokens) < maxTokens {
		start, c := pos, in[pos]
		kind := Punctuation
		switch class := byteClasses[c]; {
		case class&blankByte != 0:
			pos++
			continue
		case class&firstByte != 0:
			kind = Word
			for pos++; pos < len(in) && byteClasses[in[pos]]&wordByte != 0; pos++ {
			}
			if pos < len(in) && in[pos] >= 0x80 {
				pos = 0
			}
		case class&digitByte != 0:
			kind = Number
			for pos++; pos < len(in) && byteClasses[in[pos]]&digitByte != 0; pos++ {
			}
			if pos < len(in) && (in[pos] == '.' || in[pos] >= 0x80 || byteClasses[in[pos]]&wordByte != 0) {
				pos = 0
			}
		case class&loneByte != 0:
			pos++
			if c == ')' {
				l.depth--
			}
		case c == '.' && !(pos+1 < len(in) && isDigit(in[pos+1])):
			pos++
		case c == '?':
			kind = Parameter
			pos++
		case c == '(' && l.depth < maxDepth:
			pos++
			l.depth++
		case c == '\'':
			kind, pos = String, plainEnd(in, pos)
		case c == '`':
			kind, pos = QuotedName, plainEnd(in, pos)
		default:
			pos = 0
		}
		if pos == 0 { // next reads it, from its beginning
			pos = start
			break
		}
		tokens = append(tokens, Token{kind, int32(start), int32(pos)})
	}
	l.pos, l.tokens = pos, tokens
}

// plainEnd gives the position behind a quoted text that has its quote nowhere but at its ends, and holds nothing that
// could escape or that depends on the character set; 0 for any other.
func plainEnd(in string, start int) int {
	q := in[start]
	for pos := start + 1; pos < len(in); pos++ {
		c := in[pos]
		switch {
		case byteClasses[c]&quotedByte != 0:
		case c == q:
			if pos+1 < len(in) && in[pos+1] == q {
				return 0
			}
			return pos + 1
		case c != '\'' && c != '"' && c != '`':
			return 0
		}
	}
	return 0
}
