package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sluice/enforcement/audit"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"proxy": main})
}

// The scripts run the program as a person at a terminal does, without a warehouse. Beside testscript's
// commands:
//
//	auditlog file n    writes a decision log of n entries
//	code n proxy …     runs the program and wants the exit code n
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"auditlog": writeAuditLog,
			"code":     wantCode,
		},
	})
}

func writeAuditLog(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	l, err := audit.Open(audit.Options{File: ts.MkAbs(args[0]), Text: true, Gateway: "g1"})
	ts.Check(err)
	for i := range n {
		ts.Check(l.Record(context.Background(), &audit.Entry{
			User: "alice", Host: "%", Task: "SQL", Kind: "select", Verdict: "deny", Rule: "no rule",
			Text: fmt.Sprintf("SELECT %d FROM prj1.t", i), Digest: audit.Digest(strconv.Itoa(i)),
		}))
	}
	ts.Check(l.Close())
}

// wantCode runs a program whose exit code matters; its output can be looked at as after exec.
func wantCode(ts *testscript.TestScript, _ bool, args []string) {
	wanted, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != wanted {
		ts.Fatalf("exit code %d, wanted %d", got, wanted)
	}
}
