// Package integration holds black-box tests: the real gateway binary before real warehouses, with real clients.
package integration

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/integration/servers"
)

// canary is the text that must not be seen outside of the protected project.
const canary = "canary-7f3a"

// world is a warehouse with projects myprj (to be protected), prj2, prj3 and a gateway before it.
type world struct {
	warehouse *servers.Server
	gateway   *servers.Gateway
}

// accounts with their password; each may do everything in all three projects: the gateway controls flow.
var accounts = map[string]string{"owner": "o-pass", "alice": "a-pass", "bob": "b-pass", "admin": "d-pass", "super": "s-pass"}

func newWorld(t testing.TB, warehouse *servers.Server, extra string) *world {
	t.Helper()
	warehouse.Prepare(t)
	fill(t, warehouse, "127.0.0.1")
	w := &world{warehouse: warehouse, gateway: servers.StartGateway(t, warehouse, servers.Redis(t).Addr, extra)}
	w.as(t, "super", "myprj").do("ADD OWNER owner")
	return w
}

// composedWorld is the world in the system of docker-compose.yml.
func composedWorld(t testing.TB) *world {
	t.Helper()
	w := &world{}
	w.warehouse, w.gateway = servers.Compose(t, "../docker-compose.yml", "testdata/docker-compose.test.yml")
	w.warehouse.Exec(t, "DROP DATABASE myprj", "DROP DATABASE prj2", "DROP USER owner", "DROP USER alice", "DROP USER bob")
	fill(t, w.warehouse, "%")
	w.as(t, "super", "myprj").do("ADD OWNER owner")
	return w
}

// fill makes the projects and the accounts, which come from host.
func fill(t testing.TB, warehouse *servers.Server, host string) {
	t.Helper()
	warehouse.Exec(t, "CREATE DATABASE myprj", "CREATE DATABASE prj2", "CREATE DATABASE prj3",
		"CREATE TABLE myprj.table1 (id INT PRIMARY KEY, v VARCHAR(100))", "INSERT INTO myprj.table1 VALUES (1, '"+canary+"'), (2, 'two')",
		"CREATE TABLE myprj.other (id INT PRIMARY KEY, v VARCHAR(100))", "INSERT INTO myprj.other VALUES (1, '"+canary+"')",
		"CREATE TABLE prj2.t (id INT, v VARCHAR(100))", "INSERT INTO prj2.t VALUES (7, 'seven')", "CREATE TABLE prj3.t (id INT, v VARCHAR(100))")
	for user, password := range accounts {
		account := "'" + user + "'@'" + host + "'"
		warehouse.Exec(t, "CREATE USER "+account+" IDENTIFIED BY '"+password+"'",
			"GRANT ALL ON myprj.* TO "+account, "GRANT ALL ON prj2.* TO "+account, "GRANT ALL ON prj3.* TO "+account)
	}
}

// account gives the warehouse's name of an account.
func (w *world) account(t testing.TB, user string) string {
	t.Helper()
	name := w.as(t, user, "prj2").do("SELECT CURRENT_USER()")[0]
	return "'" + strings.Replace(name, "@", "'@'", 1) + "'"
}

// client is one connection through the gateway.
type client struct {
	t    testing.TB
	conn *sql.Conn
	db   *sql.DB
}

func (w *world) as(t testing.TB, user, schema string) *client {
	t.Helper()
	return dialAs(t, w.gateway.Addr, user, schema)
}

func dialAs(t testing.TB, addr, user, schema string, options ...string) *client {
	t.Helper()
	return dialWith(t, addr, user, accounts[user], schema, options...)
}

func dialWith(t testing.TB, addr, user, password, schema string, options ...string) *client {
	t.Helper()
	db, err := sql.Open("mysql", servers.DSN(addr, user, password, schema)+strings.Join(options, ""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatalf("%s: %v", user, err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = db.Close() })
	return &client{t, conn, db}
}

// close ends the connection before the test ends.
func (c *client) close() {
	_ = c.conn.Close()
	_ = c.db.Close()
}

// try runs a statement and gives its rows, cells joined by '|', and its error.
func (c *client) try(q string, args ...any) ([]string, error) {
	c.t.Helper()
	return c.run(false, q, args...)
}

// tryNamed is try with a first row of column names for each result set.
func (c *client) tryNamed(q string, args ...any) ([]string, error) {
	c.t.Helper()
	return c.run(true, q, args...)
}

func (c *client) run(named bool, q string, args ...any) ([]string, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	rows, err := c.conn.QueryContext(ctx, q, args...)
	return read(named, rows, err)
}

// rows gives the rows of an answer as try does.
func (c *client) rows(rows *sql.Rows, err error) ([]string, error) { return read(false, rows, err) }

func read(named bool, rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for {
		columns, err := rows.Columns()
		if err != nil {
			return out, err
		}
		if named && len(columns) > 0 {
			out = append(out, strings.Join(columns, "|"))
		}
		for rows.Next() {
			cells := make([]sql.NullString, len(columns))
			into := make([]any, len(columns))
			for i := range cells {
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				return out, err
			}
			var texts []string
			for _, cell := range cells {
				texts = append(texts, cell.String)
			}
			out = append(out, strings.Join(texts, "|"))
		}
		if err := rows.Err(); err != nil {
			return out, err
		}
		if !rows.NextResultSet() {
			return out, rows.Err()
		}
	}
}

// do runs a statement that must succeed.
func (c *client) do(q string, args ...any) []string {
	c.t.Helper()
	rows, err := c.try(q, args...)
	if err != nil {
		c.t.Fatalf("%s: %v", q, err)
	}
	return rows
}

// refused runs a statement that Sluice must refuse, and gives the message.
func (c *client) refused(q string, args ...any) string {
	c.t.Helper()
	rows, err := c.try(q, args...)
	var e *mysql.MySQLError
	if !errors.As(err, &e) || e.Number != 1142 {
		c.t.Fatalf("%s: is to be refused with 1142; gave %v, %v", q, rows, err)
	}
	if strings.Contains(e.Message, canary) {
		c.t.Fatalf("%s: the refusal holds protected data: %s", q, e.Message)
	}
	return e.Message
}

// failed runs a statement that must fail with one error number.
func (c *client) failed(number uint16, q string, args ...any) string {
	c.t.Helper()
	rows, err := c.try(q, args...)
	var e *mysql.MySQLError
	if !errors.As(err, &e) || e.Number != number {
		c.t.Fatalf("%s: is to fail with %d; gave %v, %v", q, number, rows, err)
	}
	return e.Message
}
