package parser

import "github.com/pingcap/tidb/pkg/parser/ast"

// scan walks over the tokens of a statement.
type scan struct {
	st *Statement
	r  Reading
	i  int
	// nesting counts the statements that this one stands in.
	nesting int
	// looked counts the tokens that searches ahead went over.
	looked int
}

func (s *scan) is(words ...string) bool {
	for n, w := range words {
		if s.i+n >= len(s.st.Tokens) || !s.st.Tokens[s.i+n].is(s.st.Text, w) {
			return false
		}
	}
	return true
}

func (s *scan) accept(words ...string) bool {
	if s.is(words...) {
		s.i += len(words)
		return true
	}
	return false
}

func (s *scan) acceptAny(words ...string) bool {
	for _, w := range words {
		if s.accept(w) {
			return true
		}
	}
	return false
}

func (s *scan) done() bool { return s.i >= len(s.st.Tokens) || s.is(";") }

// rest is the text from here to the end, without a closing semicolon.
func (s *scan) rest() string {
	if s.done() {
		return ""
	}
	return s.text(s.i, s.last())
}

// last is the index behind the last token that is no semicolon.
func (s *scan) last() int {
	n := len(s.st.Tokens)
	for n > 0 && s.st.Tokens[n-1].is(s.st.Text, ";") {
		n--
	}
	return n
}

// text is the text of tokens from..to-1.
func (s *scan) text(from, to int) string {
	if from >= to {
		return ""
	}
	return s.st.Text[s.st.Tokens[from].Start:s.st.Tokens[to-1].End]
}

// name reads [schema.]name.
func (s *scan) name() (schema, name string, ok bool) {
	if s.done() || !s.st.Tokens[s.i].isName() {
		return "", "", false
	}
	name = s.st.Tokens[s.i].name(s.st.Text)
	s.i++
	if s.is(".") && s.i+1 < len(s.st.Tokens) && s.st.Tokens[s.i+1].isName() {
		schema, name = name, s.st.Tokens[s.i+1].name(s.st.Text)
		s.i += 2
	}
	return schema, name, true
}

// find gives the index of the first token at or behind here that is one of words outside of
// parentheses, or -1.
func (s *scan) find(words ...string) int {
	depth := 0
	for i := s.i; i < len(s.st.Tokens); i++ {
		t := s.st.Tokens[i]
		s.looked++
		switch {
		case t.is(s.st.Text, "("):
			depth++
		case t.is(s.st.Text, ")"):
			depth--
		case depth == 0:
			for _, w := range words {
				if t.is(s.st.Text, w) {
					return i
				}
			}
		}
	}
	return -1
}

// has tells whether one of words stands anywhere in tokens from..to-1.
func (s *scan) has(from, to int, words ...string) bool {
	for _, t := range s.st.Tokens[from:to] {
		for _, w := range words {
			if t.is(s.st.Text, w) {
				return true
			}
		}
	}
	return false
}

// inner reads a text as a statement of its own, with all tiers.
func (s *scan) inner(text string) (*Statement, bool) {
	if s.nesting >= maxNesting {
		return nil, false
	}
	script, err := parseNested(text, s.r, s.nesting+1)
	if err != nil || len(script.Statements) != 1 || script.Statements[0].Command != nil {
		return nil, false
	}
	return &script.Statements[0], true
}

// adopt makes the understanding of another text st's own.
func (st *Statement) adopt(in *Statement) bool {
	if in.Tier == TierTokens {
		return false
	}
	st.Node, st.Tier = in.Node, TierRecogniser
	e := st.Extra
	st.Extra = in.Extra
	st.Extra.Explained = st.Extra.Explained || e.Explained
	st.Extra.Settings = append(st.Extra.Settings, e.Settings...)
	st.Extra.More = append(st.Extra.More, e.More...)
	return true
}

// expression reads a text as an expression: the tree of `DO text`, with those of what had to be cut out of it.
func (s *scan) expression(text string) ([]ast.StmtNode, bool) {
	node, err := tree("DO "+text, s.r)
	if err == nil {
		return []ast.StmtNode{node}, true
	}
	in, ok := s.inner("SELECT " + text)
	if !ok || in.Node == nil {
		return nil, false
	}
	more := in.Extra.More
	in.Extra.More, in.Extra.Locks = nil, false
	if !in.Extra.empty() { // a sequence, a target: more than a tree tells
		return nil, false
	}
	return append([]ast.StmtNode{in.Node}, more...), true
}

// lastBefore gives the index of word behind from, or of the end.
func (s *scan) lastBefore(from int, word string) int {
	at := s.i
	s.i = from
	defer func() { s.i = at }()
	if n := s.find(word); n >= 0 {
		return n
	}
	return s.last()
}
