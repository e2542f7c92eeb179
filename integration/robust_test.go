package integration

import (
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/integration/servers"
)

// Garbage on the port ends that connection alone.
func TestGarbage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t, "--max-connect-errors=100000"), "")
	for i := range 200 {
		c, err := net.Dial("tcp", w.gateway.Addr)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1+i*7)
		if _, err := rand.Read(b); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 { // a plausible header before the noise
			b = append([]byte{byte(len(b)), byte(len(b) >> 8), 0, 1}, b...)
		}
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = c.Write(b)
		_ = c.Close()
	}
	w.as(t, "alice", "prj2").do("SELECT 1")
}

// A bad configuration names key, value and what was expected.
func TestBadConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.yaml")
	text := "listen: nowhere\nwarehouse: {flavour: mariadb, tls: perhaps}\nlimits: {connections: -1}\nprojects: {p: [mysql]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(servers.Binary(t), "check", "--config", file).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("exit 1 is expected: %v\n%s", err, out)
	}
	for _, part := range []string{`listen: is "nowhere"`, "warehouse.flavour: there is no such key; did you mean warehouse.flavor", `warehouse.tls: is "perhaps", expected one of disabled, preferred, required`, "limits.connections: is -1", "projects.p: is mysql"} {
		if !strings.Contains(string(out), part) {
			t.Errorf("the error lacks %q:\n%s", part, out)
		}
	}
}

// A bad policy is refused with its place, and the old one stays.
func TestBadPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "")
	owner := w.as(t, "owner", "myprj")
	owner.do("SET ProjectProtection = true")
	message := owner.failed(1064, "SET ProjectProtection = true WITH EXCEPTION '{\"Version\": \"1\",\n \"Statement\": [{\"Effect\": \"Perhaps\"}]}'")
	if !strings.Contains(message, "line 2") || !strings.Contains(message, "The old policy stays") {
		t.Errorf("the error is to name its line: %s", message)
	}
	w.as(t, "alice", "prj2").refused(ctas)
}

// With Redis dead and back, policy changes are slower at most, never lost; with the warehouse dead each client
// gets an error and the gateway lives.
func TestDeadServers(t *testing.T) {
	t.Parallel()
	warehouse := servers.MariaDB(t)
	warehouse.Prepare(t)
	warehouse.Exec(t, "CREATE DATABASE myprj", "CREATE DATABASE prj2", "CREATE TABLE myprj.table1 (id INT)",
		"CREATE USER 'super'@'127.0.0.1' IDENTIFIED BY '"+accounts["super"]+"'", "GRANT ALL ON *.* TO 'super'@'127.0.0.1'")
	redis := servers.Redis(t)
	one, two := servers.StartGateway(t, warehouse, redis.Addr, ""), servers.StartGateway(t, warehouse, redis.Addr, "")
	owner, reader := dialAs(t, one.Addr, "super", "myprj"), dialAs(t, two.Addr, "super", "prj2")
	owner.do("SET ProjectProtection = true")
	reader.refused("SELECT * FROM myprj.table1")
	redis.Kill()
	owner.do("ADD TRUSTEDPROJECT prj2")
	reader.do("SELECT * FROM myprj.table1")
	owner.do("REMOVE TRUSTEDPROJECT prj2")
	reader.refused("SELECT * FROM myprj.table1")
	warehouse.Kill()
	_, err := reader.try("SELECT 1")
	if err == nil {
		t.Error("the warehouse is dead")
	}
	db, err := sql.Open("mysql", servers.DSN(one.Addr, "super", accounts["super"], ""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var e *mysql.MySQLError
	if err := db.Ping(); !errors.As(err, &e) || !strings.Contains(e.Message, "cannot reach the warehouse") {
		t.Errorf("a clear error is expected, got %v", err)
	}
}

// A statement that runs when the warehouse dies ends at once, as it would without Sluice: the connection is closed, and
// the client knows that it is lost.
func TestWarehouseDiesDuringStatement(t *testing.T) {
	t.Parallel()
	warehouse := servers.MariaDB(t)
	w := newWorld(t, warehouse, "")
	alice := w.as(t, "alice", "prj2")
	go func() {
		awaited(t, warehouse, "SLEEP(59)")
		warehouse.Kill()
	}()
	begun := time.Now()
	if rows, err := alice.try("SELECT SLEEP(59)"); !errors.Is(err, mysql.ErrInvalidConn) && !errors.Is(err, driver.ErrBadConn) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a lost connection is expected, got %v, %v", rows, err)
	}
	if took := time.Since(begun); took > 50*time.Second {
		t.Errorf("the client waited %v for the loss of its connection", took)
	}
}

// awaited returns when somebody runs a statement that holds a text.
func awaited(t testing.TB, warehouse *servers.Server, text string) {
	db := warehouse.Root(t)
	defer db.Close()
	for n, deadline := 0, time.Now().Add(patience); n == 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		_ = db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND info LIKE '%" + text + "%'").Scan(&n)
	}
}

