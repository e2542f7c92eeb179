package lineage_test

import (
	"reflect"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"sluice/lineage"
	"sluice/parser"
)

// unclassified finds a table name anywhere in a statement's tree, by a walk of its own over every
// field, that the graph neither reads, writes nor knows otherwise. A name that a WITH declares, an alias
// and metadata may be absent. It returns "" when all is classified.
func unclassified(st *parser.Statement, g *lineage.Graph) string {
	if st.Node == nil || g.Refused != "" || g.Forbidden != "" {
		return ""
	}
	known := map[string]bool{}
	for _, o := range g.Reads {
		known[strings.ToLower(o.Name)] = true
	}
	for _, w := range g.Writes {
		known[strings.ToLower(w.Object.Name)] = true
	}
	for _, o := range g.Structure {
		known[strings.ToLower(o.Name)] = true
	}
	for _, o := range g.Effects.CreatesTemporary {
		known[strings.ToLower(o.Name)] = true
	}
	for _, o := range g.Effects.DropsTemporary {
		known[strings.ToLower(o.Name)] = true
	}
	for _, o := range g.Names {
		known[strings.ToLower(o.Name)] = true
	}
	for _, f := range g.Flows {
		known[strings.ToLower(f.Sink.Object.Name)] = true
		known[strings.ToLower(f.Source.Object.Name)] = true
		known[strings.ToLower(f.Sink.Name[strings.LastIndex(f.Sink.Name, ".")+1:])] = true
		known[strings.ToLower(f.Source.Name[strings.LastIndex(f.Source.Name, ".")+1:])] = true
	}
	for _, c := range g.Carriers {
		known[strings.ToLower(c[strings.LastIndex(c, ".")+1:])] = true
	}
	missing := ""
	names(reflect.ValueOf(st.Node), known, &missing) // learns the names of WITH and the aliases
	missing = ""
	names(reflect.ValueOf(st.Node), known, &missing)
	if missing != "" {
		return "the table name " + missing + " of the tree is nowhere in the graph"
	}
	return ""
}

func names(v reflect.Value, known map[string]bool, missing *string) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return
		}
		if v.CanInterface() {
			switch n := v.Interface().(type) {
			case *ast.TableName:
				if !known[n.Name.L] {
					*missing = n.Name.O
				}
				return
			case *ast.WithClause:
				for _, c := range n.CTEs {
					known[c.Name.L] = true
				}
			case *ast.TableSource:
				known[n.AsName.L] = true
			}
		}
		names(v.Elem(), known, missing)
	case reflect.Struct:
		if !strings.Contains(v.Type().PkgPath(), "/parser/ast") {
			return // types, character sets and literals hold no names
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				names(v.Field(i), known, missing)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			names(v.Index(i), known, missing)
		}
	}
}
