package integration

import (
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// testCase is a distinct statement where it first stands: at a place of a script, in a current schema.
type testCase struct {
	placed
	script *testScript
	at     int
	joined bool // no file holds its text: a file that is sourced puts it together from variables of the script
}

// testScript is a script's definitions, each with its place, those of the files that it sources among them.
type testScript struct {
	defines []testCase
}

// suite reads the scripts of a folder.
type suite struct {
	dir      string
	sample   uint64
	texts    map[string]string // by path
	included map[string]bool
	own      map[string]bool // texts of statements that stand in one file
	seen     map[sent]bool
	cases    []testCase
}

// corpus gives the distinct statements of all scripts below dir, with the settings that they run under. Files that no
// script sources are scripts too.
func corpus(t *testing.T, dir string) []testCase {
	t.Helper()
	sample, err := strconv.ParseUint("0"+os.Getenv("SLUICE_COVERAGE_SAMPLE"), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{dir: dir, sample: sample, texts: map[string]string{}, included: map[string]bool{}, own: map[string]bool{}, seen: map[sent]bool{}}
	var scripts, pieces []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
		case strings.HasSuffix(path, ".test"):
			scripts = append(scripts, path)
		case strings.HasSuffix(path, ".inc"):
			pieces = append(pieces, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Concat(scripts, pieces) {
		s.alone(t, path)
	}
	for _, path := range scripts {
		s.read(t, path)
	}
	for _, path := range pieces {
		if !s.included[path] {
			s.read(t, path)
		}
	}
	return s.cases
}

// alone notes the statements that stand in one file.
func (s *suite) alone(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range readScript(string(text), func(string) (string, bool) { return "", false }) {
		s.own[p.sql] = true
	}
}

// read takes the statements of one script.
func (s *suite) read(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	script := &testScript{}
	include := func(name string) (string, bool) { return s.include(path, name) }
	for i, p := range readScript(string(text), include) {
		c := testCase{p, script, i, !s.own[p.sql]}
		if defines(p.sql) {
			script.defines = append(script.defines, c)
		}
		h := fnv.New32a()
		h.Write([]byte(p.sql))
		if !s.seen[p.sent] && (s.sample < 2 || uint64(h.Sum32())%s.sample == 0) {
			s.seen[p.sent] = true
			s.cases = append(s.cases, c)
		}
	}
}

func defines(text string) bool { return strings.EqualFold(firstWord(text), "create") }

// include finds a file that a script names, as the suite's own runner does: from its root, or near the script.
func (s *suite) include(from, name string) (string, bool) {
	name = strings.Trim(strings.TrimSpace(name), `"'`)
	for variable, base := range map[string]string{"$MYSQL_TEST_DIR/": s.dir, "$MTR_SUITE_DIR/": filepath.Dir(filepath.Dir(from))} {
		if rest, ok := strings.CutPrefix(name, variable); ok {
			return s.text(filepath.Join(base, rest))
		}
	}
	near := filepath.Dir(from)
	for _, base := range []string{s.dir, near, filepath.Dir(near), filepath.Join(s.dir, "main")} {
		if text, ok := s.text(filepath.Join(base, name)); ok {
			return text, true
		}
	}
	return "", false
}

func (s *suite) text(path string) (string, bool) {
	text, ok := s.texts[path]
	if !ok {
		if read, err := os.ReadFile(path); err == nil {
			text = string(read)
		}
		s.texts[path] = text
	}
	if text != "" {
		s.included[path] = true
	}
	return text, text != ""
}

// bySettings puts statements that are sent under the same settings side by side: each change of them is a round trip.
func bySettings(all []sent) {
	sort.SliceStable(all, func(i, j int) bool { return all[i].mode+"|"+all[i].charset < all[j].mode+"|"+all[j].charset })
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(strings.ToLower(strings.TrimLeft(s, " \t\r\n(")), " ")
	if len(w) > 20 {
		w = w[:20]
	}
	return strings.TrimSpace(w)
}