// Answers and requests around the 16 MiB packet limit come through byte for byte.
func TestLargePackets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t, "--max-allowed-packet=256M"), "limits: {statement_bytes: 134217728}")
	db, err := sql.Open("mysql", servers.DSN(w.gateway.Addr, "alice", accounts["alice"], "prj2")+"&maxAllowedPacket=268435456")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, size := range []int{1<<24 - 2, 1<<24 - 1, 1 << 24, 1<<24 + 1, 40 << 20} {
		var n int
		if err := db.QueryRow("SELECT LENGTH(?)", strings.Repeat("x", size)).Scan(&n); err != nil || n != size {
			t.Errorf("%d bytes up: %d, %v", size, n, err)
		}
		var back string
		if err := db.QueryRow(fmt.Sprintf("SELECT REPEAT('y', %d)", size)).Scan(&back); err != nil || len(back) != size {
			t.Errorf("%d bytes down: %d, %v", size, len(back), err)
		}
	}
}

// The time that a client has for taking a long answer ends with that answer: the connection lives on.
func TestLongAnswerThenPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "limits: {write_timeout: 1s}")
	alice := w.as(t, "alice", "prj2")
	for range 2 {
		alice.do("SELECT REPEAT('x', 100000)")
		alice.do("SELECT REPEAT('y', 20000) FROM (SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5) five")
		time.Sleep(1500 * time.Millisecond)
		alice.do("SELECT 1")
	}
}

// The display cap stops a result at exactly the row after the last allowed one, in both protocols.
func TestDisplayCap(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		owner := w.as(t, "owner", "myprj")
		owner.do("CREATE TABLE myprj.many (id INT)")
		owner.do("INSERT INTO myprj.many WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 50) SELECT n FROM r")
		owner.do("SET ProjectProtection = true")
		owner.do("SETPROJECT READ_TABLE_MAX_ROW = 50")
		if rows := owner.do("SELECT * FROM many"); len(rows) != 50 {
			t.Errorf("%d rows of 50", len(rows))
		}
		owner.do("SETPROJECT READ_TABLE_MAX_ROW = 49")
		for name, f := range map[string]func() ([]string, error){
			"text":   func() ([]string, error) { return owner.try("SELECT * FROM many") },
			"binary": func() ([]string, error) { return owner.try("SELECT * FROM many WHERE id > ?", 0) },
		} {
			rows, err := f()
			var e *mysql.MySQLError
			if len(rows) != 49 || !errors.As(err, &e) || e.Number != 1142 || !strings.Contains(e.Message, "49") {
				t.Errorf("%s: %d rows, %v", name, len(rows), err)
			}
			if rows := owner.do("SELECT * FROM many LIMIT 5"); len(rows) != 5 {
				t.Errorf("%s: the session is out of step: %v", name, rows)
			}
		}
		if rows := owner.do("SHOW FLOW LOG WHERE rule = 'display cap'"); len(rows) != 2 {
			t.Errorf("%d stops at the cap are recorded, 2 were", len(rows))
		}
		owner.do("SET ProjectProtection = dryrun")
		for name, rows := range map[string][]string{"text": owner.do("SELECT * FROM many"), "binary": owner.do("SELECT * FROM many WHERE id > ?", 0)} {
			if len(rows) != 50 {
				t.Errorf("dry run, %s: %d rows of 50", name, len(rows))
			}
		}
		owner.do("SELECT * FROM many LIMIT 49")
		if rows := owner.do("SHOW FLOW LOG WHERE rule = 'display cap' AND verdict = 'dryrun'"); len(rows) != 2 {
			t.Errorf("%d results past the cap are recorded in dry run, 2 were", len(rows))
		}
	})
}

