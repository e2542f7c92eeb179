// Package warehouse holds the service account's connections to the warehouse, over which the catalog, the
// policy's truth and kills go; never a client's statement.
//
// Every call honours its context, also in the middle of a query, and dials again after a failure: a
// dead warehouse is an error with the address in it, not a hang.
package warehouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
)

// Options say where the warehouse is and who asks.
type Options struct {
	Address, User, Password string
	TLS                     *tls.Config // nil: plain
	PreferTLS               bool        // a server without TLS is spoken to in plain
	DialTimeout             time.Duration
	// Dial opens a connection; package net's dialer does when it is nil.
	Dial         func(ctx context.Context, network, address string, timeout time.Duration) (net.Conn, error)
	QueryTimeout time.Duration // for calls whose context has no deadline; 30 s
	Idle         int           // connections kept open; 4
	Limit        int           // connections at a time; 16
}

// Pool hands out connections of the service account.
type Pool struct {
	o    Options
	mu   sync.Mutex
	idle []*client.Conn
	gate chan struct{}
	done bool
	// disguise: no text goes out as it is.
	disguise atomic.Bool
}

// New gives a pool; it dials when it is first used.
func New(o Options) *Pool {
	if o.DialTimeout <= 0 {
		o.DialTimeout = 5 * time.Second
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, network, address string, timeout time.Duration) (net.Conn, error) {
			return (&net.Dialer{Timeout: timeout}).DialContext(ctx, network, address)
		}
	}
	if o.QueryTimeout <= 0 {
		o.QueryTimeout = 30 * time.Second
	}
	if o.Idle <= 0 {
		o.Idle = 4
	}
	if o.Limit <= 0 {
		o.Limit = 16
	}
	return &Pool{o: o, gate: make(chan struct{}, o.Limit)}
}

// Close ends the idle connections; those in use end when they are given back.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	for _, c := range p.idle {
		_ = c.Close()
	}
	p.idle = nil
}

// Error is what the warehouse answered, with its number.
type Error struct {
	Code    uint16
	State   string
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("ERROR %d (%s): %s", e.Code, e.State, e.Message)
}

func translate(err error) error {
	var m *mysql.MyError
	if errors.As(err, &m) {
		return &Error{m.Code, m.State, m.Message}
	}
	return err
}

func (p *Pool) take(ctx context.Context) (*client.Conn, bool, error) {
	select {
	case p.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, false, fmt.Errorf("wait for a connection to the warehouse: %w", ctx.Err())
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, true, nil
	}
	p.mu.Unlock()
	c, err := p.dial(ctx)
	if err != nil {
		<-p.gate
		return nil, false, err
	}
	return c, false, nil
}

func (p *Pool) dial(ctx context.Context) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.o.DialTimeout)
	defer cancel()
	c, err := p.connect(ctx, p.o.TLS)
	if err != nil && p.o.TLS != nil && p.o.PreferTLS {
		c, err = p.connect(ctx, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the warehouse at %s as %s: %w", p.o.Address, p.o.User, translate(err))
	}
	return c, nil
}

// settings are what the service account's own statements mean the same by, whatever the server's defaults are:
// names and definitions arrive whole and in UTF-8 (a server that does not know the client's collation falls back to its
// own default), and what is written lasts.
const settings = "SET NAMES utf8mb4, autocommit = 1, sql_mode = ''"

