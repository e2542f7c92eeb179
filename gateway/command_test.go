package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/gateway"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// The golden cases of gateway commands. One file shares one world; its directives:
//
//	catalog                        the warehouse's definitions
//	policy super=(root) folds      starts with an empty policy again, and with settings
//	accounts / privileges          rows of mysql.user and of information_schema.user_privileges
//	file name=policy.json          a file of the client
//	run as=alice in=prj1           runs the text; arguments: task=DT, address=10.0.0.1
//	write as=bob in=prj1           what a statement overtakes before it is forwarded
//	created as=bob schema=s        a schema that a subject created
//	drift project=p table=s.t      a sealed table that changed past the gateway
//	as-everybody in=prj1           each line as stranger, admin, owner and Super_Administrator
//	log                            the entries since the last log
//	changes                        the change log since the last changes
//	broken log|warehouse|client    from here on, that fails; `broken` alone mends all
func TestCommands(t *testing.T) {
	ran := map[string]bool{}
	datadriven.Walk(t, "testdata/command", func(t *testing.T, path string) {
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.t, w.d = t, d
			return stamps.ReplaceAllString(w.answer(), "<time>")
		})
		for name := range w.ran {
			ran[name] = true
		}
	})
	for _, name := range commandTypes(t) {
		if !ran[name] {
			t.Errorf("no case runs the command %s", name)
		}
	}
}

