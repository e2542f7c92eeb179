package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// theft is the statement that project protection exists for.
const theft = "create table prj2.table2 as select * from myprj.table1"

// exception lets alice take one table out of alipay, in queries and in downloads.
const exception = `{"Version": "1", "Statement": [{"Effect": "Allow", "Principal": "alice", "Action": ["odps:Select"], ` +
	`"Resource": "acs:odps:*:projects/alipay/tables/table_test", ` +
	`"Condition": {"StringEquals": {"odps:TaskType": ["DT", "SQL"]}}}]}`

const export = "create table prj2.orders as select * from alipay.table_test"

// playTimeout bounds the whole story.
const playTimeout = 2 * time.Minute

// play tells the story. It gives the first difference between an answer and what the story expects.
func (w *world) play(ctx context.Context, out *screen) error {
	ctx, cancel := context.WithTimeout(ctx, playTimeout)
	defer cancel()
	p := &play{ctx: ctx, world: w, out: out, sessions: map[string]*sql.DB{}}
	for _, chapter := range []func(*play){stopped, explained, trusted, excepted, sealed, recorded} {
		chapter(p)
	}
	for _, db := range p.sessions {
		if err := db.Close(); err != nil {
			p.fail("close a session: %v", err)
		}
	}
	if p.err == nil {
		out.line("")
		out.line(out.style("Every answer was the expected one.", green))
	}
	return p.err
}

func stopped(p *play) {
	p.chapter("1  Alice is stopped",
		"Alice may read myprj.table1 and may create tables in prj2. Nothing in the warehouse's grants keeps her from carrying one into the other, until the owner of myprj protects it.")
	p.ok("owner", "myprj", "SET ProjectProtection = true")
	p.refused("alice", "prj2", theft,
		"ODPS-0130013:Authorization exception - Authorization Failed [4021], You have NO privilege 'odps:Select' on {acs:odps:*:projects/myprj/tables/table1}.",
		"project 'myprj' is protected. You need to contact the project owner to set the exception policy for you.",
		"Flow myprj.table1 -> prj2.table2", "An owner of myprj can: ADD TRUSTEDPROJECT prj2")
	p.absent("the warehouse holds no table prj2.table2", "SELECT table_name FROM information_schema.tables WHERE table_schema = 'prj2' AND table_name = 'table2'")
	p.refused("alice", "prj2", "insert into prj2.notes select id + 1, name from myprj.table1", "[4021]", "Flow myprj.table1 -> prj2.notes")
	p.absent("no row of myprj stands in prj2.notes", "SELECT id FROM prj2.notes WHERE id > 1")
	p.refused("alice", "prj2", "select avg(salary) from myprj.table1", "[4021]")
	p.note("Inside of myprj she works as before, and data may always flow in.")
	p.rows("alice", "myprj", "select * from table1", 3)
	p.rows("alice", "prj2", "select * from notes", 1)
}

func explained(p *play) {
	p.chapter("2  Why", "EXPLAIN FLOW shows each flow of a statement with the rule that decides it, and runs nothing.")
	rows := p.ok("alice", "prj2", "EXPLAIN FLOW "+theft)
	p.expect(mentions(rows, "myprj.table1") && mentions(rows, "DENY"), "the flow and the verdict are named")
}

func trusted(p *play) {
	p.chapter("3  A trusted project", "The owner declares that data of myprj may flow to prj2. Trust is directional, and ends when it is taken back.")
	p.ok("owner", "myprj", "ADD TRUSTEDPROJECT prj2")
	p.rows("owner", "myprj", "LIST TRUSTEDPROJECTS", 1)
	p.ok("alice", "prj2", theft)
	p.rows("alice", "prj2", "select * from table2", 3)
	p.ok("alice", "prj2", "drop table table2")
	p.ok("owner", "myprj", "REMOVE TRUSTEDPROJECT prj2")
	p.refused("alice", "prj2", theft, "[4021]")
	p.absent("the warehouse holds no table prj2.table2", "SELECT table_name FROM information_schema.tables WHERE table_schema = 'prj2' AND table_name = 'table2'")
}

