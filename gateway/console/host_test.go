package console

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A name that somebody else has resolve to this machine opens nothing but what monitors ask for.
func TestOwnName(t *testing.T) {
	handler := New(Options{Metrics: NewMetrics(), Ready: func() error { return nil }}).Handler()
	ask := func(path, host, local string) int {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = host
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP(local)}))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	for _, host := range []string{"127.0.0.1:8307", "localhost:8307", "LOCALHOST", "localhost.", "[::1]:8307", "gateway.localhost:1", "10.0.0.5"} {
		if code := ask("/", host, "127.0.0.1"); code != http.StatusOK {
			t.Errorf("%s: %d", host, code)
		}
	}
	for _, host := range []string{"evil.example", "evil.example:8307", "localhost.evil.example", "127.0.0.1.evil.example:8307"} {
		for _, path := range []string{"/", "/api/log", "/api/sessions", "/api/projects"} {
			for _, local := range []string{"127.0.0.1", "::1"} {
				if code := ask(path, host, local); code != http.StatusMisdirectedRequest {
					t.Errorf("%s of %s at %s: %d", path, host, local, code)
				}
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if code := ask(path, "gateway.example:8307", "127.0.0.1"); code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
	}
	if code := ask("/", "gateway.example:8307", "10.0.0.5"); code != http.StatusOK {
		t.Errorf("where it listens for others too: %d", code)
	}
}
