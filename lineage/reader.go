package lineage

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// Script is a parsed text with the graphs that were traced for it. It is shared by sessions.
type Script struct {
	*parser.Script
	Reading parser.Reading // the client's, which the text is kept by
	text    string         // the whole text
	graphs  []graphCache
	only    [1]graphCache // that of a lone statement
	next    *Script       // another one in the cache whose text has the same hash
	like    *likeness     // whose tree this is, when it was made for another text of the same shape
}

// graphCache keeps the newest graphs of one statement, by what they depend on.
type graphCache struct {
	mu    sync.Mutex
	first atomic.Pointer[cachedGraph]
}

// cachedGraph is immutable, as is the list that it begins.
type cachedGraph struct {
	schema  string
	version uint64
	graph   *Graph
	next    *cachedGraph
}

// keptGraphs bounds the schemas that one statement's graphs are kept for.
const keptGraphs = 8

// Reader joins parse, resolve and trace behind one cache, which is keyed by the full text, compared
// byte by byte, and by all that its reading depends on; never by a digest. Texts that differ in plain
// literals alone share a tree: see [parser.AppendShape].
type Reader struct {
	Catalog *catalog.Catalog
	seed    maphash.Seed
	budget  int64 // bytes a shard may hold
	shards  [shardCount]shard
	shapes  [shardCount]shapeShard

	hits, likened, misses atomic.Uint64
}

const (
	shardCount = 64
	// entryOverhead and entryFactor estimate what a cached text costs: its tree is many times its size.
	entryOverhead = 2048
	entryFactor   = 48
	// cachedText is the longest text that is cached.
	cachedText = 16 << 10
	// seenTexts is how many texts that came once a shard remembers.
	seenTexts = 1024
)

// sightings holds, by a part of a text's hash, another part of it.
type sightings [seenTexts]atomic.Uint32

// again tells whether a text came before, not too many others ago.
func (s *sightings) again(hash uint64) bool {
	tag := uint32(hash>>32) | 1
	slot := &s[hash/shardCount%seenTexts]
	if slot.Load() == tag {
		return true
	}
	slot.Store(tag)
	return false
}

// shard is a part of the cache. A text is kept when it comes for the second time: most texts that hold their values come
// once, and would push out those that come again.
type shard struct {
	seen  sightings
	mu    sync.RWMutex
	texts map[uint64]*Script // by the hash of the text; several when the reading differs
	bytes int64
}

// NewReader gives a reader over a catalog whose cache holds about the given number of bytes.
func NewReader(c *catalog.Catalog, bytes int) *Reader {
	return &Reader{Catalog: c, seed: maphash.MakeSeed(), budget: int64(bytes) / shardCount}
}

// Hits counts the texts that were known.
func (r *Reader) Hits() uint64 { return r.hits.Load() }

// Likened counts the texts that were like a known one but for plain literals.
func (r *Reader) Likened() uint64 { return r.likened.Load() }

// Misses counts the texts that were parsed.
func (r *Reader) Misses() uint64 { return r.misses.Load() }

// Parse is parser.Parse behind the cache. It allocates nothing for a text that came twice before.
func (r *Reader) Parse(text []byte, rd parser.Reading) (*Script, error) {
	hash := maphash.Bytes(r.seed, text)
	s := &r.shards[hash%shardCount]
	if known := s.find(hash, text, rd); known != nil {
		r.hits.Add(1)
		return known, nil
	}
	if len(text) > cachedText {
		r.misses.Add(1)
		return read(string(text), rd)
	}
	scratch := shapeBuffers.Get().(*[]byte)
	defer shapeBuffers.Put(scratch)
	shape, shaped := parser.AppendShape((*scratch)[:0], text, rd)
	*scratch = shape
	if shaped {
		if script := r.alike(shape, text, rd); script != nil {
			r.likened.Add(1)
			if s.seen.again(hash) {
				s.keep(hash, script, r.budget)
			}
			return script, nil
		}
	}
	r.misses.Add(1)
	script, err := read(string(text), rd)
	if err != nil || hasCommand(script.Script) {
		return script, err
	}
	if s.seen.again(hash) {
		s.keep(hash, script, r.budget)
	}
	if shaped && script.Likenable() {
		r.keepShape(shape, script)
	}
	return script, nil
}

func read(text string, rd parser.Reading) (*Script, error) {
	parsed, err := parser.ParseSent(text, rd)
	if err != nil {
		return nil, err
	}
	script := &Script{Script: parsed, Reading: rd, text: text}
	if script.graphs = script.only[:]; len(parsed.Statements) != 1 {
		script.graphs = make([]graphCache, len(parsed.Statements))
	}
	return script, nil
}

