package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"

	"sluice/integration/servers"
)

// Two commands, each sent at a gateway of its own at the same moment. <p> and <q> are projects of the round.
var races = []struct {
	name  string
	setup string // commands in <p>, split at semicolons
	one   string // user, project and command
	two   string
}{
	{"the first addition to a package, and a removal", "CREATE PACKAGE k", "super <p> ADD TABLE t TO PACKAGE k", "super <p> REMOVE TABLE t FROM PACKAGE k"},
	{"another addition to a package, and a removal", "CREATE PACKAGE k; ADD TABLE t TO PACKAGE k", "super <p> ADD TABLE u TO PACKAGE k", "super <p> REMOVE TABLE t FROM PACKAGE k"},
	{"two additions", "CREATE PACKAGE k", "super <p> ADD TABLE t TO PACKAGE k", "super <p> ADD TABLE u TO PACKAGE k"},
	{"an addition to a package that is dropped", "CREATE PACKAGE k", "super <p> ADD TABLE t TO PACKAGE k", "super <p> DROP PACKAGE k"},
	{"a package that is made twice", "", "super <p> CREATE PACKAGE k", "super <p> CREATE PACKAGE k"},
	{"a package that is dropped and made", "CREATE PACKAGE k; ADD TABLE t TO PACKAGE k", "super <p> DROP PACKAGE k", "super <p> CREATE PACKAGE k"},
	{"protection on and off", "", "super <p> SET ProjectProtection = true", "super <p> SET ProjectProtection = false"},
	{"an exception, and protection off", "SET ProjectProtection = true", "super <p> SET ProjectProtection = true WITH EXCEPTION '<exception a>'", "super <p> SET ProjectProtection = false"},
	{"two exceptions over one table", "", "super <p> SET ProjectProtection = true WITH EXCEPTION '<exception a>'", "super <p> SET ProjectProtection = dryrun WITH EXCEPTION '<exception b>'"},
	{"a trust that is given and taken", "", "super <p> ADD TRUSTEDPROJECT <q>", "super <p> REMOVE TRUSTEDPROJECT <q>"},
	{"trust both ways", "", "super <p> ADD TRUSTEDPROJECT <q>", "super <q> ADD TRUSTEDPROJECT <p>"},
	{"trust, and protection", "ADD TRUSTEDPROJECT <q>", "super <p> REMOVE TRUSTEDPROJECT <q>", "super <p> SET ProjectProtection = true"},
	{"owners who remove each other", "ADD OWNER alice; ADD OWNER bob", "alice <p> REMOVE OWNER bob", "bob <p> REMOVE OWNER alice"},
	{"an owner who acts while being removed", "ADD OWNER alice; ADD OWNER bob", "alice <p> REMOVE OWNER bob", "bob <p> SET ProjectProtection = true"},
	{"an owner who is added twice", "", "super <p> ADD OWNER alice", "super <p> ADD OWNER alice"},
	{"an installation, and its permission taken", "CREATE PACKAGE k; ALLOW PROJECT <q> TO INSTALL PACKAGE k", "super <q> INSTALL PACKAGE <p>.k", "super <p> DISALLOW PROJECT <q> TO INSTALL PACKAGE k"},
	{"an installation, and its permission given", "CREATE PACKAGE k", "super <q> INSTALL PACKAGE <p>.k", "super <p> ALLOW PROJECT <q> TO INSTALL PACKAGE k"},
	{"an installation of what is dropped", "CREATE PACKAGE k; ALLOW PROJECT <q> TO INSTALL PACKAGE k", "super <q> INSTALL PACKAGE <p>.k", "super <p> DROP PACKAGE k"},
	{"display caps", "", "super <p> SETPROJECT READ_TABLE_MAX_ROW = 5", "super <p> SETPROJECT READ_TABLE_MAX_ROW = 7"},
}

// raceRounds is how often each pair is raced: an order of steps that is wrong shows in few.
const raceRounds = 6

