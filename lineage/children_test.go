package lineage

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// known makes one node of each kind that children knows, empty.
func known() []ast.Node {
	return []ast.Node{
		&ast.ColumnName{}, &ast.WildCardField{}, &ast.TimeUnitExpr{}, &ast.TableName{}, &ast.TableRefsClause{}, &ast.Join{}, &ast.OnCondition{},
		&ast.TableSource{}, &ast.FieldList{}, &ast.SelectField{}, &ast.ByItem{}, &ast.GroupByClause{}, &ast.OrderByClause{}, &ast.HavingClause{},
		&ast.Limit{}, &ast.Assignment{}, &ast.WhenClause{}, &ast.ColumnNameExpr{}, &ast.BinaryOperationExpr{}, &ast.UnaryOperationExpr{},
		&ast.ParenthesesExpr{}, &ast.IsNullExpr{}, &ast.BetweenExpr{}, &ast.PatternInExpr{}, &ast.PatternLikeOrIlikeExpr{}, &ast.FuncCallExpr{},
		&ast.AggregateFuncExpr{}, &ast.CaseExpr{},
	}
}

// fill puts a node into every field that can hold one: two into lists.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			fillField(v.Field(i))
		}
	}
}

func fillField(f reflect.Value) {
	switch f.Kind() {
	case reflect.Interface:
		for _, n := range []ast.Node{&ast.ParenthesesExpr{}, &ast.TableName{}} {
			if v := reflect.ValueOf(n); v.Type().Implements(f.Type()) {
				f.Set(v)
				return
			}
		}
	case reflect.Pointer:
		if f.Type().Implements(nodeType) {
			f.Set(reflect.New(f.Type().Elem()))
		}
	case reflect.Slice:
		list := reflect.MakeSlice(f.Type(), 2, 2)
		for i := range 2 {
			fillField(list.Index(i))
		}
		f.Set(list)
	}
}

// The quick walk sees what the walk by reflection sees, in the same order, in every kind of node that it knows.
func TestChildrenSeesEveryField(t *testing.T) {
	for _, n := range known() {
		for _, full := range []bool{false, true} {
			if full {
				fill(reflect.ValueOf(n).Elem())
			}
			var quick, slow []string
			note := func(list *[]string) func(ast.Node) bool {
				return func(n ast.Node) bool {
					*list = append(*list, fmt.Sprintf("%T %p", n, n))
					return false
				}
			}
			is := children(n, note(&quick))
			walkFields(reflect.ValueOf(n).Elem(), note(&slow))
			if !is {
				if _, table := n.(*ast.TableName); !table {
					t.Errorf("%T is not known", n)
				}
				continue
			}
			if !reflect.DeepEqual(quick, slow) {
				t.Errorf("%T: the quick walk sees %v, the walk by reflection %v", n, quick, slow)
			}
			if full && len(slow) == 0 && planned(n) {
				t.Errorf("%T: nothing was filled in", n)
			}
		}
	}
}

func planned(n ast.Node) bool { return len(planOf(reflect.TypeOf(n).Elem())) > 0 }
