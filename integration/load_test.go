package integration

import (
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/integration/servers"
)

// loads are what the ways to the warehouse are compared by.
var loads = []struct {
	name    string
	script  string
	threads int
	options []string
}{
	{"point select, text", "oltp_point_select", 8, []string{"--db-ps-mode=disable", "--skip-trx"}},
	{"point select, prepared", "oltp_point_select", 8, []string{"--db-ps-mode=auto", "--skip-trx"}},
	{"read and write, text", "oltp_read_write", 8, []string{"--db-ps-mode=disable"}},
	{"read and write, prepared", "oltp_read_write", 8, []string{"--db-ps-mode=auto"}},
	{"connect, SELECT 1, leave", "testdata/load/connect.lua", 4, nil},
	{"result of 25 MB", "testdata/load/big.lua", 2, nil},
}

const (
	loadRounds  = 9
	loadSeconds = 3
)

// BenchmarkLoad runs sysbench directly, through HAProxy in TCP mode and through the gateway with a project
// protected, in turn, round after round. It prints a table of medians: throughput, processor time of the proxy for
// each event (a query, a transaction of twenty, a connection or a result), both against HAProxy of the same round.
func BenchmarkLoad(b *testing.B) {
	sysbench := servers.Sysbench(b)
	warehouse := servers.MariaDB(b, "--innodb-buffer-pool-size=256M", "--innodb-log-file-size=64M")
	w := newWorld(b, warehouse, "")
	w.as(b, "owner", "myprj").do("SET ProjectProtection = true")
	warehouse.Exec(b, "CREATE DATABASE sbtest", "GRANT ALL ON sbtest.* TO 'bob'@'127.0.0.1'",
		"CREATE TABLE sbtest.big (id INT PRIMARY KEY, v VARCHAR(1000))",
		"INSERT INTO sbtest.big SELECT seq, REPEAT('x', 1000) FROM sbtest.seq_1_to_25000")
	tables := []string{"--tables=4", "--table-size=10000"}
	runLoad(b, sysbench, warehouse.Addr, append([]string{"oltp_read_write", "prepare"}, tables...))
	haproxy := servers.HAProxy(b, warehouse)
	ways := []loadWay{{warehouse.Addr, nil}, {haproxy.Addr, haproxy}, {w.gateway.Addr, w.gateway.Server}}
	for b.Loop() {
		fmt.Print(loadHead)
		for _, l := range loads {
			args := append([]string{l.script, "run", "--threads=" + strconv.Itoa(l.threads), "--time=" + strconv.Itoa(loadSeconds)}, l.options...)
			if strings.HasPrefix(l.script, "oltp_") {
				args = append(args, tables...)
			}
			fmt.Print(compare(b, sysbench, l.name, ways, args))
		}
	}
}

const loadHead = "\n| load | direct, 1/s | HAProxy, 1/s | Sluice, 1/s | Sluice : HAProxy | CPU of HAProxy | CPU of Sluice | Sluice : HAProxy | resident, HAProxy and Sluice |\n|---|---|---|---|---|---|---|---|---|\n"

// loadWay is one way to the warehouse.
type loadWay struct {
	addr  string
	proxy *servers.Server // nil: none
}

// measured is what one run of a load showed.
type measured struct {
	rate float64 // events a second
	cpu  float64 // microseconds of the proxy for an event
}

// compare runs a load on every way in each round, beginning with another one each time, and gives a line of the table.
func compare(b *testing.B, sysbench, name string, ways []loadWay, args []string) string {
	rounds := make([][]measured, len(ways))
	for round := range loadRounds {
		for i := range ways {
			n := (round + i) % len(ways)
			rounds[n] = append(rounds[n], ways[n].run(b, sysbench, args))
		}
	}
	rate := func(m measured) float64 { return m.rate }
	cpu := func(m measured) float64 { return m.cpu }
	return fmt.Sprintf("| %s | %.0f | %.0f | %.0f | %.2f | %.1f µs | %.1f µs | %.2f | %d and %d MiB |\n", name,
		median(rounds[0], rate), median(rounds[1], rate), median(rounds[2], rate), medianRatio(rounds[2], rounds[1], rate),
		median(rounds[1], cpu), median(rounds[2], cpu), medianRatio(rounds[2], rounds[1], cpu),
		ways[1].proxy.Resident(b)>>20, ways[2].proxy.Resident(b)>>20)
}

func (w loadWay) run(b *testing.B, sysbench string, args []string) measured {
	var before time.Duration
	if w.proxy != nil {
		before = w.proxy.CPU(b)
	}
	events, seconds := runLoad(b, sysbench, w.addr, args)
	m := measured{rate: events / seconds}
	if w.proxy != nil {
		m.cpu = float64((w.proxy.CPU(b) - before).Microseconds()) / events
	}
	return m
}

func median(rounds []measured, of func(measured) float64) float64 {
	all := make([]float64, len(rounds))
	for i, m := range rounds {
		all[i] = of(m)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// medianRatio is the median of the ratios in each round: neighbours in time, so that what else the machine does
// weighs on both.
func medianRatio(a, b []measured, of func(measured) float64) float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = of(a[i]) / of(b[i])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

var (
	loadEvents  = regexp.MustCompile(`total number of events: +(\d+)`)
	loadElapsed = regexp.MustCompile(`total time: +([0-9.]+)s`)
)

// runLoad runs sysbench as bob and gives how many events there were in how many seconds.
func runLoad(b *testing.B, sysbench, addr string, args []string) (events, seconds float64) {
	b.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		b.Fatal(err)
	}
	args = append([]string{"--db-driver=mysql", "--mysql-host=" + host, "--mysql-port=" + port, "--mysql-user=bob", "--mysql-password=" + accounts["bob"], "--mysql-db=sbtest"}, args...)
	out, err := exec.Command(sysbench, args...).CombinedOutput()
	if err != nil {
		b.Fatalf("sysbench %v: %v\n%s", args, err, out)
	}
	return found(loadEvents, out), found(loadElapsed, out)
}

// found gives what a pattern finds, 0 if nothing.
func found(pattern *regexp.Regexp, text []byte) float64 {
	match := pattern.FindSubmatch(text)
	if match == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(string(match[1]), 64)
	return n
}