func excepted(p *play) {
	p.chapter("4  An exception policy", "alipay is protected with an exception: alice may take out one table. Bob, with the same grants, may not; and alice may not take another.")
	p.ok("owner", "alipay", "SET ProjectProtection = true WITH EXCEPTION '"+exception+"'")
	p.ok("alice", "prj2", export)
	p.rows("alice", "prj2", "select * from orders", 2)
	p.refused("bob", "prj2", "create table prj2.bobs as select * from alipay.table_test", "[4021]", "project 'alipay' is protected")
	p.refused("alice", "prj2", "create table prj2.balances as select * from alipay.accounts", "[4021]")
	p.absent("the warehouse holds neither prj2.bobs nor prj2.balances", "SELECT table_name FROM information_schema.tables WHERE table_schema = 'prj2' AND table_name IN ('bobs', 'balances')")
	p.ok("owner", "alipay", "SHOW SECURITYCONFIGURATION")
}

func sealed(p *play) {
	p.chapter("5  Approved is what the owner saw",
		"The exception was given for the rows that the owner looked at. The table is sealed: when somebody slips other data into it afterwards, the exception ends.")
	rows := p.ok("owner", "alipay", "SHOW SEALS")
	p.expect(mentions(rows, "whole"), "the seal is whole")
	p.ok("bob", "alipay", "insert into table_test select id + 100, holder, balance from accounts")
	p.ok("alice", "prj2", "drop table orders")
	p.refused("alice", "prj2", export, "[4021]", "seal", "bob")
	p.absent("nothing of it left: the warehouse holds no table prj2.orders", "SELECT table_name FROM information_schema.tables WHERE table_schema = 'prj2' AND table_name = 'orders'")
	rows = p.ok("owner", "alipay", "SHOW SEALS")
	p.expect(mentions(rows, "broken"), "the seal is broken, and says by whom")
	p.note("A broken seal never heals. The owner looks again, clears the table, and approves what is there now.")
	p.ok("owner", "alipay", "delete from table_test where id > 100")
	p.ok("owner", "alipay", "SET ProjectProtection = true WITH EXCEPTION '"+exception+"'")
	p.ok("alice", "prj2", export)
	p.rows("alice", "prj2", "select * from orders", 2)
}

func recorded(p *play) {
	p.chapter("6  What happened", "Refusals, flows that a rule let out, and commands are on record, hash-chained, with the ids that the refusals named.")
	p.show = []string{"time", "user", "verdict", "kind", "flows"}
	p.ok("owner", "myprj", "SHOW FLOW LOG WHERE verdict = 'deny' LIMIT 5")
	rows := p.ok("owner", "alipay", "SHOW FLOW LOG LIMIT 8")
	p.expect(mentions(rows, "alipay.table_test") && mentions(rows, "bob"), "alice's exports and bob's attempts are there")
}

// play is a story in progress. It remembers its first fault, and does nothing after it.
type play struct {
	ctx      context.Context
	world    *world
	out      *screen
	sessions map[string]*sql.DB
	show     []string // the columns that are shown, nil for all
	err      error
}

func (p *play) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *play) chapter(title, text string) {
	if p.err == nil {
		p.out.heading(title)
		p.note(text)
	}
}

func (p *play) note(text string) {
	if p.err == nil {
		p.out.note(text)
	}
}

// expect shows a fact that was checked, or ends the play.
func (p *play) expect(holds bool, fact string) {
	switch {
	case p.err != nil:
	case !holds:
		p.fail("it does not hold that %s", fact)
	default:
		p.out.block("  ✓ ", fact, green)
	}
}