// However two commands at two gateways meet, what is left and what their clients are told is what one after the other gives.
func TestCommandsAreSerial(t *testing.T) {
	t.Parallel()
	warehouse, redis := servers.MariaDB(t), servers.Redis(t)
	warehouse.Prepare(t)
	g := &racing{t: t, warehouse: warehouse.Root(t), clients: map[string]*client{}}
	defer g.warehouse.Close()
	for _, user := range raceUsers {
		g.exec("CREATE USER '" + user + "'@'127.0.0.1' IDENTIFIED BY '" + accounts[user] + "'")
	}
	for i := range 2 {
		gateway := servers.StartGateway(t, warehouse, redis.Addr, "")
		for _, user := range raceUsers {
			g.clients[fmt.Sprint(user, i)] = dialAs(t, gateway.Addr, user, "")
		}
	}
	for _, c := range races {
		wanted := map[string]bool{}
		wanted[g.round(c.setup, c.one, c.two, "first one")] = true
		wanted[g.round(c.setup, c.one, c.two, "first two")] = true
		for range raceRounds {
			if got := g.round(c.setup, c.one, c.two, "both"); !wanted[got] {
				t.Errorf("%s gave\n%s\nand one after the other gives\n%s", c.name, got, strings.Join(slices.Collect(maps.Keys(wanted)), "\nor\n"))
			}
		}
	}
}

var raceUsers = []string{"super", "alice", "bob"}

// racing are the clients of two gateways.
type racing struct {
	t         *testing.T
	warehouse *sql.DB
	clients   map[string]*client // by user and gateway
	rounds    int
}

func (r *racing) exec(statements ...string) {
	r.t.Helper()
	for _, s := range statements {
		if _, err := r.warehouse.Exec(s); err != nil {
			r.t.Fatalf("%s: %v", s, err)
		}
	}
}

// round runs two commands in new projects, and tells what became of them and of the policy.
func (r *racing) round(setup, one, two, order string) string {
	r.t.Helper()
	r.rounds++
	p, q := fmt.Sprintf("p%dp", r.rounds), fmt.Sprintf("q%dq", r.rounds)
	for _, schema := range []string{p, q} {
		r.exec("CREATE DATABASE "+schema, "CREATE TABLE "+schema+".t (id INT)", "CREATE TABLE "+schema+".u (id INT)")
		for _, user := range raceUsers {
			r.exec("GRANT ALL ON " + schema + ".* TO '" + user + "'@'127.0.0.1'")
		}
	}
	names := strings.NewReplacer("<p>", p, "<q>", q, "<exception a>", raceException("alice", p), "<exception b>", raceException("bob", p))
	run := func(gateway int, command string) string {
		words := strings.SplitN(names.Replace(command), " ", 3)
		c := r.clients[fmt.Sprint(words[0], gateway)]
		c.do("USE " + words[1])
		_, err := c.try(words[2])
		var e *mysql.MySQLError
		switch {
		case err == nil:
			return "OK"
		case errors.As(err, &e):
			return fmt.Sprintf("%d %s", e.Number, e.Message)
		}
		r.t.Fatalf("%s: %v", command, err)
		return ""
	}
	for command := range strings.SplitSeq(setup, "; ") {
		if command != "" {
			if said := run(0, "super <p> "+command); said != "OK" {
				r.t.Fatalf("%s: %s", command, said)
			}
		}
	}
	var said [2]string
	switch order {
	case "first one":
		said[0] = run(0, one)
		said[1] = run(1, two)
	case "first two":
		said[1] = run(1, two)
		said[0] = run(0, one)
	default:
		var both sync.WaitGroup
		both.Go(func() { said[0] = run(0, one) })
		both.Go(func() { said[1] = run(1, two) })
		both.Wait()
	}
	return strings.NewReplacer(p, "<p>", q, "<q>").Replace("one: " + said[0] + "\ntwo: " + said[1] + "\n" + r.policy(p, q))
}

func raceException(user, p string) string {
	return `{"Version": "1", "Statement": [{"Effect": "Allow", "Principal": "` + user + `", "Action": ["odps:Select"], "Resource": "acs:odps:*:projects/` + p + `/tables/t"}]}`
}

var raceMarks = regexp.MustCompile(`"(time|created|identity|definition|checksum)":"[^"]*"`)

// policy gives what the truth says of two projects, without times and marks.
func (r *racing) policy(p, q string) string {
	rows, err := r.warehouse.Query("SELECT document FROM sluice.projects WHERE name IN (?, ?) ORDER BY name", p, q)
	documents, err := read(false, rows, err)
	if err != nil {
		r.t.Fatal(err)
	}
	return raceMarks.ReplaceAllString(strings.Join(documents, "\n"), `"$1":""`)
}
