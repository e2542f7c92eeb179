package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sluice/enforcement"
	"sluice/integration/servers"
	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// noSuchRoutine are the warehouse's errors for a function that does not exist.
var noSuchRoutine = map[uint16]bool{1305: true, 1630: true}

// judgement is one accepted statement and what became of it.
type judgement struct {
	sent
	kind, tier, refused string
	unread              string // what the tree parser did not understand
	// policy: it was read, and is refused for what it touches: other people's data, files and tables outside.
	policy    bool
	number    uint16 // of the error that the server's PREPARE gave
	homeless  bool   // it needs an engine or a function that the server does not have
	joined    bool   // as in testCase
	foreign   bool   // under a sql_mode that changes the grammar: refused by decision
	unlexable bool   // text beyond ASCII in a character set in which a byte of a character may be a quote, or a name beyond ASCII in none of Unicode
}

// judgeAll keeps the statements that the server accepts and decides each.
func judgeAll(t *testing.T, server *servers.Server, cases []testCase) []judgement {
	t.Helper()
	server.Exec(t, "CREATE DATABASE test", "CREATE DATABASE mtr")
	w := &standing{t: t}
	w.engines, w.pluginFolder = warehouseOf(t, server)
	w.verdicts = acceptAll(t, server, cases)
	j := newJudge(t, w)
	var out []judgement
	for _, c := range cases {
		if v := w.verdicts[c.sent]; v.accepted {
			out = append(out, j.judge(c, v))
		}
	}
	return out
}

// judge decides statements as a session of project test does while project vault is protected.
type judge struct {
	policy   *enforcement.Snapshot
	standing *standing
}

func newJudge(t *testing.T, w *standing) *judge {
	t.Helper()
	policy, err := enforcement.Build(&enforcement.Policy{Revision: 1, Projects: map[string]*enforcement.Project{
		"vault": {Name: "vault", Protection: parser.Protected},
	}}, enforcement.Options{Folds: true})
	if err != nil {
		t.Fatal(err)
	}
	return &judge{policy, w}
}

func (j *judge) judge(c testCase, v verdict) judgement {
	rd := parser.Reading{Dialect: coverageDialect, Mode: parser.ParseMode(v.mode), Charset: c.charset}
	out := judgement{sent: c.sent, joined: c.joined, number: v.number, kind: firstWord(c.sql), foreign: rd.Mode&parser.ForeignGrammar != 0}
	script, err := parser.ParseSent(c.sql, rd)
	if err != nil {
		out.tier, out.refused = "none", "lexer: "+err.Error()
		out.unlexable = strings.Contains(err.Error(), "text beyond ASCII cannot be read soundly in it") || strings.Contains(err.Error(), "a name beyond ASCII needs")
		return out
	}
	if len(script.Statements) != 1 {
		out.tier = "none"
		if len(script.Statements) > 1 {
			out.refused = fmt.Sprintf("splitting: it reads as %d statements", len(script.Statements))
		}
		return out
	}
	rd = script.Reading
	st := &script.Statements[0]
	out.kind, out.tier, out.unread = st.Kind, st.Tier.String(), st.Unparsed
	if st.Command != nil {
		return out
	}
	cat := j.standing.at(c)
	g, refused, policy := j.graph(st, rd, c.schema, cat)
	out.homeless = j.standing.touchesHomeless(g)
	if refused == "" && g.Effects.Dynamic != nil && g.Effects.Dynamic.Text != "" {
		refused, policy = j.inner(&out, g.Effects.Dynamic.Text, rd, c.schema, cat)
	}
	out.refused, out.policy = refused, policy
	// A function that neither the server nor the script before has.
	out.homeless = out.homeless || noSuchRoutine[v.number] && strings.Contains(refused, "is not known")
	return out
}

// graph traces and decides one statement.
func (j *judge) graph(st *parser.Statement, rd parser.Reading, schema string, cat *catalog.Snapshot) (g *lineage.Graph, refused string, policy bool) {
	bound, err := lineage.Resolve(context.Background(), st, rd, lineage.Scope{Schema: schema}, cat)
	if err != nil {
		return nil, "resolve: " + err.Error(), false
	}
	g = lineage.Trace(bound)
	var none lineage.Labels
	d := j.policy.Decide(&enforcement.Request{Graph: none.Expand(g), Schema: schema})
	if d.Permitted() {
		return g, "", false
	}
	for _, r := range d.Reasons {
		if r.Effect == enforcement.Deny {
			detail := r.Detail
			if r.Rule != enforcement.NotUnderstood && detail == "" {
				detail = r.Flow.String()
			}
			outside := r.Flow.Source.Kind == lineage.OpaqueSource
			return g, r.Rule.String() + ": " + detail, outside || r.Rule == enforcement.SystemData
		}
	}
	return g, "refused without a reason", false
}

// inner decides the text that PREPARE and EXECUTE IMMEDIATE hold.
func (j *judge) inner(out *judgement, text string, rd parser.Reading, schema string, cat *catalog.Snapshot) (refused string, policy bool) {
	script, err := parser.Parse(text, rd)
	if err != nil || len(script.Statements) > 1 {
		return fmt.Sprintf("prepared text: %v", err), false
	}
	if len(script.Statements) == 0 || script.Statements[0].Command != nil {
		return "", false
	}
	g, refused, policy := j.graph(&script.Statements[0], rd, schema, cat)
	out.homeless = out.homeless || j.standing.touchesHomeless(g)
	return refused, policy
}
