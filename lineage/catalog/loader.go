package catalog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Query runs a query of the service account and gives its rows; a NULL is nil.
type Query func(ctx context.Context, sql string, args ...any) ([][]*string, error)

// SQLLoader reads definitions through information_schema, as all engines of the family have it.
type SQLLoader struct {
	Query Query
	TiDB  bool
	// Disguise is told of each reading of the clock whether the server may put other statements in the place of those
	// that it is sent; nil: nobody is.
	Disguise func(needed bool)
	// Detect finds out by itself whether the server is TiDB, on the first reading of the clock.
	Detect bool

	asked    sync.Mutex
	known    bool
	spelled  *spelling
	clock    clockState
	counting atomic.Bool            // the server counts the statements it runs
	naming   atomic.Pointer[string] // lower_case_table_names as of the last reading of the clock
	listed   []listed               // under asked
	accounts accountState
	replaces atomic.Bool // the plugin Rewriter is there, as of the last reading of the clock
}

// tidb tells whether the server is TiDB.
func (l *SQLLoader) tidb(ctx context.Context) (bool, error) {
	l.asked.Lock()
	defer l.asked.Unlock()
	if !l.Detect || l.known {
		return l.TiDB, nil
	}
	rows, err := l.Query(ctx, "SELECT VERSION()")
	if err != nil {
		return false, err
	}
	l.TiDB = len(rows) > 0 && strings.Contains(text(rows[0], 0), "TiDB")
	l.known = true
	return l.TiDB, nil
}

// Folds reads lower_case_table_names. TiDB compares names in lower case whatever it says, and so does an
// embedded server, which is known by counting nothing.
func (l *SQLLoader) Folds(ctx context.Context) (bool, error) {
	if tidb, err := l.tidb(ctx); err != nil || tidb {
		return true, err
	}
	naming, err := l.compares(ctx)
	if err != nil || naming != "0" {
		return true, err
	}
	counts, err := l.counts(ctx)
	return !counts, err
}

// compares gives lower_case_table_names.
func (l *SQLLoader) compares(ctx context.Context) (string, error) {
	if known := l.naming.Load(); known != nil {
		return *known, nil
	}
	rows, err := l.Query(ctx, "SELECT @@lower_case_table_names")
	if err != nil {
		return "", err
	}
	if len(rows) == 0 {
		return "", errors.New("lower_case_table_names has no value")
	}
	return text(rows[0], 0), nil
}

// Schemas lists all schemas. It fails when the service account would be shown only a part of what they define.
func (l *SQLLoader) Schemas(ctx context.Context) ([]string, error) {
	if err := l.complete(ctx); err != nil {
		return nil, err
	}
	rows, err := l.Query(ctx, "SELECT schema_name FROM information_schema.schemata")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rows {
		out = append(out, text(r, 0))
	}
	return out, nil
}

// foreignLists are where servers list loadable functions.
var foreignLists = []struct{ schema, table, column string }{
	{"mysql", "func", "name"},
	{"performance_schema", "user_defined_functions", "udf_name"}, // also those of components
}

// Foreign lists the loadable functions. A list that the server does not have, or does not show to the service
// account, is taken as empty; one that is there and cannot be read is an error.
func (l *SQLLoader) Foreign(ctx context.Context) ([]string, error) {
	var out []string
	for i, list := range foreignLists {
		if has, err := l.lists(ctx, i); err != nil {
			return nil, err
		} else if !has {
			continue
		}
		rows, err := l.Query(ctx, "SELECT "+list.column+" FROM "+list.schema+"."+list.table)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out = append(out, strings.ToLower(text(r, 0)))
		}
	}
	return out, nil
}

// lists tells whether the server has one of foreignLists. One that it has it keeps until it starts again.
func (l *SQLLoader) lists(ctx context.Context, i int) (bool, error) {
	now := listed{i, l.clock.again()}
	l.asked.Lock()
	known := slices.Contains(l.listed, now)
	l.asked.Unlock()
	if known {
		return true, nil
	}
	rows, err := l.Query(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", foreignLists[i].schema, foreignLists[i].table)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	l.asked.Lock()
	defer l.asked.Unlock()
	l.listed = append(slices.DeleteFunc(l.listed, func(before listed) bool { return before.list == i }), now)
	return true, nil
}

// listed is one of foreignLists that the server had after so many restarts.
type listed struct {
	list     int
	restarts uint64
}

func text(row []*string, i int) string {
	if i < len(row) && row[i] != nil {
		return *row[i]
	}
	return ""
}

// Load reads one schema: tables, columns, views, triggers, routines, events, foreign keys.
func (l *SQLLoader) Load(ctx context.Context, schema string) (*Schema, error) {
	p, err := l.loading(ctx, schema)
	if err != nil {
		return nil, err
	}
	return p.s, p.read(ctx, p.tables, p.columns, p.views, p.triggers, p.routines, p.events, p.foreignKeys, p.unions)
}

// LoadPrograms reads the routines and events of one schema.
func (l *SQLLoader) LoadPrograms(ctx context.Context, schema string) (*Programs, error) {
	p, err := l.loading(ctx, schema)
	if err != nil {
		return nil, err
	}
	return &p.s.Programs, p.read(ctx, p.routines, p.events)
}

// LoadObject reads one object of one schema, by its key.
func (l *SQLLoader) LoadObject(ctx context.Context, schema, name string) (*Object, error) {
	if short, err := l.short(ctx); err != nil {
		return nil, err
	} else if !short {
		return nil, ErrWhole
	}
	p, err := l.loading(ctx, schema)
	if err != nil {
		return nil, err
	}
	p.only = name
	if err := p.read(ctx, p.tables, p.columns, p.views, p.triggers, p.foreignKeys, p.unions); err != nil {
		return nil, err
	}
	return p.s.Objects[name], nil
}

// short tells whether the server knows a short way to one of its objects: an embedded one does not.
func (l *SQLLoader) short(ctx context.Context) (bool, error) {
	if tidb, err := l.tidb(ctx); err != nil || tidb {
		return true, err
	}
	return l.counts(ctx)
}
