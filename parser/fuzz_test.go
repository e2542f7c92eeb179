package parser_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sluice/parser"
)

var fuzzCharsets = []string{"", "utf8mb4", "latin1", "gbk", "sjis", "ujis", "binary"}

func fuzzReading(flavor, mode, charset uint8) parser.Reading {
	return parser.Reading{Dialect: dialects[int(flavor)%len(dialects)], Mode: parser.Mode(mode) & 63, Charset: fuzzCharsets[int(charset)%len(fuzzCharsets)]}
}

func fuzzTexts(f *testing.F) []string {
	f.Helper()
	return []string{
		"SELECT 1", "SELECT 'a\\'b', `c`, \"d\", @v, @@x, ? -- e\n# f\n/* g */", "SELECT 1 /*!99999 # */ UNION SELECT v FROM secret.t",
		"/*!50701 SELECT */ 1; /*M!100100 SELECT 2 */; /*T![ttl] SELECT 3 */", "SELECT /*+ x */ 1 --;", "SELECT '\xbf\\' -- '",
		"CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; END; SELECT 2", "SET STATEMENT a = 1 FOR BEGIN NOT ATOMIC SELECT 1; END",
		"/* a='b' */ SELECT /** c */ 1 -- d\n , /*e*/ 'f' # g", "SELECT '\\' /* h */; SELECT \"i\" /*'*/ -- \"",
		"SELECT --1, ---a, --(b) ---/*c*/1, --/*!50000 2*/ --- 3",
		"EXECUTE IMMEDIATE 'SELECT 1' USING DEFAULT", "INSERT INTO t VALUES (1) AS new ON DUPLICATE KEY UPDATE a = new.a", "SELECT 1e5, 0x1F, 1.e, .5",
		"SELECT v FROM t FOR SYSTEM_TIME AS OF f(1) FETCH FIRST 2 ROWS WITH TIES", "ADD TRUSTEDPROJECT p", "EXPLAIN FLOW SELECT 1", "SELECT $$",
		"SELECT JSON_TABLE(a, '$' COLUMNS (b INT PATH '$')) INTO @x, y FROM t", "HANDLER t READ FIRST WHERE a = 1",
	}
}

// slow fails a reading that took far too long for its text.
func slow(t *testing.T, start time.Time, text string) {
	t.Helper()
	if took := time.Since(start); took > 10*time.Second {
		t.Fatalf("%d bytes took %v: %q", len(text), took, text[:min(len(text), 400)])
	}
}

// FuzzParse: no text makes it panic or hang; tokens lie in their text, in order; the text that is forwarded reads as
// the same statement again.
func FuzzParse(f *testing.F) {
	for i, s := range fuzzTexts(f) {
		f.Add(s, uint8(i), uint8(0), uint8(0))
		f.Add(s, uint8(i), uint8(i), uint8(i))
	}
	f.Fuzz(func(t *testing.T, text string, flavor, mode, charset uint8) {
		if len(text) > 1<<16 {
			return
		}
		r := fuzzReading(flavor, mode, charset)
		start := time.Now()
		script, err := parser.ParseSent(text, r)
		slow(t, start, text)
		if err != nil {
			return
		}
		if script.ModeFree != parser.ModeFree(text) {
			t.Errorf("%q: ModeFree is told in two ways", text)
		}
		for i := range script.Statements {
			st := &script.Statements[i]
			end := int32(0)
			for _, token := range st.Tokens {
				if token.Start < end || token.End <= token.Start || int(token.End) > len(st.Text) {
					t.Fatalf("%q: token %v of %q is out of place", text, token, st.Text)
				}
				end = token.End
			}
			again, err := parser.ParseSent(st.Sent(), r)
			if err != nil {
				t.Fatalf("%q: its statement %q does not read again: %v", text, st.Text, err)
			}
			if len(again.Statements) != 1 {
				t.Fatalf("%q: its statement %q reads as %d statements", text, st.Text, len(again.Statements))
			}
			if b := &again.Statements[0]; b.Text != st.Text || b.Kind != st.Kind || b.Tier != st.Tier || len(b.Tokens) != len(st.Tokens) {
				t.Fatalf("%q: its statement reads as %s (%s) %q, then as %s (%s) %q", text, st.Kind, st.Tier, st.Text, b.Kind, b.Tier, b.Text)
			}
			if st.Sent() != st.Bare() {
				remarksChangeNothing(t, st, r)
			}
		}
	})
}

// remarksChangeNothing holds a statement with its comments to the one without them, whatever sql_mode the warehouse
// reads it by: its quotes begin and end with the same tokens between them.
func remarksChangeNothing(t *testing.T, st *parser.Statement, r parser.Reading) {
	t.Helper()
	for mode := range parser.Mode(4) { // the modes that move quotes
		for _, charset := range []string{r.Charset, "utf8mb4", "latin1"} {
			other := parser.Reading{Dialect: r.Dialect, Mode: mode, Charset: charset}
			bare, bareErr := parser.ParseSent(st.Bare(), other)
			sent, err := parser.ParseSent(st.Sent(), other)
			if bareErr != nil {
				continue // refused without, or not to be told from the comments
			}
			if err != nil || len(bare.Statements) != len(sent.Statements) {
				t.Fatalf("%q is forwarded as %q, which reads otherwise under %+v: %v", st.Text, st.Sent(), other, err)
			}
			for i := range bare.Statements {
				if !slices.Equal(outsideQuotes(&bare.Statements[i]), outsideQuotes(&sent.Statements[i])) {
					t.Fatalf("%q is forwarded as %q, which reads otherwise under %+v", st.Text, st.Sent(), other)
				}
			}
		}
	}
}

