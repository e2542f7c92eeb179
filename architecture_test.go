package sluice_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// imports is the import table of ARCHITECTURE.md: what each package may import of ours. cmd/proxy may import all.
var imports = map[string][]string{
	"parser":              {},
	"config":              {},
	"warehouse":           {},
	"gateway/wire":        {},
	"lineage/catalog":     {},
	"lineage":             {"parser", "lineage/catalog"},
	"enforcement":         {"lineage", "lineage/catalog", "parser"},
	"enforcement/audit":   {"enforcement"},
	"enforcement/store":   {"enforcement", "enforcement/audit", "lineage", "lineage/catalog", "parser", "warehouse"},
	"gateway":             {"gateway/wire", "enforcement", "enforcement/audit", "lineage", "lineage/catalog", "parser"},
	"gateway/console":     {"enforcement", "enforcement/audit", "gateway"},
	"integration/servers": {},
	"integration":         {},
}

// rooms are the only packages that may know an outside module (by its path's beginning).
var rooms = map[string][]string{
	"github.com/pingcap/tidb":        {"parser", "lineage"},
	"github.com/redis/go-redis":      {"enforcement/store", "cmd/proxy"},
	"github.com/go-mysql-org":        {"warehouse"},
	"github.com/spf13/viper":         {"config"},
	"github.com/prometheus":          {"gateway/console"},
	"github.com/dolthub":             {},
	"net/http":                       {"gateway/console", "cmd/proxy", "integration/servers"},
	"github.com/pires/go-proxyproto": {},
	"github.com/klauspost/compress":  {"gateway/wire", "integration"},
}

var forbidden = []string{"util", "utils", "common", "helper", "helpers", "types", "manager", "misc"}

type goPackage struct {
	ImportPath, Name, Doc string
	Imports               []string
	GoFiles               []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages found", len(all))
	}
	return all
}

func TestImportTable(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "sluice/")
		allowed, known := imports[name]
		for _, i := range p.Imports {
			inner, ours := strings.CutPrefix(i, "sluice/")
			switch {
			case ours && strings.HasPrefix(name, "cmd/"):
			case ours && !known:
				t.Errorf("%s is not in the import table", name)
			case ours && !contains(allowed, inner):
				t.Errorf("%s imports %s, which the import table does not allow", name, inner)
			}
			for module, in := range rooms {
				if (i == module || strings.HasPrefix(i, module+"/")) && !contains(in, name) {
					t.Errorf("%s imports %s, which belongs to %v", name, i, in)
				}
			}
			if inner == "config" && !strings.HasPrefix(name, "cmd/") {
				t.Errorf("%s imports config: settings travel as plain fields", name)
			}
		}
	}
}

func TestHouseRules(t *testing.T) {
	for _, p := range packages(t) {
		if contains(forbidden, p.Name) {
			t.Errorf("%s: the name %s says nothing", p.ImportPath, p.Name)
		}
		opening := "Package " + p.Name
		if p.Name == "main" {
			opening = "Command "
		}
		if !strings.HasPrefix(p.Doc, opening) {
			t.Errorf("%s: a package opens with its promise: %q...", p.ImportPath, opening)
		}
	}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}
