package integration

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/integration/servers"
	"sluice/lineage/catalog"
)

// BenchmarkRelay runs the same statements directly and through the gateway, with a project protected that they do
// not touch, and with one that they read inside of. Compare the two lines of a statement: only their ratio carries over.
func BenchmarkRelay(b *testing.B) {
	w := newWorld(b, servers.MariaDB(b), "")
	w.warehouse.Exec(b, "CREATE TABLE prj2.many (id INT PRIMARY KEY, v VARCHAR(100))",
		"INSERT INTO prj2.many WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 1000) SELECT n, REPEAT('x', 80) FROM r")
	w.as(b, "owner", "myprj").do("SET ProjectProtection = true")
	for _, s := range []struct{ name, schema, query string }{
		{"point", "prj2", "SELECT v FROM many WHERE id = %d"},
		{"inside", "myprj", "SELECT v FROM table1 WHERE id = %d"},
		{"range1000", "prj2", "SELECT id, v FROM many WHERE id > 0 * %d"},
		{"insert", "prj2", "INSERT INTO t VALUES (%d, 'x')"},
	} {
		for _, way := range []struct{ name, addr string }{{"direct", w.warehouse.Addr}, {"gateway", w.gateway.Addr}} {
			b.Run(s.name+"/"+way.name, func(b *testing.B) { statements(b, way.addr, s.schema, s.query) })
		}
	}
	b.Run("prepared/direct", func(b *testing.B) { executions(b, w.warehouse.Addr) })
	b.Run("prepared/gateway", func(b *testing.B) { executions(b, w.gateway.Addr) })
	b.Run("connect/direct", func(b *testing.B) { connections(b, w.warehouse.Addr) })
	b.Run("connect/gateway", func(b *testing.B) { connections(b, w.gateway.Addr) })
}

func statements(b *testing.B, addr, schema, query string) {
	c := dialAs(b, addr, "alice", schema)
	defer c.close()
	for i := 0; b.Loop(); i++ {
		drain(b, c, fmt.Sprintf(query, i%1000))
	}
}

func executions(b *testing.B, addr string) {
	c := dialAs(b, addr, "alice", "prj2")
	defer c.close()
	st, err := c.conn.PrepareContext(context.Background(), "SELECT v FROM many WHERE id = ?")
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	for i := 0; b.Loop(); i++ {
		var v sql.NullString
		if err := st.QueryRow(i%1000 + 1).Scan(&v); err != nil {
			b.Fatal(err)
		}
	}
}

func connections(b *testing.B, addr string) {
	for b.Loop() {
		c := dialAs(b, addr, "alice", "prj2")
		c.close()
	}
}

// drain runs a statement and reads its rows without keeping them.
func drain(b *testing.B, c *client, query string) {
	rows, err := c.conn.QueryContext(context.Background(), query)
	if err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
	}
	if err := rows.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCatalogAfterChange is the catalog's part of the first statement behind a definition made elsewhere, in a schema of
// 2,000 tables: by-name reads the one table that the statement names, whole the schema.
func BenchmarkCatalogAfterChange(b *testing.B) {
	for name, start := range map[string]func(testing.TB, ...string) *servers.Server{"MariaDB": servers.MariaDB, "MySQL": servers.MySQL} {
		b.Run(name, func(b *testing.B) {
			s := start(b)
			db := s.Root(b)
			b.Cleanup(func() { db.Close() })
			exec := func(text string) {
				if _, err := db.Exec(text); err != nil {
					b.Fatal(err)
				}
			}
			exec("CREATE DATABASE big")
			for i := range 2000 {
				exec(fmt.Sprintf("CREATE TABLE big.t%d (id INT PRIMARY KEY, a INT, b INT, c INT, d INT, e INT, f INT, g INT, h VARCHAR(100))", i))
			}
			l := reader(b, s)
			b.Run("of-others", func(b *testing.B) { ofOthers(b, s) })
			for kind, use := range map[string]func(*catalog.Snapshot) error{
				"by-name": func(s *catalog.Snapshot) error { _, err := s.Object(b.Context(), "big", "t7"); return err },
				"whole":   func(s *catalog.Snapshot) error { _, err := s.Schema(b.Context(), "big"); return err },
			} {
				b.Run(kind, func(b *testing.B) {
					c, best := catalog.New(l, time.Nanosecond), time.Hour
					for i := 0; b.Loop(); i++ {
						b.StopTimer()
						exec(fmt.Sprintf("CREATE OR REPLACE VIEW big.v AS SELECT %d AS a", i))
						b.StartTimer()
						begun := time.Now()
						snapshot, err := c.Current(b.Context())
						if err == nil {
							err = use(snapshot)
						}
						if err != nil {
							b.Fatal(err)
						}
						best = min(best, time.Since(begun))
					}
					b.ReportMetric(float64(best.Microseconds())/1000, "ms/best")
				})
			}
		})
	}
}

// ofOthers is what a gateway that starts waits for, when another one has read the schema.
func ofOthers(b *testing.B, s *servers.Server) {
	serviceAccount(b, s)
	client := redis.NewClient(&redis.Options{Addr: servers.Redis(b).Addr})
	b.Cleanup(func() { client.Close() })
	whole := func() (time.Duration, int) {
		c := catalogOf(b, s, client)
		begun := time.Now()
		snapshot, err := c.catalog.Current(b.Context())
		if err == nil {
			_, err = snapshot.Schema(b.Context(), "big")
		}
		if err != nil {
			b.Fatal(err)
		}
		return time.Since(begun), c.loads
	}
	whole()
	best := time.Hour
	for b.Loop() {
		took, loads := whole()
		if loads > 0 {
			b.Fatal("the schema was read")
		}
		best = min(best, took)
	}
	b.ReportMetric(float64(best.Microseconds())/1000, "ms/best")
}
