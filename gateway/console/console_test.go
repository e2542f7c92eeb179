package console_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/gateway"
	"sluice/gateway/console"
	"sluice/parser"
)

type policies struct{ snapshot *enforcement.Snapshot }

func (p policies) Current() *enforcement.Snapshot { return p.snapshot }

type sessions []gateway.SessionInfo

func (s sessions) Sessions() []gateway.SessionInfo { return s }

type log struct {
	entries []audit.Entry
	err     error
}

func (l *log) Select(context.Context, []audit.Clause, int) ([]audit.Entry, error) {
	return l.entries, l.err
}

func options(t *testing.T) console.Options {
	t.Helper()
	p := &enforcement.Policy{Revision: 7, Projects: map[string]*enforcement.Project{}}
	for _, err := range []error{
		p.AddTrusted("prj2", "prj1"), p.AddOwner("prj1", "olga"), p.CreatePackage("prj1", "b", time.Now()), p.CreatePackage("prj1", "a", time.Now()),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const exception = `{"Version": "1", "Statement": [{"Effect": "Allow", "Principal": "alice", "Action": "odps:Select", "Resource": "acs:odps:*:projects/prj1/tables/t"}]}`
	seals := []enforcement.Seal{{Schema: "prj1", Table: "t", Broken: &enforcement.Breach{By: "bob"}}}
	if _, err := p.SetProtection("prj1", parser.Protected, exception, seals); err != nil {
		t.Fatal(err)
	}
	s, err := enforcement.Build(p, enforcement.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return console.Options{
		Policies: policies{s}, Sessions: sessions{}, Metrics: console.NewMetrics(), Audit: &log{}, Version: "1.2.3",
		Ready: func() error { return nil },
	}
}

func get(o console.Options, path string) (int, string) {
	w := httptest.NewRecorder()
	console.New(o).Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func want(t *testing.T, o console.Options, path string, code int, texts ...string) {
	t.Helper()
	have, body := get(o, path)
	if have != code {
		t.Errorf("GET %s gives %d, wanted %d: %s", path, have, code, body)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("GET %s gives %q, wanted %q in it", path, body, text)
		}
	}
}

func TestReadiness(t *testing.T) {
	o := options(t)
	want(t, o, "/healthz", 200, "ok")
	want(t, o, "/readyz", 200, "ready")
	o.Ready = func() error { return errors.New("draining") }
	want(t, o, "/healthz", 200, "ok")
	want(t, o, "/readyz", 503, "draining")
}

func TestProjects(t *testing.T) {
	want(t, options(t), "/api/projects", 200, `{"version":"1.2.3","revision":7,"projects":[`+
		`{"name":"prj1","protection":"true","trusted":[],"exception":true,"packages":["a","b"],"owners":["olga"],"broken_seals":1},`+
		`{"name":"prj2","protection":"false","trusted":["prj1"],"exception":false,"packages":[],"owners":[],"broken_seals":0}]}`)
}

func TestSessions(t *testing.T) {
	o := options(t)
	want(t, o, "/api/sessions", 200, "[]")
	since := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	o.Sessions = sessions{
		{Connection: 9, User: "bob", Client: netip.MustParseAddrPort("[::1]:2"), Since: since, Running: true},
		{Connection: 4, User: "alice", Client: netip.MustParseAddrPort("10.0.0.1:4711"), Schema: "prj1", Task: "DT", Since: since},
	}
	want(t, o, "/api/sessions", 200, `[{"connection":4,"user":"alice","client":"10.0.0.1:4711","schema":"prj1","task":"DT","since":"2026-05-04T03:02:01Z","running":false},`+
		`{"connection":9,"user":"bob","client":"[::1]:2","schema":"","task":"","since":"2026-05-04T03:02:01Z","running":true}]`)
}

// An inner error of the log stays inside.
func TestLog(t *testing.T) {
	o := options(t)
	want(t, o, "/api/log", 200, "[]")
	o.Audit = &log{entries: []audit.Entry{{ID: "01J", User: "alice", Verdict: "deny", Text: "SELECT '<script>'"}}}
	want(t, o, "/api/log", 200, `"id":"01J"`, `"verdict":"deny"`, `\u003cscript\u003e`)
	o.Audit = &log{err: errors.New("dial tcp 10.9.8.7:3306: refused")}
	want(t, o, "/api/log", 503, "cannot be read now")
	if _, body := get(o, "/api/log"); strings.Contains(body, "10.9.8.7") {
		t.Errorf("the answer tells an inner error: %s", body)
	}
}

type texts struct{}

func (texts) Hits() uint64    { return 3 }
func (texts) Likened() uint64 { return 2 }
func (texts) Misses() uint64  { return 1 }

func TestMetrics(t *testing.T) {
	o := options(t)
	o.Metrics.SessionOpened()
	o.Metrics.SessionOpened()
	o.Metrics.SessionClosed()
	o.Metrics.SessionRejected("limit")
	o.Metrics.LoginTook(time.Millisecond)
	o.Metrics.Statement("deny", "no rule", "tree")
	o.Metrics.Alarm("schema")
	o.Metrics.Watch(texts{}, o.Policies)
	want(t, o, "/metrics", 200, `sluice_texts_total{how="known"} 3`, `sluice_texts_total{how="likened"} 2`, `sluice_texts_total{how="parsed"} 1`, "sluice_policy_revision ")
	want(t, o, "/metrics", 200, "sluice_sessions 1\n", "sluice_sessions_total 2\n", `sluice_sessions_rejected_total{reason="limit"} 1`,
		"sluice_login_seconds_count 1\n", `sluice_statements_total{rule="no rule",tier="tree",verdict="deny"} 1`, `sluice_alarms_total{kind="schema"} 1`)
}

// The page needs nothing from elsewhere, and the console changes nothing.
func TestPage(t *testing.T) {
	o := options(t)
	_, body := get(o, "/")
	for _, outside := range []string{"http://", "https://", "//cdn", "src="} {
		if strings.Contains(body, outside) {
			t.Errorf("the page holds %q", outside)
		}
	}
	want(t, o, "/", 200, "<title>Sluice</title>")
	want(t, o, "/nothing", 404)
	for _, path := range []string{"/api/projects", "/api/log", "/api/sessions", "/"} {
		w := httptest.NewRecorder()
		console.New(o).Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}")))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s gives %d, wanted 405", path, w.Code)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- console.New(options(t)).Serve(ctx, l) }()
	r, err := http.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}
