package catalog

import "strings"

// What stands only in the text of SHOW CREATE.

// viewQuery cuts CREATE VIEW … AS off, and gives nothing for a head that it does not read with certainty.
func viewQuery(create string) string {
	for i := 0; i < len(create); i++ {
		switch c := create[i]; {
		case c == '`' || c == '\'' || c == '"':
			end := strings.IndexByte(create[i+1:], c) // a doubled quote is two names in a row: as good
			if end < 0 {
				return ""
			}
			i += end + 1
		case c == '#' || c == '/' || c == '\\' || strings.HasPrefix(create[i:], "--"):
			return ""
		case c|0x20 == 'a' && isWord(create, i, "as"):
			return strings.TrimSpace(create[i+len("as"):])
		}
	}
	return ""
}

// isWord tells whether a word stands at i, with blanks or parentheses around it.
func isWord(s string, i int, word string) bool {
	end := i + len(word)
	if i == 0 || end >= len(s) || !strings.EqualFold(s[i:end], word) {
		return false
	}
	return strings.IndexByte(" \t\r\n)`", s[i-1]) >= 0 && strings.IndexByte(" \t\r\n(", s[end]) >= 0
}

func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// members reads UNION=(`a`,`s`.`b`) of a definition as SHOW CREATE TABLE prints it.
func members(definition, schema string) [][2]string {
	at := strings.LastIndex(definition, "UNION=(")
	if at < 0 {
		return nil
	}
	var out [][2]string
	rest := definition[at+len("UNION=("):]
	for rest != "" && rest[0] == '`' {
		first, tail := takeName(rest)
		m := [2]string{schema, first}
		if strings.HasPrefix(tail, ".`") {
			var second string
			second, tail = takeName(tail[1:])
			m = [2]string{first, second}
		}
		out = append(out, m)
		rest = strings.TrimPrefix(tail, ",")
	}
	return out
}

// takeName reads one name in backquotes and gives what is behind it.
func takeName(s string) (name, rest string) {
	for i := 1; i < len(s); i++ {
		if s[i] != '`' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '`' {
			i++
			continue
		}
		return strings.ReplaceAll(s[1:i], "``", "`"), s[i+1:]
	}
	return s, ""
}