// outsideQuotes spells tokens but for the content of quotes: where these begin and end is what counts.
func outsideQuotes(st *parser.Statement) []string {
	out := spellings(st)
	for i, t := range st.Tokens {
		if t.Kind == parser.String || t.Kind == parser.QuotedName {
			out[i] = kinds[t.Kind]
		}
	}
	return out
}

// FuzzParseBody: no body makes it panic or hang.
func FuzzParseBody(f *testing.F) {
	for i, s := range fuzzTexts(f) {
		f.Add("BEGIN "+s+"; END", uint8(i), uint8(0))
	}
	f.Add("BEGIN DECLARE a INT DEFAULT (SELECT 1); FOR i IN 1..2 DO SELECT i; END FOR; CASE a WHEN 1 THEN DO f(); END CASE; END", uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, text string, flavor, mode uint8) {
		if len(text) > 1<<16 {
			return
		}
		start := time.Now()
		_, _, _ = parser.ParseBody(text, fuzzReading(flavor, mode, 0))
		slow(t, start, text)
	})
}

// FuzzCommand: a command's canonical spelling reads as the command.
func FuzzCommand(f *testing.F) {
	for kind := range uint8(28) {
		f.Add(kind, "p", "k", "alice@10.%", int64(3))
		f.Add(kind, "a`b", "c d", "o'brien", int64(0))
	}
	f.Add(uint8(1), `{"a": "b\"c\\d"}`, "", "", int64(1))
	f.Fuzz(func(t *testing.T, kind uint8, a, b, user string, n int64) {
		want := command(kind, a, b, user, n)
		if want == nil || !spellable(a) || !spellable(b) || !spellable(user) {
			return
		}
		r := parser.Reading{Dialect: dialects[0]}
		script, err := parser.Parse(want.String(), r)
		if err != nil {
			t.Fatalf("%#v: %s: %v", want, want, err)
		}
		if len(script.Statements) != 1 || !reflect.DeepEqual(script.Statements[0].Command, want) {
			t.Fatalf("%#v: %s reads as %#v", want, want, script.Statements)
		}
	})
}

// spellable: names without what no name of a warehouse holds.
func spellable(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

func command(kind uint8, a, b, user string, n int64) parser.Command {
	positive := n & 0xfffff
	switch kind % 28 {
	case 0:
		return parser.SetProtection{Value: parser.Protection(positive % 3)}
	case 1:
		return parser.SetProtection{Value: parser.Protected, Policy: "{" + a}
	case 2:
		if strings.HasPrefix(strings.TrimSpace(a), "{") {
			return nil
		}
		return parser.SetProtection{Value: parser.DryRun, File: a}
	case 3:
		return parser.ShowSecurityConfiguration{}
	case 4:
		return parser.AddTrustedProject{Project: a}
	case 5:
		return parser.RemoveTrustedProject{Project: a}
	case 6:
		return parser.CreatePackage{Package: a}
	case 7:
		return parser.DropPackage{Package: a}
	case 8:
		return parser.DescribePackage{Project: a, Package: b}
	case 9:
		return parser.DescribePackage{Package: b}
	case 10:
		if strings.Contains(a, "*") {
			return nil // a pattern is spelt without quotes
		}
		return parser.AddToPackage{Type: "table", Object: a, Package: b, Privileges: []string{"Select", "Describe"}}
	case 11:
		if strings.Contains(a, "*") {
			return nil
		}
		return parser.RemoveFromPackage{Type: "table", Object: a, Package: b}
	case 12:
		return parser.AllowInstall{Project: a, Package: b, Label: int(positive % 10)}
	case 13:
		return parser.DisallowInstall{Project: a, Package: b}
	case 14:
		return parser.InstallPackage{Project: a, Package: b}
	case 15:
		return parser.UninstallPackage{Project: a, Package: b}
	case 16:
		return parser.GrantRead{Project: a, Package: b, User: user}
	case 17:
		return parser.RevokeRead{Project: a, Package: b, User: user}
	case 18:
		return parser.SetProject{ReadTableMaxRow: positive}
	case 19:
		return parser.SetTaskType{Type: []string{"SQL", "DT", "MapReduce"}[positive%3]}
	case 20:
		return parser.AddOwner{User: user}
	case 21:
		return parser.RemoveOwner{User: user}
	case 22:
		return parser.AddAdmin{User: user}
	case 23:
		return parser.RemoveAdmin{User: user}
	case 24:
		return parser.ShowFlowLog{Where: []parser.Comparison{{Column: strings.ToLower(a), Op: "LIKE", Value: b}}, Limit: int(positive)}
	case 25:
		return parser.ShowFlowReach{Project: a}
	case 26:
		return parser.ListTrustedProjects{}
	default:
		return parser.ShowSeals{}
	}
}
