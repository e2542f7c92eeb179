package servers_test

import (
	"testing"

	"sluice/integration/servers"
)

// Each server starts, answers and stops.
func TestServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *servers.Server{"MariaDB": servers.MariaDB, "MySQL": servers.MySQL, "TiDB": servers.TiDB} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			db := s.Root(t)
			defer db.Close()
			var one int
			if err := db.QueryRow("SELECT 1").Scan(&one); err != nil || one != 1 {
				t.Fatalf("SELECT 1 gives %d, %v", one, err)
			}
		})
	}
	if r := servers.Redis(t); r.Addr == "" {
		t.Fatal("Redis has no address")
	}
}
