package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/enforcement/audit"
)

// said is what a program wrote so far.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits for a line that fits, and gives its first group.
func (s *said) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if m := re.FindStringSubmatch(s.String()); m != nil {
			return m[len(m)-1]
		}
	}
	t.Fatalf("nothing fits %s in:\n%s", pattern, s)
	return ""
}

// written puts a configuration into a file of its own.
func written(t *testing.T, text string, args ...any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, text, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const alone = `
listen: %s
admin: {listen: "127.0.0.1:0"}
warehouse: {address: "127.0.0.1:1", dial_timeout: 1s}
redis: {addresses: []}
audit: {file: %s}
`

// A gateway whose warehouse is dead lives: it tells clients and operators so, and stops when told to.
func TestServeWithoutWarehouse(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	log := &said{}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan int, 1)
	begun := time.Now()
	file := written(t, alone, `"127.0.0.1:0"`, filepath.Join(t.TempDir(), "audit.jsonl"))
	go func() { ended <- run(ctx, []string{"--config", file}, strings.NewReader(""), io.Discard, log) }()
	clients := log.await(t, `msg="sluice serves" listen=(\S+)`)
	admin := "http://" + log.await(t, `admin=(\S+)`)
	log.await(t, `(?i)level=WARN.*warehouse`)
	log.await(t, `renew the lease`)

	wantRefusal(t, clients)
	wantLife(t, clients)
	for path, wanted := range map[string]struct {
		code int
		text string
	}{
		"/healthz":      {200, "ok"},
		"/readyz":       {503, "warehouse"},
		"/metrics":      {200, "sluice_"},
		"/":             {200, "<html"},
		"/nothing":      {404, ""},
		"/api/sessions": {200, "["},
	} {
		code, body := get(t, admin+path)
		if code != wanted.code || !strings.Contains(body, wanted.text) {
			t.Errorf("GET %s gives %d %q, wanted %d with %q", path, code, body, wanted.code, wanted.text)
		}
	}
	// A fault that lasts is told once in a while, not with each try.
	if told, most := strings.Count(log.String(), "renew the lease"), 1+int(time.Since(begun)/(10*time.Second)); told > most {
		t.Errorf("the lease is told of %d times:\n%s", told, log)
	}
	_, body := get(t, admin+"/api/projects")
	var projects struct{ Projects []any }
	if err := json.Unmarshal([]byte(body), &projects); err != nil || projects.Projects == nil {
		t.Errorf("GET /api/projects gives %q: %v", body, err)
	}

	stop()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("exit code %d, wanted 0; it said:\n%s", code, log)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("it does not stop; it said:\n%s", log)
	}
	if _, err := net.Dial("tcp", clients); err == nil {
		t.Error("the port still listens")
	}
}

// wantRefusal wants one whole ERR packet that names the warehouse in place of a greeting.
func wantRefusal(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	packet, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(packet) < 8 || int(packet[0]) != len(packet)-4 || packet[4] != 0xff || !strings.Contains(string(packet), "warehouse") {
		t.Errorf("a client got %q, wanted an ERR packet about the warehouse", packet)
	}
}

// wantLife sends what no MySQL client sends, and wants the gateway to answer the next client all the same.
func wantLife(t *testing.T, address string) {
	t.Helper()
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00", "\xff\xff\xff\x00" + strings.Repeat("\xff", 1000), ""} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, garbage)
		_ = c.Close()
	}
	wantRefusal(t, address)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// What the gateway needs for itself must be there at its start.
func TestServeRefusesToStart(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := fmt.Sprintf("%q", taken.Addr())
	good := filepath.Join(t.TempDir(), "audit.jsonl")
	others := filepath.Join(t.TempDir(), "others.jsonl")
	other, err := audit.Open(audit.Options{File: others})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for name, c := range map[string]struct{ config, wanted string }{
		"port in use":          {fmt.Sprintf(alone, port, good), "listen: .*address already in use"},
		"admin port in use":    {strings.Replace(fmt.Sprintf(alone, `"127.0.0.1:0"`, good), `{listen: "127.0.0.1:0"}`, "{listen: "+port+"}", 1), "admin.listen: .*address already in use"},
		"no place for audit":   {fmt.Sprintf(alone, `"127.0.0.1:0"`, filepath.Join(good, "nowhere", "a.jsonl")), "open the audit log: .*nowhere"},
		"no certificate":       {fmt.Sprintf(alone, `"127.0.0.1:0"`, good) + "tls: {cert: /nowhere/c.pem, key: /nowhere/k.pem}\n", "tls.cert: is /nowhere/c.pem"},
		"no certificate in it": {fmt.Sprintf(alone, `"127.0.0.1:0"`, good) + "tls: {cert: " + others + ", key: " + others + "}\n", "tls.cert: is " + others + ", expected a certificate, with its key in tls.key"},
		"twice grouped":        {fmt.Sprintf(alone, `"127.0.0.1:0"`, good) + "projects: {a: [x], b: [x]}\n", "projects.b: is x, expected schemas of one project alone"},
		"super administrator":  {fmt.Sprintf(alone, `"127.0.0.1:0"`, good) + "super_administrators: {a: b}\n", "super_administrators"},
	} {
		t.Run(name, func(t *testing.T) {
			log := &said{}
			ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
			defer stop()
			file := written(t, "%s", c.config)
			if code := run(ctx, []string{"serve", "--config", file}, strings.NewReader(""), io.Discard, log); code != 1 {
				t.Errorf("exit code %d, wanted 1", code)
			}
			if !regexp.MustCompile(c.wanted).MatchString(log.String()) {
				t.Errorf("it said %q, wanted %s", log, c.wanted)
			}
		})
	}
}
