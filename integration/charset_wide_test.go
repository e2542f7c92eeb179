package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/integration/servers"
	"sluice/parser"
)

var wideServers = map[parser.Flavor]struct {
	start func(testing.TB, ...string) *servers.Server
	sets  []string
}{
	parser.MariaDB: {servers.MariaDB, []string{"gbk", "gb2312", "big5", "sjis", "cp932", "euckr", "ujis", "eucjpms"}},
	parser.MySQL:   {servers.MySQL, []string{"gbk", "gb2312", "gb18030", "big5", "sjis", "cp932", "euckr", "ujis", "eucjpms"}},
	parser.TiDB:    {servers.TiDB, []string{"gbk"}},
}

// onWideServers runs a test on each server that knows such sets, side by side.
func onWideServers(t *testing.T, run func(t *testing.T, flavor parser.Flavor, sets []string, server *servers.Server)) {
	t.Parallel()
	for flavor, of := range wideServers {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			run(t, flavor, of.sets, of.start(t))
		})
	}
}

// The tables of characters are the servers' own: every character that is read in a name is what the server takes it for, in quotes and
// without, and is spelt as the server spells it.
func TestWideCharacterSets(t *testing.T) {
	onWideServers(t, func(t *testing.T, flavor parser.Flavor, sets []string, server *servers.Server) {
		server.Prepare(t)
		fill(t, server, "127.0.0.1")
		direct := dialAs(t, server.Addr, "alice", "prj2")
		for _, charset := range sets {
			r := parser.Reading{Dialect: parser.Dialect{Flavor: flavor, Version: 101100}, Charset: charset}
			direct.do("SET NAMES " + charset)
			direct.do("SET character_set_results = utf8mb4")
			var known, bare []string
			for _, code := range wideCodes(charset) {
				if text, ok := r.Decode(code); ok && len([]rune(text)) == 1 {
					known = append(known, code)
					if back, ok := r.Encode(text); !ok || back != code {
						t.Errorf("%v %s %X: %q is spelt %X, %v", flavor, charset, code, text, back, ok)
					}
					if script, err := parser.ParseSent("SELECT 1 AS a"+code, r); err == nil && len(script.Statements) == 1 {
						bare = append(bare, code)
					}
				}
			}
			for _, quote := range []string{"`", ""} {
				codes := known
				if quote == "" {
					codes = bare
				}
				for len(codes) > 0 {
					n := min(len(codes), 800)
					compareLabels(t, direct, r, quote, codes[:n])
					codes = codes[n:]
				}
			}
			t.Logf("%s: %d characters, %d of them in names without quotes", charset, len(known), len(bare))
			if len(known) < 6900 || len(bare) < 4800 {
				t.Errorf("%s: %d characters, %d without quotes: too few were compared", charset, len(known), len(bare))
			}
			if flavor == parser.TiDB {
				continue
			}
			for from := 0; from < len(known); from += 800 { // what a value becomes that is put into the set
				codes := known[from:min(from+800, len(known))]
				text, _ := r.Decode(strings.Join(codes, ""))
				if said := direct.do(fmt.Sprintf("SELECT HEX(CONVERT(_utf8mb4 x'%X' USING %s))", text, charset))[0]; said != fmt.Sprintf("%X", strings.Join(codes, "")) {
					t.Errorf("%v %s: the characters from %X on are spelt otherwise", flavor, charset, codes[0])
				}
			}
		}
	})
}

// compareLabels asks the server what it takes each of the characters for in a name.
func compareLabels(t *testing.T, direct *client, r parser.Reading, quote string, codes []string) {
	t.Helper()
	var text strings.Builder
	for i, code := range codes {
		fmt.Fprintf(&text, "%s1 AS %sa%s%s", map[bool]string{true: "SELECT ", false: ","}[i == 0], quote, code, quote)
	}
	said, err := direct.tryNamed(text.String())
	if err != nil {
		t.Fatalf("%s %q %X: %v", r.Charset, quote, codes[0], err)
	}
	names := strings.Split(said[0], "|")
	if len(names) != len(codes) {
		t.Fatalf("%s: %d names for %d", r.Charset, len(names), len(codes))
	}
	for i, code := range codes {
		if want, _ := r.Decode(code); names[i] != "a"+want {
			t.Errorf("%s %s%X: read as %q, the server says %q", r.Charset, quote, code, want, names[i])
		}
	}
}

