package sluice_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// named are files that a text names with their folder, and documents that it names at all.
	named = regexp.MustCompile(`(?:[\w*-]+/)+[\w*-]+\.(?:go|md|txt|sql|sh|yml)\b|\b[\w-]+\.md\b`)
	// testNames are tests that a document names.
	testNames = regexp.MustCompile("`(Test[A-Z]\\w+)`")
	testFuncs = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// What documents and comments send a reader to is there.
func TestWhatIsNamedIsThere(t *testing.T) {
	tests := map[string]bool{}
	var texts []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "testdata"):
			return fs.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			for _, f := range testFuncs.FindAllStringSubmatch(read(t, path), -1) {
				tests[f[1]] = true
			}
		}
		if strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".md") && path != "CHANGELOG.md" {
			texts = append(texts, path)
		}
		return nil
	})
	if err != nil || len(texts) < 100 || len(tests) < 100 {
		t.Fatalf("%d texts, %d tests, %v", len(texts), len(tests), err)
	}
	for _, path := range texts {
		for n, line := range strings.Split(read(t, path), "\n") {
			if strings.HasSuffix(path, ".go") {
				_, comment, is := strings.Cut(line, "//")
				if !is || strings.Contains(line, "://") {
					continue
				}
				line = comment
			}
			for _, name := range named.FindAllString(line, -1) {
				if !there(name, filepath.Dir(path)) {
					t.Errorf("%s:%d names %s, which is not there", path, n+1, name)
				}
			}
			if strings.HasSuffix(path, ".md") {
				for _, m := range testNames.FindAllStringSubmatch(line, -1) {
					if !tests[m[1]] {
						t.Errorf("%s:%d names %s, which no test file has", path, n+1, m[1])
					}
				}
			}
		}
	}
}

// there looks from the top, from the folder of who names it, and in docs.
func there(name, folder string) bool {
	for _, from := range []string{".", folder, "docs"} {
		if found, err := filepath.Glob(filepath.Join(from, name)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
