package enforcement

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/parser"
)

// Each limit of packages lets its number in, and not one more (semantics 1.4).
func TestPackageLimits(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	p := &Policy{Projects: map[string]*Project{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	limited := func(what string, err error) {
		t.Helper()
		var e *EditError
		if !errors.As(err, &e) || e.Fault != Limit || !strings.Contains(err.Error(), "limit") {
			t.Errorf("one more than the limit of %s: %v", what, err)
		}
		must(p.Validate())
	}
	must(p.CreatePackage("source", "k", now))
	for i := range MaxItems {
		must(p.AddToPackage("source", "k", Item{Type: "table", Name: fmt.Sprintf("t%d", i)}))
	}
	limited("objects of a package", p.AddToPackage("source", "k", Item{Type: "table", Name: "more"}))
	must(p.RemoveFromPackage("source", "k", "t0"))
	must(p.AddToPackage("source", "k", Item{Type: "table", Name: "more"}))

	k := p.Projects["source"].Packages["k"]
	for i := range MaxAllowed - 1 {
		k.Allowed = append(k.Allowed, Allowed{Project: fmt.Sprintf("p%d", i)})
	}
	must(p.AllowInstall("source", "k", Allowed{Project: "consumer"}))
	limited("projects that may install a package", p.AllowInstall("source", "k", Allowed{Project: "more"}))

	for i := range MaxInstalls {
		name := fmt.Sprintf("i%d", i)
		must(p.CreatePackage("source", name, now))
		must(p.AllowInstall("source", name, Allowed{Project: "*"}))
		must(p.InstallPackage("consumer", "source", name, now))
	}
	limited("packages of one project installed in another", p.InstallPackage("consumer", "source", "k", now))
	must(p.UninstallPackage("consumer", "source", "i0"))
	must(p.InstallPackage("consumer", "source", "k", now))

	source := p.Projects["source"]
	for i := len(source.Packages); i < MaxPackages; i++ {
		name := fmt.Sprintf("many%d", i)
		source.Packages[name] = &Package{Name: name, Created: now}
	}
	limited("packages of a project", p.CreatePackage("source", "more", now))

	consumer := p.Projects["consumer"]
	for i := len(consumer.Installed); i < MaxInstalled; i++ {
		consumer.Installed = append(consumer.Installed, Installation{Project: fmt.Sprintf("s%d", i), Package: "k"})
	}
	must(p.CreatePackage("other", "k", now))
	must(p.AllowInstall("other", "k", Allowed{Project: "*"}))
	limited("packages installed in a project", p.InstallPackage("consumer", "other", "k", now))
}

// The text that SET takes may be as long as the limit, and not one byte longer; the policy before stays.
func TestPolicyTextLimit(t *testing.T) {
	text := `{"Version": "1", "Statement": [{"Effect": "Allow", "Principal": "alice", "Action": "odps:Select", "Resource": "*"}]}`
	full := text + strings.Repeat(" ", MaxSetBytes-len(text))
	p := &Policy{Projects: map[string]*Project{}}
	if _, err := p.SetProtection("p", parser.Protected, full, nil); err != nil {
		t.Errorf("a text of the limit: %v", err)
	}
	_, err := p.SetProtection("p", parser.Protected, full+" ", nil)
	var e *EditError
	if !errors.As(err, &e) || e.Fault != Limit || p.Projects["p"].Exception != full {
		t.Errorf("one byte more: %v", err)
	}
}
