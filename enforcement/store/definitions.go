package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Definitions of schemas are shared as policies are: the truth holds, for a schema and the state of the catalog clock at
// which it was read, a digest; Redis holds the text by its digest. What has not the truth's digest counts for nothing,
// so Redis can keep a text back, but neither change one nor bring an old one.

const (
	definitionsPrefix = "sluice:definitions:"
	// redisPause is how long Redis is not asked for definitions after it failed: statements may wait for them.
	redisPause = 5 * time.Second
)

// Find gives the text that was kept for a schema at a state of the catalog clock; nil for none.
func (s *Store) Find(ctx context.Context, schema, state string) []byte {
	if s.o.Redis == nil || time.Now().UnixNano() < s.paused.Load() {
		return nil
	}
	rows, err := s.o.Pool.Query(ctx, "SELECT digest FROM sluice.definitions WHERE schema_name = ? AND state = ?", schema, state)
	if err != nil || len(rows) != 1 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	text, err := s.o.Redis.Get(bounded, definitionsPrefix+value(rows[0], 0)).Bytes()
	if err != nil {
		s.pause(err)
		return nil
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != value(rows[0], 0) {
		s.o.Log.Warn("definitions in Redis do not have the truth's digest: ignored", "schema", schema)
		return nil
	}
	return text
}

// Keep keeps the text of a schema at a state of the catalog clock. A fault costs others the reading of it.
func (s *Store) Keep(ctx context.Context, schema, state string, text []byte) {
	if s.o.Redis == nil || time.Now().UnixNano() < s.paused.Load() {
		return
	}
	sum := sha256.Sum256(text)
	digest := hex.EncodeToString(sum[:])
	bounded, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	if err := s.o.Redis.Set(bounded, definitionsPrefix+digest, text, cacheFor).Err(); err != nil {
		s.pause(err)
		return
	}
	if _, err := s.o.Pool.Exec(ctx, "REPLACE INTO sluice.definitions (schema_name, state, digest) VALUES (?, ?, ?)", schema, state, digest); err != nil {
		s.o.Log.Debug("note the digest of definitions", "schema", schema, "error", err)
	}
}

// Kept lists the schemas whose texts were kept at a state of the catalog clock.
func (s *Store) Kept(ctx context.Context, state string) []string {
	if s.o.Redis == nil {
		return nil
	}
	rows, err := s.o.Pool.Query(ctx, "SELECT schema_name FROM sluice.definitions WHERE state = ? ORDER BY schema_name", state)
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, value(r, 0))
	}
	return out
}

// pause leaves Redis alone for a while when it failed: to have nothing is no failure.
func (s *Store) pause(err error) {
	if !errors.Is(err, redis.Nil) {
		s.paused.Store(time.Now().Add(redisPause).UnixNano())
	}
}
