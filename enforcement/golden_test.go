package enforcement

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"sluice/lineage"
	"sluice/parser"
)

// The golden cases. `policy` edits the policy, line by line, as the commands would ("in P" sets the session
// project; "empty" begins anew). `options` sets what it is built with. `decide`, `explain` and
// `refusal` judge a graph written as flows: "P.t -> T.x", "P.t via P.v -> result", "P.t ~> result" (implicit),
// "@v -> result", "opaque NAME -> …", "system mysql.general_log -> …", "… -> file NAME", "… -> @v".

// at is the time of every golden case that names no other.
var at = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

type world struct {
	policy  *Policy
	options Options
	project string
}

func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if info, err := os.Stat(path); err != nil || info.IsDir() || strings.Contains(path, "fuzz") {
			return
		}
		w := &world{policy: &Policy{Revision: 7, Projects: map[string]*Project{}}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "policy":
				return w.edit(t, d)
			case "options":
				return w.setOptions(d)
			case "decide", "explain", "refusal", "cap":
				return w.judge(t, d)
			case "parse":
				return parsed(t, d)
			case "reach":
				return w.reach(t, d)
			case "review":
				return w.review(t, d)
			case "affected":
				return w.affected(t, d)
			case "plan":
				return w.plan(t, d)
			case "role":
				return w.role(t, d)
			default:
				t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
				return ""
			}
		})
	})
}

func (w *world) snapshot(t *testing.T, d *datadriven.TestData) *Snapshot {
	t.Helper()
	s, err := Build(w.policy, w.options)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	return s
}

func (w *world) setOptions(d *datadriven.TestData) string {
	w.options = Options{}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "super":
			w.options.SuperAdministrators = a.Vals
		case "owner-exempt":
			w.options.OwnerExempt = true
		case "folds":
			w.options.Folds = true
		case "tails":
			w.options.MailTails = a.Vals
		case "group":
			if w.options.Groups == nil {
				w.options.Groups = map[string][]string{}
			}
			w.options.Groups[a.Vals[0]] = a.Vals[1:]
		default:
			return "unknown option " + a.Key
		}
	}
	if _, err := Build(w.policy, w.options); err != nil {
		return err.Error()
	}
	return "ok"
}

// edit runs edits; each error stands in the answer.
func (w *world) edit(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		warnings, err := w.line(strings.TrimSpace(line))
		for _, s := range warnings {
			fmt.Fprintln(&out, "warning:", s)
		}
		if err != nil {
			fmt.Fprintf(&out, "error: %v\n", err)
		}
	}
	if out.Len() == 0 {
		return "ok"
	}
	return out.String()
}

