package parser

import (
	"fmt"
	"strconv"
	"strings"
)

// CommandError is a gateway command that is misspelt, with the place where it stops making sense.
type CommandError struct {
	Line, Column int
	Near         string
	Expected     string
}

func (e *CommandError) Error() string {
	near := e.Near
	if near == "" {
		near = "the end"
	}
	return fmt.Sprintf("Sluice command syntax: expected %s at line %d column %d, near '%s'", e.Expected, e.Line, e.Column, near)
}

// commandReader reads the tokens of one statement as a gateway command.
type commandReader struct {
	text   string
	tokens []Token
	i      int
	err    *CommandError
}

func (c *commandReader) peek(words ...string) bool {
	for n, w := range words {
		if c.i+n >= len(c.tokens) || !c.tokens[c.i+n].is(c.text, w) {
			return false
		}
	}
	return true
}

func (c *commandReader) accept(words ...string) bool {
	if c.err == nil && c.peek(words...) {
		c.i += len(words)
		return true
	}
	return false
}

func (c *commandReader) expect(words ...string) {
	if !c.accept(words...) {
		c.fail(strings.Join(words, " "))
	}
}

func (c *commandReader) fail(expected string) {
	if c.err != nil {
		return
	}
	at := len(c.text)
	near := ""
	if c.i < len(c.tokens) {
		at = int(c.tokens[c.i].Start)
		near = c.tokens[c.i].text(c.text)
	}
	before := c.text[:at]
	c.err = &CommandError{
		Line: 1 + strings.Count(before, "\n"), Column: 1 + at - (strings.LastIndexByte(before, '\n') + 1),
		Near: near, Expected: expected,
	}
}

// name reads an identifier.
func (c *commandReader) name(what string) string {
	if c.err == nil && c.i < len(c.tokens) && c.tokens[c.i].isName() {
		c.i++
		return c.tokens[c.i-1].name(c.text)
	}
	c.fail(what)
	return ""
}

// pattern reads an object name that may hold '*', '.' and '-': the characters up to white space.
func (c *commandReader) pattern(what string) string {
	if c.i < len(c.tokens) && c.tokens[c.i].Kind == QuotedName {
		return c.name(what)
	}
	start := c.i
	for c.i < len(c.tokens) {
		t := c.tokens[c.i]
		if (t.Kind != Word && t.Kind != Number && !t.is(c.text, "*") && !t.is(c.text, ".") && !t.is(c.text, "-")) || (c.i > start && c.tokens[c.i-1].End != t.Start) {
			break
		}
		c.i++
	}
	if c.i == start {
		c.fail(what)
		return ""
	}
	return c.text[c.tokens[start].Start:c.tokens[c.i-1].End]
}

// user reads an account: alice, 'alice'@'10.%', ALIYUN$alice@example.com.
func (c *commandReader) user() string {
	var b strings.Builder
	for start := c.i; c.i < len(c.tokens); c.i++ {
		t := c.tokens[c.i]
		if t.is(c.text, ";") || t.is(c.text, ",") || (c.i > start && c.tokens[c.i-1].End != t.Start) {
			break // a comma begins another account, and a command takes one
		}
		switch t.Kind {
		case String:
			b.WriteString(stringText(t.text(c.text)))
		case QuotedName:
			b.WriteString(t.name(c.text))
		case UserVariable:
			b.WriteString("@" + hostText(t.text(c.text)[1:]))
		case Word, Number, Punctuation:
			b.WriteString(t.text(c.text))
		default:
			c.fail("an account such as alice or 'alice'@'10.%'")
			return ""
		}
	}
	if b.Len() == 0 {
		c.fail("an account such as alice or 'alice'@'10.%'")
	}
	return b.String()
}

// hostText reads the host of an account, quoted or not.
func hostText(raw string) string {
	switch {
	case raw == "":
		return ""
	case raw[0] == '\'' || raw[0] == '"':
		return stringText(raw)
	case raw[0] == '`':
		return unquote(raw)
	default:
		return raw
	}
}

// ownPackage reads the name of a package of the session project. One with a project before it is refused: the command
// would act on this project's package of that name, whatever project was meant.
func (c *commandReader) ownPackage() string {
	name := c.name("a package")
	if c.peek(".") {
		c.fail("the name of a package of this project, without a project before it")
	}
	return name
}

// packageName reads [p.]k.
func (c *commandReader) packageName(needProject bool) (project, name string) {
	name = c.name("a package")
	if c.accept(".") {
		return name, c.name("a package")
	}
	if needProject {
		c.fail("project.package")
	}
	return "", name
}

func (c *commandReader) number(what string) int64 {
	if c.err == nil && c.i < len(c.tokens) && c.tokens[c.i].Kind == Number {
		if n, err := strconv.ParseInt(c.tokens[c.i].text(c.text), 10, 64); err == nil {
			c.i++
			return n
		}
	}
	c.fail(what)
	return 0
}

