package parser

import "github.com/pingcap/tidb/pkg/parser/ast"

// Tier says how a statement was understood.
type Tier uint8

// The tiers, best first.
const (
	TierTree       Tier = iota + 1 // the syntax tree of the text as it stands
	TierRecogniser                 // a construct the tree parser lacks, spelt for it by a recogniser
	TierTokens                     // not parsed: bounded by the names among its tokens
)

// String gives the tier as `proxy lineage --jsonl` prints it.
func (t Tier) String() string {
	switch t {
	case TierTree:
		return "tree"
	case TierRecogniser:
		return "recogniser"
	case TierTokens:
		return "tokens"
	default:
		return "none"
	}
}

// Script is what one text holds: its statements in the order the warehouse would run them.
type Script struct {
	Statements []Statement
	// ModeFree: the text means the same under every sql_mode and client character set, so
	// that nothing of the session had to be known to read it.
	ModeFree bool
	// Reading is what the statements, and texts within them, are read by.
	Reading Reading
	// Tail: a comment stands behind the last semicolon, which some servers answer as a statement of its own.
	Tail bool
}

// Statement is one statement, read as the warehouse reads it.
type Statement struct {
	// Text is the canonical spelling. It is parsed, judged and, as Sent spells it, forwarded. It is the
	// client's own text wherever that has one meaning.
	Text string
	// Rest is what stands behind the statement in its text, as it was sent, beginning with its semicolon; "" for a lone one.
	Rest string
	// Kind is the statement's class in lower case: "select", "insert", "create table", "set" …
	Kind string
	Tier Tier
	// Command is the gateway command that the text spells, or nil. Node is nil then.
	Command Command
	// Node is the tree to analyse; nil under TierTokens and for a Command.
	Node ast.StmtNode
	// Extra holds what a recogniser cut out of the text before Node was parsed.
	Extra Extra
	// Tokens are the lexed tokens of Text.
	Tokens []Token
	// Unparsed says, under TierTokens, what the tree parser did not understand.
	Unparsed string
	// Branched: a condition of its stored program may pass it over.
	Branched bool
	// Caught: a handler of its stored program may take its error.
	Caught Catch

	set  ownSet // the client's character set, when Text was put into UTF-8
	bare string // Text in that set
	sent string // Text, in that set, with the client's plain comments, if there are any
}
