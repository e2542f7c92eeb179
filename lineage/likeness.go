package lineage

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"sluice/lineage/catalog"
	"sluice/parser"
)

// likeness is what texts of one shape have in common: the tree, and the graphs, of the first of them.
type likeness struct {
	shape   string
	reading parser.Reading
	first   *Script
	// apart: a graph of the shape depends on more than the tree; each text is read by itself.
	apart atomic.Bool
}

// likenedOverhead is about what a likened text costs besides its bytes.
const likenedOverhead = 640

// outgrown tells whether a script's tree is another text's and must not be any more.
func (s *Script) outgrown() bool { return s.like != nil && s.like.apart.Load() }

// shapeShard is a part of the shapes. One is kept when it comes for the second time, as texts are.
type shapeShard struct {
	seen  sightings
	mu    sync.RWMutex
	known map[uint64][]*likeness // by the hash of the shape
	bytes int64
}

var shapeBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// alike gives a script for a text whose shape is known; nil when it is not.
func (r *Reader) alike(shape, text []byte, rd parser.Reading) *Script {
	l := r.likeness(maphash.Bytes(r.seed, shape), shape, rd)
	if l == nil || l.apart.Load() {
		return nil
	}
	own := string(text)
	made := new(borrower)
	first := &l.first.Statements[0]
	made.statement[0] = parser.Statement{Text: own, Kind: first.Kind, Tier: first.Tier, Node: first.Node}
	made.parsed = parser.Script{Statements: made.statement[:], ModeFree: parser.ModeFree(own), Reading: rd}
	made.script = Script{Script: &made.parsed, Reading: rd, text: own, graphs: l.first.graphs, like: l}
	return &made.script
}

// borrower is a script with what it points to, in one piece of memory.
type borrower struct {
	script    Script
	parsed    parser.Script
	statement [1]parser.Statement
}

func (r *Reader) likeness(hash uint64, shape []byte, rd parser.Reading) *likeness {
	s := &r.shapes[hash%shardCount]
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, l := range s.known[hash] {
		if l.shape == string(shape) && l.reading == rd {
			return l
		}
	}
	return nil
}

// keepShape lets later texts of the shape use a script's tree, and forgets other shapes at random while there are
// too many.
func (r *Reader) keepShape(shape []byte, first *Script) {
	hash := maphash.Bytes(r.seed, shape)
	if r.likeness(hash, shape, first.Reading) != nil {
		return // another session was first, or its texts are read one by one
	}
	s := &r.shapes[hash%shardCount]
	if !s.seen.again(hash) {
		return
	}
	l := &likeness{shape: string(shape), reading: first.Reading, first: first}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[uint64][]*likeness)
	}
	s.known[hash] = append(s.known[hash], l)
	s.bytes += l.cost()
	for other, list := range s.known {
		if s.bytes <= r.budget {
			return
		}
		for _, dropped := range list {
			s.bytes -= dropped.cost()
		}
		delete(s.known, other)
	}
}

func (l *likeness) cost() int64 { return l.first.cost() + int64(len(l.shape)) }

// likenable tells whether a graph is that of every text of its statement's shape: no literal was looked at,
// and nothing in it quotes the text.
func (g *Graph) likenable() bool {
	return !g.literal && g.Refused == "" && g.Forbidden == "" && g.Unread == "" && len(g.Opaque) == 0
}

// byItself reads a text again whose graph turned out to be its own, and every later one of its shape too.
func (r *Reader) byItself(ctx context.Context, s *Script, sc Scope, cat *catalog.Snapshot) (*Graph, error) {
	s.like.apart.Store(true)
	own, err := read(s.text, s.Reading)
	if err != nil {
		return nil, err
	}
	g, _, err := r.trace(ctx, own, 0, sc, cat)
	return g, err
}
