package parser

import "strings"

// recogniseCreateIndex reads CREATE INDEX with kinds and options that the tree parser lacks: as what it does to its table.
func recogniseCreateIndex(s *scan) bool {
	if !s.accept("CREATE") {
		return false
	}
	s.accept("OR", "REPLACE")
	for s.acceptAny("ONLINE", "OFFLINE", "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR") {
	}
	if !s.accept("INDEX") {
		return false
	}
	on := s.find("ON")
	if on < 0 || on > s.i+8 {
		return false
	}
	s.i = on + 1
	schema, name, ok := s.name()
	if !ok || !s.is("(") {
		return false
	}
	s.st.Extra.Table = &TableDefinition{Schema: schema, Name: name, Alter: true}
	return s.left(s.i, s.last())
}

// schemaOptions are the words that an option of ALTER DATABASE begins with.
var schemaOptions = words("character charset collate comment default encryption placement read set upgrade")

// recogniseAlterSchema reads ALTER DATABASE with options that the tree parser lacks: no option names a table.
func recogniseAlterSchema(s *scan) bool {
	if !s.accept("ALTER") || !s.acceptAny("DATABASE", "SCHEMA") || s.done() || s.has(0, len(s.st.Tokens), "(", "SELECT") {
		return false
	}
	option := func(i int) bool {
		t := s.st.Tokens[i]
		return t.Kind == Word && schemaOptions[strings.ToLower(t.text(s.st.Text))]
	}
	name := ""
	if !option(s.i) || s.i+1 < s.last() && option(s.i+1) && !s.is("CHARACTER", "SET") && !s.is("DEFAULT") {
		if !s.st.Tokens[s.i].isName() {
			return false
		}
		name = s.text(s.i, s.i+1)
		s.i++
	}
	if s.done() || !option(s.i) {
		return false
	}
	node, err := tree("ALTER DATABASE "+name+" CHARACTER SET utf8mb4", s.r)
	s.st.Node = node
	return err == nil && s.left(s.i, s.last())
}
