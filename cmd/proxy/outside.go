package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/config"
)

// warehouseTLS is the client side of TLS to the warehouse. Without a CA the certificate is not checked, as the
// mysql client does under PREFERRED; with one, name and chain are.
func warehouseTLS(cfg *config.Config) (*tls.Config, error) {
	w := cfg.Warehouse
	host, _, err := net.SplitHostPort(w.Address)
	if err != nil {
		host = ""
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if w.TLSCA == "" {
		t.InsecureSkipVerify = true //nolint:gosec // said in the documentation of warehouse.tls_ca
	} else {
		pem, err := os.ReadFile(w.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("warehouse.tls_ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("warehouse.tls_ca: no certificate in " + w.TLSCA)
		}
	}
	if w.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(w.TLSCert, w.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("warehouse.tls_cert: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// quiet drops what the Redis client says of its own: the store logs what matters.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// redisClient gives nil without addresses. Its patience is short: whatever waits for Redis can ask the warehouse.
func redisClient(cfg *config.Config) redis.UniversalClient {
	redis.SetLogger(quiet{})
	r := cfg.Redis
	if len(r.Addresses) == 0 {
		return nil
	}
	o := &redis.UniversalOptions{
		Addrs: r.Addresses, Username: r.Username, Password: r.Password, MasterName: r.MasterName, DB: r.DB,
		IsClusterMode: r.Cluster, SentinelUsername: r.SentinelUsername, SentinelPassword: r.SentinelPassword,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: 200 * time.Millisecond, ReadTimeout: 300 * time.Millisecond, WriteTimeout: 300 * time.Millisecond,
	}
	if r.TLS {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if r.MasterName == "" && (r.Cluster || len(r.Addresses) > 1) {
		cluster := o.Cluster()
		// Who listens for notices looks for another node by what it knows of the cluster. By default that is a minute old.
		cluster.ClusterStateReloadInterval = time.Second
		return redis.NewClusterClient(cluster)
	}
	return redis.NewUniversalClient(o)
}