// ok runs a statement that has to work, and shows and gives its rows.
func (p *play) ok(user, project, statement string) [][]string {
	columns, rows, err := p.run(user, project, statement)
	if err != nil {
		p.fail("%s@%s: %s: %w", user, project, statement, err)
	}
	if p.err != nil {
		return nil
	}
	shown, kept := columns, rows
	if p.show != nil {
		shown, kept = columnsOf(columns, rows, p.show)
	}
	switch {
	case len(columns) == 0:
		p.out.block("  ", "OK", green)
	case len(rows) == 0:
		p.out.block("  ", "(no rows)", dim)
	default:
		p.out.table(shown, kept)
	}
	return rows
}

// rows is ok with a number of rows that has to come.
func (p *play) rows(user, project, statement string, want int) {
	if got := p.ok(user, project, statement); p.err == nil && len(got) != want {
		p.fail("%s@%s: %s: %d rows, expected %d", user, project, statement, len(got), want)
	}
}

// refused runs a statement that has to be refused by the gateway with all the parts in its reason.
func (p *play) refused(user, project, statement string, parts ...string) {
	_, _, err := p.run(user, project, statement)
	if p.err != nil {
		return
	}
	var refusal *mysql.MySQLError
	switch {
	case err == nil:
		p.fail("%s@%s: %s: it was not refused", user, project, statement)
		return
	case !errors.As(err, &refusal) || refusal.Number != 1142 || string(refusal.SQLState[:]) != "42000":
		p.fail("%s@%s: %s: expected a refusal with ERROR 1142 (42000): %w", user, project, statement, err)
		return
	}
	for _, part := range parts {
		if !strings.Contains(refusal.Message, part) {
			p.fail("%s@%s: %s: the refusal does not say %q: %s", user, project, statement, part, refusal.Message)
			return
		}
	}
	p.out.block("  ", fmt.Sprintf("ERROR %d (%s): %s", refusal.Number, refusal.SQLState, refusal.Message), red)
}

// absent asks the warehouse itself, past the gateway, for something that must not be there.
func (p *play) absent(fact, query string) {
	if p.err != nil {
		return
	}
	_, rows, err := ask(p.ctx, p.world.direct, query)
	if err != nil {
		p.fail("ask the warehouse: %s: %w", query, err)
		return
	}
	p.expect(len(rows) == 0, fact)
}

// run shows a statement and gives its answer. Each account has one session for each project.
func (p *play) run(user, project, statement string) (columns []string, rows [][]string, err error) {
	if p.err != nil {
		return nil, nil, nil
	}
	key := user + "@" + project
	if p.sessions[key] == nil {
		if p.sessions[key], err = p.world.as(p.ctx, user, project); err != nil {
			return nil, nil, err
		}
	}
	p.out.statement(user, project, statement)
	return ask(p.ctx, p.sessions[key], statement)
}

// ask runs a statement and gives its rows as text.
func ask(ctx context.Context, db *sql.DB, statement string) (columns []string, rows [][]string, err error) {
	answer, err := db.QueryContext(ctx, statement)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, answer.Close()) }()
	if columns, err = answer.Columns(); err != nil {
		return nil, nil, err
	}
	for answer.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := answer.Scan(into...); err != nil {
			return nil, nil, err
		}
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = v.String
			if !v.Valid {
				row[i] = "NULL"
			}
		}
		rows = append(rows, row)
	}
	return columns, rows, answer.Err()
}

// columnsOf keeps the wanted columns, in the wanted order.
func columnsOf(columns []string, rows [][]string, wanted []string) ([]string, [][]string) {
	var at []int
	for _, name := range wanted {
		for i, c := range columns {
			if c == name {
				at = append(at, i)
			}
		}
	}
	pick := func(r []string) []string {
		kept := make([]string, len(at))
		for i, k := range at {
			kept[i] = r[k]
		}
		return kept
	}
	kept := make([][]string, len(rows))
	for i, r := range rows {
		kept[i] = pick(r)
	}
	return pick(columns), kept
}

func mentions(rows [][]string, text string) bool {
	for _, r := range rows {
		for _, v := range r {
			if strings.Contains(v, text) {
				return true
			}
		}
	}
	return false
}
