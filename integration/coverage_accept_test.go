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

// verdict is what a server says of a statement.
type verdict struct {
	accepted bool
	mode     string // the sql_mode, as the server says it
	number   uint16 // the error that it gave, 0 for none
}

// accepting asks a server whether it would take a statement: it prepares it and never runs it.
type accepting struct {
	t      *testing.T
	server *servers.Server
	db     *sql.DB
	conn   *sql.Conn
	now    sent   // the settings of conn
	mode   string // what the server says of them
	bad    bool
}

// acceptAll asks for each distinct statement.
func acceptAll(t *testing.T, server *servers.Server, cases []testCase) map[sent]verdict {
	t.Helper()
	out := map[sent]verdict{}
	var all []sent
	add := func(c sent) {
		if _, had := out[c]; !had {
			out[c] = verdict{}
			all = append(all, c)
		}
	}
	scripts := map[*testScript]bool{}
	for _, c := range cases {
		add(c.sent)
		if !scripts[c.script] {
			scripts[c.script] = true
			for _, d := range c.script.defines {
				add(d.sent)
			}
		}
	}
	bySettings(all)
	a := &accepting{t: t, server: server}
	defer a.close()
	for _, c := range all {
		out[c] = a.ask(c)
	}
	return out
}

func (a *accepting) close() {
	if a.db != nil {
		_ = a.conn.Close()
		_ = a.db.Close()
	}
	a.db = nil
}

func (a *accepting) ask(c sent) verdict {
	a.set(c)
	if a.bad {
		return verdict{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	st, err := a.conn.PrepareContext(ctx, c.sql)
	if err == nil {
		_ = st.Close()
		return verdict{true, a.mode, 0}
	}
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		a.close() // the connection is lost
		return verdict{}
	}
	return verdict{!faulty(e), a.mode, e.Number}
}

// set gives the connection the settings of a script.
func (a *accepting) set(c sent) {
	if a.db != nil && a.now.mode == c.mode && a.now.charset == c.charset {
		return
	}
	a.close()
	db, err := sql.Open("mysql", "root@unix("+a.server.Socket+")/test")
	if err != nil {
		a.t.Fatal(err)
	}
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	a.db, a.conn, a.now, a.bad = db, conn, c, false
	if c.mode != "" {
		if _, err := conn.ExecContext(ctx, "SET sql_mode='"+c.mode+"'"); err != nil {
			a.bad = true // the script expects an error there
			return
		}
	}
	if c.charset != "" {
		if _, err := conn.ExecContext(ctx, "SET NAMES "+c.charset); err != nil {
			a.bad = true
			return
		}
	}
	if err := conn.QueryRowContext(ctx, "SELECT @@sql_mode").Scan(&a.mode); err != nil {
		a.t.Fatal(err)
	}
}

// faulty tells whether a statement is wrong by itself, whatever a script makes in the warehouse. A table, a column or a
// function that is missing is no such fault: the script may make it.
func faulty(e *mysql.MySQLError) bool {
	switch e.Number {
	case 1064, 1149, 1065: // the server's grammar does not know the text, or it is empty
		return true
	case 1059, 1102, 1103: // a name that nothing can have: too long, or empty
		return true
	case 1582, 1583: // a function of the server's own with parameters that it does not take
		return true
	case 1044, 1142: // root may not either, who has every privilege: writing into information_schema, performance_schema
		return true
	case 1109: // a table that neither the server nor a plugin that came with it has
		return strings.HasSuffix(e.Message, "in information_schema")
	case 1146: // nobody makes tables there
		return strings.HasPrefix(e.Message, "Table 'performance_schema.")
	default:
		return false
	}
}

// plugins are those that come with Debian's mariadb-server and bring tables of information_schema along.
var plugins = []string{"metadata_lock_info", "query_cache_info", "query_response_time", "disks", "locales", "wsrep_info"}

// warehouseOf tells what only the server knows of itself.
func warehouseOf(t *testing.T, server *servers.Server) (engines map[string]bool, pluginFolder string) {
	t.Helper()
	db := server.Root(t)
	defer db.Close()
	for _, name := range plugins {
		_, _ = db.Exec("INSTALL SONAME '" + name + "'") // where the package is there
	}
	if err := db.QueryRow("SELECT @@plugin_dir").Scan(&pluginFolder); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query("SELECT UPPER(ENGINE) FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	engines = map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		engines[name] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return engines, pluginFolder
}
