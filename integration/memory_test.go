package integration

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/gateway/wire"
	"sluice/integration/servers"
)

// An idle session that ran a statement holds little memory, whether it is compressed or not: at most 12 KiB resident, and
// 48 KiB with TLS on both legs. SLUICE_SOAK=1 measures it with 10,000 sessions, SLUICE_SESSIONS=n with n, and the ordinary run with
// 2,000; at as few gateways as the files that the machine lets a process open allow, since a session is two sockets of its gateway.
func TestIdleMemory(t *testing.T) {
	t.Parallel()
	n := 2000
	if os.Getenv("SLUICE_SOAK") != "" {
		n = 10000
	}
	if text := os.Getenv("SLUICE_SESSIONS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	gateways := 1
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		gateways = 1 + 2*n/int(files.Max-500)
	}
	cert, key := certificate(t)
	warehouse := lone(t, "--ssl-cert="+cert, "--ssl-key="+key, "--thread-handling=pool-of-threads", "--thread-pool-max-threads=16", "--max-connections="+strconv.Itoa(n+100), "--open-files-limit=40000", "--back-log=2000")
	warehouse.Plain = true // the race detector's own memory is many times a session's
	t.Run("plain", func(t *testing.T) { idleMemory(t, warehouse, "", n, gateways, 12) })
	warehouse.Keys = ", tls: required"
	if os.Getenv("SLUICE_SOAK") == "" {
		n /= 2 // a login takes its time
	}
	t.Run("TLS", func(t *testing.T) {
		idleMemory(t, warehouse, fmt.Sprintf("tls: {cert: %s, key: %s}\n", cert, key), n, gateways, 48)
	})
}

func idleMemory(t *testing.T, warehouse *servers.Server, extra string, n, gateways int, limit float64) {
	type running struct {
		*servers.Gateway
		goroutines float64
		before     int64
		clients    []*prober
	}
	all := make([]*running, gateways)
	share, warm := n/gateways, min(200, n/gateways/2)
	for i := range all {
		g := &running{Gateway: servers.StartGateway(t, warehouse, "", fmt.Sprintf("limits: {connections: %d, login_timeout: 60s}\nlog: {level: error}\n%s", share+10, extra))}
		g.goroutines = metric(t, g.Gateway, "go_goroutines")
		g.clients = dialMany(t, g.Addr, warm, extra != "") // buffers and stacks of the program's own
		g.before = g.Resident(t)
		all[i] = g
	}
	for _, g := range all {
		g.clients = append(g.clients, dialMany(t, g.Addr, share-warm, extra != "")...)
	}
	resident := func() (now, grown int64) {
		for _, g := range all {
			r := g.Resident(t)
			now, grown = now+r, grown+r-g.before
		}
		return now, grown
	}
	each := func() float64 { _, grown := resident(); return float64(grown) / float64(gateways*(share-warm)) / 1024 }
	// It tidies up after many logins.
	for tidied := time.Now().Add(patience); each() > limit && time.Now().Before(tidied); {
		time.Sleep(100 * time.Millisecond)
	}
	now, _ := resident()
	t.Logf("%d sessions at %d gateways: %d MiB resident, %.1f KiB each", share*gateways, gateways, now>>20, each())
	if each() > limit {
		t.Errorf("an idle session holds %.1f KiB", each())
	}
	for _, g := range all {
		for _, p := range g.clients {
			_ = p.conn.Close()
		}
	}
	for _, g := range all {
		within(t, "the sessions end", 60*time.Second, func() bool {
			return metric(t, g.Gateway, "sluice_sessions") == 0 && metric(t, g.Gateway, "go_goroutines") <= g.goroutines+5
		})
	}
}

// metric gives a number that the gateway tells of itself.
func metric(t testing.TB, g *servers.Gateway, name string) float64 {
	t.Helper()
	r, err := http.Get("http://" + g.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// dialMany logs n clients in, each of which runs a statement.
func dialMany(t testing.TB, addr string, n int, encrypt bool) []*prober {
	t.Helper()
	out := make([]*prober, n)
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := w; i < n; i += 8 {
				compress := wire.ClientCompress * wire.Capability(i/8%2) // every other one
				p, err := dialProber(addr, "probe", "probe", probeCaps|wire.ClientDeprecateEOF|compress, 0, encrypt)
				if err == nil {
					_, err = (&probing{prober: p}).run([]string{"query SELECT 1", "query SELECT 1 + 1"}) // the first needs no question
				}
				if err != nil {
					t.Errorf("session %d: %v", i, err)
					return
				}
				out[i] = p
			}
		})
	}
	workers.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return out
}

