package parser

import (
	"io"
	"strconv"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"
)

// The tree parser leaves literals to a driver that its user brings. Ours keeps a literal as it came
// and never fails: no literal names a table.
func init() {
	ast.NewValueExpr = func(v any, _, _ string) ast.ValueExpr { return &literal{value: v} }
	ast.NewParamMarkerExpr = func(int) ast.ParamMarkerExpr { return &marker{} }
	keep := func(s string) (any, error) { return numeral(s), nil }
	ast.NewDecimal, ast.NewHexLiteral, ast.NewBitLiteral = keep, keep, keep
}

// numeral is a number as it was written.
type numeral string

// literal is a constant of the statement.
type literal struct {
	ast.TexprNode
	value  any
	offset int
}

func (l *literal) SetValue(v any)             { l.value = v }
func (l *literal) GetValue() any              { return l.value }
func (l *literal) GetDatumString() string     { return l.GetString() }
func (l *literal) GetProjectionOffset() int   { return l.offset }
func (l *literal) SetProjectionOffset(at int) { l.offset = at }
func (l *literal) Format(w io.Writer)         { _, _ = io.WriteString(w, l.GetString()) }
func (l *literal) Restore(c *format.RestoreCtx) error {
	c.WriteString(l.GetString())
	return nil
}

// GetString gives the literal's text; "" for NULL.
func (l *literal) GetString() string {
	switch v := l.value.(type) {
	case string:
		return v
	case numeral:
		return string(v)
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case int:
		return strconv.Itoa(v)
	default:
		return ""
	}
}

func (l *literal) Accept(v ast.Visitor) (ast.Node, bool) {
	n, skip := v.Enter(l)
	if skip {
		return v.Leave(n)
	}
	return v.Leave(n)
}

// marker is a '?' of a prepared statement.
type marker struct{ literal }

func (m *marker) SetOrder(int) {}

func (m *marker) Accept(v ast.Visitor) (ast.Node, bool) {
	n, _ := v.Enter(m)
	return v.Leave(n)
}

// IsLiteral tells whether an expression is a value that stands in the text: a string, a number, NULL.
func IsLiteral(n ast.Node) bool {
	_, ok := n.(*literal)
	return ok
}

// IsText tells whether an expression is a string that stands in the text.
func IsText(n ast.Node) bool {
	l, ok := n.(*literal)
	if !ok {
		return false
	}
	_, ok = l.value.(string)
	return ok
}

// LiteralText gives the text of a literal string or number of a tree, and whether n is one.
func LiteralText(n ast.Node) (string, bool) {
	l, ok := n.(*literal)
	if !ok || l.value == nil {
		return "", false
	}
	return l.GetString(), true
}
