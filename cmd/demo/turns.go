package main

import (
	"context"
	"strings"
	"sync"

	"github.com/dolthub/go-mysql-server/memory"
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
)

// turns lets one statement run at a time. The embedded warehouse keeps no transactions apart: a commit writes
// every table back that it has read, and so takes back what another session changed in between. The service
// account keeps its turn through its transactions: they hold the policy. A client's own transactions get a turn
// for each statement: an open one must not stop everybody else.
type turns struct {
	mysql.Handler
	one  sync.Mutex
	kept sync.Map // *mysql.Conn that keep their turn
}

func (t *turns) take(c *mysql.Conn) (give func()) {
	if _, keeps := t.kept.Load(c); keeps {
		return func() {}
	}
	t.one.Lock()
	return t.one.Unlock
}

// ComQuery runs a statement of the text protocol.
func (t *turns) ComQuery(ctx context.Context, c *mysql.Conn, query string, callback mysql.ResultSpoolFn) error {
	words := strings.Fields(query)
	if len(words) > 0 && strings.EqualFold(words[0], "kill") {
		return t.Handler.ComQuery(ctx, c, query, callback) // it ends whoever has the turn
	}
	give := t.take(c)
	err := t.Handler.ComQuery(ctx, c, query, callback)
	if c.User == serviceAccount && len(words) > 0 && strings.EqualFold(words[0], "start") && err == nil {
		t.kept.Store(c, true)
		return nil
	}
	give()
	if len(words) > 0 && (strings.EqualFold(words[0], "commit") || strings.EqualFold(words[0], "rollback")) {
		t.release(c)
	}
	return err
}

// ComMultiQuery is not reached through the gateway, which sends one statement at a time.
func (t *turns) ComMultiQuery(ctx context.Context, c *mysql.Conn, query string, callback mysql.ResultSpoolFn) (string, error) {
	defer t.take(c)()
	return t.Handler.ComMultiQuery(ctx, c, query, callback)
}

// ComStmtExecute runs a prepared statement.
func (t *turns) ComStmtExecute(ctx context.Context, c *mysql.Conn, prepare *mysql.PrepareData, callback func(*sqltypes.Result) error) error {
	defer t.take(c)()
	return t.Handler.ComStmtExecute(ctx, c, prepare, callback)
}

// ConnectionClosed gives a turn back that the connection kept.
func (t *turns) ConnectionClosed(c *mysql.Conn) {
	t.Handler.ConnectionClosed(c)
	t.release(c)
}

func (t *turns) release(c *mysql.Conn) {
	if _, kept := t.kept.LoadAndDelete(c); kept {
		t.one.Unlock()
	}
}

// apart keeps a client's transaction from taking the policy back: it may have read the policy's tables through
// information_schema, and its commit then writes them to copies.
type apart struct{ gms.DatabaseProvider }

func (a apart) Database(ctx *gms.Context, name string) (gms.Database, error) {
	db, err := a.DatabaseProvider.Database(ctx, name)
	policy, ok := db.(*memory.Database)
	if err != nil || !ok || !strings.EqualFold(name, policySchema) {
		return db, err
	}
	copied := memory.NewDatabase(name)
	for table, data := range policy.Tables() {
		copied.AddTable(table, data.(memory.MemTable))
	}
	return copied, nil
}

// sessions builds the warehouse's sessions.
func sessions(databases *memory.DbProvider) func(context.Context, *mysql.Conn, string) (gms.Session, error) {
	whole := memory.NewSessionBuilder(databases)
	return func(ctx context.Context, c *mysql.Conn, address string) (gms.Session, error) {
		s, err := whole(ctx, c, address)
		if m, ok := s.(*memory.Session); ok && c.User != serviceAccount {
			return memory.NewSession(m.BaseSession, apart{databases}), err
		}
		return s, err
	}
}
