package parser

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseMode reads the value of @@sql_mode.
func ParseMode(sqlMode string) Mode {
	var m Mode
	for name := range strings.SplitSeq(sqlMode, ",") {
		switch strings.ToUpper(strings.TrimSpace(name)) {
		case "ANSI_QUOTES":
			m |= ANSIQuotes
		case "ANSI":
			m |= ANSIQuotes | PipesAsConcat | IgnoreSpace
		case "NO_BACKSLASH_ESCAPES":
			m |= NoBackslashEscapes
		case "PIPES_AS_CONCAT":
			m |= PipesAsConcat
		case "HIGH_NOT_PRECEDENCE":
			m |= HighNotPrecedence
		case "IGNORE_SPACE":
			m |= IgnoreSpace
		case "ORACLE", "MSSQL", "DB2", "POSTGRESQL", "MAXDB":
			m |= ForeignGrammar
		}
	}
	return m
}

// ParseVersion reads flavor and version from a server's version text, as greetings and @@version
// give it: "5.5.5-10.11.19-MariaDB-deb12", "9.7.4", "8.0.11-TiDB-v8.5.0".
func ParseVersion(version string) Dialect {
	lower := strings.ToLower(version)
	switch {
	case strings.Contains(lower, "tidb"):
		i := strings.Index(lower, "tidb")
		return Dialect{TiDB, numericVersion(strings.TrimLeft(lower[i+4:], "-v"))}
	case strings.Contains(lower, "mariadb"):
		return Dialect{MariaDB, numericVersion(strings.TrimPrefix(lower, "5.5.5-"))}
	default:
		return Dialect{MySQL, numericVersion(lower)}
	}
}

func numericVersion(s string) int {
	total, factor := 0, 10000
	for part := range strings.SplitSeq(s, ".") {
		end := 0
		for end < len(part) && part[end] >= '0' && part[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(part[:end])
		if err != nil {
			break
		}
		total += n * factor
		if factor /= 100; factor == 0 || end < len(part) {
			break
		}
	}
	return total
}

// ModeFree tells whether a text means the same in every sql_mode and every client character set: it
// holds no double quote, no backslash, no executable comment and is ASCII.
func ModeFree(text string) bool {
	if strings.IndexByte(text, '"') >= 0 || strings.IndexByte(text, '\\') >= 0 || !isASCII(text) {
		return false
	}
	for at := strings.Index(text, "/*"); at >= 0; {
		text = text[at+2:]
		if text != "" && (text[0] == '!' || text[0] == 'M' || text[0] == 'm' || text[0] == 'T') {
			return false
		}
		at = strings.Index(text, "/*")
	}
	return true
}

// isASCII looks at eight bytes at a time: it is asked of every text.
func isASCII(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		word := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if word&0x8080808080808080 != 0 {
			return false
		}
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// charsetClass says how far bytes above 0x7F of a client character set can be lexed.
type charsetClass uint8

const (
	unlexable  charsetClass = iota // a byte of a character may be a quote or a backslash
	asciiSafe                      // a byte below 0x80 that ends a quote or escapes is never part of a character
	unicodeSet                     // UTF-8
)

func classOf(charset string) charsetClass {
	switch charset {
	case "", "utf8mb4", "utf8", "utf8mb3":
		return unicodeSet
	case "latin1", "latin2", "latin5", "latin7", "ascii", "binary", "cp1250", "cp1251", "cp1256",
		"cp1257", "cp850", "cp852", "cp866", "koi8r", "koi8u", "greek", "hebrew", "macce", "macroman",
		"keybcs2", "armscii8", "geostd8", "tis620", "dec8", "hp8",
		"ujis", "eucjpms", "euckr", "gb2312": // their second bytes are no quote and no backslash
		return asciiSafe
	default:
		return unlexable
	}
}