// value reads a string, a name or a number as text.
func (c *commandReader) value(what string) string {
	if c.err == nil && c.i < len(c.tokens) {
		switch t := c.tokens[c.i]; t.Kind {
		case String:
			c.i++
			return stringText(t.text(c.text))
		case Word, QuotedName, Number:
			c.i++
			return t.name(c.text)
		}
	}
	c.fail(what)
	return ""
}

// stringText reads a quoted string of a command: a doubled quote is one quote and a backslash
// before a quote or a backslash is dropped, so that JSON survives as it was written.
func stringText(raw string) string {
	body := unquote(raw)
	if !strings.Contains(body, `\`) {
		return body
	}
	q := raw[:1]
	return strings.NewReplacer(`\\`, `\`, `\`+q, q).Replace(body)
}

// parseCommand gives the gateway command that a statement spells, nil when it is none. Only a
// statement that begins like a command, and like no statement of any warehouse, can be misspelt.
func parseCommand(text string, tokens []Token) (Command, error) {
	if len(tokens) == 0 || tokens[0].Kind != Word || !commandVerbs[strings.ToUpper(tokens[0].text(text))] {
		return nil, nil
	}
	c := &commandReader{text: text, tokens: tokens}
	command := c.command()
	if command == nil && c.err == nil {
		return nil, nil
	}
	if c.err == nil && c.i < len(tokens) && !(c.peek(";") && c.i == len(tokens)-1) {
		c.fail("the end of the command")
	}
	if c.err != nil {
		return nil, c.err
	}
	return command, nil
}

var commandVerbs = map[string]bool{
	"SET": true, "SHOW": true, "LIST": true, "ADD": true, "REMOVE": true, "CREATE": true, "DROP": true,
	"DELETE": true, "DESC": true, "DESCRIBE": true, "ALLOW": true, "DISALLOW": true, "INSTALL": true,
	"UNINSTALL": true, "GRANT": true, "REVOKE": true, "SETPROJECT": true, "EXPLAIN": true, "CHECK": true,
}

// CommandVerb tells whether a text may spell a gateway command, by its first word alone.
func CommandVerb(text string) bool {
	end := 0
	for end < len(text) && isWordByte(text[end]) {
		end++
	}
	return commandVerbs[strings.ToUpper(text[:end])]
}

func (c *commandReader) command() Command {
	switch {
	case c.accept("SET", "ProjectProtection"):
		return c.setProtection()
	case c.accept("SET", "odps", ".", "task", ".", "type"):
		c.expect("=")
		return SetTaskType{taskName(c)}
	case c.accept("SETPROJECT"):
		c.expect("READ_TABLE_MAX_ROW")
		c.expect("=")
		return SetProject{c.number("a number of rows")}
	case c.accept("SHOW"):
		return c.show()
	case c.accept("LIST"):
		return c.list()
	case c.accept("ADD"):
		return c.add()
	case c.accept("REMOVE"):
		return c.remove()
	case c.accept("EXPLAIN", "FLOW"):
		return c.explain()
	case c.accept("CHECK", "PROJECTPROTECTION"):
		return CheckProtection{}
	default:
		return c.packageCommand()
	}
}

func taskName(c *commandReader) string {
	v := c.value("'SQL', 'DT' or 'MapReduce'")
	for _, known := range []string{"SQL", "DT", "MapReduce"} {
		if strings.EqualFold(v, known) {
			return known
		}
	}
	if c.err == nil {
		c.i--
		c.fail("'SQL', 'DT' or 'MapReduce'")
	}
	return ""
}

func (c *commandReader) setProtection() Command {
	c.expect("=")
	s := SetProtection{}
	switch {
	case c.accept("true"):
		s.Value = Protected
	case c.accept("false"):
		return s // WITH EXCEPTION behind it is a syntax error (contract 3)
	case c.accept("dryrun"):
		s.Value = DryRun
	default:
		c.fail("true, false or dryrun")
		return s
	}
	if !c.accept("WITH") {
		return s
	}
	c.expect("EXCEPTION")
	if c.err != nil {
		return s
	}
	if c.i < len(c.tokens) && c.tokens[c.i].Kind == String {
		v := stringText(c.tokens[c.i].text(c.text))
		c.i++
		if strings.HasPrefix(strings.TrimSpace(v), "{") {
			s.Policy = v
		} else {
			s.File = v
		}
		return s
	}
	if c.i < len(c.tokens) && c.tokens[c.i].Kind == QuotedName {
		s.File = c.name("the name of a file")
		return s
	}
	s.File = c.path()
	return s
}

// path reads the bare name of a client's file: all up to white space or the end.
func (c *commandReader) path() string {
	start := c.i
	for c.i < len(c.tokens) && !c.peek(";") && (c.i == start || c.tokens[c.i-1].End == c.tokens[c.i].Start) {
		c.i++
	}
	if c.i == start {
		c.fail("a policy: '{…}' or the name of a file")
		return ""
	}
	return c.text[c.tokens[start].Start:c.tokens[c.i-1].End]
}

func (c *commandReader) show() Command {
	switch {
	case c.accept("SECURITYCONFIGURATION"):
		return ShowSecurityConfiguration{}
	case c.accept("PACKAGES"):
		return ShowPackages{}
	case len(c.tokens) > 2 && !c.tokens[2].is(c.text, ";") && !c.peek("PACKAGE", "STATUS") && !c.peek("PACKAGE", "BODY") && c.accept("PACKAGE"):
		project, name := c.packageName(false)
		return DescribePackage{project, name}
	case c.accept("SEALS"):
		return ShowSeals{}
	case c.accept("FLOW", "LOG"):
		return c.flowLog()
	case c.accept("FLOW", "REACH"):
		if c.accept("FROM") {
			return ShowFlowReach{c.name("a project")}
		}
		return ShowFlowReach{}
	case c.accept("FLOW"):
		c.fail("LOG or REACH")
	}
	return nil
}

func (c *commandReader) flowLog() Command {
	log := ShowFlowLog{}
	if c.accept("WHERE") {
		for {
			log.Where = append(log.Where, c.comparison())
			if !c.accept("AND") {
				break
			}
		}
	}
	if c.accept("LIMIT") {
		log.Limit = int(min(c.number("a number of rows"), 1<<20))
		log.None = log.Limit == 0
	}
	return log
}

func (c *commandReader) comparison() Comparison {
	w := Comparison{Column: strings.ToLower(c.name("a column of the flow log"))}
	for _, op := range []string{"=", "!=", "<>", "<=", ">=", "<", ">", "LIKE"} {
		if c.accept(op) {
			w.Op = op
			if op == "<>" {
				w.Op = "!="
			}
			w.Value = c.value("a value")
			return w
		}
	}
	c.fail("=, !=, <, <=, >, >= or LIKE")
	return w
}

func (c *commandReader) list() Command {
	switch {
	case c.accept("TRUSTEDPROJECTS"):
		return ListTrustedProjects{}
	case c.accept("OWNERS"):
		return ListOwners{}
	case c.accept("ADMINS"):
		return ListAdmins{}
	}
	c.fail("TRUSTEDPROJECTS, OWNERS or ADMINS")
	return nil
}

func (c *commandReader) add() Command {
	switch {
	case c.accept("TRUSTEDPROJECT"):
		return AddTrustedProject{c.name("a project")}
	case c.accept("OWNER"):
		return AddOwner{c.user()}
	case c.accept("ADMIN"):
		return AddAdmin{c.user()}
	}
	kind, object := c.object("TO")
	c.expectPackage("TO")
	name := c.ownPackage()
	a := AddToPackage{Type: kind, Object: object, Package: name}
	if c.accept("WITH", "PRIVILEGES") {
		for {
			a.Privileges = append(a.Privileges, c.name("a privilege"))
			if !c.accept(",") {
				break
			}
		}
	}
	return a
}

// expectPackage expects what follows an object. A command that ends there may have meant another one: ADD OWNRE alice.
func (c *commandReader) expectPackage(word string) {
	if c.i >= len(c.tokens) || c.peek(";") {
		c.fail(word + " PACKAGE (or OWNER, ADMIN or TRUSTEDPROJECT as the second word)")
	}
	c.expect(word, "PACKAGE")
}

// object reads [TABLE] name.
func (c *commandReader) object(before string) (kind, name string) {
	if c.i+1 < len(c.tokens) && c.tokens[c.i].Kind == Word && !c.tokens[c.i+1].is(c.text, before) && c.tokens[c.i].End != c.tokens[c.i+1].Start {
		return strings.ToLower(c.name("an object type")), c.pattern("an object")
	}
	return "table", c.pattern("an object")
}

func (c *commandReader) remove() Command {
	switch {
	case c.accept("TRUSTEDPROJECT"):
		return RemoveTrustedProject{c.name("a project")}
	case c.accept("OWNER"):
		return RemoveOwner{c.user()}
	case c.accept("ADMIN"):
		return RemoveAdmin{c.user()}
	}
	kind, object := c.object("FROM")
	c.expectPackage("FROM")
	name := c.ownPackage()
	return RemoveFromPackage{kind, object, name}
}

func (c *commandReader) explain() Command {
	if c.i >= len(c.tokens) || c.peek(";") {
		return nil // EXPLAIN of a table called flow
	}
	last := c.tokens[len(c.tokens)-1]
	end := last.End
	if last.is(c.text, ";") {
		end = last.Start
	}
	e := ExplainFlow{strings.TrimSpace(c.text[c.tokens[c.i].Start:end])}
	c.i = len(c.tokens)
	return e
}
