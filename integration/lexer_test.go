package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/enforcement"
	"sluice/integration/servers"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// No text that Sluice permits gives a row of a table that its graph lacks: random texts over quotes, comments,
// escapes, control and high bytes, under every sql_mode and client character set that matters, are read by the
// parser and, when permitted, run by a real server that holds a canary. The text that is forwarded must also
// mean what the client's own text means. SLUICE_LEXER=30m runs it for so long with a new seed.
func TestLexerDifferential(t *testing.T) {
	t.Parallel()
	long, seed := time.Duration(0), uint64(1)
	if v := os.Getenv("SLUICE_LEXER_CHARSET"); v != "" {
		lexerCharsets = strings.Split(v, ",") // a closer look at some
	}
	if v := os.Getenv("SLUICE_LEXER"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			t.Fatal(err)
		}
		long, seed = d, uint64(time.Now().UnixNano())
	}
	for name, start := range map[string]func(testing.TB, ...string) *servers.Server{"MariaDB": servers.MariaDB, "MySQL": servers.MySQL, "TiDB": servers.TiDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Logf("seed %d", seed)
			d := newDifferential(t, start(t), seed)
			d.golden("../parser/testdata/comments.txt")
			d.golden("../parser/testdata/quotes.txt")
			d.pairs()
			until := time.Now().Add(long)
			for round := 0; round < 400 || time.Now().Before(until); round++ {
				d.round(200)
				if t.Failed() {
					break
				}
			}
			t.Logf("%d texts: %d unreadable, %d refused, %d sent, %d of them accepted by the server, %d compared with the client's own text; %d judged by another text's tree",
				d.texts, d.unreadable, d.refused, d.sent, d.accepted, d.compared, d.reader.Likened())
			if d.reader.Likened() == 0 || d.accepted == 0 || d.refused == 0 || d.compared == 0 {
				t.Error("a part of the test did not run")
			}
		})
	}
}

const lexerCanary = "CANARY-5e1f"

// differential sends what the parser permits to a server.
type differential struct {
	t       *testing.T
	r       *rand.Rand
	db      *sql.DB
	conn    *sql.Conn
	dialect parser.Dialect
	reader  *lineage.Reader
	policy  *enforcement.Snapshot
	reading parser.Reading

	texts, unreadable, refused, sent, accepted, compared int
}

