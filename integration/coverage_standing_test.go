package integration

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

var coverageDialect = parser.Dialect{Flavor: parser.MariaDB, Version: 101119}

// coverageWorld is what stands in the warehouse beside a script's own definitions: two projects, the protected
// one, and the procedure that the suite's own server brings along.
const coverageWorld = `CREATE DATABASE test; CREATE DATABASE mtr; CREATE TABLE vault.gold (id INT, v TEXT);
CREATE PROCEDURE mtr.add_suppression(pattern VARCHAR(255)) INSERT INTO mtr.test_suppressions (pattern) VALUES (pattern);
`

// standing is what stands in the warehouse at a place of a script: the newest definition of each name before it
// that the server accepts.
type standing struct {
	t            *testing.T
	verdicts     map[sent]verdict
	engines      map[string]bool
	pluginFolder string
	script       *testScript
	next         int // of the script's definitions
	defs         *lineage.Definitions
	current      *catalog.Snapshot
	// homeless are the tables that cannot stand, because the server does not have their engine.
	homeless map[lineage.Object]bool
}

// at gives the catalog at the place of a case. The cases of a script come one behind the other, in their order.
func (w *standing) at(c testCase) *catalog.Snapshot {
	if w.script != c.script {
		defs, err := lineage.LoadDefinitions(coverageWorld, coverageDialect, "test")
		if err != nil {
			w.t.Fatal(err)
		}
		w.script, w.next, w.defs, w.current, w.homeless = c.script, 0, defs, nil, map[lineage.Object]bool{}
	}
	for ; w.next < len(c.script.defines) && c.script.defines[w.next].at < c.at; w.next++ {
		w.define(c.script.defines[w.next])
	}
	return w.snapshot()
}

func (w *standing) snapshot() *catalog.Snapshot {
	if w.current == nil {
		current, err := catalog.New(w.defs, 0).Current(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		w.current = current
	}
	return w.current
}

// library finds the file of a loadable function.
var library = regexp.MustCompile(`(?i)\bSONAME\s+['"]([^'"]+)['"]`)

// define adds a definition, if the server takes it.
func (w *standing) define(c testCase) {
	v := w.verdicts[c.sent]
	if !v.accepted {
		return
	}
	if m := library.FindStringSubmatch(c.sql); m != nil {
		if _, err := os.Stat(filepath.Join(w.pluginFolder, m[1])); err != nil {
			return
		}
	}
	made := w.made(c, v)
	if w.defs.Extend("USE `"+c.schema+"`", "", "") != nil || w.defs.Extend(c.sql, v.mode, c.charset) != nil {
		return
	}
	w.current = nil
	for _, o := range made {
		delete(w.homeless, o)
		w.home(o, v.mode)
	}
}

// made lists the tables that a statement makes.
func (w *standing) made(c testCase, v verdict) []lineage.Object {
	rd := parser.Reading{Dialect: coverageDialect, Mode: parser.ParseMode(v.mode), Charset: c.charset}
	script, err := parser.ParseSent(c.sql, rd)
	if err != nil || len(script.Statements) != 1 || script.Statements[0].Kind != "create table" {
		return nil
	}
	bound, err := lineage.Resolve(context.Background(), &script.Statements[0], script.Reading, lineage.Scope{Schema: c.schema}, w.snapshot())
	if err != nil {
		return nil
	}
	g := lineage.Trace(bound)
	out := slices.Clone(g.Effects.CreatesTemporary)
	for _, write := range g.Writes {
		if write.Definition {
			out = append(out, write.Object)
		}
	}
	return out
}

// home looks after a table whose engine the server does not have: it is not made under NO_ENGINE_SUBSTITUTION, and has the
// server's own engine otherwise.
func (w *standing) home(table lineage.Object, mode string) {
	s, err := w.defs.Load(context.Background(), table.Schema)
	if err != nil {
		w.t.Fatal(err)
	}
	o := s.Objects[table.Name]
	if o == nil || o.Engine == "" || w.engines[o.Engine] {
		return
	}
	if strings.Contains(mode, "NO_ENGINE_SUBSTITUTION") {
		w.homeless[table] = true
		delete(s.Objects, table.Name)
		return
	}
	o.Engine, o.External, o.Union = "", "", nil
}

// touchesHomeless tells whether a graph names a table that cannot stand.
func (w *standing) touchesHomeless(g *lineage.Graph) bool {
	if g == nil || len(w.homeless) == 0 {
		return false
	}
	for _, objects := range [][]lineage.Object{g.Reads, g.Names, g.Structure} {
		for _, o := range objects {
			if w.homeless[o] {
				return true
			}
		}
	}
	for i := range g.Writes {
		if w.homeless[g.Writes[i].Object] {
			return true
		}
	}
	return false
}
