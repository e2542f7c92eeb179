package enforcement

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sluice/lineage"
	"sluice/parser"
)

// The sizes that a decision must not feel: at most 500 ns and no allocation at any of them, and 2 s to build the largest.

// projectsOf is a policy of n protected projects, each trusting a few others.
func projectsOf(n int) *Policy {
	p := &Policy{Revision: 1, Projects: make(map[string]*Project, n)}
	for i := range n {
		name := fmt.Sprintf("p%05d", i)
		p.Projects[name] = &Project{
			Name: name, Protection: parser.Protected, Owners: []string{fmt.Sprintf("owner%d", i)},
			Trusted: []string{fmt.Sprintf("p%05d", (i+1)%n), fmt.Sprintf("p%05d", (i+2)%n)},
		}
	}
	return p
}

// statementsOf is one project with n exception statements, for users and tables of their own.
func statementsOf(n int) *Policy {
	var b strings.Builder
	b.WriteString(`{"Version":"1","Statement":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"Effect":"Allow","Principal":"user%d","Action":["odps:Select"],"Resource":"acs:odps:*:projects/p/tables/t%d","Condition":{"StringEquals":{"sluice:TargetProject":"q"},"DateLessThan":{"acs:CurrentTime":"2027-01-01"},"Bool":{"sluice:Sealed":"false"}}}`, i%1000, i)
	}
	b.WriteString(`]}`)
	return &Policy{Revision: 1, Projects: map[string]*Project{"p": {Name: "p", Protection: parser.Protected, Exception: b.String()}}}
}

// itemsOf is one project with packages that hold n objects, all installed in q.
func itemsOf(n int) *Policy {
	p, q := &Project{Name: "p", Protection: parser.Protected, Packages: map[string]*Package{}}, &Project{Name: "q"}
	for i := 0; i < n; i += MaxItems {
		name := fmt.Sprintf("k%d", i/MaxItems)
		k := &Package{Name: name, Created: at, Allowed: []Allowed{{Project: "q"}}}
		for j := i; j < min(n, i+MaxItems); j++ {
			k.Items = append(k.Items, Item{Type: "table", Name: fmt.Sprintf("t%d", j), Privileges: DefaultPrivileges})
		}
		p.Packages[name] = k
		q.Installed = append(q.Installed, Installation{Project: "p", Package: name, Time: at, Readers: []string{"alice"}})
	}
	return &Policy{Revision: 1, Projects: map[string]*Project{"p": p, "q": q}}
}

func asked(user, from, to string) *Request {
	source, sink := object(from), object(to)
	return &Request{
		Graph: &lineage.Graph{Kind: "insert", Reads: []lineage.Object{source}, Writes: []lineage.Write{{Object: sink}}, Flows: []lineage.Flow{
			{Source: lineage.Source{Kind: lineage.TableSource, Object: source}, Sink: lineage.Sink{Kind: lineage.TableSink, Object: sink}},
		}},
		Subject: Subject{User: user, Host: "%", Address: netip.MustParseAddr("10.0.0.1")}, Schema: sink.Schema, Now: at,
	}
}

// size is a policy with what is asked of it.
type size struct {
	name   string
	policy func(n int) *Policy
	n      int
	asks   []ask
}

type ask struct {
	name    string
	request *Request
	effect  Effect
}

var sizes = []size{
	{"projects", projectsOf, 10, inProjects}, {"projects", projectsOf, 10000, inProjects},
	{"statements", statementsOf, 100000, []ask{
		{"permitted", asked("user777", "p.t7777", "q.x"), Permit}, {"refused", asked("alice", "p.t7777", "q.x"), Deny},
	}},
	{"package items", itemsOf, 100000, []ask{
		{"permitted", asked("alice", "p.t7777", "q.x"), Permit}, {"refused", asked("bob", "p.t7777", "q.x"), Deny},
	}},
}

var inProjects = []ask{
	{"trusted", asked("alice", "p00003.t", "p00004.x"), Permit}, {"refused", asked("alice", "p00003.t", "p00007.x"), Deny},
	{"inside", asked("alice", "p00003.t", "p00003.x"), Permit},
}

func BenchmarkDecide(b *testing.B) {
	for _, size := range sizes {
		s, err := Build(size.policy(size.n), Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, a := range size.asks {
			b.Run(fmt.Sprintf("%d %s, %s", size.n, size.name, a.name), func(b *testing.B) {
				b.ReportAllocs()
				var d Decision
				for b.Loop() {
					s.DecideInto(&d, a.request)
				}
				if d.Effect != a.effect {
					b.Fatalf("%s", show(&d))
				}
			})
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, size := range sizes {
		p := size.policy(size.n)
		b.Run(fmt.Sprintf("%d %s", size.n, size.name), func(b *testing.B) {
			for b.Loop() {
				if _, err := Build(p, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A decision allocates nothing, whatever the size of the policy. The test takes a tenth of the largest sizes: its
// machine may be slow, and the race detector makes it slower.
func TestSizes(t *testing.T) {
	for _, size := range sizes {
		s, err := Build(size.policy(min(size.n, 10000)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range size.asks {
			var d Decision
			s.DecideInto(&d, a.request) // makes room for reasons
			if d.Effect != a.effect {
				t.Errorf("%d %s, %s: %s", size.n, size.name, a.name, show(&d))
			}
			if n := testing.AllocsPerRun(100, func() { s.DecideInto(&d, a.request) }); n != 0 {
				t.Errorf("%d %s, %s: %v allocations", size.n, size.name, a.name, n)
			}
		}
	}
}