func newDifferential(t *testing.T, server *servers.Server, seed uint64) *differential {
	t.Helper()
	server.Exec(t, "CREATE DATABASE pub CHARACTER SET utf8mb4", "CREATE DATABASE secret CHARACTER SET utf8mb4",
		"CREATE TABLE pub.t (v VARCHAR(60))", "INSERT INTO pub.t VALUES ('public')",
		"CREATE TABLE secret.t (v VARCHAR(60))", "INSERT INTO secret.t VALUES ('"+lexerCanary+"')",
		"CREATE TABLE secret.`größe` (v VARCHAR(60))", "INSERT INTO secret.`größe` SELECT * FROM secret.t")
	tables := "CREATE TABLE pub.t (v TEXT); CREATE TABLE secret.t (v TEXT); CREATE TABLE secret.`größe` (v TEXT)"
	for _, name := range wideNames {
		server.Exec(t, "CREATE TABLE secret.`"+name+"` (v VARCHAR(60))", "INSERT INTO secret.`"+name+"` SELECT * FROM secret.t")
		tables += "; CREATE TABLE secret.`" + name + "` (v TEXT)"
	}
	db, err := sql.Open("mysql", "root@unix("+server.Socket+")/pub")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	d := &differential{t: t, r: rand.New(rand.NewPCG(seed, 2)), db: db}
	var version string
	if err := db.QueryRow("SELECT VERSION()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	d.dialect = parser.ParseVersion(version)
	defs, err := lineage.LoadDefinitions(tables, d.dialect, "pub")
	if err != nil {
		t.Fatal(err)
	}
	d.reader = lineage.NewReader(catalog.New(defs, time.Hour), 8<<20)
	d.policy, err = enforcement.Build(&enforcement.Policy{Revision: 1, Projects: map[string]*enforcement.Project{
		"secret": {Name: "secret", Protection: parser.Protected},
	}}, enforcement.Options{Folds: true})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	lexerModes    = []string{"", "", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT", "IGNORE_SPACE", "ANSI", "HIGH_NOT_PRECEDENCE"}
	lexerCharsets = []string{"utf8mb4", "utf8mb4", "utf8mb3", "latin1", "ascii", "binary", "koi8r", "cp1251", "hebrew", "gbk", "sjis", "big5", "cp932", "ujis", "euckr", "eucjpms", "gb2312", "gb18030", "tis620", "armscii8"}
)

// begin opens a connection under a sql_mode and a character set, if the server has them.
func (d *differential) begin(mode, charset string) bool {
	d.t.Helper()
	conn, err := d.db.Conn(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	d.conn = conn
	// What it sends back is read as it is stored: the canary must be recognised.
	for _, set := range []string{"SET sql_mode='" + mode + "'", "SET NAMES " + charset, "SET character_set_results = NULL"} {
		if _, err := conn.ExecContext(context.Background(), set); err != nil {
			_ = conn.Close()
			return false
		}
	}
	d.reading = parser.Reading{Dialect: d.dialect, Mode: parser.ParseMode(mode), Charset: charset}
	return true
}

// golden runs the golden cases of the lexer: each differential that is known, on a server that has it.
func (d *differential) golden(path string) {
	d.t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	ran := 0
	for _, m := range goldenRead.FindAllStringSubmatch(string(file), -1) {
		mode, charset := "", "utf8mb4"
		for arg := range strings.FieldsSeq(m[1]) {
			if v, ok := strings.CutPrefix(arg, "mode="); ok {
				mode = v
			}
			if v, ok := strings.CutPrefix(arg, "charset="); ok {
				charset = v
			}
		}
		if !d.begin(mode, charset) {
			continue
		}
		d.try(goldenByte.ReplaceAllStringFunc(m[2], func(s string) string {
			b, _ := strconv.ParseUint(s[len("«"):len("«")+2], 16, 8)
			return string([]byte{byte(b)})
		}))
		_ = d.conn.Close()
		ran++
	}
	if ran < 30 {
		d.t.Errorf("%s: only %d cases ran", path, ran)
	}
}

var (
	goldenRead = regexp.MustCompile(`(?ms)^read([^\n]*)\n(.*?)\n----\n`)
	goldenByte = regexp.MustCompile(`«[0-9A-F]{2}»`)
)

// pairs tries every first byte of a character in the sets whose second byte may be a backslash, with second bytes from
// the edges of what is one: a string ends where the server ends it, whatever is taken for a character.
func (d *differential) pairs() {
	d.t.Helper()
	for _, charset := range []string{"gbk", "gb18030", "big5", "sjis", "cp932"} {
		if !d.begin("", charset) {
			continue // MariaDB has no gb18030
		}
		for a := 0x80; a <= 0xff; a++ {
			for _, b := range []byte{'0', '?', '@', '\\', '`', '~', 0x7f, 0x80, 0xa0, 0xa1, 0xdf, 0xe0, 0xfc, 0xfd, 0xfe, 0xff} {
				two := string([]byte{byte(a), b})
				for _, escaped := range []string{"", "\\", "\\\\"} {
					for _, quote := range []string{"'", "\\'"} { // it ends later than it seems, or earlier
						d.try("SELECT '" + escaped + two + quote + " UNION SELECT v FROM secret.t -- '")
						d.try("SELECT '" + escaped + two + quote + ", \"' UNION SELECT v FROM secret.t -- \"")
					}
				}
			}
		}
		_ = d.conn.Close()
	}
}

// round runs n texts under one sql_mode and character set.
func (d *differential) round(n int) {
	d.t.Helper()
	charset := lexerCharsets[d.r.IntN(len(lexerCharsets))]
	if !d.begin(lexerModes[d.r.IntN(len(lexerModes))], charset) {
		return
	}
	defer d.conn.Close()
	// Few pieces at a time meet each other more often, and spoil each other less.
	few := make([]string, 14)
	for i := range few {
		few[i] = pieces[d.r.IntN(len(pieces))]
		if d.r.IntN(2) == 0 {
			few[i] = widePiece(d.r, d.reading, few[i])
		}
	}
	for range n {
		d.try(soup(d.r, few))
	}
}

// try judges one text and runs what is permitted of it.
func (d *differential) try(text string) {
	d.t.Helper()
	d.texts++
	d.liken(text)
	script, err := d.reader.Parse([]byte(text), d.reading)
	if err != nil {
		d.unreadable++
		return
	}
	for i := range script.Statements {
		st := &script.Statements[i]
		if st.Command != nil || !d.permitted(script, i) {
			d.refused++
			return
		}
		// What cannot give the canary away in any reading is sent now and then.
		if !strings.Contains(text, "secret") && d.r.IntN(20) > 0 {
			continue
		}
		seen, number := d.run(st.Sent())
		d.sent++
		if number == 0 {
			d.accepted++
		}
		if strings.Contains(seen, lexerCanary) {
			d.t.Errorf("LEAK under sql_mode %d, %s: %q, sent as %q, gives %q", d.reading.Mode, d.reading.Charset, text, st.Sent(), seen)
		}
		// An empty statement is an error to the server and nothing to the parser: no statement is sent for it.
		if len(script.Statements) == 1 && st.Sent() != text && strings.Count(text, ";") < 2 {
			d.same(text, st.Sent(), seen, number)
		}
	}
}

// same compares with the client's own text: that must give the same rows or the same error.
func (d *differential) same(text, canonical, seen string, number uint16) {
	d.t.Helper()
	own, ownNumber := d.run(text)
	d.compared++
	if ownNumber != number || number == 0 && own != seen {
		d.t.Errorf("under sql_mode %d, %s: %q gives %d %q, its canonical text %q gives %d %q", d.reading.Mode, d.reading.Charset, text, ownNumber, own, canonical, number, seen)
	}
}

// liken shows the reader other texts of a text's shape first, so that it is judged by their tree.
func (d *differential) liken(text string) {
	shape, ok := parser.AppendShape(nil, []byte(text), d.reading)
	if !ok {
		return
	}
	for _, number := range []string{"0", "12"} {
		other := strings.NewReplacer("\x01", number, "\x02", number+".5", "\x03", "'"+number+"'", "\x04", "'é'").Replace(string(shape))
		if script, err := d.reader.Parse([]byte(other), d.reading); err == nil {
			for i := range script.Statements {
				_ = script.Statements[i].Command != nil || d.permitted(script, i)
			}
		}
	}
}

func (d *differential) permitted(script *lineage.Script, i int) bool {
	graph, err := d.reader.Graph(context.Background(), script, i, lineage.Scope{Schema: "pub"})
	if err != nil {
		return false
	}
	var none lineage.Labels
	decision := d.policy.Decide(&enforcement.Request{Graph: none.Expand(graph), Schema: "pub"})
	return decision.Permitted()
}

// run gives all cells and the error's text, and the error's number.
func (d *differential) run(text string) (seen string, number uint16) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	rows, err := d.conn.QueryContext(ctx, text)
	var b strings.Builder
	if err == nil {
		columns, cerr := rows.Columns()
		if cerr != nil {
			d.t.Fatal(cerr)
		}
		cells := make([]sql.RawBytes, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				d.t.Fatal(err)
			}
			for _, c := range cells {
				b.Write(c)
				b.WriteByte('|')
			}
		}
		err = rows.Err()
		_ = rows.Close()
	}
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return b.String() + e.Message, e.Number
	}
	if err != nil {
		d.t.Fatalf("%q: %v", text, err)
	}
	return b.String(), 0
}

