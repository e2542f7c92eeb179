package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificates gives the certificate shown to clients, read again when its file changed.
type certificates struct {
	cert, key string
	log       *slog.Logger
	mu        sync.Mutex
	current   *tls.Config
	changed   time.Time
	looked    time.Time
}

// start fails without the certificate that the configuration names: to offer no TLS in its place would have clients that
// prefer it send their data in the clear.
func (c *certificates) start(now time.Time) error {
	if c.cert == "" {
		return nil
	}
	pair, err := certificate(c.cert, c.key)
	if err != nil {
		return err
	}
	c.warn(pair, now)
	return nil
}

// warn tells of a certificate that is out of its time. It is shown all the same: most MySQL clients do not look.
func (c *certificates) warn(pair tls.Certificate, now time.Time) {
	if err := validAt(c.cert, pair, now); err != nil {
		c.log.Warn("clients that check certificates will not connect", "error", err)
	}
}

// certificate reads the pair that is shown to clients.
func certificate(cert, key string) (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("tls.cert: is %s, expected a certificate, with its key in tls.key: %w", cert, err)
	}
	return pair, nil
}

func validAt(cert string, pair tls.Certificate, now time.Time) error {
	const day = "2006-01-02 15:04:05 MST"
	switch leaf := pair.Leaf; {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("tls.cert: is %s, expected a certificate that is valid now: it ended at %s", cert, leaf.NotAfter.Format(day))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("tls.cert: is %s, expected a certificate that is valid now: it begins at %s", cert, leaf.NotBefore.Format(day))
	}
	return nil
}

func (c *certificates) forget() {
	c.mu.Lock()
	c.changed, c.looked = time.Time{}, time.Time{}
	c.mu.Unlock()
}

// config gives nil when no certificate is configured. A file that became unreadable keeps the old one.
func (c *certificates) config() *tls.Config {
	if c.cert == "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < time.Second {
		return c.current
	}
	c.looked = time.Now()
	info, err := os.Stat(c.cert)
	if err != nil || (c.current != nil && info.ModTime().Equal(c.changed)) {
		return c.current
	}
	pair, err := certificate(c.cert, c.key)
	if err != nil {
		c.log.Error("read the certificate; the old one is kept", "error", err)
		return c.current
	}
	c.warn(pair, c.looked)
	c.changed = info.ModTime()
	c.current = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return c.current
}