func (w *world) line(line string) ([]string, error) {
	word := strings.Fields(line)
	arg := func(i int) string {
		if i < len(word) {
			return word[i]
		}
		return ""
	}
	p := w.policy
	switch word[0] {
	case "empty":
		*p = Policy{Revision: 7, Projects: map[string]*Project{}}
		w.project = ""
	case "in":
		w.project = arg(1)
	case "set":
		value := map[string]parser.Protection{"false": parser.Unprotected, "true": parser.Protected, "dryrun": parser.DryRun}[arg(1)]
		_, text, _ := strings.Cut(line, " with ")
		return p.SetProtection(w.project, value, text, w.seals(text))
	case "trust":
		return nil, p.AddTrusted(w.project, arg(1))
	case "distrust":
		return nil, p.RemoveTrusted(w.project, arg(1))
	case "package":
		return nil, p.CreatePackage(w.project, arg(1), at)
	case "drop":
		in, err := p.DropPackage(w.project, arg(1))
		if len(in) > 0 {
			return []string{"it was installed in " + strings.Join(in, ", ")}, err
		}
		return nil, err
	case "add": // add t to k [privileges]
		var privileges []string
		if arg(4) != "" {
			privileges = strings.Split(arg(4), ",")
		}
		return nil, p.AddToPackage(w.project, arg(3), Item{Name: arg(1), Privileges: privileges})
	case "add-function":
		return nil, p.AddToPackage(w.project, arg(2), Item{Type: "function", Name: arg(1)})
	case "remove": // remove t from k
		return nil, p.RemoveFromPackage(w.project, arg(3), arg(1))
	case "lose": // lose t from k
		if !p.LoseItem(w.project, arg(3), arg(1), "dropped", at) {
			return nil, fmt.Errorf("nothing lost")
		}
	case "allow": // allow T k [label]
		n, _ := strconv.Atoi(arg(3))
		return nil, p.AllowInstall(w.project, arg(2), Allowed{Project: arg(1), Label: n})
	case "disallow":
		return nil, p.DisallowInstall(w.project, arg(2), arg(1))
	case "install":
		source, k, _ := strings.Cut(arg(1), ".")
		return nil, p.InstallPackage(w.project, source, k, at)
	case "uninstall":
		source, k, _ := strings.Cut(arg(1), ".")
		return nil, p.UninstallPackage(w.project, source, k)
	case "grant": // grant alice P.k
		source, k, _ := strings.Cut(arg(2), ".")
		return nil, p.GrantRead(w.project, source, k, arg(1))
	case "revoke":
		source, k, _ := strings.Cut(arg(2), ".")
		return nil, p.RevokeRead(w.project, source, k, arg(1))
	case "owner":
		return nil, p.AddOwner(w.project, arg(1))
	case "unowner":
		return nil, p.RemoveOwner(w.project, arg(1))
	case "admin":
		return nil, p.AddAdmin(w.project, arg(1))
	case "unadmin":
		return nil, p.RemoveAdmin(w.project, arg(1))
	case "maxrow":
		n, err := strconv.ParseInt(arg(1), 10, 64)
		if err != nil {
			return nil, err
		}
		return nil, p.SetMaxRow(w.project, n)
	case "unseal": // the seal was never measured
		p.Projects[w.project].Seals = nil
	case "base": // base v t: the sealed view v is sealed with t
		schema, name, _ := strings.Cut(arg(2), ".")
		for i := range p.Projects[w.project].Seals {
			if l := &p.Projects[w.project].Seals[i]; l.Table == arg(1) {
				l.Bases = append(l.Bases, Seal{Schema: schema, Table: name})
			}
		}
	case "break":
		schema := w.project
		table := arg(1)
		if s, n, ok := strings.Cut(table, "."); ok {
			schema, table = s, n
		}
		n := p.BreakSeal(w.project, schema, table, Breach{By: "mallory@10.0.0.9", Time: at, Cause: strings.Join(word[2:], " ")})
		if n != 1 {
			return nil, fmt.Errorf("%d seals broken", n)
		}
	default:
		return nil, fmt.Errorf("unknown edit %q", line)
	}
	return nil, nil
}

// seals measures what a policy wants sealed.
func (w *world) seals(text string) []Seal {
	e, err := ParsePolicy(text, w.project)
	if err != nil {
		return nil
	}
	s, err := Build(&Policy{}, w.options)
	if err != nil {
		return nil
	}
	var out []Seal
	for _, o := range s.SealTargets(w.project, e) {
		out = append(out, Seal{Table: o.Name, Schema: o.Schema, Identity: "1", Rows: 3, Checksum: "c", Time: at})
	}
	return out
}

// request reads the arguments and the graph of a case.
func request(d *datadriven.TestData) *Request {
	r := &Request{Subject: Subject{User: "alice", Host: "%"}, Now: at, Graph: &lineage.Graph{Kind: "select"}}
	for _, a := range d.CmdArgs {
		v := ""
		if len(a.Vals) > 0 {
			v = a.Vals[0]
		}
		switch a.Key {
		case "user":
			r.Subject.User = v
		case "host":
			r.Subject.Host = v
		case "address":
			r.Subject.Address = netip.MustParseAddr(v)
		case "tls":
			r.Subject.TLS = true
		case "in":
			r.Schema = v
		case "task":
			r.Task = map[string]Task{"SQL": SQL, "DT": DT, "MapReduce": MapReduce}[v]
		case "now":
			if v == "" {
				r.Now = time.Time{}
				continue
			}
			now, ok := parseDate(v)
			if !ok {
				panic("bad date " + v)
			}
			r.Now = now
		case "kind":
			r.Graph.Kind = strings.Join(a.Vals, " ")
		default:
			panic("unknown argument " + a.Key)
		}
	}
	for line := range strings.Lines(d.Input) {
		graphLine(r.Graph, strings.TrimSpace(line))
	}
	return r
}

func object(s string) lineage.Object {
	schema, name, _ := strings.Cut(s, ".")
	return lineage.Object{Schema: schema, Name: name}
}

