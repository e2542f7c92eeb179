// Package console is the port for operators: health, readiness, metrics, and one page over a small JSON API that
// shows projects, refusals and sessions. It changes nothing and decides nothing.
package console

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sort"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sluice/enforcement"
	"sluice/enforcement/audit"
	"sluice/gateway"
)

//go:embed page.html
var page []byte

// Policies gives the snapshot that is shown.
type Policies interface{ Current() *enforcement.Snapshot }

// Sessions lists the sessions that live.
type Sessions interface{ Sessions() []gateway.SessionInfo }

// Log gives the newest entries of the decision log.
type Log interface {
	Select(ctx context.Context, where []audit.Clause, limit int) ([]audit.Entry, error)
}

// Options are what a console shows.
type Options struct {
	Policies Policies
	Sessions Sessions
	Metrics  *Metrics
	Audit    Log
	Ready    func() error // nil when clients may come
	Version  string
}

// Console serves the port for operators.
type Console struct{ o Options }

// New gives a console.
func New(o Options) *Console { return &Console{o} }

// Serve answers on l until ctx ends.
func (c *Console) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: c.Handler(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Handler gives the console's pages.
func (c *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", c.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.o.Metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /api/projects", ownName(c.projects))
	mux.HandleFunc("GET /api/sessions", ownName(c.sessions))
	mux.HandleFunc("GET /api/log", ownName(c.log))
	mux.HandleFunc("GET /{$}", ownName(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'")
		_, _ = w.Write(page)
	}))
	return mux
}

func (c *Console) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := c.o.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

type projectView struct {
	Name       string   `json:"name"`
	Protection string   `json:"protection"`
	Trusted    []string `json:"trusted"`
	Exception  bool     `json:"exception"`
	Packages   []string `json:"packages"`
	Owners     []string `json:"owners"`
	Broken     int      `json:"broken_seals"`
}

func (c *Console) projects(w http.ResponseWriter, _ *http.Request) {
	s := c.o.Policies.Current()
	out := struct {
		Version  string        `json:"version"`
		Revision uint64        `json:"revision"`
		Projects []projectView `json:"projects"`
	}{Version: c.o.Version, Revision: s.Revision(), Projects: []projectView{}}
	for name, p := range s.Policy().Projects {
		v := projectView{Name: name, Protection: p.Protection.String(), Trusted: list(p.Trusted), Exception: p.Exception != "", Packages: []string{}, Owners: list(p.Owners)}
		for k := range p.Packages {
			v.Packages = append(v.Packages, k)
		}
		sort.Strings(v.Packages)
		for _, seal := range p.Seals {
			if seal.Broken != nil {
				v.Broken++
			}
		}
		out.Projects = append(out.Projects, v)
	}
	sort.Slice(out.Projects, func(i, j int) bool { return out.Projects[i].Name < out.Projects[j].Name })
	answer(w, out)
}

type sessionView struct {
	Connection uint64    `json:"connection"` // the warehouse's id
	User       string    `json:"user"`
	Client     string    `json:"client"`
	Schema     string    `json:"schema"`
	Task       string    `json:"task"`
	Since      time.Time `json:"since"`
	Running    bool      `json:"running"`
}

func (c *Console) sessions(w http.ResponseWriter, _ *http.Request) {
	out := []sessionView{}
	for _, s := range c.o.Sessions.Sessions() {
		out = append(out, sessionView{s.Connection, s.User, s.Client.String(), s.Schema, s.Task, s.Since.UTC(), s.Running})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Connection < out[j].Connection })
	answer(w, out)
}

// list is never null in JSON.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func (c *Console) log(w http.ResponseWriter, r *http.Request) {
	entries, err := c.o.Audit.Select(r.Context(), nil, 100)
	if err != nil {
		http.Error(w, "the flow log cannot be read now", http.StatusServiceUnavailable)
		return
	}
	answer(w, list(entries))
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}
