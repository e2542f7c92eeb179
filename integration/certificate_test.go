package integration

import (
	"testing"
	"time"

	"sluice/integration/servers"
)

// certificate gives the files of a certificate that is valid now.
func certificate(t testing.TB) (cert, key string) {
	t.Helper()
	return servers.Certificate(t, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
}
