package lineage_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// refusedStatements are the tree parser's statements that lineage has no case for, with what becomes of them.
var refusedStatements = map[string][]string{
	"refused: TiDB alone has it; it moves data in ways of its own or changes what later statements mean": strings.Fields(`
		AddQueryWatchStmt AlterRangeStmt CalibrateResourceStmt CancelDistributionJobStmt CreateBindingStmt CreateMaskingPolicyStmt
		DropBindingStmt DropQueryWatchStmt DropStatisticsStmt FlashBackDatabaseStmt FlashBackToTimestampStmt ImportIntoActionStmt
		LoadStatsStmt PlanReplayerStmt RecommendIndexStmt RefreshStatsStmt SetBindingStmt SetConfigStmt SetSessionStatesStmt TrafficStmt`),
	"a recogniser reads it before the tree is made": strings.Fields(`BRIEStmt BinlogStmt DropProcedureStmt ExecuteStmt ExplainForStmt
		PrepareStmt ProcedureInfo`),
	"a stored program's body is read statement by statement, never as this tree": strings.Fields(`ProcedureBlock ProcedureCloseCur
		ProcedureElseBlock ProcedureElseIfBlock ProcedureErrorCondition ProcedureFetchInto ProcedureIfBlock ProcedureIfInfo ProcedureJump
		ProcedureLabelBlock ProcedureLabelLoop ProcedureOpenCur ProcedureRepeatStmt ProcedureWhileStmt SearchCaseStmt SearchWhenThenStmt
		SimpleCaseStmt SimpleWhenThenStmt`),
	"no statement, a part of a refused one": strings.Fields(`DynamicCalibrateResourceOption QueryWatchOption SplitIndexOption SplitOption`),
}

// textNames are the fields of the tree that can name a schema or table as text, where a walk for table names does not
// see them.
var textNames = map[string]string{
	"AlterDatabaseStmt.Name":          "define",
	"CreateDatabaseStmt.Name":         "define",
	"DropDatabaseStmt.Name":           "define: its tables",
	"UseStmt.DBName":                  "node: the session's next schema",
	"FuncCallExpr.Schema":             "call: a stored function",
	"ShowStmt.DBName":                 "definitions are free",
	"TableName.Name":                  "readName, and every place that has a TableName",
	"TableName.Schema":                "readName, and every place that has a TableName",
	"ColumnName.Name":                 "a column of a table that FROM names",
	"ColumnName.Schema":               "a column of a table that FROM names",
	"ColumnName.Table":                "a column of a table that FROM names",
	"WildCardField.Schema":            "a table that FROM names",
	"WildCardField.Table":             "a table that FROM names",
	"CommonTableExpression.Name":      "with",
	"HintTable.DBName":                "a hint reads nothing",
	"HintTable.TableName":             "a hint reads nothing",
	"GrantLevel.DBName":               "granted: a definition's",
	"GrantLevel.TableName":            "granted: a definition's",
	"Ident.Name":                      "no node holds one",
	"Ident.Schema":                    "no node holds one",
	"VariableAssignment.Name":         "set: a variable",
	"VariableExpr.Name":               "variable",
	"PrepareStmt.Name":                "a prepared statement",
	"ExecuteStmt.Name":                "a prepared statement",
	"DeallocateStmt.Name":             "a prepared statement",
	"SavepointStmt.Name":              "a savepoint",
	"ReleaseSavepointStmt.Name":       "a savepoint",
	"AlterTableSpec.Name":             "a constraint or index",
	"Constraint.Name":                 "a constraint",
	"CreateViewStmt.SchemaCols":       "columns",
	"PartitionDefinition.Name":        "a partition",
	"SubPartitionDefinition.Name":     "a partition",
	"WindowSpec.Name":                 "a window",
	"WindowFuncExpr.Name":             "a function of the warehouse's own",
	"PrivElem.Name":                   "a privilege",
	"LoadDataOpt.Name":                "an option",
	"AlterJobOption.Name":             "an option; refused",
	"SetConfigStmt.Name":              "refused",
	"SetResourceGroupStmt.Name":       "a resource group",
	"ProcedureJump.Name":              "a label",
	"StatsObject.DBName":              "refused",
	"StatsObject.TableName":           "refused",
	"BRIEStmt.Schemas":                "refused",
	"FlashBackDatabaseStmt.DBName":    "refused",
	"FlashBackDatabaseStmt.NewName":   "refused",
	"FlashBackTableStmt.NewName":      "recovered: in the schema of its table",
	"FlashBackToTimestampStmt.DBName": "refused",
}

