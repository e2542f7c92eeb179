package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned puts a certificate and its key into one file.
func selfSigned(t *testing.T, from, until time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, NotBefore: from, NotAfter: until}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pair.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What would keep serve from starting, or its clients from connecting, is told by check.
func TestCheckFiles(t *testing.T) {
	now := time.Now()
	good := selfSigned(t, now.Add(-time.Hour), now.Add(time.Hour))
	old := selfSigned(t, now.Add(-2*time.Hour), now.Add(-time.Hour))
	early := selfSigned(t, now.Add(time.Hour), now.Add(2*time.Hour))
	text := written(t, "no certificate")
	folder := t.TempDir()
	log := filepath.Join(folder, "audit.jsonl")
	tls := func(cert, key string) string { return fmt.Sprintf("tls: {cert: %s, key: %s}\n", cert, key) }
	for name, c := range map[string]struct{ config, log, wanted, unwanted string }{
		"a good pair":            {tls(good, good), log, "certificate     " + good + ": CN=gateway, until ", "tls.cert: is"},
		"no pair":                {"", log, "decision log    " + log + ": can be written", "certificate "},
		"out of its time":        {tls(old, old), log, "tls.cert: is " + old + ", expected a certificate that is valid now: it ended at", "certificate  "},
		"before its time":        {tls(early, early), log, "tls.cert: is " + early + ", expected a certificate that is valid now: it begins at", "certificate  "},
		"another's key":          {tls(good, old), log, "tls.cert: is " + good + ", expected a certificate, with its key in tls.key", "certificate  "},
		"text":                   {tls(text, text), log, "tls.cert: is " + text + ", expected a certificate", "certificate  "},
		"a log without folder":   {"", filepath.Join(folder, "none", "a.jsonl"), "audit.file: is " + filepath.Join(folder, "none", "a.jsonl") + ", expected a file that can be written", "decision log"},
		"a log that is a folder": {"", folder, "audit.file: is " + folder + ", expected a file that can be written", "decision log"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			file := written(t, alone+"%s", `"127.0.0.1:0"`, c.log, c.config)
			if code := run(context.Background(), []string{"check", "--config", file}, strings.NewReader(""), &out, &out); code != 1 { // no warehouse
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(out.String(), c.wanted) || strings.Contains(out.String(), c.unwanted) {
				t.Errorf("it said:\n%s\nwanted %s", out.String(), c.wanted)
			}
		})
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("check left %v, %v", left, err)
	}
}

func TestCheckProjects(t *testing.T) {
	var out bytes.Buffer
	faults := checkProjects(map[string][]string{"bank": {"bank", "ledger"}, "prj2": {"other"}, "hr": {"staff"}}, []string{"bank", "ledger", "prj2", "other"}, false, &out)
	if len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), "projects.prj2: is [other], expected the schema prj2 among them") {
		t.Errorf("%v", faults)
	}
	if got := out.String(); got != "projects        hr: the warehouse has no schema staff yet\n" {
		t.Errorf("%q", got)
	}
	if faults := checkProjects(map[string][]string{"PRJ2": {"other"}}, []string{"prj2", "other"}, false, &out); len(faults) != 0 {
		t.Errorf("another name where case counts: %v", faults)
	}
	if faults := checkProjects(map[string][]string{"PRJ2": {"other"}}, []string{"prj2", "other"}, true, &out); len(faults) != 1 {
		t.Errorf("the same name where it does not: %v", faults)
	}
}