// KILL QUERY with the id that the client was greeted with ends its statement.
func TestKill(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		alice, killer := w.as(t, "alice", "prj2"), w.as(t, "alice", "prj2")
		id := alice.do("SELECT CONNECTION_ID()")[0]
		go func() {
			awaited(t, w.warehouse, "SLEEP(59)")
			_, _ = killer.try("KILL QUERY " + id)
		}()
		begun := time.Now()
		_, err := alice.try("SELECT SLEEP(59)")
		if took := time.Since(begun); took > 50*time.Second {
			t.Errorf("the statement ran for %v (%v)", took, err)
		}
	})
}

// The decision log's chain is whole, and an edit shows.
func TestAuditVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "")
	w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
	for range 5 {
		w.as(t, "alice", "prj2").refused(ctas)
	}
	out, err := exec.Command(servers.Binary(t), "audit", "verify", w.gateway.Audit).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "the chain is whole") {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(w.gateway.Audit)
	if err != nil {
		t.Fatal(err)
	}
	edited := filepath.Join(t.TempDir(), "edited.jsonl")
	if err := os.WriteFile(edited, []byte(strings.Replace(string(text), `"user":"alice"`, `"user":"bob"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(servers.Binary(t), "audit", "verify", edited).CombinedOutput(); err == nil {
		t.Errorf("an edited log passes: %s", out)
	}
	auditRotates(t, w)
}

// auditRotates: the log goes on over a rotation, and what is cut off at its end shows in the warehouse's rows.
func auditRotates(t *testing.T, w *world) {
	verify := func(args ...string) (string, error) {
		out, err := exec.Command(servers.Binary(t), append([]string{"audit", "verify", "--config", w.gateway.Config}, args...)...).CombinedOutput()
		return string(out), err
	}
	old := w.gateway.Audit + ".1"
	if err := os.Rename(w.gateway.Audit, old); err != nil {
		t.Fatal(err)
	}
	w.gateway.Signal(t, syscall.SIGHUP)
	eventually(t, "the log is opened again", func() bool { _, err := os.Stat(w.gateway.Audit); return err == nil })
	for range 3 {
		w.as(t, "alice", "prj2").refused(ctas)
	}
	w.as(t, "owner", "myprj").do("SHOW FLOW LOG LIMIT 1") // waits for the rows
	if out, err := verify("--rows", old, w.gateway.Audit); err != nil || strings.Count(out, "the chain is whole") != 2 || !strings.Contains(out, "no newer rows") {
		t.Errorf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(w.gateway.Audit)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	cut := filepath.Join(t.TempDir(), "cut.jsonl")
	if err := os.WriteFile(cut, []byte(strings.Join(lines[:len(lines)-1], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := verify(old, cut); err != nil {
		t.Errorf("a cut end does not show in the files alone: %v\n%s", err, out)
	}
	if out, err := verify("--rows", old, cut); err == nil || !strings.Contains(out, "lines are missing at the end") {
		t.Errorf("a cut end passes: %v\n%s", err, out)
	}
}

// A dry run refuses nothing and records what it would have refused.
func TestDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "")
	owner := w.as(t, "owner", "myprj")
	owner.do("SET ProjectProtection = dryrun")
	w.as(t, "alice", "prj2").do(ctas)
	if rows := strings.Join(owner.do("SHOW FLOW LOG WHERE verdict = 'dryrun'"), "\n"); !strings.Contains(rows, "myprj.table1 -> prj2.x") {
		t.Errorf("the dry run's entry is missing: %s", rows)
	}
}