var stamps = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`)

// commandTypes lists the members of the closed set parser.Command.
func commandTypes(t *testing.T) []string {
	t.Helper()
	file, err := goparser.ParseFile(token.NewFileSet(), "../parser/command.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "command" && f.Recv != nil {
			out = append(out, f.Recv.List[0].Type.(*ast.Ident).Name)
		}
	}
	if len(out) < 25 {
		t.Fatalf("found only the commands %v", out)
	}
	return out
}

// world is everything around a Commander: the policy in memory, the rest from texts.
type world struct {
	t          *testing.T
	d          *datadriven.TestData
	ran        map[string]bool
	options    enforcement.Options
	truth      *truth
	log        *decisionLog
	warehouse  *accounts
	files      map[string]string
	noFiles    bool
	commander  *gateway.Commander
	reader     *lineage.Reader
	dialect    parser.Dialect
	logged     int
	changed    int
	lastTasked string
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, ran: map[string]bool{}, files: map[string]string{}, warehouse: &accounts{}, log: &decisionLog{},
		options: enforcement.Options{SuperAdministrators: []string{"root"}, Folds: true},
		dialect: parser.Dialect{Flavor: parser.MariaDB, Version: 101119},
	}
	w.reset()
	w.define("")
	return w
}

func (w *world) reset() {
	w.truth = &truth{}
	if _, err := w.truth.build(&enforcement.Policy{Revision: 1, Projects: map[string]*enforcement.Project{}}, w.options); err != nil {
		w.t.Fatalf("%v", err)
	}
	if w.commander != nil {
		w.commander.Policies = w.truth
	}
	w.changed = 0
}

func (w *world) define(text string) {
	definitions, err := lineage.LoadDefinitions(text, w.dialect, "")
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	c := catalog.New(definitions, time.Hour)
	w.reader = lineage.NewReader(c, 1<<20)
	w.commander = &gateway.Commander{Policies: w.truth, Audit: w.log, Warehouse: w.warehouse, Catalog: c}
}

func (w *world) arg(name string) string {
	for _, a := range w.d.CmdArgs {
		if a.Key == name && len(a.Vals) > 0 {
			return a.Vals[0]
		}
	}
	return ""
}

func (w *world) answer() string {
	switch w.d.Cmd {
	case "catalog":
		w.define(w.d.Input)
		return ""
	case "policy":
		return w.policy()
	case "accounts":
		w.warehouse.users = fields(w.d.Input)
		return ""
	case "privileges":
		w.warehouse.privileges = fields(w.d.Input)
		return ""
	case "file":
		w.files[w.arg("name")] = w.d.Input
		return ""
	case "run":
		return w.run(w.environment(w.arg("as")), w.d.Input)
	case "as-everybody":
		return w.asEverybody()
	case "write":
		return w.write()
	case "created":
		return w.outcome(w.commander.Created(context.Background(), w.arg("schema"), w.environment(w.arg("as"))))
	case "drift":
		return w.drift()
	case "log":
		return w.entries()
	case "changes":
		return w.changes()
	case "broken":
		return w.fail()
	default:
		w.t.Fatalf("%s: no directive %q", w.d.Pos, w.d.Cmd)
		return ""
	}
}

func fields(text string) [][]string {
	var out [][]string
	for line := range strings.Lines(text) {
		out = append(out, strings.SplitN(strings.TrimSpace(line), " ", 2))
	}
	return out
}

func (w *world) policy() string {
	w.options = enforcement.Options{SuperAdministrators: []string{"root"}, Folds: true}
	for _, a := range w.d.CmdArgs {
		switch a.Key {
		case "super":
			w.options.SuperAdministrators = a.Vals
		case "group":
			w.options.Groups = map[string][]string{a.Vals[0]: a.Vals[1:]}
		default:
			w.t.Fatalf("%s: no setting %q", w.d.Pos, a.Key)
		}
	}
	w.reset()
	return ""
}

func (w *world) fail() string {
	w.log.broken, w.warehouse.broken, w.noFiles = false, false, false
	for _, a := range w.d.CmdArgs {
		switch a.Key {
		case "log":
			w.log.broken = true
		case "warehouse":
			w.warehouse.broken = true
		case "client":
			w.noFiles = true
		}
	}
	return ""
}

func (w *world) environment(user string) *gateway.CommandEnv {
	name, host, ok := strings.Cut(user, "@")
	if !ok {
		host = "%"
	}
	e := &gateway.CommandEnv{
		Subject: enforcement.Subject{User: name, Host: host}, Client: "10.0.0.1:4711", Schema: w.arg("in"), Connection: 7,
		Task:    map[string]enforcement.Task{"DT": enforcement.DT, "MapReduce": enforcement.MapReduce}[w.arg("task")],
		SetTask: func(t enforcement.Task) { w.lastTasked = t.String() },
	}
	e.ReadFile = func(name string) ([]byte, error) {
		if w.noFiles {
			return nil, errors.New("the client does not allow LOCAL INFILE")
		}
		return []byte(w.files[name]), nil
	}
	e.Judge = func(ctx context.Context, text string) ([]gateway.Judged, error) { return w.judge(ctx, e, text) }
	return e
}

// judge takes a text through steps 2 to 5, as a session does.
func (w *world) judge(ctx context.Context, e *gateway.CommandEnv, text string) ([]gateway.Judged, error) {
	script, err := w.reader.Parse([]byte(text), parser.Reading{Dialect: w.dialect})
	if err != nil {
		return nil, err
	}
	var out []gateway.Judged
	for i := range script.Statements {
		st := &script.Statements[i]
		if st.Command != nil {
			out = append(out, gateway.Judged{Statement: st})
			continue
		}
		g, err := w.reader.Graph(ctx, script, i, lineage.Scope{Schema: e.Schema})
		if err != nil {
			return nil, err
		}
		r := enforcement.Request{Graph: g, Subject: e.Subject, Schema: e.Schema, Task: e.Task, Now: moment}
		out = append(out, gateway.Judged{Statement: st, Graph: g, Decision: w.truth.Current().Explain(&r)})
	}
	return out, nil
}

var moment = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// run runs each command of a text; the text of more than one shows which answer is whose.
func (w *world) run(e *gateway.CommandEnv, text string) string {
	script, err := parser.Parse(text, parser.Reading{Dialect: w.dialect})
	if err != nil {
		return "ERROR " + err.Error() + "\n"
	}
	var b strings.Builder
	for i := range script.Statements {
		st := &script.Statements[i]
		if len(script.Statements) > 1 {
			fmt.Fprintf(&b, "> %s\n", strings.TrimSpace(st.Text))
		}
		if st.Command == nil {
			w.t.Fatalf("%s: %q is no gateway command", w.d.Pos, st.Text)
		}
		b.WriteString(w.command(e, st.Command))
	}
	return b.String()
}

func (w *world) command(e *gateway.CommandEnv, cmd parser.Command) string {
	w.ran[reflect.TypeOf(cmd).Name()] = true
	w.lastTasked = ""
	before := w.truth.Current().Revision()
	a, err := w.commander.Run(context.Background(), cmd, e)
	if err != nil {
		if w.truth.Current().Revision() != before {
			w.t.Errorf("%s: %s failed, but changed the policy", w.d.Pos, cmd)
		}
		return w.outcome(err)
	}
	return w.shown(a)
}

func (w *world) outcome(err error) string {
	var fault *gateway.CommandFault
	switch {
	case err == nil:
		return "OK\n"
	case errors.As(err, &fault):
		return fmt.Sprintf("ERROR %d (%s): %s\n", fault.Code, fault.State, fault.Message)
	default:
		return fmt.Sprintf("FAULT of the gateway: %v\n", err)
	}
}

func (w *world) shown(a *gateway.Answer) string {
	var b strings.Builder
	if a.Columns == nil {
		b.WriteString("OK")
		if w.lastTasked != "" {
			b.WriteString(", the session's task type is " + w.lastTasked)
		}
		b.WriteString("\n")
	} else {
		b.WriteString(strings.Join(a.Columns, " | ") + "\n")
		for _, row := range a.Rows {
			if len(row) != len(a.Columns) {
				w.t.Errorf("%s: the row %q has %d values for %d columns", w.d.Pos, row, len(row), len(a.Columns))
			}
			b.WriteString("  " + strings.TrimRight(strings.Join(row, " | "), " ") + "\n")
		}
	}
	for _, x := range a.Warnings {
		fmt.Fprintf(&b, "%s %d: %s\n", x.Level, x.Code, x.Message)
	}
	return b.String()
}

// asEverybody runs each line for each role, always on the policy as it was before.
func (w *world) asEverybody() string {
	var b strings.Builder
	start := w.truth.Current().Policy()
	for line := range strings.Lines(w.d.Input) {
		fmt.Fprintf(&b, "%s:", strings.TrimSpace(line))
		for _, who := range []struct{ role, user string }{{"stranger", "stranger"}, {"admin", "ada"}, {"owner", "olga"}, {"super", "root"}} {
			w.truth.restore(start)
			said := w.run(w.environment(who.user), line)
			switch {
			case strings.HasPrefix(said, "ERROR 1142") && strings.Contains(said, "[4019]"):
				said = "no"
			case strings.HasPrefix(said, "ERROR"), strings.HasPrefix(said, "FAULT"):
				said = strings.TrimSpace(said)
			default:
				said = "yes"
			}
			fmt.Fprintf(&b, " %s %s", who.role, said)
		}
		b.WriteString("\n")
	}
	w.truth.restore(start)
	return b.String()
}

func (w *world) write() string {
	e := w.environment(w.arg("as"))
	judged, err := w.judge(context.Background(), e, w.d.Input)
	if err != nil {
		w.t.Fatalf("%s: %v", w.d.Pos, err)
	}
	var b strings.Builder
	for _, j := range judged {
		changed, err := w.commander.BeforeWrite(context.Background(), w.truth.Current(), j.Graph, e, j.Statement.Text, moment)
		if err != nil {
			return w.outcome(err)
		}
		fmt.Fprintf(&b, "%s: changes the policy: %t\n", j.Graph.Kind, changed)
	}
	return b.String()
}

func (w *world) drift() string {
	schema, table, _ := strings.Cut(w.arg("table"), ".")
	for _, use := range w.truth.Current().Seals() {
		if use.Project == w.arg("project") && use.Seal.Schema == schema && use.Seal.Table == table {
			return w.outcome(w.commander.Drifted(context.Background(), use, w.d.Input))
		}
	}
	return "there is no such seal\n"
}

func (w *world) entries() string {
	var b strings.Builder
	for _, e := range w.log.entries[w.logged:] {
		fmt.Fprintf(&b, "%s %s@%s %s %s: %s", e.Verdict, e.User, e.Host, e.Kind, e.SessionProject, e.Text)
		if e.Reason != "" {
			fmt.Fprintf(&b, " (%s)", e.Reason)
		}
		fmt.Fprintf(&b, " at revision %d\n", e.Revision)
	}
	w.logged = len(w.log.entries)
	return b.String()
}

func (w *world) changes() string {
	out := strings.Join(w.truth.log[w.changed:], "")
	w.changed = len(w.truth.log)
	return out
}

// truth is the policy of one gateway, without a warehouse below.
type truth struct {
	current *enforcement.Snapshot
	log     []string
}

func (t *truth) Current() *enforcement.Snapshot { return t.current }

func (t *truth) build(p *enforcement.Policy, o enforcement.Options) (*enforcement.Snapshot, error) {
	s, err := enforcement.Build(p, o)
	if err == nil {
		t.current = s
	}
	return s, err
}

// restore goes back to an earlier policy.
func (t *truth) restore(p *enforcement.Policy) {
	if _, err := t.build(p.Clone(), t.current.Options()); err != nil {
		panic(err)
	}
}

func (t *truth) Change(_ context.Context, who, statement string, edit func(*enforcement.Policy) error) (*enforcement.Snapshot, error) {
	next := t.current.Policy().Clone()
	if err := edit(next); err != nil {
		return nil, err
	}
	next.Revision++
	s, err := t.build(next, t.current.Options())
	if err != nil {
		return nil, err
	}
	t.log = append(t.log, fmt.Sprintf("revision %d by %s: %s\n", next.Revision, who, statement))
	return s, nil
}

func (t *truth) Begin() string                               { return "statement" }
func (t *truth) End(string)                                  {}
func (t *truth) Lives(context.Context, string) (bool, error) { return false, nil }

func (t *truth) Seal(_ context.Context, targets []enforcement.SealTarget, then func([]enforcement.Seal) error) error {
	var seals []enforcement.Seal
	for _, target := range targets {
		if target.Object.Name == "locked" {
			return errors.New("Lock wait timeout exceeded") //nolint:staticcheck // the warehouse's sentence
		}
		s := enforcement.Seal{Schema: target.Object.Schema, Table: target.Object.Name, Identity: "1", Rows: 3, Checksum: "c0ffee", Time: moment}
		for _, b := range target.Bases {
			s.Bases = append(s.Bases, enforcement.Seal{Schema: b.Schema, Table: b.Name, Identity: "2", Rows: 2, Time: moment})
		}
		seals = append(seals, s)
	}
	return then(seals)
}

// decisionLog is an audit in memory.
type decisionLog struct {
	entries []audit.Entry
	broken  bool
}

func (l *decisionLog) Record(_ context.Context, e *audit.Entry) error {
	if l.broken {
		return errors.New("no space left on device")
	}
	e.ID = fmt.Sprintf("ENTRY%d", len(l.entries)+1)
	e.Time = moment
	l.entries = append(l.entries, *e)
	return nil
}

// Select knows the columns that the cases use.
func (l *decisionLog) Select(_ context.Context, where []audit.Clause, limit int) ([]audit.Entry, error) {
	if l.broken {
		return nil, errors.New("no space left on device")
	}
	var out []audit.Entry
	for _, e := range slices.Backward(l.entries) {
		fits := true
		for _, c := range where {
			value, ok := map[string]string{"verdict": e.Verdict, "user": e.User, "project": strings.Join(e.Projects, ",")}[c.Column]
			if !ok {
				return nil, fmt.Errorf("the flow log has no column %q", c.Column)
			}
			fits = fits && (value == c.Value) == (c.Op == "=")
		}
		if fits && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}

// accounts answers the questions that commands ask about accounts.
type accounts struct {
	users, privileges [][]string
	broken            bool
}

func (a *accounts) Query(_ context.Context, sql string, args ...any) ([][]*string, error) {
	if a.broken {
		return nil, errors.New("SELECT command denied to user 'sluice'@'%' for table 'user'")
	}
	var rows [][]string
	switch {
	case strings.HasPrefix(sql, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?"):
		rows = [][]string{{"0"}}
	case strings.HasPrefix(sql, "SELECT COUNT(*) FROM mysql.user WHERE user = ?"):
		n := 0
		for _, u := range a.users {
			if u[0] == args[0] {
				n++
			}
		}
		rows = [][]string{{fmt.Sprint(n)}}
	case strings.HasPrefix(sql, "SELECT schema_name FROM information_schema.schemata"):
		rows = [][]string{{"information_schema"}, {"mysql"}, {"prj1"}, {"prj2"}, {"sluice"}}
	case strings.HasPrefix(sql, "SELECT DISTINCT user FROM mysql.user"):
		rows = a.users
	case strings.HasPrefix(sql, "SELECT user, host FROM mysql.user"):
		for _, u := range a.users {
			if strings.Contains(u[1], "%") {
				rows = append(rows, u)
			}
		}
	case strings.HasPrefix(sql, "SELECT user, host, SUBSTRING_INDEX"):
		for _, u := range a.users {
			if !strings.Contains(u[1], "%") && u[1] != "10.0.0.5" {
				rows = append(rows, []string{u[0], u[1], "10.0.0.5"})
			}
		}
	case strings.HasPrefix(sql, "SELECT grantee, privilege_type FROM information_schema.user_privileges"):
		rows = a.privileges
	default:
		return nil, fmt.Errorf("an unexpected question: %s", sql)
	}
	var out [][]*string
	for _, r := range rows {
		var row []*string
		for _, v := range r {
			row = append(row, &v)
		}
		out = append(out, row)
	}
	return out, nil
}
