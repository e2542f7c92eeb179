package main

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

// sentence is the refusal of the statement that project protection exists for.
const sentence = "ODPS-0130013:Authorization exception - Authorization Failed [4021], You have NO privilege 'odps:Select' on " +
	"{acs:odps:*:projects/myprj/tables/table1}. project 'myprj' is protected. You need to contact the project owner to set the " +
	"exception policy for you. Flow myprj.table1 -> prj2.table2 ["

func TestPlay(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--play"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, stderr.String(), stdout.String())
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr: %s", stderr.String())
	}
	said := strings.Join(strings.Fields(stdout.String()), " ")
	for _, part := range []string{
		sentence, "the warehouse holds no table prj2.table2", "no row of myprj stands in prj2.notes", "DENY",
		"ProjectProtection with Exception", "the seal is broken", "[seal broken]", "Every answer was the expected one.",
	} {
		if !strings.Contains(said, part) {
			t.Errorf("the play does not say %q", part)
		}
	}
	nothingLeft(t, stdout.String())
}

// nothingLeft checks that each address of the introduction is closed and the folder is gone.
func nothingLeft(t *testing.T, printed string) {
	t.Helper()
	addresses := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(printed, -1)
	if len(addresses) < 4 {
		t.Fatalf("%d addresses in the introduction", len(addresses))
	}
	for _, address := range addresses {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			t.Errorf("%s still listens", address)
		}
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v %v", left, err)
	}
}

// interrupter interrupts when everything is said.
type interrupter struct {
	bytes.Buffer
	interrupt context.CancelFunc
}

func (i *interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("Ctrl-C ends the demo")) {
		i.interrupt()
	}
	return i.Buffer.Write(p)
}

func TestServesUntilInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stdout, stderr := &interrupter{interrupt: cancel}, &bytes.Buffer{}
	if code := run(ctx, nil, stdout, stderr); code != 0 || stderr.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	for _, part := range []string{"mysql -h127.0.0.1 -P", " -ualice -p", theft, exception, "SHOW SEALS", "Stopped."} {
		if !strings.Contains(stdout.String(), part) {
			t.Errorf("what to type lacks %q", part)
		}
	}
	nothingLeft(t, stdout.String())
}

// newPlay gives a play before a world of its own.
func newPlay(t *testing.T) *play {
	t.Helper()
	logrus.SetOutput(io.Discard)
	w, err := start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := &play{ctx: t.Context(), world: w, out: newScreen(io.Discard), sessions: map[string]*sql.DB{}}
	t.Cleanup(func() {
		for _, db := range p.sessions {
			_ = db.Close()
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestADifferentAnswerEndsThePlay(t *testing.T) {
	p := newPlay(t)
	for name, c := range map[string]struct {
		act  func()
		want string
	}{
		"what has to be refused works":      {func() { p.refused("alice", "prj2", theft) }, "it was not refused"},
		"what has to be absent is there":    {func() { p.absent("no table", "SELECT id FROM prj2.notes") }, "it does not hold that no table"},
		"what has to work fails":            {func() { p.ok("bob", "prj2", "DROP TABLE myprj.table1") }, "bob@prj2: DROP TABLE"},
		"the warehouse refuses, not Sluice": {func() { p.refused("bob", "prj2", "DROP TABLE myprj.table1") }, "expected a refusal with ERROR 1142"},
		"another number of rows":            {func() { p.rows("owner", "myprj", "select * from table1", 4) }, "3 rows, expected 4"},
		"a question that cannot be asked":   {func() { p.absent("nothing", "SELECT 1 FROM prj2.nowhere") }, "ask the warehouse"},
	} {
		p.err = nil
		c.act()
		if p.err == nil || !strings.Contains(p.err.Error(), c.want) {
			t.Errorf("%s: %v", name, p.err)
		}
	}
	before := p.err
	p.ok("owner", "myprj", "DROP TABLE myprj.table1")
	if p.err != before {
		t.Errorf("after a fault: %v", p.err)
	}
	p.err = nil
	p.rows("owner", "myprj", "select * from table1", 3)
	if p.err != nil {
		t.Errorf("a play that ended went on: %v", p.err)
	}
}

func TestARefusalWithAnotherReasonEndsThePlay(t *testing.T) {
	p := newPlay(t)
	p.ok("owner", "myprj", "SET ProjectProtection = true")
	p.refused("alice", "prj2", theft, "[4021]")
	if p.err != nil {
		t.Fatal(p.err)
	}
	p.refused("alice", "prj2", theft, "[4021]", "the moon")
	if p.err == nil || !strings.Contains(p.err.Error(), `does not say "the moon"`) {
		t.Fatalf("%v", p.err)
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--help"}, 0, "-play"},
		{[]string{"--replay"}, 2, "replay"},
		{[]string{"play"}, 2, `unexpected argument "play"`},
	} {
		var stderr bytes.Buffer
		if code := run(t.Context(), c.args, io.Discard, &stderr); code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%v: exit code %d, %s", c.args, code, stderr.String())
		}
	}
}

func TestNoTimeToStart(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	if code := run(ctx, []string{"--play"}, io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), "canceled") {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v %v", left, err)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 5, ""},
		{"a b c", 5, "a b c"},
		{"aa bb cc", 5, "aa bb|cc"},
		{"aaaaaaa b", 3, "aaa|aaa|a b"},
		{"ä öü ß", 4, "ä öü|ß"},
	} {
		if got := strings.Join(wrap(c.text, c.width), "|"); got != c.want {
			t.Errorf("wrap %q at %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
