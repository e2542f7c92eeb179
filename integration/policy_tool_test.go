package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/integration/servers"
)

// tool runs `proxy policy …` beside the running gateway.
type tool struct {
	t   *testing.T
	w   *world
	dir string
}

func (p *tool) run(args ...string) (string, bool) {
	p.t.Helper()
	args = append([]string{"policy"}, append(args, "--config", p.w.gateway.Config)...)
	cmd := exec.Command(servers.Binary(p.t), args...)
	cmd.Dir = p.dir
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func (p *tool) must(args ...string) string {
	p.t.Helper()
	out, ok := p.run(args...)
	if !ok {
		p.t.Fatalf("policy %v: %s", args, out)
	}
	return out
}

func (p *tool) fails(want string, args ...string) {
	p.t.Helper()
	out, ok := p.run(args...)
	if ok || !strings.Contains(out, want) {
		p.t.Errorf("policy %v is to fail with %q: %v, %s", args, want, ok, out)
	}
}

func (p *tool) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func wants(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}

// The policy as a file: exported, changed, planned with a replay of what was asked so far, and applied.
func TestPolicyAsFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "")
	p := &tool{t, w, t.TempDir()}
	owner, alice, bob := w.as(t, "owner", "myprj"), w.as(t, "alice", "prj2"), w.as(t, "bob", "prj2")
	owner.do("SET ProjectProtection = true")
	owner.do("SETPROJECT READ_TABLE_MAX_ROW = 1000000")
	owner.do("CREATE PACKAGE share")
	owner.do("ADD TABLE other TO PACKAGE share")
	alice.refused(ctas)
	alice.refused("SELECT v FROM myprj.table1 WHERE id = 1")
	bob.refused("SELECT v FROM myprj.other")

	yaml := p.must("export")
	wants(t, "the export", yaml, "projects:", "myprj:", "max_row: 1000000", "share:")
	p.write("policy.yaml", yaml)
	wants(t, "the plan of no change", p.must("diff", "policy.yaml"), "nothing changes")
	wants(t, "applying no change", p.must("apply", "policy.yaml"), "nothing changes")
	p.write("policy.json", p.must("export", "--format", "json"))
	wants(t, "the plan of no change", p.must("diff", "policy.json"), "nothing changes")
	p.fails("expected yaml or json", "export", "--format", "xml")

	trusting := strings.Replace(yaml, "    max_row: 1000000\n", "    max_row: 1000000\n    trusted:\n      - prj2\n", 1)
	p.write("trust.yaml", trusting)
	plan := p.must("diff", "trust.yaml", "--replay", w.gateway.Audit)
	wants(t, "the plan", plan, "+ myprj: trusted project prj2: yes", "opens  myprj: myprj -> prj2 by trusted project",
		"opens  myprj: prj2 -> * by not protected", "newly permitted 1 times: alice@127.0.0.1 in prj2 (SQL): "+ctas,
		"newly permitted 1 times: bob@127.0.0.1 in prj2 (SQL): SELECT v FROM myprj.other", "replayed 3 statements: 3 would be decided otherwise")
	if strings.Contains(plan, "beware") {
		t.Errorf("the plan warns of a project that there is:\n%s", plan)
	}
	p.write("misspelt.yaml", strings.Replace(trusting, "      - prj2\n", "      - prj22\n", 1))
	wants(t, "the plan of a misspelt trust", p.must("diff", "misspelt.yaml"), "beware myprj: trusts prj22, which is no project of the warehouse")
	alice.refused(ctas) // a plan changes nothing
	applied := p.must("apply", "trust.yaml")
	wants(t, "the apply", applied, "+ myprj: trusted project prj2: yes", "applied as revision")
	alice.do(ctas)
	alice.do("DROP TABLE prj2.x")

	// What a file takes away is told too, with the reason that a client would see.
	p.fails("somebody changed it since the export", "apply", "policy.yaml")
	back := regexp.MustCompile(`(?m)^revision: \d+$`).FindString(p.must("export"))
	p.write("back.yaml", regexp.MustCompile(`(?m)^revision: \d+$`).ReplaceAllString(yaml, back))
	plan = p.must("diff", "back.yaml", "--replay", w.gateway.Audit)
	wants(t, "the plan back", plan, "- myprj: trusted project prj2: yes", "closes myprj: myprj -> prj2", "newly refused", "project 'myprj' is protected")
	p.must("apply", "back.yaml")
	alice.refused(ctas)
	p.must("apply", "trust.yaml", "--force")
	alice.do(ctas)
	alice.do("DROP TABLE prj2.x")
	p.must("apply", "policy.yaml", "--force")

	// An exception in a file is sealed when it is applied, whatever seals the file lists.
	now := p.must("export")
	exception := `    exception: '{"Version":"1","Statement":[{"Effect":"Allow","Principal":"alice","Action":"odps:Select","Resource":"acs:odps:*:projects/myprj/tables/table1"}]}'` + "\n"
	sealed := strings.Replace(now, "    max_row: 1000000\n", exception+"    max_row: 1000000\n", 1)
	p.write("sealed.yaml", sealed)
	wants(t, "the plan of an exception", p.must("diff", "sealed.yaml"), "+ myprj: exception policy:", "opens  myprj: myprj -> * by exception (exception statement 1: myprj.table1, by alice)")
	p.must("apply", "sealed.yaml")
	wants(t, "the seals", strings.Join(owner.do("SHOW SEALS"), "\n"), "myprj.table1|whole|2|")
	alice.do(ctas)
	alice.do("DROP TABLE prj2.x")
	bob = w.as(t, "bob", "myprj")
	bob.do("UPDATE table1 SET v = 'changed' WHERE id = 2")
	alice.refused(ctas)
	var document struct {
		Revision int                       `json:"revision"`
		Projects map[string]map[string]any `json:"projects"`
	}
	if err := json.Unmarshal([]byte(p.must("export", "--format", "json")), &document); err != nil {
		t.Fatal(err)
	}
	seal := document.Projects["myprj"]["seals"].([]any)[0].(map[string]any)
	if seal["broken"] == nil {
		t.Fatalf("the exported seal is not broken: %v", seal)
	}
	delete(seal, "broken")
	document.Projects["myprj"]["max_row"] = 999999 // so that something changes
	healed, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	p.write("healed.json", string(healed))
	p.must("apply", "healed.json")
	alice.refused(ctas) // a file heals nothing
	p.must("apply", "policy.yaml", "--force")

	// Files that cannot be a policy.
	p.write("unknown.yaml", strings.Replace(yaml, "    max_row:", "    min_row:", 1))
	p.fails(`unknown field "min_row"`, "diff", "unknown.yaml")
	p.write("bad.yaml", "projects: [")
	p.fails("bad.yaml", "diff", "bad.yaml")
	p.write("exception.yaml", strings.Replace(yaml, "    max_row:", "    exception: '{\"Version\":\"2\"}'\n    max_row:", 1))
	p.fails("line 1, column 12", "apply", "exception.yaml", "--force")
	p.write("nowhere.yaml", strings.Replace(now, "    max_row: 1000000\n", strings.Replace(exception, "table1", "nowhere", 1)+"    max_row: 1000000\n", 1))
	p.fails("there is no such table", "apply", "nowhere.yaml", "--force")
	p.fails("no such file", "diff", "nothing.yaml")
	if rows := w.as(t, "owner", "myprj").do("SHOW SECURITYCONFIGURATION"); strings.Contains(strings.Join(rows, "\n"), "Exception") {
		t.Errorf("a file that failed changed the policy: %v", rows)
	}
}