// Every statement of the tree parser has a case here or a reason for none; a new parser's new statement fails the build.
func TestEveryStatementHasACase(t *testing.T) {
	cases := map[string]bool{}
	each(t, "*.go", func(n ast.Node) {
		if c, ok := n.(*ast.CaseClause); ok {
			for _, e := range c.List {
				if star, ok := e.(*ast.StarExpr); ok {
					if s, ok := star.X.(*ast.SelectorExpr); ok {
						cases[s.Sel.Name] = true
					}
				}
			}
		}
	})
	none := map[string]bool{}
	for _, list := range refusedStatements {
		for _, name := range list {
			none[name] = true
			if cases[name] {
				t.Errorf("%s has a case and is listed as one that has none", name)
			}
		}
	}
	found := 0
	for name, s := range syntaxTypes(t) {
		if strings.HasSuffix(name, "Node") || !slices.ContainsFunc(s.Fields.List, embedsStatement) {
			continue
		}
		found++
		if !cases[name] && !none[name] {
			t.Errorf("the tree parser's statement %s has no case and no reason for none", name)
		}
		delete(none, name)
	}
	if found < 120 {
		t.Errorf("only %d statements found", found)
	}
	for name := range none {
		t.Errorf("%s is no statement of the tree parser", name)
	}
}

func embedsStatement(f *ast.Field) bool {
	id, ok := f.Type.(*ast.Ident)
	return ok && len(f.Names) == 0 && (id.Name == "stmtNode" || id.Name == "ddlNode" || id.Name == "dmlNode")
}

// Every field of the tree that may name a schema or a table as mere text is known.
func TestEveryNameInTextIsKnown(t *testing.T) {
	likely := regexp.MustCompile(`(?i)schema|db|table|^(New)?Name$`)
	left := map[string]bool{}
	for name := range textNames {
		left[name] = true
	}
	for name, s := range syntaxTypes(t) {
		for _, f := range s.Fields.List {
			for _, id := range f.Names {
				full := name + "." + id.Name
				if !isText(f.Type) || !likely.MatchString(id.Name) {
					continue
				}
				if textNames[full] == "" {
					t.Errorf("%s may name a table: say where it is read", full)
				}
				delete(left, full)
			}
		}
	}
	for name := range left {
		t.Errorf("%s is no field of the tree", name)
	}
}

// The walk over a tree follows exported fields: no other field holds a node.
func TestNoNodeIsOutOfReach(t *testing.T) {
	types := syntaxTypes(t)
	for name, s := range types {
		for _, f := range s.Fields.List {
			for _, id := range f.Names {
				if !id.IsExported() && types[typeName(f.Type)] != nil {
					t.Errorf("%s.%s may hold a node that the walk does not see", name, id.Name)
				}
			}
		}
	}
}

// typeName gives the name of a type of the package, behind pointers and slices.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.ArrayType:
		return typeName(e.Elt)
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func isText(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ArrayType:
		return isText(e.Elt)
	case *ast.Ident:
		return e.Name == "string" || e.Name == "CIStr"
	case *ast.SelectorExpr:
		return e.Sel.Name == "CIStr"
	}
	return false
}

// syntaxTypes are the structs of the tree parser's package, read as source.
func syntaxTypes(t *testing.T) map[string]*ast.StructType {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/pingcap/tidb/pkg/parser/ast").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	types := map[string]*ast.StructType{}
	each(t, filepath.Join(strings.TrimSpace(string(out)), "*.go"), func(n ast.Node) {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if s, ok := spec.Type.(*ast.StructType); ok {
				types[spec.Name.Name] = s
			}
		}
	})
	if len(types) < 200 {
		t.Fatalf("only %d types found", len(types))
	}
	return types
}

func each(t *testing.T, pattern string, visit func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool { visit(n); return true })
	}
}