// Files and results of any size pass in constant memory, compressed or not, over TLS or not: with SLUICE_SOAK=1 a file of
// a gigabyte and a result of five, 50 MB otherwise.
func TestStreamMemory(t *testing.T) {
	t.Parallel()
	rows, times := 50_000, 1
	if os.Getenv("SLUICE_SOAK") != "" {
		rows, times = 1_000_000, 5
	}
	cert, key := certificate(t)
	warehouse := lone(t, "--ssl-cert="+cert, "--ssl-key="+key)
	warehouse.Plain = true // as in TestIdleMemory
	for _, s := range []struct{ name, leg, options string }{
		{"plain", "disabled", ""}, {"compressed", "disabled", "&compress=true"}, {"TLS", "required", "&tls=skip-verify"},
	} {
		t.Run(s.name, func(t *testing.T) {
			warehouse.Exec(t, "CREATE OR REPLACE TABLE probe.bulk (a INT, v VARCHAR(1000)) ENGINE=MyISAM")
			warehouse.Keys = ", tls: " + s.leg
			g := servers.StartGateway(t, warehouse, "", "tls: {cert: "+cert+", key: "+key+"}")
			streamBoth(t, g, rows, times, s.options)
		})
	}
}

// streamBoth sends rows as a file and reads them back some times, in one result.
func streamBoth(t *testing.T, g *servers.Gateway, rows, times int, options string) {
	db, err := sql.Open("mysql", servers.DSN(g.Addr, "probe", "", "probe")+options)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	if _, err := db.ExecContext(ctx, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	sent := sha256.New()
	mysql.RegisterReaderHandler("bulk", func() io.Reader { return &lines{rows: rows, sum: sent} })
	defer mysql.DeregisterReaderHandler("bulk")
	before, start := g.Resident(t), time.Now()
	peak := watchResident(t, g)
	if _, err := db.ExecContext(ctx, "LOAD DATA LOCAL INFILE 'Reader::bulk' INTO TABLE bulk FIELDS TERMINATED BY ','"); err != nil {
		t.Fatal(err)
	}
	filed := time.Since(start)
	const query = "SELECT a, v FROM bulk"
	got, n := sha256.New(), 0
	result, err := db.QueryContext(ctx, query+strings.Repeat(" UNION ALL "+query, times-1))
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	for result.Next() {
		var a int
		var v sql.RawBytes
		if err := result.Scan(&a, &v); err != nil {
			t.Fatal(err)
		}
		_, _ = got.Write(append(append(append(strconv.AppendInt(nil, int64(a), 10), ','), v...), '\n'))
		if n++; n%rows > 0 {
			continue
		}
		if string(got.Sum(nil)) != string(sent.Sum(nil)) {
			t.Fatalf("%d rows came back, not as they were sent", n)
		}
		got.Reset()
	}
	if err := result.Err(); err != nil || n != rows*times {
		t.Fatalf("%d of %d rows came back: %v", n, rows*times, err)
	}
	grown := peak() - before
	t.Logf("a file of %d MB in %v, a result of %d MB in %v: %d KiB of memory more at the peak", rows/1000, filed, rows*times/1000, time.Since(start)-filed, grown>>10)
	if grown > 16<<20 {
		t.Errorf("the gateway grew by %d MiB", grown>>20)
	}
}

// A file may take longer than any one write may: a client has the time for each part of it.
func TestSlowFile(t *testing.T) {
	t.Parallel()
	warehouse := lone(t)
	warehouse.Exec(t, "CREATE TABLE probe.bulk (a INT, v VARCHAR(1000))")
	g := servers.StartGateway(t, warehouse, "", "limits: {write_timeout: 2s}")
	mysql.RegisterReaderHandler("slow", func() io.Reader { return &slowly{&lines{rows: 150, sum: io.Discard}} })
	defer mysql.DeregisterReaderHandler("slow")
	for _, compress := range []string{"false", "true"} {
		c := dialWith(t, g.Addr, "probe", "", "probe", "&compress="+compress+"&maxAllowedPacket=1024")
		c.do("LOAD DATA LOCAL INFILE 'Reader::slow' INTO TABLE bulk FIELDS TERMINATED BY ','")
	}
	if n := dialWith(t, g.Addr, "probe", "", "probe").do("SELECT COUNT(*) FROM bulk"); n[0] != "300" {
		t.Errorf("%v rows came", n)
	}
}

// slowly takes its time over each read.
type slowly struct{ io.Reader }

func (s *slowly) Read(p []byte) (int, error) {
	time.Sleep(20 * time.Millisecond)
	return s.Reader.Read(p)
}

var zeros = strings.Repeat("0", 990)

// lines gives rows of about 1000 bytes.
type lines struct {
	rows, at int
	rest     []byte
	sum      io.Writer
}

func (l *lines) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		if l.at == l.rows {
			return 0, io.EOF
		}
		number := strconv.Itoa(l.at)
		l.rest = []byte(number + "," + zeros[len(number):] + number + "\n")
		_, _ = l.sum.Write(l.rest)
		l.at++
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// watchResident samples a gateway's memory until the function that it gives is called, which gives the peak.
func watchResident(t testing.TB, g *servers.Gateway) func() int64 {
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		peak := int64(0)
		for {
			peak = max(peak, g.Resident(t))
			select {
			case <-stop:
				done <- peak
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(stop); return <-done }
}
