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
	Reading parser.Reading
	text    string // the whole text
	graphs  []graphCache
}

// graphCache keeps the newest graphs of one statement, by what they depend on.
type graphCache struct {
	mu   sync.Mutex
	list atomic.Pointer[[]cachedGraph]
}

type cachedGraph struct {
	schema  string
	version uint64
	graph   *Graph
}

// keptGraphs bounds the schemas that one statement's graphs are kept for.
const keptGraphs = 8

// Reader joins parse, resolve and trace behind one cache, which is keyed by the full text, compared
// byte by byte, and by all that its reading depends on; never by a digest (sql.md 4).
type Reader struct {
	Catalog *catalog.Catalog
	seed    maphash.Seed
	budget  int64 // bytes a shard may hold
	shards  [shardCount]shard

	hits, misses atomic.Uint64
}

const (
	shardCount = 64
	// entryOverhead and entryFactor estimate what a cached text costs: its tree is many times its size.
	entryOverhead = 2048
	entryFactor   = 48
	// cachedText is the longest text that is cached.
	cachedText = 16 << 10
)

type shard struct {
	mu    sync.RWMutex
	texts map[uint64][]*Script // by the hash of the text; several when the reading differs
	bytes int64
}

// NewReader gives a reader over a catalog whose cache holds about the given number of bytes.
func NewReader(c *catalog.Catalog, bytes int) *Reader {
	return &Reader{Catalog: c, seed: maphash.MakeSeed(), budget: int64(bytes) / shardCount}
}

// Hits and Misses count the texts that were known and that were parsed.
func (r *Reader) Hits() uint64   { return r.hits.Load() }
func (r *Reader) Misses() uint64 { return r.misses.Load() }

// Parse is parser.Parse behind the cache. It allocates nothing for a known text.
func (r *Reader) Parse(text []byte, rd parser.Reading) (*Script, error) {
	hash := maphash.Bytes(r.seed, text)
	s := &r.shards[hash%shardCount]
	s.mu.RLock()
	for _, known := range s.texts[hash] {
		if known.text == string(text) && known.Reading == rd {
			s.mu.RUnlock()
			r.hits.Add(1)
			return known, nil
		}
	}
	s.mu.RUnlock()
	r.misses.Add(1)
	own := string(text)
	parsed, err := parser.Parse(own, rd)
	if err != nil {
		return nil, err
	}
	script := &Script{Script: parsed, Reading: rd, text: own, graphs: make([]graphCache, len(parsed.Statements))}
	if len(own) <= cachedText && !hasCommand(parsed) {
		s.keep(hash, script, r.budget)
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

// keep adds a script, and drops others at random while the shard is over its budget.
func (s *shard) keep(hash uint64, script *Script, budget int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		s.texts = make(map[uint64][]*Script)
	}
	s.texts[hash] = append(s.texts[hash], script)
	s.bytes += cost(script.text)
	for other, scripts := range s.texts {
		if s.bytes <= budget {
			return
		}
		for _, dropped := range scripts {
			s.bytes -= cost(dropped.text)
		}
		delete(s.texts, other)
	}
}

func cost(text string) int64 { return entryOverhead + entryFactor*int64(len(text)) }

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
		if g := cache.find(sc.Schema, cat.Version()); g != nil {
			return g, nil
		}
	}
	g, cat, err := r.trace(ctx, s, i, sc, cat)
	if err != nil {
		return nil, err
	}
	if plain {
		cache.keep(cachedGraph{sc.Schema, cat.Version(), g})
	}
	return g, nil
}

// maxTraces bounds how often a statement is read again because reading its definitions took too long.
const maxTraces = 10

// trace resolves and traces by cat, or by a newer catalog when reading definitions took so long that cat may
// have become too old on the way.
func (r *Reader) trace(ctx context.Context, s *Script, i int, sc Scope, cat *catalog.Snapshot) (*Graph, *catalog.Snapshot, error) {
	for range maxTraces {
		given := time.Now()
		b, err := Resolve(ctx, &s.Statements[i], s.Reading, sc, cat)
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
	list := c.list.Load()
	if list == nil {
		return nil
	}
	for i := range *list {
		if e := &(*list)[i]; e.version == version && e.schema == schema {
			return e.graph
		}
	}
	return nil
}

// keep puts a graph first and drops those of older catalogs.
func (c *graphCache) keep(e cachedGraph) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := []cachedGraph{e}
	if old := c.list.Load(); old != nil {
		for _, o := range *old {
			if o.version == e.version && o.schema != e.schema && len(next) < keptGraphs {
				next = append(next, o)
			}
		}
	}
	c.list.Store(&next)
}
