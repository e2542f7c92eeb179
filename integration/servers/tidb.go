package servers

import (
	_ "embed"
	"path/filepath"
	"strconv"
	"testing"
)

// getTiDB builds TiDB from its Go module, whose checksums are tidbSums.
//
//go:embed get-tidb.sh
var getTiDB []byte

//go:embed tidb.sum
var tidbSums []byte

// TiDB starts a TiDB of its own for the test, with its storage in process; root has no password on the socket.
// The server is built once and kept in the cache folder: `make setup` does it before tests that wait for it.
func TiDB(t testing.TB, args ...string) *Server {
	t.Helper()
	daemon := tidbServer(t)
	dir := scratch(t)
	port := FreePort(t)
	socket := filepath.Join(dir, "s.sock")
	all := append([]string{"-store=unistore", "-path=" + filepath.Join(dir, "data"), "-host=127.0.0.1", "-P=" + strconv.Itoa(port), "-socket=" + socket,
		"-report-status=false", "-log-file=" + filepath.Join(dir, "tidb.log"), "-temp-dir=" + filepath.Join(dir, "tmp"), "-log-slow-query=" + filepath.Join(dir, "slow.log")}, args...)
	s := start(t, "TiDB", dir, func() error { return ping(socket) }, daemon, all...)
	s.Addr, s.Socket, s.Plain = "127.0.0.1:"+strconv.Itoa(port), socket, true
	return s
}

func tidbServer(t testing.TB) string {
	t.Helper()
	return filepath.Join(kept(t, "tidb", map[string][]byte{"get-tidb.sh": getTiDB, "tidb.sum": tidbSums}, "get-tidb.sh"), "tidb-server")
}
