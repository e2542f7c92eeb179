package parser

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Whatever bytes a text has, they come back as they were: what is no character, too.
func TestWideBytesComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for charset := range wideRows {
		set := wideSets()[charset]
		whole := 0
		for range 3000 {
			b := make([]byte, 1+r.IntN(12))
			for i := range b {
				if b[i] = byte(r.IntN(256)); r.IntN(3) == 0 {
					b[i] = "\\`'0A\x81\xa1\xfe"[r.IntN(8)]
				}
			}
			text, ok := set.decode(string(b))
			if !ok {
				continue // four bytes that are no character
			}
			whole++
			if back, ok := set.encode(text); !ok || back != string(b) {
				t.Fatalf("%s: %X is read as %q, which is spelt %X, %v", charset, b, text, back, ok)
			}
		}
		if whole < 2500 {
			t.Errorf("%s: only %d texts could be read", charset, whole)
		}
	}
}

// A statement that nothing is taken out of is sent as it came.
func TestWideStatementsAreSentAsTheyCame(t *testing.T) {
	for charset := range wideRows {
		r := Reading{Dialect: Dialect{MySQL, 90704}, Charset: charset}
		name, ok := r.Encode("表")
		if !ok {
			t.Fatal(charset)
		}
		for _, form := range []string{"SELECT 'X', `X` FROM t /* X */ -- X", "INSERT INTO `X` VALUES ('X', '\xff', '\xfe\xfe')", "SELECT 1 AS `X`; SELECT 'X'"} {
			text := strings.ReplaceAll(form, "X", name)
			script, err := ParseSent(text, r)
			if err != nil {
				t.Fatalf("%s %q: %v", charset, form, err)
			}
			var parts []string
			for i := range script.Statements {
				parts = append(parts, script.Statements[i].Sent())
			}
			if got := strings.Join(parts, "; "); got != text {
				t.Errorf("%s: %q is sent as %q", charset, text, got)
			}
		}
	}
}

// What stands for bytes that are no character is a matter of one text: no value of the warehouse's is spelt by it.
func TestStandInsAreNoCharacters(t *testing.T) {
	r := Reading{Dialect: Dialect{MariaDB, 101100}, Charset: "gbk"}
	if sent, ok := r.Encode("a\U000F8127"); ok {
		t.Errorf("spelt %X", sent)
	}
	if text, ok := r.Decode("a\xff"); ok {
		t.Errorf("read as %q", text)
	}
	if r.Faithful("\U000F00FF") || !r.Faithful("表") {
		t.Error("a literal with bytes that are no character is taken for its text")
	}
}

// A body that comes from the catalog was converted: where that may have changed how it is walked, it is not read.
func TestBodiesThatWereConverted(t *testing.T) {
	for _, c := range []struct {
		flavor        Flavor
		charset, text string
		read          bool
	}{
		{MySQL, "gbk", "SELECT '表' FROM `表`", true},
		{MySQL, "gbk", "SELECT '?' FROM t", false}, // perhaps bytes that took a quote along
		{MariaDB, "gbk", "SELECT '?' FROM t", true},
		{MariaDB, "gbk", `SELECT '\?' FROM t`, false}, // perhaps two bytes, the second a backslash
		{MariaDB, "gbk", `SELECT '\表' FROM t`, false}, // which of its codes is not known
		{MariaDB, "gbk", `SELECT 'it\'s' FROM t`, true},
		{MariaDB, "sjis", `SELECT 'it\'s' FROM t`, false}, // perhaps a character
		{MySQL, "ujis", `SELECT 'it\'s' FROM t`, false},
		{MariaDB, "cp932", `SELECT 'it\'s' FROM t`, true},
		{MySQL, "utf8mb4", `SELECT '?\'' FROM t`, true},
		{MySQL, "koi8r", `SELECT '?\'' FROM t`, true},
	} {
		_, err := Parse(c.text, Reading{Dialect: Dialect{c.flavor, 101100}, Charset: c.charset}.Decoded())
		if (err == nil) != c.read {
			t.Errorf("%v %s %q: %v", c.flavor, c.charset, c.text, err)
		}
	}
}

// Servers show the name of a program in bytes of another set than its body. Its end may be gone, and the body is still found.
func TestDefinitionsWithGarbledNames(t *testing.T) {
	r := Reading{Dialect: Dialect{MySQL, 90704}, Charset: "gbk"}.Decoded()
	for create, want := range map[string]string{
		"CREATE DEFINER=`root`@`localhost` PROCEDURE `鍔焋()\nSELECT v,'功' FROM `功`":                   "SELECT v,'功' FROM `功`",
		"CREATE DEFINER=`root`@`localhost` PROCEDURE `鍔?(a INT)\nSELECT '`() SELECT 1', 2":           "SELECT '`() SELECT 1', 2",
		"CREATE DEFINER=`root`@`localhost` PROCEDURE `??()\nSELECT '功'":                              "SELECT '功'",
		"CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()\nSELECT '功'":                              "SELECT '功'",
		"CREATE DEFINER=`root`@`localhost` PROCEDURE `鍔`()\nSELECT '?'":                              "",
		"CREATE DEFINER=`鍔焋@`localhost` PROCEDURE `p`()\nSELECT '功'":                                 "",
		"CREATE DEFINER=`root`@`localhost` TRIGGER `t` BEFORE INSERT ON `銵灼 FOR EACH ROW SET @a='`'": "",
		"CREATE DEFINER=`root`@`localhost` TRIGGER `t` BEFORE INSERT ON `t` FOR EACH ROW SET @a='功'": "SET @a='功'",
	} {
		body, err := DefinedBody(create, r)
		if body != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", create, body, err)
		}
	}
}