func hasCommand(s *parser.Script) bool {
	for i := range s.Statements {
		if s.Statements[i].Command != nil {
			return true
		}
	}
	return false
}

// find gives the script of a text, nil when there is none.
func (s *shard) find(hash uint64, text []byte, rd parser.Reading) *Script {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for known := s.texts[hash]; known != nil; known = known.next {
		if known.text == string(text) && known.Reading == rd && !known.outgrown() {
			return known
		}
	}
	return nil
}

// keep adds a script, and drops others at random while the shard is over its budget.
func (s *shard) keep(hash uint64, script *Script, budget int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		s.texts = make(map[uint64]*Script)
	}
	s.drop(hash, script)
	script.next = s.texts[hash]
	s.texts[hash] = script
	s.bytes += script.cost()
	if s.bytes <= budget {
		return
	}
	for other, dropped := range s.texts {
		if s.bytes <= budget {
			return
		}
		for ; dropped != nil; dropped = dropped.next {
			s.bytes -= dropped.cost()
		}
		delete(s.texts, other)
	}
}

// drop forgets an older script of the same text. Who found it before goes on with it.
func (s *shard) drop(hash uint64, script *Script) {
	var others *Script
	for old := s.texts[hash]; old != nil; {
		next := old.next
		if old.text == script.text && old.Reading == script.Reading {
			s.bytes -= old.cost()
		} else {
			old.next, others = others, old
		}
		old = next
	}
	s.texts[hash] = others
}

func (s *Script) cost() int64 {
	if s.like != nil {
		return likenedOverhead + int64(len(s.text))
	}
	return entryOverhead + entryFactor*int64(len(s.text))
}

// Graph gives the graph of statement i of a script, by the newest catalog. It does no I/O and
// allocates nothing when the statement's names are known. It fails when definitions cannot be read.
func (r *Reader) Graph(ctx context.Context, s *Script, i int, sc Scope) (*Graph, error) {
	cat, err := r.Catalog.Current(ctx)
	if err != nil {
		return nil, err
	}
	cache := &s.graphs[i]
	plain := len(sc.Temporary) == 0
	if plain {
		if g := cache.find(sc.Schema, cat.Version()); g != nil && (s.like == nil || g.likenable()) {
			return g, nil
		}
	}
	g, cat, err := r.trace(ctx, s, i, sc, cat)
	if err != nil {
		return nil, err
	}
	if s.like != nil && !g.likenable() {
		return r.byItself(ctx, s, sc, cat)
	}
	if plain {
		cache.keep(&cachedGraph{schema: sc.Schema, version: cat.Version(), graph: g})
	}
	return g, nil
}

// maxTraces and traceFor bound together how often a statement is read again because definitions changed while its own were read:
// on a busy warehouse, beside sessions that define much, ten readings may be one after the other too slow.
const (
	maxTraces = 10
	traceFor  = 10 * time.Second
)

// trace resolves and traces by cat, or by a newer catalog when reading definitions took so long that cat may
// have become too old on the way.
func (r *Reader) trace(ctx context.Context, s *Script, i int, sc Scope, cat *catalog.Snapshot) (*Graph, *catalog.Snapshot, error) {
	var begun time.Time
	for n := 0; n < maxTraces || time.Since(begun) < traceFor; n++ {
		given := time.Now()
		if n == 0 {
			begun = given
		}
		b, err := Resolve(ctx, &s.Statements[i], s.Script.Reading, sc, cat)
		if err != nil {
			return nil, nil, err
		}
		if r.Catalog.Recent(cat, given) {
			return Trace(b), cat, nil
		}
		if cat, err = r.Catalog.Current(ctx); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, errors.New("definitions change too fast, or are read too slowly, to judge by")
}

func (c *graphCache) find(schema string, version uint64) *Graph {
	for e := c.first.Load(); e != nil; e = e.next {
		if e.version == version && e.schema == schema {
			return e.graph
		}
	}
	return nil
}

// keep puts a graph first and drops those of older catalogs.
func (c *graphCache) keep(e *cachedGraph) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, kept := e, 1
	for o := c.first.Load(); o != nil && kept < keptGraphs; o = o.next {
		if o.version == e.version && o.schema != e.schema {
			last.next = &cachedGraph{schema: o.schema, version: o.version, graph: o.graph}
			last, kept = last.next, kept+1
		}
	}
	c.first.Store(e)
}