func (p *Pool) connect(ctx context.Context, t *tls.Config) (*client.Conn, error) {
	stop := func() bool { return true }
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := p.o.Dial(ctx, network, address, p.o.DialTimeout)
		if err != nil {
			return nil, err
		}
		stop = context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now()) })
		return c, nil
	}
	c, err := client.ConnectWithDialer(ctx, "", p.o.Address, p.o.User, p.o.Password, "", dial, func(c *client.Conn) error {
		if t != nil {
			c.SetTLSConfig(t)
		}
		return nil
	})
	if err != nil {
		stop()
		return nil, err
	}
	if _, err = c.Execute(settings); err == nil {
		err = p.look(c)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (p *Pool) give(c *client.Conn, healthy bool) {
	defer func() { <-p.gate }()
	p.mu.Lock()
	defer p.mu.Unlock()
	if healthy && !p.done && len(p.idle) < p.o.Idle {
		p.idle = append(p.idle, c)
		return
	}
	_ = c.Close()
}

// run gives f a connection, ends it when ctx does, and tries once more on a fresh connection when an idle
// one turns out dead before the warehouse answered.
func (p *Pool) run(ctx context.Context, again bool, f func(*client.Conn) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.o.QueryTimeout)
		defer cancel()
	}
	for {
		c, reused, err := p.take(ctx)
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now()) })
		if reused && !again && c.Ping() != nil {
			// What must not run twice is not begun on a connection that ended while it was idle.
			stop()
			p.give(c, false)
			if ctx.Err() != nil {
				return fmt.Errorf("ask the warehouse: %w", ctx.Err())
			}
			continue
		}
		err = translate(f(c))
		clean := stop()
		var answered *Error
		healthy := clean && (err == nil || errors.As(err, &answered))
		p.give(c, healthy)
		if ctx.Err() != nil && err != nil {
			return fmt.Errorf("ask the warehouse: %w", ctx.Err())
		}
		if err != nil && reused && again && !healthy {
			continue
		}
		return err
	}
}

// Query runs a query and gives its rows as text; a NULL is nil. Each '?' takes one of args.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) ([][]*string, error) {
	_, rows, err := p.QueryColumns(ctx, sql, args...)
	return rows, err
}

// QueryColumns is Query with the columns' names.
func (p *Pool) QueryColumns(ctx context.Context, sql string, args ...any) (columns []string, rows [][]*string, err error) {
	text, err := Interpolate(sql, args...)
	if err != nil {
		return nil, nil, err
	}
	err = p.run(ctx, true, func(c *client.Conn) error {
		columns, rows, err = query(c, p.worded(text))
		return err
	})
	return columns, rows, err
}

func query(c *client.Conn, text string) ([]string, [][]*string, error) {
	r, err := c.Execute(text)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	if r.Resultset == nil {
		return nil, nil, nil
	}
	var columns []string
	for _, f := range r.Fields {
		columns = append(columns, string(f.Name))
	}
	rows := make([][]*string, 0, len(r.Values))
	texts := make([]string, len(r.Values)*len(columns)) // all in one: the catalog's clock asks many times a second
	shown := make([]*string, len(texts))
	for _, values := range r.Values {
		row := shown[:len(values):len(values)]
		for i := range values {
			if s, ok := textOf(values[i].Value()); ok {
				texts[i], row[i] = s, &texts[i]
			}
		}
		rows, texts, shown = append(rows, row), texts[len(values):], shown[len(values):]
	}
	return columns, rows, nil
}

func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case []byte:
		return string(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	default:
		return fmt.Sprint(v), true
	}
}

// Exec runs a statement and gives the number of rows it changed. It is not tried again: it may have run.
func (p *Pool) Exec(ctx context.Context, sql string, args ...any) (affected uint64, err error) {
	text, err := Interpolate(sql, args...)
	if err != nil {
		return 0, err
	}
	err = p.run(ctx, false, func(c *client.Conn) error {
		r, err := c.Execute(p.worded(text))
		if err == nil {
			affected = r.AffectedRows
			r.Close()
		}
		return err
	})
	return affected, err
}

// Tx is a transaction, or any run of statements, on one connection.
type Tx struct {
	c *client.Conn
	p *Pool
}

// Query is Pool.Query on this connection.
func (t *Tx) Query(sql string, args ...any) ([][]*string, error) {
	text, err := Interpolate(sql, args...)
	if err != nil {
		return nil, err
	}
	_, rows, err := query(t.c, t.p.worded(text))
	return rows, translate(err)
}

