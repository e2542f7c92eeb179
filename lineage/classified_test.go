package lineage_test

import (
	"reflect"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/lineage"
	"sluice/parser"
)

// unclassified finds a table name anywhere in a statement's tree, by a walk of its own over every field, that the
// graph neither reads, writes nor knows otherwise: a qualified one by schema and name. A name that a WITH declares
// and an alias may be absent, and so may an unqualified name without a current schema. It returns "" when all is
// classified.
func unclassified(st *parser.Statement, g *lineage.Graph, schema string) string {
	if st.Node == nil || g.Refused != "" || g.Forbidden != "" {
		return ""
	}
	w := &nameWalk{known: map[string]bool{}, schema: schema}
	for _, list := range [][]lineage.Object{g.Reads, g.Structure, g.Names, g.Effects.CreatesTemporary, g.Effects.DropsTemporary} {
		for _, o := range list {
			w.knows(o)
		}
	}
	for _, x := range g.Writes {
		w.knows(x.Object)
	}
	for _, f := range g.Flows {
		w.knows(f.Source.Object)
		w.knows(f.Sink.Object)
		w.carrier(f.Source.Name)
	}
	for _, c := range g.Carriers {
		w.carrier(c)
	}
	w.walk(reflect.ValueOf(st.Node)) // learns the names of WITH and the aliases
	w.missing = ""
	w.walk(reflect.ValueOf(st.Node))
	if w.missing != "" {
		return "the table name " + w.missing + " of the tree is nowhere in the graph"
	}
	return ""
}

// nameWalk finds the table names of a tree that are not known.
type nameWalk struct {
	known   map[string]bool
	schema  string
	missing string
}

func (w *nameWalk) knows(o lineage.Object) {
	w.known[strings.ToLower(o.Name)] = true
	w.known[strings.ToLower(o.String())] = true
}

// carrier knows the temporary table that a carrier may be.
func (w *nameWalk) carrier(name string) {
	if table, is := strings.CutPrefix(name, "temporary "); is {
		schema, table, _ := strings.Cut(table, ".")
		w.knows(lineage.Object{Schema: schema, Name: table})
	}
}

func (w *nameWalk) table(n *ast.TableName) {
	name := n.Name.L
	if n.Schema.O != "" {
		name = n.Schema.L + "." + name
	}
	if !w.known[name] && (n.Schema.O != "" || w.schema != "") {
		w.missing = name
	}
}

func (w *nameWalk) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return
		}
		if v.CanInterface() {
			switch n := v.Interface().(type) {
			case *ast.TableName:
				w.table(n)
				return
			case *ast.WithClause:
				for _, c := range n.CTEs {
					w.known[c.Name.L] = true
				}
			case *ast.TableSource:
				w.known[n.AsName.L] = true
			}
		}
		w.walk(v.Elem())
	case reflect.Struct:
		if !strings.Contains(v.Type().PkgPath(), "/parser/ast") {
			return // types, character sets and literals hold no names
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				w.walk(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.walk(v.Index(i))
		}
	}
}
