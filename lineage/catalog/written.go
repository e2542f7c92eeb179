package catalog

import (
	"context"
	"strings"
)

// information_schema shows a stored program with its literals as values: MySQL makes 'it's' of 'it''s' and of 'it\'s', and `a`b` of
// `a``b`; MariaDB '\' of '\\'. What stands within quotes, and what does not, cannot be told from that. Programs whose text may be so
// are read as they were written, by SHOW CREATE.

// spelling says which characters a server shows otherwise than they were written.
type spelling string

const (
	asWritten  spelling = ""       // TiDB has no programs; an embedded server keeps their text
	byMariaDB  spelling = `\`      // quotes within quotes are doubled again
	byMySQL    spelling = "'\"`\\" // nothing is
	noEscaping          = "NO_BACKSLASH_ESCAPES"
)

// spells tells how the server shows the text of stored programs.
func (l *SQLLoader) spells(ctx context.Context) (spelling, error) {
	if tidb, err := l.tidb(ctx); err != nil || tidb {
		return asWritten, err
	}
	l.asked.Lock()
	known := l.spelled
	l.asked.Unlock()
	if known != nil {
		return *known, nil
	}
	s := asWritten
	counts, err := l.counts(ctx)
	if err != nil {
		return s, err
	}
	if counts {
		rows, err := l.Query(ctx, "SELECT VERSION()")
		if err != nil {
			return s, err
		}
		if s = byMySQL; len(rows) > 0 && strings.Contains(text(rows[0], 0), "MariaDB") {
			s = byMariaDB
		}
	}
	l.asked.Lock()
	defer l.asked.Unlock()
	l.spelled = &s
	return s, nil
}

// written looks for the text of a program as it was written, where it may not be what was shown.
func (p *loading) written(ctx context.Context, kind string, o *Program) {
	if !strings.ContainsAny(o.Body, string(p.spells)) || p.spells == byMariaDB && strings.Contains(o.SQLMode, noEscaping) {
		return
	}
	p.create(ctx, kind, o)
}

// create looks for the statement that makes a program.
func (p *loading) create(ctx context.Context, kind string, o *Program) {
	rows, err := p.query(ctx, "SHOW CREATE "+kind+" "+quoteName(p.stored)+"."+quoteName(o.Name))
	at := 2
	if kind == "EVENT" {
		at = 3
	}
	if err == nil && len(rows) > 0 {
		o.Create = text(rows[0], at)
	}
	o.Lost = o.Create == ""
}

// parameters reads routines by SHOW CREATE whose parameters may have defaults, as MariaDB lets them from 11.8 on: what those evaluate stands
// in no body, and information_schema does not show it.
func (p *loading) parameters(ctx context.Context) error {
	if p.spells != byMariaDB || len(p.s.Routines) == 0 {
		return nil
	}
	rows, err := p.query(ctx, "SELECT name, type FROM mysql.proc WHERE db = ? AND (LOWER(CONVERT(param_list USING utf8mb4)) LIKE '%default%' OR param_list LIKE '%:=%')", p.stored)
	for _, r := range rows {
		kind := strings.ToLower(text(r, 1))
		if routine := p.s.Routines[kind+" "+strings.ToLower(text(r, 0))]; routine != nil {
			p.create(ctx, strings.ToUpper(kind), &routine.Program)
		}
	}
	return err
}
