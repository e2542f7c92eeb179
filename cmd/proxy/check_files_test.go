package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/integration/servers"
)

// What would keep serve from starting, or its clients from connecting, is told by check.
func TestCheckFiles(t *testing.T) {
	now := time.Now()
	good, goodKey := servers.Certificate(t, now.Add(-time.Hour), now.Add(time.Hour))
	old, oldKey := servers.Certificate(t, now.Add(-2*time.Hour), now.Add(-time.Hour))
	early, earlyKey := servers.Certificate(t, now.Add(time.Hour), now.Add(2*time.Hour))
	text := written(t, "no certificate")
	folder := t.TempDir()
	log := filepath.Join(folder, "audit.jsonl")
	tls := func(cert, key string) string { return fmt.Sprintf("tls: {cert: %s, key: %s}\n", cert, key) }
	for name, c := range map[string]struct{ config, log, wanted, unwanted string }{
		"a good pair":            {tls(good, goodKey), log, "certificate     " + good + ": CN=localhost, until ", "tls.cert: is"},
		"no pair":                {"", log, "decision log    " + log + ": can be written", "certificate "},
		"out of its time":        {tls(old, oldKey), log, "tls.cert: is " + old + ", expected a certificate that is valid now: it ended at", "certificate  "},
		"before its time":        {tls(early, earlyKey), log, "tls.cert: is " + early + ", expected a certificate that is valid now: it begins at", "certificate  "},
		"another's key":          {tls(good, oldKey), log, "tls.cert: is " + good + ", expected a certificate, with its key in tls.key", "certificate  "},
		"text":                   {tls(text, text), log, "tls.cert: is " + text + ", expected a certificate", "certificate  "},
		"a log without folder":   {"", filepath.Join(folder, "none", "a.jsonl"), "audit.file: is " + filepath.Join(folder, "none", "a.jsonl") + ", expected a file that can be written", "decision log"},
		"a log that is a folder": {"", folder, "audit.file: is " + folder + ", expected a file that can be written", "decision log"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			file := written(t, alone+"%s", `"127.0.0.1:0"`, c.log, c.config)
			if code := run(context.Background(), []string{"check", "--config", file}, strings.NewReader(""), &out, &out); code != 1 { // no warehouse
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(out.String(), c.wanted) || strings.Contains(out.String(), c.unwanted) {
				t.Errorf("it said:\n%s\nwanted %s", out.String(), c.wanted)
			}
		})
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("check left %v, %v", left, err)
	}
}

func TestCheckProjects(t *testing.T) {
	var out bytes.Buffer
	faults := checkProjects(map[string][]string{"bank": {"bank", "ledger"}, "prj2": {"other"}, "hr": {"staff"}}, []string{"bank", "ledger", "prj2", "other"}, false, &out)
	if len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), "projects.prj2: is [other], expected the schema prj2 among them") {
		t.Errorf("%v", faults)
	}
	if got := out.String(); got != "projects        hr: the warehouse has no schema staff yet\n" {
		t.Errorf("%q", got)
	}
	if faults := checkProjects(map[string][]string{"PRJ2": {"other"}}, []string{"prj2", "other"}, false, &out); len(faults) != 0 {
		t.Errorf("another name where case counts: %v", faults)
	}
	if faults := checkProjects(map[string][]string{"PRJ2": {"other"}}, []string{"prj2", "other"}, true, &out); len(faults) != 1 {
		t.Errorf("the same name where it does not: %v", faults)
	}
}
