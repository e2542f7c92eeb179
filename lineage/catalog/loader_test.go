package catalog

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// server answers queries by what they contain; the longest match answers. An answer's rows stand one a line,
// with | between columns; NULL is a NULL.
type server struct {
	answers map[string]string
	faults  map[string]error
	asked   []string
}

func (s *server) query(_ context.Context, sql string, _ ...any) ([][]*string, error) {
	s.asked = append(s.asked, sql)
	best := ""
	for part := range s.answers {
		if strings.Contains(sql, part) && len(part) > len(best) {
			best = part
		}
	}
	for part, err := range s.faults {
		if strings.Contains(sql, part) {
			return nil, err
		}
	}
	return rowsOf(s.answers[best]), nil
}

func rowsOf(text string) [][]*string {
	var rows [][]*string
	for line := range strings.Lines(text) {
		var row []*string
		for cell := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), "|") {
			if cell == "NULL" {
				row = append(row, nil)
				continue
			}
			row = append(row, &cell)
		}
		rows = append(rows, row)
	}
	return rows
}

func mysql(lower string) *server {
	return &server{faults: map[string]error{}, answers: map[string]string{
		"lower_case_table_names": lower, "FROM information_schema.processlist": "0|" + lower,
		"STATUS LIKE 'Com_show_status'": "Com_show_status|7",
		"LIKE 'Com%'":                   "Com_show_status|7\nCom_create_table|1\nUptime|100",
		"schemata WHERE":                "Pay\nPAY",
		"information_schema.tables WHERE table_schema = ? AND table_name": "",
		"information_schema.tables WHERE table_schema = ?":                "Pay|Salary|BASE TABLE|InnoDB\nPay|V|VIEW|NULL\nPay|Hidden|VIEW|NULL\nPay|Seq|SEQUENCE|InnoDB\nPay|Far|BASE TABLE|Federated\nPay|All|BASE TABLE|MRG_MyISAM\nPay|Hist|SYSTEM VERSIONED|InnoDB\nPAY|other|BASE TABLE|InnoDB",
		"information_schema.columns WHERE":                                "Pay|Salary|id\nPay|Salary|Amount\nPAY|other|x\nPay|V|id",
		"information_schema.views WHERE":                                  "Pay|V|select `id` from `Salary`|root@%\nPay|Hidden||",
		"information_schema.triggers WHERE":                               "Pay|tr|INSERT|Salary|SET @a = 1|ANSI_QUOTES|latin1|root@%\nPay|both|insert,update|Salary|SET @b = 1||utf8mb4|root@%",
		"information_schema.routines WHERE":                               "Pay|Raise|PROCEDURE|BEGIN END||utf8mb4|root@%|SQL\nPay|Dark|FUNCTION|NULL||utf8mb4|root@%|SQL\nPay|Js|FUNCTION|return 1||utf8mb4|root@%|EXTERNAL",
		"information_schema.events WHERE":                                 "Pay|Nightly|DELETE FROM Salary||utf8mb4|root@%",
		"referential_constraints WHERE":                                   "Pay|Lab|Child|Salary|CASCADE|RESTRICT|c\nPay|Lab|Quiet|Salary|NO ACTION|RESTRICT|q\nPay|Lab|Nulls|Salary|SET NULL|CASCADE|n",
		"key_column_usage WHERE":                                          "Lab|Quiet|sid|Pay|Salary|id|q\nLab|Quiet|b|Pay|Salary|Amount|q\nPay|Salary|boss|Lab|People|id|b\nLab|Child|sid|Lab|Salary|no|c",
		"SHOW CREATE TABLE `Pay`.`":                                       "All|CREATE TABLE `All` (`a` int) ENGINE=MRG_MyISAM COMMENT='UNION=(`no`)' UNION=(`One`,`Lab`.`Two``s`)",
	}}
}

