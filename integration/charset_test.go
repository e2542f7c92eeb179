package integration

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"sluice/integration/servers"
	"sluice/parser"
)

// latin1 spells a text as a client of that character set does.
func latin1(t testing.TB, text string) string {
	t.Helper()
	return narrow(t, "latin1", text)
}

func narrow(t testing.TB, charset, text string) string {
	t.Helper()
	sent, ok := parser.Reading{Dialect: parser.Dialect{Flavor: parser.MariaDB}, Charset: charset}.Encode(text)
	if !ok {
		t.Fatalf("%q cannot be spelt in %s", text, charset)
	}
	return sent
}

// Names mean what the warehouse takes them for, in every character set whose bytes are characters.
func TestNamesInNarrowCharacterSets(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *servers.Server{"MariaDB": servers.MariaDB, "MySQL": servers.MySQL} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, start(t), "")
			owner := w.as(t, "owner", "myprj")
			owner.do("CREATE TABLE `größe` (id INT PRIMARY KEY, `straße` VARCHAR(40) CHARACTER SET utf8mb4)")
			owner.do("CREATE TABLE `Таблица` (id INT PRIMARY KEY, `имя` VARCHAR(40) CHARACTER SET utf8mb4)")
			owner.do("INSERT INTO `größe` VALUES (1, '" + canary + "')")
			owner.do("INSERT INTO `Таблица` VALUES (1, '" + canary + "')")
			w.warehouse.Exec(t, "CREATE TABLE prj2.`größe` (id INT PRIMARY KEY, `straße` VARCHAR(40) CHARACTER SET utf8mb4)", "INSERT INTO prj2.`größe` VALUES (1, 'Hauptstraße')",
				"CREATE TABLE prj2.`Таблица` (id INT PRIMARY KEY, `имя` VARCHAR(40) CHARACTER SET utf8mb4)", "INSERT INTO prj2.`Таблица` VALUES (1, 'имя')")
			w.warehouse.Exec(t, "CREATE VIEW prj2.umlaut AS SELECT * FROM myprj.`größe`")
			owner.do("SET ProjectProtection = true")

			alice := w.as(t, "alice", "prj2")
			alice.do("SET NAMES latin1")
			for _, q := range []string{"SELECT `straße` FROM `größe`", "SELECT straße FROM größe WHERE straße LIKE 'Hauptstra%e'", "SELECT * FROM prj2.größe; SELECT `straße` FROM größe"} {
				rows := alice.do(latin1(t, q))
				if got := strings.Join(rows, ","); !strings.Contains(got, latin1(t, "Hauptstraße")) {
					t.Errorf("%s: got %q", q, got)
				}
			}
			for _, q := range []string{"SELECT * FROM myprj.`größe`", "SELECT * FROM myprj.größe", "SELECT 1; SELECT straße FROM myprj.größe", "CREATE TABLE prj2.`übrig` AS SELECT * FROM myprj.größe",
				"EXPLAIN SELECT * FROM myprj.größe"} {
				if m := alice.refused(latin1(t, q)); !strings.Contains(m, latin1(t, "myprj.größe")) {
					t.Errorf("%s: the refusal does not name the table: %s", q, m)
				}
			}
			// A text of ASCII does not ask which character set it is read by, but its refusal is spelt in the client's.
			for charset, want := range map[string]string{"latin1": latin1(t, "myprj.größe"), "utf8mb4": "myprj.größe", "binary": "myprj.größe"} {
				alice.do("SET NAMES " + charset)
				if m := alice.refused("SELECT * FROM umlaut"); !strings.Contains(m, want) {
					t.Errorf("after SET NAMES %s: the refusal does not name the table: %q", charset, m)
				}
			}
			// The text of a statement is asked of the warehouse in a form that no character set for results garbles.
			alice.do("SET NAMES utf8mb4")
			alice.do("SET character_set_results = latin1")
			alice.do("SET @a = 'SELECT * FROM myprj.`Таблица`'")
			alice.refused("PREPARE s FROM @a")
			alice.do("SET @a = 'SELECT COUNT(*) FROM prj2.`Таблица`'")
			alice.do("PREPARE s FROM @a")
			if rows := alice.do("EXECUTE s"); len(rows) != 1 || rows[0] != "1" {
				t.Errorf("EXECUTE gave %q", rows)
			}
			alice.do("SET NAMES koi8r")
			alice.do("PREPARE s FROM @a")
			alice.do(narrow(t, "koi8r", "SELECT `имя` FROM `Таблица`"))
			alice.refused(narrow(t, "koi8r", "SELECT `имя` FROM myprj.`Таблица`"))
			alice.do("SET @b = CONVERT(@a USING binary)") // read byte by byte in the client's character set
			alice.refused("PREPARE s FROM @b")
			if name == "MariaDB" {
				alice.refused(narrow(t, "koi8r", "PREPARE s FROM 'SELECT * FROM myprj.`Таблица`'"))
				alice.do(narrow(t, "koi8r", "PREPARE s FROM 'SELECT * FROM `Таблица`'"))
				alice.refused(narrow(t, "koi8r", "EXECUTE IMMEDIATE CONCAT('SELECT * FROM myprj.`', 'Таблица`')"))
				alice.do(narrow(t, "koi8r", "EXECUTE IMMEDIATE CONCAT('SELECT * FROM `', 'Таблица`')"))
			} else {
				// MySQL reads the UTF-8 of such a literal as KOI8-R: another name.
				alice.failed(1146, narrow(t, "koi8r", "PREPARE s FROM 'SELECT * FROM `Таблица`'"))
				w.warehouse.Exec(t, "CREATE TABLE myprj.`п╒` SELECT * FROM myprj.table1")
				alice.refused(narrow(t, "koi8r", "PREPARE s FROM 'SELECT * FROM myprj.`Т`'"))
			}
			// What cannot be spelt in the client's character set is not what was judged.
			alice.do("SET NAMES latin1")
			alice.refused("PREPARE s FROM @a")
		})
	}
}