func graphLine(g *lineage.Graph, line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "refused:":
		g.Refused = rest
		return
	case "opaque:":
		g.Opaque = append(g.Opaque, rest)
		return
	case "forbidden:":
		g.Forbidden = rest
		return
	case "unread:":
		g.Unread, g.Tier = rest, parser.TierTokens
		return
	case "writes":
		g.Writes = append(g.Writes, lineage.Write{Object: object(rest)})
		return
	case "defines", "makes", "rebuilds", "ends":
		change := map[string]lineage.Change{"defines": lineage.Ends, "makes": lineage.Makes, "rebuilds": lineage.Rebuilds, "ends": lineage.Ends}[word]
		g.Writes = append(g.Writes, lineage.Write{Object: object(rest), Definition: true, Change: change})
		return
	case "drops-schema":
		g.Effects.DropsSchema = rest
		return
	case "reads":
		g.Reads = append(g.Reads, object(rest))
		return
	case "names":
		g.Effects.Definitions = append(g.Effects.Definitions, object(rest))
		return
	}
	from, to, ok := strings.Cut(line, " -> ")
	implicit := false
	if !ok {
		from, to, ok = strings.Cut(line, " ~> ")
		implicit = true
	}
	if !ok {
		panic("no flow: " + line)
	}
	g.Flows = append(g.Flows, lineage.Flow{Source: source(from), Sink: sink(to), Implicit: implicit})
}

func source(s string) lineage.Source {
	words := strings.Fields(s)
	switch {
	case words[0] == "opaque":
		return lineage.Source{Kind: lineage.OpaqueSource, Name: strings.Join(words[1:], " ")}
	case words[0] == "system":
		return lineage.Source{Kind: lineage.SystemSource, Object: object(words[1])}
	case words[0] == "unknown":
		return lineage.Source{Kind: 99}
	case strings.HasPrefix(words[0], "@"):
		return lineage.Source{Kind: lineage.CarrierSource, Name: words[0]}
	}
	src := lineage.Source{Kind: lineage.TableSource, Object: object(words[0])}
	for i := 1; i+1 < len(words); i += 2 {
		src.Via = append(src.Via, object(words[i+1]))
	}
	return src
}

func sink(s string) lineage.Sink {
	switch {
	case s == "result":
		return lineage.Sink{Kind: lineage.ResultSink}
	case s == "unknown":
		return lineage.Sink{Kind: 99}
	case strings.HasPrefix(s, "file "):
		return lineage.Sink{Kind: lineage.FileSink, Name: s[5:]}
	case strings.HasPrefix(s, "@"):
		return lineage.Sink{Kind: lineage.CarrierSink, Name: s}
	}
	return lineage.Sink{Kind: lineage.TableSink, Object: object(s)}
}

func (w *world) judge(t *testing.T, d *datadriven.TestData) string {
	s, r := w.snapshot(t, d), request(d)
	switch d.Cmd {
	case "explain":
		v := s.Explain(r)
		plainly := s.Decide(r)
		if v.Effect != plainly.Effect || v.DryRun != plainly.DryRun || v.Cap != plainly.Cap || v.DryCap != plainly.DryCap || v.Guarded != plainly.Guarded || v.Recorded != plainly.Recorded {
			t.Errorf("%s: Explain and Decide differ: %+v, %+v", d.Pos, v, plainly)
		}
		return show(&v)
	case "refusal":
		v := s.Decide(r)
		text := Refusal(&v, r, "01JD0000000000000000000000")
		if len(text) > maxRefusal {
			t.Errorf("%s: %d bytes", d.Pos, len(text))
		}
		return text
	case "cap":
		v := s.Decide(r)
		return CapRefusal(&v, r)
	}
	v := s.Decide(r)
	return show(&v)
}

// show prints a decision: the verdict, then each reason.
func show(d *Decision) string {
	var out strings.Builder
	out.WriteString(d.Effect.String())
	if d.DryRun {
		out.WriteString(" dryrun")
	}
	if d.Cap >= 0 {
		fmt.Fprintf(&out, " cap %d of %s", d.Cap, d.CapProject)
	}
	if d.DryCap >= 0 {
		fmt.Fprintf(&out, " dry cap %d of %s", d.DryCap, d.DryCapProject)
	}
	if d.Guarded {
		out.WriteString(" guarded")
	}
	if d.Recorded {
		out.WriteString(" recorded")
	}
	for _, u := range d.Seals {
		fmt.Fprintf(&out, " seal %s.%s", u.Project, u.Seal.Table)
	}
	for i := range d.Reasons {
		r := &d.Reasons[i]
		out.WriteString("\n  ")
		if r.Flow.Sink.Kind != 0 {
			fmt.Fprintf(&out, "%s -> %s: ", flowSource(&r.Flow.Source), flowSink(&r.Flow.Sink))
		}
		fmt.Fprintf(&out, "%s (%s)", r.Effect, r.Rule)
		if r.DryRun {
			out.WriteString(" dryrun")
		}
		if r.Project != "" {
			fmt.Fprintf(&out, " of %s", r.Project)
		}
		if r.Detail != "" {
			fmt.Fprintf(&out, ": %s", r.Detail)
		}
		if r.Nearest != "" {
			fmt.Fprintf(&out, "\n    nearest: %s", r.Nearest)
		}
	}
	return out.String()
}

