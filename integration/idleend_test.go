package integration

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/integration/servers"
)

// The end of a connection that was idle too long is what the warehouse makes it: MariaDB's is a reset, by which its clients know that
// they may connect again; MySQL says why first; TiDB closes.
func TestIdleEnd(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...string) *servers.Server{"MariaDB": servers.MariaDB, "MySQL": servers.MySQL, "TiDB": servers.TiDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, start(t), "")
			direct, through := idleEnd(t, w.warehouse.Addr), idleEnd(t, w.gateway.Addr)
			if direct != through {
				t.Errorf("directly %s, through Sluice %s", direct, through)
			}
			if name == "MariaDB" && direct != "reset" {
				t.Errorf("MariaDB's end is %s: the test did not do what it is for", direct)
			}
		})
	}
}

var idleEnds atomic.Int64

// idleEnd lets a connection be idle for too long and tells how it ends.
func idleEnd(t *testing.T, addr string) string {
	t.Helper()
	var socket net.Conn
	network := fmt.Sprintf("idle-end-%d", idleEnds.Add(1))
	mysql.RegisterDialContext(network, func(ctx context.Context, addr string) (net.Conn, error) {
		var err error
		socket, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		return socket, err
	})
	cfg, err := mysql.ParseDSN(servers.DSN(addr, "alice", accounts["alice"], "prj2"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Net, cfg.TLSConfig = network, ""
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.(driver.ExecerContext).ExecContext(context.Background(), "SET wait_timeout = 1", nil); err != nil {
		t.Fatal(err)
	}
	_ = socket.SetReadDeadline(time.Now().Add(30 * time.Second))
	said, err := io.ReadAll(socket)
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case err != nil:
		return err.Error()
	default:
		return fmt.Sprintf("%q and the end", said)
	}
}