func load(t *testing.T, s *server, name string) *Schema {
	t.Helper()
	l := &SQLLoader{Query: s.query}
	got, err := l.Load(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLoad(t *testing.T) {
	got := load(t, mysql("0"), "Pay")
	if !got.Exists || got.Name != "Pay" || len(got.Objects) != 7 {
		t.Fatalf("got %q with %d objects", got.Name, len(got.Objects))
	}
	salary := got.Objects["Salary"]
	if salary.Kind != Table || !slices.Equal(salary.Columns, []string{"id", "Amount"}) || salary.Engine != "INNODB" {
		t.Errorf("table: %+v", salary)
	}
	var fires []string
	for _, p := range salary.Triggers {
		fires = append(fires, p.Name+" "+p.Event+" "+p.SQLMode+" "+p.Charset)
	}
	if want := []string{"tr INSERT ANSI_QUOTES latin1", "both INSERT  utf8mb4", "both UPDATE  utf8mb4"}; !slices.Equal(fires, want) {
		t.Errorf("triggers %q", fires)
	}
	if want := []Cascade{{"Lab", "Child", true, false}, {"Lab", "Nulls", true, true}}; !slices.Equal(salary.Children, want) {
		t.Errorf("children %v", salary.Children)
	}
	if want := []Key{{"Lab", "Child", nil, true, false}, {"Lab", "Quiet", []string{"id", "Amount"}, false, false}, {"Lab", "Nulls", nil, true, true}}; !reflect.DeepEqual(salary.Referring, want) {
		t.Errorf("referring %v", salary.Referring)
	}
	if want := []Key{{"Lab", "People", []string{"boss"}, false, false}}; !reflect.DeepEqual(salary.Parents, want) {
		t.Errorf("parents %v", salary.Parents)
	}
	kinds := map[string]Kind{"V": View, "Hidden": View, "Seq": Sequence, "Far": Table, "All": Table, "Hist": Table}
	for name, kind := range kinds {
		if got.Objects[name].Kind != kind {
			t.Errorf("%s is of kind %d, want %d", name, got.Objects[name].Kind, kind)
		}
	}
	if v := got.Objects["V"]; v.Definition != "select `id` from `Salary`" || v.Definer != "root@%" {
		t.Errorf("view %+v", v)
	}
	if got.Objects["Hidden"].Definition != "" {
		t.Errorf("a view that may not be read is defined as %q", got.Objects["Hidden"].Definition)
	}
	if got.Objects["Far"].External != "FEDERATED" || salary.External != "" {
		t.Errorf("external: %q, %q", got.Objects["Far"].External, salary.External)
	}
	if want := [][2]string{{"Pay", "One"}, {"Lab", "Two`s"}}; !slices.Equal(got.Objects["All"].Union, want) {
		t.Errorf("members %q", got.Objects["All"].Union)
	}
	if p := got.Routines["procedure raise"]; p == nil || p.Function || p.Foreign || !p.Readable || p.Name != "Raise" {
		t.Errorf("procedure %+v", p)
	}
	if f := got.Routines["function dark"]; f == nil || f.Readable {
		t.Errorf("a body that may not be read: %+v", f)
	}
	if f := got.Routines["function js"]; f == nil || !f.Foreign {
		t.Errorf("a body in another language: %+v", f)
	}
	if e := got.Events["Nightly"]; e == nil || e.Body != "DELETE FROM Salary" {
		t.Errorf("event %+v", e)
	}
}

func TestLoadFolds(t *testing.T) {
	s := mysql("2")
	s.answers["schemata WHERE"] = "Pay"
	got := load(t, s, "PAY")
	o := got.Objects["salary"]
	if !got.Exists || got.Name != "pay" || o == nil || o.Name != "salary" || o.Schema != "pay" || len(o.Triggers) != 3 || got.Objects["v"].Definition == "" {
		t.Fatalf("got %q: %v", got.Name, got.Objects)
	}
	if want := []Cascade{{"lab", "child", true, false}, {"lab", "nulls", true, true}}; !slices.Equal(o.Children, want) {
		t.Errorf("children %v", o.Children)
	}
	if want := [][2]string{{"pay", "one"}, {"lab", "two`s"}}; !slices.Equal(got.Objects["all"].Union, want) {
		t.Errorf("members %q", got.Objects["all"].Union)
	}
}

func TestLoadOfNoSchema(t *testing.T) {
	s := mysql("0")
	if got := load(t, s, "pay"); got.Exists { // only Pay and PAY are there
		t.Fatal("another spelling exists where names are compared exactly")
	}
	for _, q := range s.asked {
		if strings.Contains(q, "information_schema.tables") {
			t.Fatalf("asked %s", q)
		}
	}
}

func TestLoadFaults(t *testing.T) {
	fault := errors.New("gone away")
	for _, part := range []string{"lower_case", "schemata", "information_schema.tables", "information_schema.columns", "information_schema.views", "triggers", "routines", "events", "referential", "key_column_usage"} {
		s := mysql("0")
		s.faults[part] = fault
		l := &SQLLoader{Query: s.query}
		if _, err := l.Load(context.Background(), "Pay"); !errors.Is(err, fault) {
			t.Errorf("%s: got %v", part, err)
		}
	}
	s := mysql("0")
	s.faults["SHOW CREATE TABLE"] = fault
	if got := load(t, s, "Pay"); got.Objects["All"].External == "" {
		t.Error("a MERGE table with unknown members is no plain table")
	}
}

func TestFolds(t *testing.T) {
	embedded := mysql("0")
	embedded.answers["STATUS LIKE 'Com_show_status'"] = "Com_show_status|0"
	tidb := mysql("0")
	tidb.answers["VERSION()"] = "8.0.11-TiDB-v8.5.0"
	cases := []struct {
		name string
		l    *SQLLoader
		want bool
	}{
		{"exact names", &SQLLoader{Query: mysql("0").query}, false},
		{"stored in lower case", &SQLLoader{Query: mysql("1").query}, true},
		{"compared in lower case", &SQLLoader{Query: mysql("2").query}, true},
		{"embedded", &SQLLoader{Query: embedded.query}, true},
		{"TiDB", &SQLLoader{Query: mysql("0").query, TiDB: true}, true},
		{"TiDB found out", &SQLLoader{Query: tidb.query, Detect: true}, true},
	}
	for _, c := range cases {
		if got, err := c.l.Folds(context.Background()); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	if _, err := (&SQLLoader{Query: (&server{}).query}).Folds(context.Background()); err == nil {
		t.Error("no value is taken for one")
	}
}

func TestForeign(t *testing.T) {
	s := mysql("0")
	l := &SQLLoader{Query: s.query}
	if got, err := l.Foreign(context.Background()); err != nil || got != nil {
		t.Fatalf("without lists: %v, %v", got, err)
	}
	s.answers["information_schema.tables WHERE table_schema = ? AND table_name"] = "there"
	s.answers["mysql.func"] = "Sys_Exec"
	s.answers["performance_schema.user_defined_functions"] = "mask_pan"
	if got, err := l.Foreign(context.Background()); err != nil || !slices.Equal(got, []string{"sys_exec", "mask_pan"}) {
		t.Fatalf("got %v, %v", got, err)
	}
	s.faults["FROM mysql.func"] = errors.New("denied")
	if got, err := l.Foreign(context.Background()); err == nil {
		t.Fatalf("a list that cannot be read is taken as %v", got)
	}
}

func TestViewQuery(t *testing.T) {
	cases := map[string]string{
		"CREATE VIEW `v` AS select 1": "select 1",
		"CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW `v` (`as`,`b`) AS select 1 AS `as`,2 AS `b`": "select 1 AS `as`,2 AS `b`",
		"create view v(a)as(select 1)":                             "(select 1)",
		"create view `x as select 1 -- ` as select a from pay.s":   "select a from pay.s",
		"create view `x`` as select 1 -- ` as select a from pay.s": "select a from pay.s",
		"create view v /* as select 1 */ as select a from pay.s":   "",
		"create view v -- as select 1\n as select a from pay.s":    "",
		"create view v # as select 1\n as select a from pay.s":     "",
		"create view asia as select 1":                             "select 1",
		"create view `open as select 1":                            "",
		"":                                                         "",
		"as select 1":                                              "",
	}
	for create, want := range cases {
		if got := viewQuery(create); got != want {
			t.Errorf("%s\n got %q\nwant %q", create, got, want)
		}
	}
}

func FuzzViewQuery(f *testing.F) {
	f.Add("CREATE VIEW `v` AS select 1")
	f.Add("create view `a``")
	f.Fuzz(func(t *testing.T, create string) {
		if got := viewQuery(create); !strings.Contains(create, got) {
			t.Fatalf("%q is no part of %q", got, create)
		}
	})
}

func FuzzMembers(f *testing.F) {
	f.Add("UNION=(`a`,`b`.`c``d`)")
	f.Add("UNION=(`")
	f.Add("UNION=(`a`.`")
	f.Fuzz(func(t *testing.T, definition string) { members(definition, "s") })
}

// An embedded server lists the views of the current schema alone, but shows each when asked.
func TestAViewThatIsShownButNotListed(t *testing.T) {
	s := mysql("0")
	s.answers["information_schema.views WHERE"] = ""
	s.answers["SHOW CREATE VIEW `Pay`.`V`"] = "V|CREATE VIEW `V` AS select id from Salary"
	if got := load(t, s, "Pay").Objects["V"]; got.Definition != "select id from Salary" {
		t.Fatalf("got %+v", got)
	}
}

func TestReadingsAreEqual(t *testing.T) { // what load relies on while other definitions change
	if !reflect.DeepEqual(load(t, mysql("0"), "Pay"), load(t, mysql("0"), "Pay")) {
		t.Fatal("two readings of the same definitions differ")
	}
}
