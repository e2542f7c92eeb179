package parser

// compoundEnd gives the index of the semicolon behind a compound statement that begins at first, or the
// number of tokens. Blocks are counted where a statement can begin; CASE … END also within expressions.
func compoundEnd(l *lexed, first int) int {
	b := blocks{l: l, begins: true, first: first}
	for i := first; i < len(l.tokens); i++ {
		if b.is(i, ";") && len(b.open) == 0 && b.opened {
			return i
		}
		i += b.step(i)
	}
	return len(l.tokens)
}

// blocks are the blocks that are open at a token.
type blocks struct {
	l      *lexed
	first  int
	open   []bool // true for a CASE within an expression
	opened bool
	begins bool // a statement can begin here
}

func (b *blocks) is(i int, words ...string) bool {
	for _, w := range words {
		if i >= 0 && i < len(b.l.tokens) && b.l.tokens[i].is(b.l.text, w) {
			return true
		}
	}
	return false
}

// step reads one token and gives how many further ones belong to it.
func (b *blocks) step(i int) int {
	begins := b.begins
	b.begins = false
	expression := len(b.open) > 0 && b.open[len(b.open)-1]
	switch {
	case b.is(i, "END"):
		if i > b.first && b.is(i-1, "STAGE", "XA", ".", "BACKUP") || len(b.open) == 0 {
			return 0
		}
		b.open = b.open[:len(b.open)-1]
		if !expression && b.is(i+1, "IF", "CASE", "WHILE", "LOOP", "REPEAT", "FOR") {
			return 1
		}
	case b.is(i, "BEGIN"):
		b.push(false)
		b.begins = true
	case b.is(i, "CASE"):
		b.push(!begins)
	case begins && b.is(i, "IF", "WHILE"), begins && b.is(i, "FOR") && b.is(i+2, "IN"):
		b.push(false)
	case begins && b.is(i, "LOOP", "REPEAT"):
		b.push(false)
		b.begins = true
	case b.is(i, ";", ":"), !expression && b.is(i, "THEN", "ELSE"), b.is(i, "DO"), b.is(i, "ROW") && b.is(i-1, "EACH"),
		b.is(i, ")"), b.is(i, "FOR"), b.is(i, "FOUND", "SQLEXCEPTION", "SQLWARNING", "ATOMIC"),
		b.is(i, "DETERMINISTIC", "SQL", "DATA", "INVOKER", "DEFINER") && len(b.open) == 0:
		b.begins = true // perhaps: what a head may end with counts too
	case begins && len(b.open) == 0 && !b.opened:
		b.begins = true // still in the head of the statement
	}
	return 0
}

func (b *blocks) push(expression bool) {
	b.open = append(b.open, expression)
	b.opened = true
}
