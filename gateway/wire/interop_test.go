package wire

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	driver "github.com/go-sql-driver/mysql"
)

// TestDriverReadsOurAnswers lets a widely used client log in to a server made of this package and
// read the gateway's own kind of answers over both protocols.
func TestDriverReadsOurAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	defer server.Wait()
	defer listener.Close()
	server.Go(func() { serveAnswers(t, listener) })
	cfg := driver.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName = "alice", "secret", "tcp", listener.Addr().String(), "pay"
	cfg.ConnectionAttributes = "program_name:interop"
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	ctx := context.Background()
	// One connection: what follows an answer shows whether it ended where the client thinks.
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, prepared := range []bool{false, true} {
		var args []any
		if prepared {
			args = []any{"x"}
		}
		rows, err := c.QueryContext(ctx, "SHOW THINGS ?", append([]any{}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		checkRows(t, rows)
		_, err = c.ExecContext(ctx, "REFUSE", args...)
		var refused *driver.MySQLError
		if !errors.As(err, &refused) || refused.Number != ErrTableAccessDenied || refused.Message != "no" || string(refused.SQLState[:]) != "42000" {
			t.Errorf("prepared %v: refusal reads %v", prepared, err)
		}
		result, err := c.ExecContext(ctx, "DO ?", args...)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := result.RowsAffected(); n != 300 {
			t.Errorf("prepared %v: %d rows affected", prepared, n)
		}
	}
}

func checkRows(t *testing.T, rows *sql.Rows) {
	t.Helper()
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || fmt.Sprint(columns) != "[name n]" {
		t.Errorf("columns %v, %v", columns, err)
	}
	got := ""
	for rows.Next() {
		var name sql.NullString
		var n sql.NullInt64
		if err := rows.Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprintf("%v %v;", name, n)
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
	if want := "{größe true} {-5 true};{ false} {0 false};{ true} {9223372036854775807 true};"; got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
}

var things = &ResultSet{
	Columns: []Column{TextColumn("name"), IntColumn("n")},
	Rows: [][]Value{
		{Text("größe"), Int(-5)},
		{{}, {}},
		{Text(""), Text("9223372036854775807")},
	},
	Status: StatusAutocommit,
}

func serveAnswers(t *testing.T, listener net.Listener) {
	for {
		n, err := listener.Accept()
		if err != nil {
			return
		}
		if err := serveOne(NewConn(n)); err != nil {
			t.Error(err)
		}
		_ = n.Close()
	}
}

func serveOne(c *Conn) error {
	salt := []byte("abcdefghijklmnopqrst")
	caps := ClientProtocol41 | ClientSecureConnection | ClientPluginAuth | ClientConnectWithDB | ClientConnectAttrs |
		ClientLongPassword | ClientTransactions | ClientPluginAuthLenencClientData
	greeting := Greeting{Version: "8.0.1", ConnectionID: 7, AuthData: salt, Capabilities: caps, Collation: 45, AuthPlugin: "mysql_native_password"}
	if err := c.WritePacket(greeting.Encode()); err != nil {
		return err
	}
	p, err := c.ReadPacket(1 << 16)
	if err != nil {
		return err
	}
	r, err := ParseHandshakeResponse(p)
	if err != nil {
		return err
	}
	if r.User != "alice" || r.Database != "pay" || r.Attribute("program_name") != "interop" ||
		string(r.AuthResponse) != string(ScrambleNative([]byte("secret"), salt)) {
		return fmt.Errorf("login reads %+v", r)
	}
	caps &= r.Capabilities
	if err := c.WritePacket((&OK{Status: StatusAutocommit}).Encode(caps)); err != nil {
		return err
	}
	c.ReadAhead(true)
	prepared := "" // what EXECUTE runs
	for {
		c.ResetSequence()
		p, err := c.ReadPacket(1 << 16)
		if err != nil || len(p) == 0 || Command(p[0]) == ComQuit {
			return err
		}
		if err := answerOne(c, p, caps, &prepared); err != nil {
			return err
		}
	}
}

func answerOne(c *Conn, p []byte, caps Capability, prepared *string) error {
	o := ResultOptions{Capabilities: caps}
	text := string(p[1:])
	switch Command(p[0]) {
	case ComStmtClose:
		return nil
	case ComStmtPrepare:
		*prepared = text
		var columns []Column
		if text == "SHOW THINGS ?" {
			columns = things.Columns
		}
		params := []Column{TextColumn("?")}
		b, next := AppendPrepared(nil, c.Sequence(), 9, params, columns, StatusAutocommit, o)
		c.SetSequence(next)
		_, err := c.Write(b)
		return err
	case ComStmtExecute:
		e, err := ParseExecute(p)
		if err != nil || e.StatementID != 9 || e.WantsCursor() {
			return fmt.Errorf("execute reads %+v, %w", e, err)
		}
		text, o.Binary = *prepared, true
	}
	switch text {
	case "SHOW THINGS ?":
		b, next, err := things.Append(nil, c.Sequence(), o)
		if err != nil {
			return err
		}
		c.SetSequence(next)
		_, err = c.Write(b)
		return err
	case "REFUSE":
		return c.WritePacket(EncodeERR(ErrTableAccessDenied, "42000", "no", caps))
	default:
		return c.WritePacket((&OK{AffectedRows: 300, Status: StatusAutocommit}).Encode(caps))
	}
}
