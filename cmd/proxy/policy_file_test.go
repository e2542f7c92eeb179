package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sluice/enforcement"
	"sluice/parser"
)

// A file spells protection as SET does, and reads back to the policy that it was written from; the number that stands
// in the truth is read too.
func TestPolicyFileSpellsProtection(t *testing.T) {
	limit := int64(1000000)
	p := &enforcement.Policy{Revision: 7, Projects: map[string]*enforcement.Project{
		"a": {Name: "a", Protection: parser.Protected, MaxRow: &limit, Exception: `{"Version":"1","Statement":[]}`},
		"b": {Name: "b", Protection: parser.DryRun}, "c": {Name: "c"},
	}}
	for _, format := range []string{"yaml", "json"} {
		var out bytes.Buffer
		if err := writePolicy(&out, p, format); err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{`"true"`, "dryrun", `"false"`} {
			if !strings.Contains(out.String(), word) {
				t.Errorf("%s lacks %s:\n%s", format, word, out.String())
			}
		}
		if back := reread(t, out.String()); !reflect.DeepEqual(back, p) {
			t.Errorf("%s reads back as %+v:\n%s", format, back.Projects["a"], out.String())
		}
	}
	for text, want := range map[string]parser.Protection{"true": parser.Protected, "TRUE": parser.Protected, "dryrun": parser.DryRun, "2": parser.DryRun, "false": parser.Unprotected} {
		if got := reread(t, "revision: 1\nprojects: {a: {name: a, protection: "+text+"}}\n").Projects["a"].Protection; got != want {
			t.Errorf("protection: %s is read as %v", text, got)
		}
	}
	file := written(t, "revision: 1\nprojects: {a: {name: a, protection: perhaps}}\n")
	if _, err := readPolicy(file); err == nil || !strings.HasSuffix(err.Error(), "protection: is perhaps, expected true, false or dryrun") {
		t.Errorf("%v", err)
	}
}

func reread(t *testing.T, text string) *enforcement.Policy {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := readPolicy(file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
