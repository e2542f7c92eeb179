package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net"
	"strings"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	protocol "github.com/dolthub/vitess/go/mysql"
	"github.com/go-sql-driver/mysql"

	"sluice/lineage"
)

// embedded is the warehouse in this process: data in memory, accounts and grants enforced.
type embedded struct {
	server  *server.Server
	address string
	served  chan struct{}
}

// startWarehouse listens on a free port of loopback. The two accounts with all privileges are there when
// it returns.
func startWarehouse(passwords map[string]string) (*embedded, error) {
	databases := memory.NewDBProvider()
	engine := sqle.NewDefault(databases)
	accounts := engine.Analyzer.Catalog.MySQLDb
	accounts.SetEnabled(true)
	accounts.SetPersister(&mysql_db.NoopPersister{})
	editor := accounts.Editor()
	for _, name := range []string{serviceAccount, superAdministrator} {
		accounts.AddSuperUser(editor, name, "%", passwords[name])
	}
	editor.Close()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the warehouse: %w", err)
	}
	oneByOne := func(h protocol.Handler) (protocol.Handler, error) { return &turns{Handler: h}, nil }
	s, err := server.NewServerWithHandler(server.Config{Protocol: "tcp", Address: listener.Addr().String(), Listener: listener},
		engine, gms.NewContext, sessions(databases), nil, oneByOne)
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("start the warehouse: %w", err)
	}
	e := &embedded{server: s, address: listener.Addr().String(), served: make(chan struct{})}
	go func() {
		defer close(e.served)
		_ = s.Start() // returns when the listener is closed, and gives no other error
	}()
	return e, nil
}

func (e *embedded) close() error {
	err := e.server.Close()
	<-e.served
	return err
}

// The accounts of the demo.
const (
	serviceAccount     = "sluice"
	policySchema       = lineage.PolicySchema
	superAdministrator = "root"
)

// newPasswords gives each account a password of its own: there is no default one anywhere.
func newPasswords() map[string]string {
	passwords := map[string]string{}
	for _, name := range []string{serviceAccount, superAdministrator, "owner", "alice", "bob"} {
		passwords[name] = strings.ToLower(rand.Text()[:10])
	}
	return passwords
}

// connect gives one session of an account, with a current database when schema is not empty.
func connect(ctx context.Context, address, user, password, schema string) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", address, user, password, schema
	c.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1) // one connection is one session
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("connect to %s as %s: %w", address, user, err)
	}
	return db, nil
}

// samples are the projects, their tables and rows, and who may reach what. Grants are the warehouse's:
// the gateway controls where data flows, never who has access.
var samples = []string{
	"CREATE DATABASE myprj", "CREATE DATABASE alipay", "CREATE DATABASE prj2",
	"CREATE TABLE myprj.table1 (id INT PRIMARY KEY, name VARCHAR(40), salary INT)",
	"INSERT INTO myprj.table1 VALUES (1, 'Ada', 9100), (2, 'Grace', 8700), (3, 'Edsger', 8300)",
	"CREATE TABLE alipay.table_test (id INT PRIMARY KEY, city VARCHAR(40), orders INT)",
	"INSERT INTO alipay.table_test VALUES (1, 'Hangzhou', 5120), (2, 'Shanghai', 4711)",
	"CREATE TABLE alipay.accounts (id INT PRIMARY KEY, holder VARCHAR(40), balance INT)",
	"INSERT INTO alipay.accounts VALUES (1, 'Ada', 1200), (2, 'Grace', 340)",
	"CREATE TABLE prj2.notes (id INT PRIMARY KEY, text VARCHAR(40))",
	"INSERT INTO prj2.notes VALUES (1, 'hello')",
	"GRANT ALL ON myprj.* TO 'owner'@'%'", "GRANT ALL ON alipay.* TO 'owner'@'%'",
	"GRANT SELECT ON myprj.* TO 'alice'@'%'", "GRANT SELECT ON alipay.* TO 'alice'@'%'", "GRANT ALL ON prj2.* TO 'alice'@'%'",
	"GRANT SELECT ON myprj.* TO 'bob'@'%'", "GRANT SELECT, INSERT ON alipay.* TO 'bob'@'%'", "GRANT ALL ON prj2.* TO 'bob'@'%'",
}

// fill makes accounts, projects and rows in the warehouse.
func fill(ctx context.Context, db *sql.DB, passwords map[string]string) error {
	var all []string
	for _, name := range []string{"owner", "alice", "bob"} {
		all = append(all, fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED WITH mysql_native_password BY '%s'", name, passwords[name]))
	}
	for _, statement := range append(all, samples...) {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("fill the warehouse: %s: %w", statement, err)
		}
	}
	return nil
}
