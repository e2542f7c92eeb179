package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/enforcement"
)

// Redis may be slow, dead, stale or hostile. Whatever it does, the truth's digest decides.

// redisPatience bounds what Redis may cost a step that has the warehouse to fall back on.
const redisPatience = 300 * time.Millisecond

// cached gives the policy of a revision from Redis, nil unless its digest is the truth's.
func (s *Store) cached(ctx context.Context, now truth) *enforcement.Policy {
	if s.o.Redis == nil || now.digest == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	text, err := s.o.Redis.Get(ctx, cachePrefix+now.digest).Bytes()
	if err != nil {
		return nil
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != now.digest {
		s.o.Log.Warn("the policy in Redis does not have the truth's digest: ignored", "revision", now.revision)
		return nil
	}
	p := &enforcement.Policy{}
	if json.Unmarshal(text, p) != nil || p.Revision != now.revision {
		return nil
	}
	return p
}

// share puts a policy into Redis for gateways that start or follow.
func (s *Store) share(ctx context.Context, digest string, text []byte) {
	if s.o.Redis == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	if err := s.o.Redis.Set(ctx, cachePrefix+digest, text, cacheFor).Err(); err != nil {
		s.o.Log.Warn("put the policy into Redis", "error", err)
	}
}

// notify wakes the other gateways. One that does not hear asks the truth by itself soon.
func (s *Store) notify(ctx context.Context) {
	if s.o.Redis == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	if err := s.o.Redis.Publish(ctx, channelPolicy, s.id).Err(); err != nil {
		s.o.Log.Debug("notify by Redis", "error", err)
	}
}

// listen wakes Run on each notice, and when a subscription begins, also one that begins again: what was
// published before has gone by.
func (s *Store) listen(ctx context.Context) {
	sub := s.o.Redis.Subscribe(ctx, channelPolicy)
	defer func() { _ = sub.Close() }()
	notices := sub.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-notices:
			if !ok {
				return
			}
			if m, ok := m.(*redis.Message); ok && m.Payload == s.id {
				continue
			}
			select {
			case s.wake <- struct{}{}:
			default:
			}
		}
	}
}
