package enforcement

import (
	"fmt"
	"testing"

	"sluice/lineage"
	"sluice/parser"
)

// setting is one combination of everything that can decide a flow of P.t asked for by alice.
type setting struct {
	protection parser.Protection
	pack       int // 0 none, 1 without Read for alice, 2 with it, 3 without a privilege that reads
	trust      bool
	allow      int // 0 none, 1 live, 2 sealed and whole, 3 sealed and broken, 4 for somebody else
	deny       int // 0 none, 1 for alice, 2 for somebody else
	cap        int64
	exempt     int // 0 the switch is off, 1 on and alice is no owner, 2 on and she is
	sink       int // of sinks
}

type sinkCase struct {
	name   string
	schema string // of the session
	task   Task
	sink   lineage.Sink
	// project is the sink's project, "" when outside.
	project string
	shown   bool
}

var sinkCases = []sinkCase{
	{"table in T", "U", SQL, lineage.Sink{Kind: lineage.TableSink, Object: lineage.Object{Schema: "T", Name: "x"}}, "T", false},
	{"table in P", "T", SQL, lineage.Sink{Kind: lineage.TableSink, Object: lineage.Object{Schema: "P", Name: "x"}}, "P", false},
	{"table in U", "T", DT, lineage.Sink{Kind: lineage.TableSink, Object: lineage.Object{Schema: "U", Name: "x"}}, "U", false},
	{"shown in T", "T", SQL, lineage.Sink{Kind: lineage.ResultSink}, "T", true},
	{"shown in P", "P", SQL, lineage.Sink{Kind: lineage.ResultSink}, "P", true},
	{"shown nowhere", "", SQL, lineage.Sink{Kind: lineage.ResultSink}, "", true},
	{"downloaded in P", "P", DT, lineage.Sink{Kind: lineage.ResultSink}, "", false},
	{"batch in T", "T", MapReduce, lineage.Sink{Kind: lineage.ResultSink}, "", false},
	{"file", "P", SQL, lineage.Sink{Kind: lineage.FileSink, Name: "/x"}, "", false},
	{"variable", "T", SQL, lineage.Sink{Kind: lineage.CarrierSink, Name: "@v"}, "", false},
}

// expected is contract 2 again, written down as a reader would: what decides, what is shown, what is refused.
func (c *setting) expected() (effect Effect, rule Rule, dry bool, limit int64) {
	k := &sinkCases[c.sink]
	limit = -1
	if c.protection == parser.Unprotected || k.sink.Kind == lineage.CarrierSink {
		return Permit, NoRule, false, limit
	}
	switch {
	case k.project == "P":
		rule = Inside
	case k.project == "T" && c.pack == 2:
		rule = ByPackage
	case k.project == "T" && c.trust:
		rule = ByTrust
	case c.deny == 1:
		rule = DeniedByException
	case c.allow == 1 || c.allow == 2:
		rule = ByException
	case c.allow == 3:
		rule = SealBroken
	}
	letOut := rule == Inside || rule == ByPackage || rule == ByTrust || rule == ByException
	if !letOut && c.exempt == 2 {
		letOut, rule = true, ByOwner
	}
	if letOut && k.shown {
		if c.cap == 0 {
			letOut, rule = false, NoDisplay
		} else {
			limit = c.cap
		}
	}
	if letOut {
		return Permit, rule, false, limit
	}
	if c.protection == parser.DryRun {
		return Permit, rule, true, -1
	}
	return Deny, rule, false, -1
}

func statementText(effect, who, condition string) string {
	return fmt.Sprintf(`{"Effect":%q,"Principal":%q,"Action":"odps:*","Resource":"acs:odps:*:projects/P/tables/t"%s}`, effect, who, condition)
}