// Exec is Pool.Exec on this connection.
func (t *Tx) Exec(sql string, args ...any) (uint64, error) {
	text, err := Interpolate(sql, args...)
	if err != nil {
		return 0, err
	}
	r, err := t.c.Execute(t.p.worded(text))
	if err != nil {
		return 0, translate(err)
	}
	defer r.Close()
	return r.AffectedRows, nil
}

// Tx runs f in a transaction: committed when f gives nil, rolled back otherwise.
func (p *Pool) Tx(ctx context.Context, f func(*Tx) error) error {
	return p.Session(ctx, func(t *Tx) error {
		if _, err := t.Exec("START TRANSACTION"); err != nil {
			return err
		}
		if err := f(t); err != nil {
			if _, undo := t.Exec("ROLLBACK"); undo != nil {
				// Not to be wrapped: err may say that the warehouse answered, and so that the connection is sound.
				return fmt.Errorf("%v; then roll back: %w", err, undo)
			}
			return err
		}
		_, err := t.Exec("COMMIT")
		return err
	})
}

// Session runs f on one connection. f leaves nothing behind on it: no lock, no setting.
func (p *Pool) Session(ctx context.Context, f func(*Tx) error) error {
	return p.run(ctx, false, func(c *client.Conn) error {
		return f(&Tx{c, p})
	})
}

// Repeat is Session for what may run twice: it is begun again when a connection turns out to have ended while it was idle, and
// so nothing is asked before it begins.
func (p *Pool) Repeat(ctx context.Context, f func(*Tx) error) error {
	return p.run(ctx, true, func(c *client.Conn) error {
		return f(&Tx{c, p})
	})
}

// Kill ends a connection of the warehouse, or only what it runs. A connection that is gone is no error.
func (p *Pool) Kill(ctx context.Context, id uint64, queryOnly bool) error {
	verb := "KILL "
	if queryOnly {
		verb = "KILL QUERY "
	}
	_, err := p.Exec(ctx, verb+strconv.FormatUint(id, 10))
	var e *Error
	if errors.As(err, &e) && e.Code == 1094 {
		return nil
	}
	return err
}

// Version gives the server's version text.
func (p *Pool) Version(ctx context.Context) (string, error) {
	rows, err := p.Query(ctx, "SELECT VERSION()")
	if err != nil {
		return "", err
	}
	if len(rows) == 0 || rows[0][0] == nil {
		return "", errors.New("the warehouse gives no version")
	}
	return *rows[0][0], nil
}

// Interpolate puts args in the place of the '?' of a text of the gateway's own, quoted so that they mean
// the same in every sql_mode: text as hexadecimal.
func Interpolate(sql string, args ...any) (string, error) {
	if strings.Count(sql, "?") != len(args) {
		return "", fmt.Errorf("%d values for %d places", len(args), strings.Count(sql, "?"))
	}
	var b strings.Builder
	for _, a := range args {
		i := strings.IndexByte(sql, '?')
		b.WriteString(sql[:i])
		sql = sql[i+1:]
		switch v := a.(type) {
		case nil:
			b.WriteString("NULL")
		case string:
			writeText(&b, v)
		case []byte:
			writeText(&b, string(v))
		case time.Time:
			writeText(&b, v.UTC().Format("2006-01-02 15:04:05.000000"))
		case bool:
			b.WriteString(map[bool]string{true: "1", false: "0"}[v])
		case int, int64, uint64, uint32, uint16, int32:
			fmt.Fprintf(&b, "%d", v)
		default:
			return "", fmt.Errorf("a value of type %T", a)
		}
	}
	b.WriteString(sql)
	return b.String(), nil
}

// writeText quotes plain text as it is, and everything else in hexadecimal. Bytes that are no UTF-8 become
// U+FFFD: servers make NULL of a text that holds one.
func writeText(b *strings.Builder, s string) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '\'' || c == '\\' || c == '"' {
			fmt.Fprintf(b, "CONVERT(X'%X' USING utf8mb4)", s)
			return
		}
	}
	b.WriteString("'" + s + "'")
}
