package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Shared keeps schemas where the gateways of one warehouse find them. Find gives nothing but what Keep was given, by a gateway, for
// just this schema and state: whoever implements it answers for that.
type Shared interface {
	Find(ctx context.Context, schema, state string) []byte
	Keep(ctx context.Context, schema, state string, text []byte)
	// Kept lists the schemas that Find may give something for.
	Kept(ctx context.Context, state string) []string
}

// Stated is a loader whose definitions have a state that means the same to all gateways.
type Stated interface {
	// State spells what the definitions are at a reading of the clock: two equal states, of whatever gateways and
	// times, are the same definitions. "" where that cannot be said.
	State(ctx context.Context, clock string) (string, error)
}

// sharedFormat changes with what a schema holds, how it is written, and how it is read from a warehouse.
const sharedFormat = "2"

// Share has schemas that are read whole looked for among those that gateways of this release read, and offered to them.
// It is called before the catalog is used.
func (c *Catalog) Share(with Shared, release string) { c.shared, c.release = with, release }

// stated reads the clock, and gives the name of the state at that reading.
func (c *Catalog) stated(ctx context.Context) (clock, state string, err error) {
	begun := time.Now()
	if clock, err = c.loader.Clock(ctx); err != nil {
		return "", "", fmt.Errorf("read the catalog clock: %w", err)
	}
	state = c.state(ctx, clock)
	if time.Since(begun) > slowState {
		state = "" // it may be that of a server that began again behind the reading
	}
	return clock, state, nil
}

// slowState is less than what a server that has a state has been up for.
const slowState = time.Second

// warm takes over the schemas that other gateways read at the state that is now, before a statement asks for them.
func (c *Catalog) warm(ctx context.Context) {
	if c.shared == nil {
		return
	}
	s, err := c.Current(ctx)
	if err != nil {
		return
	}
	_, state, err := c.stated(ctx)
	if err != nil || state == "" {
		return
	}
	for _, key := range c.shared.Kept(ctx, state) {
		h := s.held(s.key(key))
		if h == nil {
			continue
		}
		schema, _, _, err := s.ofOthers(ctx, s.key(key))
		if err != nil || schema == nil || s.stale.Load() {
			return // what is not there is read when a statement asks
		}
		c.bulk.Store(s.key(key), true)
		h.whole.CompareAndSwap(nil, schema)
	}
}

// state gives the name of the state at a reading of the clock; "" where schemas are not shared.
func (c *Catalog) state(ctx context.Context, clock string) string {
	loader, ok := c.loader.(Stated)
	if !ok || c.shared == nil {
		return ""
	}
	state, err := loader.State(ctx, clock)
	if err != nil || state == "" {
		return "" // nothing is shared: the warehouse is asked
	}
	sum := sha256.Sum256([]byte(sharedFormat + "\x00" + c.release + "\x00" + state))
	return hex.EncodeToString(sum[:])
}

// find gives a schema as it was read at a state, nil if nobody has.
func (c *Catalog) find(ctx context.Context, key, state string) *Schema {
	if state == "" {
		return nil
	}
	schema, err := decode(c.shared.Find(ctx, key, state))
	if err != nil || schema.Name != key || !schema.Exists {
		return nil
	}
	return schema
}

// offer keeps a schema for others, if the state is what it was before the schema was read: also a server that began
// again meanwhile is another one.
func (c *Catalog) offer(ctx context.Context, schema *Schema, clock, state string) {
	if state == "" || !certain(schema) || c.state(ctx, clock) != state {
		return
	}
	text, err := json.Marshal(schema)
	if err != nil {
		return
	}
	// What does not come back as it was (bytes that are no text) is not shared.
	if again, err := decode(text); err == nil && reflect.DeepEqual(again, schema) {
		c.shared.Keep(ctx, schema.Name, state, text)
	}
}

// certain tells whether a schema was read without a fault that the next reading may not have.
func certain(s *Schema) bool {
	for _, o := range s.Objects {
		if o.External == unreadMembers || o.Kind == View && o.Definition == "" || slices.ContainsFunc(o.Triggers, isLost) {
			return false
		}
	}
	for _, r := range s.Routines {
		if r.Lost {
			return false
		}
	}
	for _, e := range s.Events {
		if e.Lost {
			return false
		}
	}
	return true
}

func isLost(p *Program) bool { return p.Lost }

func decode(text []byte) (*Schema, error) {
	schema := &Schema{}
	err := json.Unmarshal(text, schema)
	return schema, err
}