func (c *setting) build(t *testing.T) *Snapshot {
	t.Helper()
	p := &Policy{Projects: map[string]*Project{}}
	must := func(err error) {
		if err != nil {
			t.Fatalf("%+v: %v", *c, err)
		}
	}
	var list []string
	switch c.allow {
	case 1:
		list = append(list, statementText("Allow", "alice", `,"Condition":{"Bool":{"sluice:Sealed":"false"}}`))
	case 2, 3:
		list = append(list, statementText("Allow", "alice", ""))
	case 4:
		list = append(list, statementText("Allow", "bob", `,"Condition":{"Bool":{"sluice:Sealed":"false"}}`))
	}
	if c.deny > 0 {
		list = append(list, statementText("Deny", map[int]string{1: "al*", 2: "bob"}[c.deny], ""))
	}
	text := ""
	for i, s := range list {
		if i > 0 {
			text += ","
		}
		text += s
	}
	if text != "" && c.protection != parser.Unprotected {
		text = `{"Version":"1","Statement":[` + text + `]}`
	} else {
		text = ""
	}
	seal := Seal{Schema: "P", Table: "t", Identity: "1"}
	if c.allow == 3 {
		seal.Broken = &Breach{By: "x", Cause: "update"}
	}
	_, err := p.SetProtection("P", c.protection, text, []Seal{seal})
	must(err)
	must(p.SetMaxRow("P", c.cap))
	if c.trust {
		must(p.AddTrusted("P", "T"))
	}
	if c.exempt == 2 {
		must(p.AddOwner("P", "alice"))
	}
	if c.pack > 0 {
		item := Item{Name: "t"}
		if c.pack == 3 {
			item.Privileges = []string{"Describe"}
		}
		must(p.CreatePackage("P", "k", at))
		must(p.AddToPackage("P", "k", item))
		must(p.AllowInstall("P", "k", Allowed{Project: "T"}))
		must(p.InstallPackage("T", "P", "k", at))
		if c.pack != 1 {
			must(p.GrantRead("T", "P", "k", "alice"))
		}
	}
	s, err := Build(p, Options{OwnerExempt: c.exempt > 0})
	must(err)
	return s
}

// Precedence, over every combination of protection, package, trust, Allow, Deny, cap, exemption and sink.
func TestPrecedence(t *testing.T) {
	n := 0
	for _, protection := range []parser.Protection{parser.Unprotected, parser.Protected, parser.DryRun} {
		for pack := range 4 {
			for _, trust := range []bool{false, true} {
				for allow := range 5 {
					for deny := range 3 {
						for _, limit := range []int64{0, 7, DefaultMaxRow} {
							for exempt := range 3 {
								c := setting{protection, pack, trust, allow, deny, limit, exempt, 0}
								s := c.build(t)
								for c.sink = range sinkCases {
									c.check(t, s)
									n++
								}
							}
						}
					}
				}
			}
		}
	}
	if n != 3*4*2*5*3*3*3*len(sinkCases) {
		t.Errorf("only %d combinations", n)
	}
}

func (c *setting) check(t *testing.T, s *Snapshot) {
	t.Helper()
	k := &sinkCases[c.sink]
	for _, implicit := range []bool{false, true} {
		r := &Request{
			Graph:   &lineage.Graph{Kind: "insert", Flows: []lineage.Flow{{Source: lineage.Source{Kind: lineage.TableSource, Object: lineage.Object{Schema: "P", Name: "t"}}, Sink: k.sink, Implicit: implicit}}},
			Subject: Subject{User: "alice", Host: "%"}, Schema: k.schema, Task: k.task, Now: at,
		}
		d := s.Decide(r)
		effect, rule, dry, limit := c.expected()
		shown, unused := d.Cap, d.DryCap
		if c.protection == parser.DryRun {
			shown, unused = unused, shown
		}
		if d.Effect != effect || d.DryRun != dry || shown != limit || unused != -1 {
			t.Fatalf("%s, %+v: %s, dry run %v, caps %d and %d; want %s, %v, %d", k.name, *c, d.Effect, d.DryRun, d.Cap, d.DryCap, effect, dry, limit)
		}
		if last := len(d.Reasons) - 1; rule != Inside && c.protection != parser.Unprotected && k.sink.Kind != lineage.CarrierSink {
			if last < 0 || d.Reasons[last].Rule != rule {
				t.Fatalf("%s, %+v: %v; want the rule %s", k.name, *c, d.Reasons, rule)
			}
			if !d.Recorded {
				t.Fatalf("%s, %+v: a flow of protected data that a rule decided is to be recorded", k.name, *c)
			}
		}
	}
}

// Without a graph nothing is known, so nothing is permitted while anything is guarded; the zero Decision denies.
func TestNothingKnown(t *testing.T) {
	var zero Decision
	if zero.Permitted() {
		t.Error("the zero Decision permits")
	}
	c := setting{protection: parser.Protected, cap: 1}
	if d := c.build(t).Decide(&Request{Now: at}); d.Permitted() {
		t.Error("a statement without a graph is permitted")
	}
}