func flowSource(s *lineage.Source) string {
	if s.Kind == lineage.TableSource || s.Kind == lineage.SystemSource {
		return s.Object.String()
	}
	return s.Name
}

func flowSink(k *lineage.Sink) string {
	switch k.Kind {
	case lineage.TableSink:
		return k.Object.String()
	case lineage.ResultSink:
		return "result"
	}
	return k.Name
}

func parsed(t *testing.T, d *datadriven.TestData) string {
	project := "p"
	d.MaybeScanArgs(t, "in", &project)
	p, err := ParsePolicy(d.Input, project)
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for i := range p.Statements {
		st := &p.Statements[i]
		fmt.Fprintf(&out, "%d allow=%v who=%v action=%v resource=%v unsealed=%v", st.Number, st.Allow, st.Principals, st.Actions, st.Resources, st.Unsealed)
		for _, c := range st.Conditions {
			fmt.Fprintf(&out, "\n  %s %s %v", c.Operator, c.Key, c.Values)
		}
		out.WriteString("\n")
	}
	for _, s := range p.Warnings() {
		fmt.Fprintln(&out, "warning:", s)
	}
	return out.String()
}

func (w *world) reach(t *testing.T, d *datadriven.TestData) string {
	var from string
	d.ScanArgs(t, "from", &from)
	var out strings.Builder
	for _, h := range w.snapshot(t, d).Reach(from) {
		fmt.Fprintf(&out, "%d %s -> %s by %s (%s)\n", h.Distance, h.From, h.To, h.Rule, h.Detail)
	}
	return out.String()
}

func (w *world) review(t *testing.T, d *datadriven.TestData) string {
	var of string
	d.ScanArgs(t, "of", &of)
	var out strings.Builder
	for _, f := range w.snapshot(t, d).Review(of) {
		fmt.Fprintf(&out, "%s [%s] %s", f.Severity, f.Check, f.Message)
		if f.Fix != "" {
			fmt.Fprintf(&out, " | %s", f.Fix)
		}
		out.WriteString("\n")
	}
	return out.String()
}

func (w *world) affected(t *testing.T, d *datadriven.TestData) string {
	s, r := w.snapshot(t, d), request(d)
	var out strings.Builder
	for _, u := range s.SealsAffected(r.Graph) {
		fmt.Fprintf(&out, "seal %s: %s.%s\n", u.Project, u.Seal.Schema, u.Seal.Table)
	}
	for _, u := range s.PackagesAffected(r.Graph) {
		fmt.Fprintf(&out, "package %s.%s: %s\n", u.Project, u.Package, u.Item)
	}
	for _, u := range s.PackagesRebuilt(r.Graph) {
		fmt.Fprintf(&out, "rebuilt in package %s.%s: %s\n", u.Project, u.Package, u.Item)
	}
	if out.Len() == 0 {
		return "nothing"
	}
	return out.String()
}

// plan compares the policy with what it is after the edits, and keeps the policy.
func (w *world) plan(t *testing.T, d *datadriven.TestData) string {
	before := w.policy.Clone()
	project := w.project
	if s := w.edit(t, d); s != "ok" && !strings.HasPrefix(s, "warning") {
		return s
	}
	plan, err := PlanChange(before, w.policy, w.options)
	w.policy, w.project = before, project
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for i := range plan.Changes {
		fmt.Fprintln(&out, plan.Changes[i].String())
	}
	for i := range plan.Opens {
		fmt.Fprintln(&out, "opens", plan.Opens[i].String())
	}
	for i := range plan.Closes {
		fmt.Fprintln(&out, "closes", plan.Closes[i].String())
	}
	return out.String()
}

func (w *world) role(t *testing.T, d *datadriven.TestData) string {
	var of string
	d.ScanArgs(t, "of", &of)
	r := &Request{Subject: Subject{}}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "user":
			r.Subject.User = strings.Join(a.Vals, "")
		case "host":
			r.Subject.Host = a.Vals[0]
		case "address":
			r.Subject.Address = netip.MustParseAddr(a.Vals[0])
		}
	}
	return w.snapshot(t, d).Role(r.Subject, of).String()
}
