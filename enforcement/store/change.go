package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sluice/enforcement"
	"sluice/lineage"
	"sluice/warehouse"
)

// ErrUnready says that the truth was not read yet.
var ErrUnready = errors.New("the policy cannot be changed: the warehouse's sluice schema was not reached yet")

// Change edits the newest policy in one transaction, with one revision and one row of the change log. It
// returns when no gateway decides by an older revision: each that lives has acknowledged the new
// one, or its lease is over. An error of edit changes nothing and comes back as it is.
func (s *Store) Change(ctx context.Context, who, statement string, edit func(*enforcement.Policy) error) (*enforcement.Snapshot, error) {
	if !s.ready.Load() {
		return nil, ErrUnready
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*s.o.Lease+30*time.Second)
	defer cancel()
	next, err := s.commit(ctx, who, statement, edit)
	if err != nil {
		return nil, err
	}
	s.notify(ctx)
	if err := s.await(ctx, "revision", int64(next.Revision())); err != nil {
		return nil, fmt.Errorf("revision %d is set, but it is not known that every gateway follows it: %w", next.Revision(), err)
	}
	return next, nil
}

// commit writes the change and makes it this process's snapshot.
func (s *Store) commit(ctx context.Context, who, statement string, edit func(*enforcement.Policy) error) (*enforcement.Snapshot, error) {
	s.loading.Lock()
	defer s.loading.Unlock()
	var next *enforcement.Snapshot
	var digest string
	var text []byte
	err := s.o.Pool.Tx(ctx, func(t *warehouse.Tx) error {
		now, err := readTruth(t, " FOR UPDATE")
		if err != nil {
			return err
		}
		// Locked as well: in TiDB a plain read sees the state from before this transaction waited for the row.
		before, err := readPolicy(t, now.revision, " FOR UPDATE")
		if err != nil {
			return err
		}
		after := before.Clone()
		if err := edit(after); err != nil {
			return err
		}
		after.Revision = now.revision + 1
		if next, err = enforcement.Build(after, s.o.Build); err != nil {
			return err
		}
		if digest, text, err = digestOf(after); err != nil {
			return err
		}
		return write(t, before, after, digest, who, statement)
	})
	if err != nil {
		return nil, err
	}
	s.share(ctx, digest, text)
	if err := s.adopt(ctx, next); err != nil {
		return nil, err
	}
	if _, err := s.o.Pool.Exec(ctx, "UPDATE sluice.gateways SET revision = ? WHERE id = ?", s.applied, s.id); err != nil {
		return nil, fmt.Errorf("acknowledge revision %d: %w", next.Revision(), err)
	}
	return next, nil
}

// write stores the projects that changed, the revision and the row of the change log.
func write(t *warehouse.Tx, before, after *enforcement.Policy, digest, who, statement string) error {
	was, is := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for name, project := range after.Projects {
		document, err := json.Marshal(project)
		if err != nil {
			return fmt.Errorf("encode project %s: %w", name, err)
		}
		old := []byte("null")
		if p := before.Projects[name]; p != nil {
			if old, err = json.Marshal(p); err != nil {
				return err
			}
		}
		if bytes.Equal(old, document) {
			continue
		}
		was[name], is[name] = old, document
		if _, err := t.Exec("REPLACE INTO sluice.projects (name, document) VALUES (?, ?)", name, string(document)); err != nil {
			return fmt.Errorf("write project %s: %w", name, err)
		}
	}
	wasText, err := json.Marshal(was)
	if err != nil {
		return err
	}
	isText, err := json.Marshal(is)
	if err != nil {
		return err
	}
	if _, err := t.Exec("UPDATE sluice.revision SET revision = ?, digest = ? WHERE id = 1", after.Revision, digest); err != nil {
		return fmt.Errorf("write the revision: %w", err)
	}
	_, err = t.Exec("INSERT INTO sluice.change_log (revision, at, who, statement, before_change, after_change) VALUES (?, ?, ?, ?, ?, ?)",
		after.Revision, time.Now().UTC().Format(time.RFC3339Nano), who, statement, string(wasText), string(isText))
	if err != nil {
		return fmt.Errorf("write the change log: %w", err)
	}
	return nil
}

// await returns when every other gateway that lives has acknowledged, or its lease is over by the
// warehouse's clock.
func (s *Store) await(ctx context.Context, column string, at int64) error {
	pause := time.Millisecond
	begun := time.Now()
	for {
		rows, err := s.o.Pool.Query(ctx, "SELECT COUNT(*) FROM sluice.gateways WHERE id <> ? AND expires > "+warehouseNow+" AND "+column+" < ?", s.id, at)
		if err != nil || len(rows) == 0 {
			return fmt.Errorf("ask which gateways follow: %w", err)
		}
		behind, err := strconv.Atoi(value(rows[0], 0))
		if err != nil {
			return err
		}
		if behind == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		// Whoever lives answers in milliseconds; for who does not, the warehouse is asked less often.
		limit := 5 * time.Millisecond
		if time.Since(begun) > 200*time.Millisecond {
			limit = 50 * time.Millisecond
		}
		pause = min(pause*3/2, limit)
	}
}

// Announce tells the other gateways that definitions are about to change and returns when each has dropped
// its own copies, or its lease is over. With no other gateway it costs nothing.
func (s *Store) Announce(ctx context.Context, _ []lineage.Object) error {
	if s.others.Load() == 0 || !s.ready.Load() {
		return nil
	}
	var serial int64
	err := s.o.Pool.Tx(ctx, func(t *warehouse.Tx) error {
		now, err := readTruth(t, " FOR UPDATE")
		if err != nil {
			return err
		}
		serial = now.definitions + 1
		_, err = t.Exec("UPDATE sluice.revision SET definitions = ? WHERE id = 1", serial)
		return err
	})
	if err != nil {
		return fmt.Errorf("announce a definition: %w", err)
	}
	s.notify(ctx)
	return s.await(ctx, "definitions", serial)
}

// Logged is one row of the change log.
type Logged struct {
	Revision                          uint64
	At, Who, Statement, Before, After string
}

// History gives the newest changes, newest first.
func (s *Store) History(ctx context.Context, limit int) ([]Logged, error) {
	rows, err := s.o.Pool.Query(ctx, "SELECT revision, at, who, statement, before_change, after_change FROM sluice.change_log ORDER BY revision DESC LIMIT "+strconv.Itoa(limit))
	if err != nil {
		return nil, err
	}
	var out []Logged
	for _, r := range rows {
		revision, err := strconv.ParseUint(value(r, 0), 10, 64)
		if err != nil {
			return nil, err
		}
		out = append(out, Logged{revision, value(r, 1), value(r, 2), value(r, 3), value(r, 4), value(r, 5)})
	}
	return out, nil
}
