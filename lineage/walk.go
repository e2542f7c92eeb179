package lineage

import (
	"reflect"
	"strings"
	"sync"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// The tree parser's own visitor misses positions and writes to the tree it visits. This
// walk reaches every node in every field by reflection, along a plan that is made once a type, and
// only reads, so that trees can be shared.

// plan is the fields of one struct type that may lead to nodes.
type plan []int

var plans sync.Map // reflect.Type -> plan

var (
	nodeType = reflect.TypeFor[ast.Node]()
	astPath  = reflect.TypeFor[ast.SelectStmt]().PkgPath()
)

// planOf lists the fields of t to follow.
func planOf(t reflect.Type) plan {
	if p, ok := plans.Load(t); ok {
		return p.(plan)
	}
	var fields plan
	for i := range t.NumField() {
		if f := t.Field(i); (f.IsExported() || f.Anonymous) && leads(f.Type, 0) {
			fields = append(fields, i)
		}
	}
	plans.Store(t, fields)
	return fields
}

// leads tells whether a value of type t can hold a node of the tree.
func leads(t reflect.Type, depth int) bool {
	if depth > 6 {
		return true
	}
	switch t.Kind() {
	case reflect.Interface:
		return t.Implements(nodeType) || t.NumMethod() == 0
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return leads(t.Elem(), depth+1)
	case reflect.Struct:
		if t.PkgPath() != astPath || t.Name() == "CIStr" || t.Name() == "node" {
			return false
		}
		for i := range t.NumField() {
			if f := t.Field(i); (f.IsExported() || f.Anonymous) && leads(f.Type, depth+1) {
				return true
			}
		}
		return reflect.PointerTo(t).Implements(nodeType)
	default:
		return false
	}
}

// walk calls enter for every node below n, n included, from the top down. enter tells whether to go on
// below the node.
func walk(n ast.Node, enter func(ast.Node) bool) {
	if n == nil {
		return
	}
	v := reflect.ValueOf(n)
	if v.Kind() == reflect.Pointer && v.IsNil() || !enter(n) || children(n, enter) {
		return
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() == reflect.Struct {
		walkFields(v, enter)
	}
}

func walkValue(v reflect.Value, enter func(ast.Node) bool) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			walkValue(v.Elem(), enter)
		}
	case reflect.Pointer:
		if v.IsNil() || v.Elem().Kind() != reflect.Struct {
			return
		}
		if v.CanInterface() {
			if n, ok := v.Interface().(ast.Node); ok {
				walk(n, enter)
				return
			}
		}
		walkFields(v.Elem(), enter)
	case reflect.Struct:
		if v.CanAddr() && v.Addr().CanInterface() {
			if n, ok := v.Addr().Interface().(ast.Node); ok && !enter(n) {
				return
			}
		}
		walkFields(v, enter)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walkValue(v.Index(i), enter)
		}
	}
}

func walkFields(v reflect.Value, enter func(ast.Node) bool) {
	if !strings.HasPrefix(v.Type().PkgPath(), astPath) {
		return // a literal: it holds no node
	}
	for _, i := range planOf(v.Type()) {
		walkValue(v.Field(i), enter)
	}
}
