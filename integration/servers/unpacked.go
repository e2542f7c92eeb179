package servers

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// getDebian unpacks packages of a Debian suite into a folder, with nothing installed.
//
//go:embed get-debian.sh
var getDebian []byte

// MySQL starts an Oracle MySQL of its own for the test; root has no password on the socket. Its programs are
// unpacked from Debian's packages once and kept in the cache folder.
func MySQL(t testing.TB, args ...string) *Server {
	t.Helper()
	tree := unpacked(t, "mysql", "sid", "mysqld", "mysql-server-core", "mysql-client-core")
	root := filepath.Join(tree, "root")
	dir := scratch(t)
	port := FreePort(t)
	common := []string{"--no-defaults", "--user=" + username(), "--basedir=" + root + "/usr", "--lc-messages-dir=" + root + "/usr/share/mysql",
		"--character-sets-dir=" + root + "/usr/share/mysql/charsets", "--plugin-dir=" + root + "/usr/lib/mysql/plugin",
		"--secure-file-priv=", "--innodb-redo-log-capacity=64M", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0",
		"--innodb-doublewrite=OFF", "--innodb-flush-method=nosync", "--performance-schema=OFF", "--skip-log-bin", "--mysqlx=OFF", "--local-infile=ON"}
	daemon := filepath.Join(tree, "mysqld")
	data := filepath.Join(dir, "data")
	dataFolder(t, data, daemon, common, func(data string) *exec.Cmd {
		return exec.Command(daemon, append(slices.Clone(common), "--datadir="+data, "--initialize-insecure")...)
	})
	socket := filepath.Join(dir, "s.sock")
	all := append(slices.Clone(common), "--datadir="+data, "--bind-address=127.0.0.1", "--port="+strconv.Itoa(port), "--socket="+socket, "--pid-file="+filepath.Join(dir, "pid"))
	s := start(t, "MySQL", dir, func() error { return ping(socket) }, daemon, append(all, args...)...)
	s.Addr, s.Socket, s.Plain = "127.0.0.1:"+strconv.Itoa(port), socket, true
	return s
}

// MySQLClient gives the path of Oracle's own mysql command.
func MySQLClient(t testing.TB) string {
	t.Helper()
	return filepath.Join(unpacked(t, "mysql", "sid", "mysqld", "mysql-server-core", "mysql-client-core"), "mysql")
}

// NewMariaDB starts a MariaDB of the series after the one that this Debian has: 11.8, which offers TLS without being
// asked and knows PARSEC. It gives the path of its own client too.
func NewMariaDB(t testing.TB) (server *Server, client string) {
	t.Helper()
	tree := unpacked(t, "mariadb", "trixie", "mariadbd", "mariadb-server-core", "mariadb-client-core", "mariadb-server")
	root := filepath.Join(tree, "root", "usr")
	dir := scratch(t)
	daemon := filepath.Join(tree, "mariadbd")
	common := []string{"--no-defaults", "--user=" + username(), "--basedir=" + root, "--lc-messages-dir=" + root + "/share/mariadb", "--character-sets-dir=" + root + "/share/mariadb/charsets",
		"--plugin-dir=" + root + "/lib/mysql/plugin", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--performance-schema=OFF"}
	data := filepath.Join(dir, "data")
	dataFolder(t, data, daemon, common, func(data string) *exec.Cmd {
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(daemon, append(slices.Clone(common), "--datadir="+data, "--tmpdir="+filepath.Dir(data), "--bootstrap")...)
		cmd.Stdin = strings.NewReader(systemTables(t, filepath.Join(root, "share", "mariadb")))
		return cmd
	})
	socket, port := filepath.Join(dir, "s.sock"), FreePort(t)
	server = start(t, "MariaDB 11.8", dir, func() error { return ping(socket) }, daemon,
		append(common, "--datadir="+data, "--tmpdir="+dir, "--bind-address=127.0.0.1", "--port="+strconv.Itoa(port), "--socket="+socket, "--pid-file="+filepath.Join(dir, "pid"), "--skip-name-resolve")...)
	server.Addr, server.Socket = "127.0.0.1:"+strconv.Itoa(port), socket
	return server, filepath.Join(tree, "mariadb")
}

// systemTables is the script that makes the schema mysql, with a root that has no password.
func systemTables(t testing.TB, dir string) string {
	t.Helper()
	script := "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n"
	for _, name := range []string{"mariadb_system_tables.sql", "mariadb_performance_tables.sql", "mariadb_system_tables_data.sql"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		script += string(text) + "\n"
	}
	return script
}

// unpacked gives the folder that holds a server's programs, unpacking them when they are not there yet.
func unpacked(t testing.TB, name, suite, server string, packages ...string) string {
	t.Helper()
	return kept(t, name, map[string][]byte{"get-debian.sh": getDebian}, "get-debian.sh", append([]string{suite, server}, packages...)...)
}

// kept gives a folder of the cache that a script, one of files, fills when it is not filled yet.
func kept(t testing.TB, name string, files map[string][]byte, script string, args ...string) string {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	dir := filepath.Join(cacheFolder(), name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("bash", append([]string{filepath.Join(dir, script), dir}, args...)...).CombinedOutput(); err != nil {
		Missing(t, "get %s: %v\n%s", name, err, out)
	}
	return dir
}

// cacheFolder is where what takes long to make is kept.
func cacheFolder() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = filepath.Join(os.TempDir(), "cache")
	}
	return filepath.Join(cache, "sluice")
}