// What a client sends in a character set whose characters may end in a backslash arrives as it was sent, is read back as it is, and
// hides no table.
func TestTextInWideCharacterSets(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *servers.Server{"MariaDB": servers.MariaDB, "MySQL": servers.MySQL} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, start(t), "")
			w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
			alice := w.as(t, "alice", "prj2")
			alice.do("CREATE TABLE wide (s VARCHAR(40) CHARACTER SET utf8mb4)")
			for charset, character := range map[string]string{"gbk": "\x81\\", "big5": "\xa5\\", "sjis": "\x95\\", "cp932": "\x83\\"} {
				alice.do("SET NAMES " + charset)
				alice.do("DELETE FROM wide")
				alice.do("INSERT INTO wide VALUES ('a" + character + "') /* " + character + " */; INSERT INTO wide VALUES ('" + character + "b')")
				if rows := alice.do("SELECT s FROM wide WHERE s = 'a" + character + "'"); len(rows) != 1 || rows[0] != "a"+character {
					t.Errorf("%s: got %q", charset, rows)
				}
				alice.do(`SELECT '\\` + character + "'")
				for _, q := range []string{"SELECT '" + character + "' UNION SELECT id FROM myprj.table1 -- '", "SELECT '" + character + "', id FROM myprj.table1"} {
					alice.refused(q)
				}
			}
		})
	}
}

// The table of characters is the servers' own, byte by byte, and so is what may stand in a name without quotes.
func TestNarrowCharacterSets(t *testing.T) {
	for flavor, server := range map[parser.Flavor]*servers.Server{parser.MariaDB: servers.MariaDB(t), parser.MySQL: servers.MySQL(t)} {
		server.Prepare(t)
		fill(t, server, "127.0.0.1")
		direct := dialAs(t, server.Addr, "alice", "prj2")
		sets, bare := 0, 0
		for _, charset := range direct.do("SELECT character_set_name FROM information_schema.character_sets WHERE maxlen = 1") {
			r := parser.Reading{Dialect: parser.Dialect{Flavor: flavor, Version: 101100}, Charset: charset}
			if _, known := narrowProbe(r, "`", 0xE1); !known {
				if _, known = narrowProbe(r, "`", 0xC1); !known {
					continue // ascii, binary, swe7
				}
			}
			sets++
			direct.do("SET NAMES " + charset)
			direct.do("SET character_set_results = utf8mb4")
			for b := 0x80; b < 0x100; b++ {
				said := direct.do(fmt.Sprintf("SELECT HEX(CONVERT(CONVERT(x'%02X' USING %s) USING utf8mb4))", b, charset))[0]
				raw, err := hex.DecodeString(said)
				if err != nil {
					t.Fatal(err)
				}
				want := string(raw)
				got, known := narrowProbe(r, "`", byte(b))
				none := want == "?" || want == "\uFFFD" || want[0] < 0x80 // what is no character, or another spelling of one
				if known != !none || known && got != want {
					t.Errorf("%v %s 0x%02X: read as %q (%v), the server says %q", flavor, charset, b, got, known, want)
				}
				if got, known = narrowProbe(r, "", byte(b)); !known {
					continue
				}
				bare++
				label, err := direct.tryNamed("SELECT 1 AS a" + string([]byte{byte(b)}) + "b")
				if err != nil || label[0] != "a"+want+"b" || got != want {
					t.Errorf("%v %s 0x%02X without quotes: read as %q, the server says %q, %v", flavor, charset, b, got, label, err)
				}
			}
		}
		if sets < 20 || bare < 1000 {
			t.Errorf("%v: %d sets, %d letters without quotes: too few were compared", flavor, sets, bare)
		}
	}
}

// narrowProbe gives what a byte in a name is read as.
func narrowProbe(r parser.Reading, quote string, b byte) (string, bool) {
	script, err := parser.ParseSent("SELECT 1 AS "+quote+"a"+string([]byte{b})+"b"+quote, r)
	if err != nil {
		return "", false
	}
	text := script.Statements[0].Text
	return strings.TrimSuffix(strings.TrimPrefix(text, "SELECT 1 AS "+quote+"a"), "b"+quote), true
}