// soup makes a text around a read of the canary: pieces that open, close, hide and escape, before and behind.
func soup(r *rand.Rand, few []string) string {
	var b strings.Builder
	b.WriteString(begins[r.IntN(len(begins))])
	some(&b, r, few)
	if r.IntN(12) > 0 {
		b.WriteString(reads[r.IntN(len(reads))])
	}
	some(&b, r, few)
	b.WriteString(ends[r.IntN(len(ends))])
	return b.String()
}

func some(b *strings.Builder, r *rand.Rand, few []string) {
	for range r.IntN(6) {
		switch n := r.IntN(40); {
		case n == 0:
			b.WriteByte(byte(r.IntN(256)))
		case n < 4:
			fmt.Fprintf(b, "/*!%0*d ", 4+r.IntN(4), versions[r.IntN(len(versions))])
		default:
			b.WriteString(few[r.IntN(len(few))])
		}
		if r.IntN(3) == 0 {
			b.WriteByte(' ')
		}
	}
}

var (
	begins = []string{"SELECT 1 ", "SELECT 1", "SELECT v FROM t ", "SELECT 'a' ", "(SELECT 1) ", "SELECT 1 AS ", "SELECT @", "SELECT /*+ ", "/*", "SELECT 1 +", "SELECT \"x", "SELECT `x", "SELECT 'x", "WITH t AS (SELECT 1 v) ", "SELECT N'a' ", "SELECT _utf8mb4'a' ", "SELECT 1e", "SELECT 0x"}
	ends   = []string{"", "", "'", "\"", "`", "*/", " -- '", " -- \"", " -- `", " # */", " -- */", "' */", ")", "' -- ", " */ -- '", "''", "\n", ";"}
	reads  = []string{" UNION SELECT v FROM secret.t ", " UNION SELECT v FROM secret.t -- ", " UNION SELECT v FROM secret.t #", ", (SELECT v FROM secret.t) ", " UNION SELECT v FROM `secret`.t ", " UNION SELECT v FROM secret.größe ", " UNION SELECT v FROM secret.`gr\xf6\xdfe` -- ", " UNION SELECT v FROM secret.gr\xf6\xdfe ", " UNION SELECT v FROM \"secret\".\"t\" ", "(SELECT v FROM secret.t)", " UNION SELECT v FROM secret . t ", " UNION SELECT v FROM secret/**/./**/t ", " FROM secret.t ", " v FROM secret.t "}
	pieces = []string{"'", "'", "\"", "\"", "`", "`", "\\", "\\\\", "\\'", "\\\"", "''", "\"\"", "``", "/*", "/*!", "/*! ", "/*M!", "/*m!", "/*M! ", "/*M!100100 ", "/*M!999999 ", "/*T!", "/*T! ", "/*T![auto_rand] ", "/*T![x] ", "/*+", "/*+ ", "/*+ a() */", "*/", "*/", "*/", "/**/", "--", "-- ", "--\t", "--\n", "--\x01", "--\xa0", "--\x85", "--x", "#", "# ", "\n", "\n", "\r", "\r\n", "\x00", "\x1a", "\x0b", "\x0c", "\xa0", "\xc2\xa0", "\xe3\x80\x80", "\xef\xbb\xbf", "\xbf\\'", "\xbf'", "\x95\\'", "\x95\\", "\xa5\\", "\x81`", "\xa1\xa1", "\xb1", "\xd6\\", "\xe0\x40", "\\\xd6\\", "\xa1'", "\x8f\xa1", "\xfe", "é", "ß", "1", "a", "AS", "AS x", ",", ".", "(", ")", ";", "@", "@@", ":=", "||", "&&", "->", "->>", "=", "+", "-", "*", "/", "%", "secret.größe", "secret.`größe`", "secret.gr\xf6\xdfe", "secret.`gr\xf6\xdfe`", "$$", "$a$", "$", "?", "N'", "n'", "X'", "x'41'", "b'1'", "_binary'", "_gbk'", "_latin1'", "_sjis'", "0x27", "1.", ".1", "1e", "1.e", "2.5e-", "1.e1", "0b1", "{", "}", "{d '2020-01-01'}", "\\N", "!", "WHERE", "AND", "FROM t", "LIMIT 1", "NULL"}
	// versions stand in executable comments: below, at and above those of the servers, with five and six digits.
	versions = []int{0, 1, 40101, 50000, 50699, 50700, 50701, 50999, 80000, 90000, 90704, 90705, 99999, 100000, 100100, 101119, 101120, 101200, 110000, 999999, 9999999}
)
