package parser

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// Tokens that a recogniser leaves out of the tree must be unable to read a table, or what they read
// must be kept. kept is what a run of such tokens evaluates all the same.
type kept struct {
	more    []ast.StmtNode
	objects []Named
}

// inert looks at tokens from..to-1, which an analysis leaves out, and gives the user variables, function
// calls and sequences among them. ok is false when a query stands there or a call cannot be read.
func (s *scan) inert(from, to int) (k kept, ok bool) {
	is := func(i int, words ...string) bool {
		for n, w := range words {
			if i+n >= to || !s.st.Tokens[i+n].is(s.st.Text, w) {
				return false
			}
		}
		return true
	}
	for i := from; i < to; i++ {
		t := s.st.Tokens[i]
		switch {
		case is(i, "SELECT"), is(i, "(", "TABLE"), is(i, "(", "VALUES"), is(i, "(", "WITH"):
			return k, false
		case is(i, "VALUE", "FOR"), is(i, "NEXTVAL", "("), is(i, "LASTVAL", "("), is(i, "SETVAL", "("):
			at := *s
			at.i = i + 2
			schema, name, named := at.name()
			if !named {
				return k, false
			}
			k.objects = append(k.objects, Named{schema, name, ReadWrite})
			i = at.i - 1
		case t.Kind == UserVariable && !s.isHost(i):
			nodes, read := s.expression(t.text(s.st.Text))
			if !read {
				return k, false
			}
			k.more = append(k.more, nodes...)
		case t.isName() && is(i+1, "(") && s.calls(i):
			end := s.closing(i+1, to)
			nodes, read := s.expression(s.text(s.qualified(i), end))
			if !read || end < 0 {
				return k, false
			}
			k.more = append(k.more, nodes...)
			i = end - 1
		}
	}
	return k, true
}

// left does as inert does and keeps what was found in the statement's Extra.
func (s *scan) left(from, to int) bool {
	k, ok := s.inert(from, to)
	s.st.Extra.More = append(s.st.Extra.More, k.more...)
	s.st.Extra.Objects = append(s.st.Extra.Objects, k.objects...)
	return ok
}

// isHost tells whether the user variable at i is the host of an account: 'alice'@'10.%'.
func (s *scan) isHost(i int) bool {
	if i == 0 {
		return false
	}
	before := s.st.Tokens[i-1]
	return (before.isName() || before.Kind == String) && before.End == s.st.Tokens[i].Start
}

// calls tells whether the name at i, with a parenthesis behind it, may run a stored function: it is
// qualified, or neither a type nor a function of every warehouse.
func (s *scan) calls(i int) bool {
	if s.qualified(i) < i || s.st.Tokens[i].Kind == QuotedName {
		return true
	}
	return !harmlessCalls[strings.ToLower(s.st.Tokens[i].text(s.st.Text))]
}

// qualified gives the index at which the name that ends at i begins.
func (s *scan) qualified(i int) int {
	for i > 1 && s.st.Tokens[i-1].is(s.st.Text, ".") && s.st.Tokens[i-2].isName() {
		i -= 2
	}
	return i
}

// closing gives the index behind the parenthesis that opens at i, or -1 when it does not close before to.
func (s *scan) closing(i, to int) int {
	depth := 0
	for ; i < to; i++ {
		switch t := s.st.Tokens[i]; {
		case t.is(s.st.Text, "("):
			depth++
		case t.is(s.st.Text, ")"):
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// harmlessCalls are words before a parenthesis that run no stored function: types, clauses, and
// functions of every warehouse whose arguments are looked at one by one.
var harmlessCalls = words(`
	char varchar nchar nvarchar binary varbinary tinytext text mediumtext longtext tinyblob blob mediumblob longblob
	bit tinyint smallint mediumint int integer bigint decimal dec numeric fixed number float double real precision
	int1 int2 int3 int4 int8 middleint float4 float8 cursor
	bool boolean date time datetime timestamp year enum set json vector varchar2 raw varying character
	now current_timestamp current_date current_time localtime localtimestamp sysdate utc_timestamp utc_date utc_time
	date_add date_sub adddate subdate timestampadd unix_timestamp from_unixtime str_to_date last_day interval
	password old_password connection_id concat lower upper abs floor ceil round if ifnull coalesce least greatest
	on in as and or not by key index primary unique fulltext spatial foreign references check values columns hash
	list range partition subpartition partitions generated always default using union row rows than comment
	system_time period persistent virtual stored with to from between limit convert point_in
	indexes analyse analyze within group over rows`)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}