// wideCodes lists whatever may be a character beyond ASCII.
func wideCodes(charset string) (codes []string) {
	for a := 0x80; a < 0x100; a++ {
		codes = append(codes, string([]byte{byte(a)}))
		for b := 0; b < 0x100; b++ {
			if codes = append(codes, string([]byte{byte(a), byte(b)})); strings.HasPrefix(charset, "u") || strings.HasPrefix(charset, "eucj") {
				codes = append(codes, string([]byte{0x8F, byte(a), byte(b)}))
			}
		}
	}
	for n := 0; charset == "gb18030" && n < 39420; n++ { // the basic plane
		codes = append(codes, string([]byte{0x81 + byte(n/12600), 0x30 + byte(n/1260%10), 0x81 + byte(n/10%126), 0x30 + byte(n%10)}))
	}
	return codes
}

// A text is walked as the server walks it, whatever two bytes beyond ASCII stand before a quote or a backslash: it has as many columns,
// or is an error to both. SLUICE_LEXER=1 asks for every pair of bytes.
func TestWideWalk(t *testing.T) {
	forms := []string{`SELECT HEX('%s\'),(2),HEX(' ')`, `SELECT HEX("%s\"),(2),HEX(" ")`, "SELECT 1 AS `%s``,2 AS ` `", "SELECT 1 AS `%s`,2 AS ` `", `SELECT HEX('%s'),2`,
		`SELECT HEX('\%s\'),(2),HEX(' ')`, `SELECT HEX('\%s'),2`, "SELECT 1 AS a%s,2 AS ` `", "SELECT 1 AS a%s` `,2", "SELECT 1 /*%s*/,2", "SELECT 1 -- %s\n,2", "SELECT /*!1 AS a%s*/,2", `SELECT /*!HEX('%s\'),(2),HEX(' ')*/`}
	onWideServers(t, func(t *testing.T, flavor parser.Flavor, sets []string, server *servers.Server) {
		server.Prepare(t)
		fill(t, server, "127.0.0.1")
		direct := dialAs(t, server.Addr, "alice", "prj2")
		direct.do("SET sql_mode = ''")
		version := direct.do("SELECT VERSION()")[0]
		for _, charset := range sets {
			r := parser.Reading{Dialect: parser.ParseVersion(version), Charset: charset}
			direct.do("SET NAMES " + charset)
			direct.do("SET character_set_results = utf8mb4")
			asked, both := 0, 0
			for a := 0x80; a < 0x100; a++ {
				for b := 0x20; b < 0x100; b++ {
					if b == '|' || os.Getenv("SLUICE_LEXER") == "" && (a*7+b*3)%61 != 0 && b != '\\' && b != '`' { // '|' parts labels here
						continue
					}
					for _, form := range forms {
						text := fmt.Sprintf(form, string([]byte{byte(a), byte(b)}))
						read := columnsRead(text, r)
						if read == unread {
							continue
						}
						asked++
						said, err := direct.tryNamed(text)
						n := 0
						if err == nil {
							n = strings.Count(said[0], "|") + 1
							both++
						}
						if read != n && !(n == 0 && invalidText(err)) {
							t.Errorf("%v %s %q: read as %d columns, the server gives %d, %v", flavor, charset, text, read, n, err)
						}
					}
				}
			}
			t.Logf("%s: %d texts, %d of them run", charset, asked, both)
			if both < 1000 || asked-both < 100 {
				t.Errorf("%s: %d texts, %d of them run: too few", charset, asked, both)
			}
			if t.Failed() {
				return
			}
		}
	})
}

// unread is a text that is refused for what cannot be read in it.
const unread = -1

// columnsRead counts the columns of the one SELECT that a text is read as; 0 is an error to the server, too.
func columnsRead(text string, r parser.Reading) int {
	script, err := parser.ParseSent(text, r)
	switch {
	case err != nil && strings.Contains(err.Error(), "not closed"):
		return 0
	case err != nil || len(script.Statements) != 1:
		return unread
	}
	st := &script.Statements[0]
	if st.Sent() != text && !strings.Contains(text, "/*!") {
		return unread
	}
	s, ok := st.Node.(*ast.SelectStmt)
	if !ok {
		return unread
	}
	return len(s.Fields.Fields)
}

// invalidText tells whether the server read a text and then found a value that is no text of the set.
func invalidText(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "1300") || strings.Contains(err.Error(), "3854"))
}
