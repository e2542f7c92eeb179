package enforcement

import (
	"fmt"
	"strings"
)

// ExceptionPolicy is the text of an exception policy, read and checked (contract 4).
type ExceptionPolicy struct {
	Project    string
	Statements []ExceptionStatement
}

// ExceptionStatement is one statement of an exception policy.
type ExceptionStatement struct {
	Number     int // from 1, as the text has them
	Allow      bool
	Principals []string
	Actions    []string
	Resources  []string
	Conditions []Condition
	// Unsealed is set by "Bool": {"sluice:Sealed": "false"}: its tables are live.
	Unsealed bool

	uses use
}

// use is a set of what a flow does with its source.
type use uint8

const (
	useRead     use = 1 << iota // into a table, or shown up to the display cap
	useDownload                 // out of the warehouse without a cap
)

// actionUses are the actions that policies may name, with the uses that they cover: Select, Read and
// All cover every flow, Download one that leaves the warehouse; the rest are no flow.
var actionUses = map[string]use{
	"select": useRead | useDownload, "read": useRead | useDownload, "all": useRead | useDownload,
	"download": useDownload,
	"describe": 0, "alter": 0, "update": 0, "drop": 0, "showhistory": 0, "write": 0, "delete": 0,
	"execute": 0, "list": 0, "createtable": 0, "createinstance": 0, "createfunction": 0,
	"createresource": 0, "createpackage": 0, "createvolume": 0, "createjob": 0, "insert": 0,
}

// ParsePolicy reads an exception policy of a project (semantics 2.2). The error is a *PolicyError.
func ParsePolicy(text string, project string) (*ExceptionPolicy, error) {
	d, v, fault := parseDocument(text)
	if fault == nil {
		r := policyReader{d, project}
		var p *ExceptionPolicy
		if p, fault = r.policy(&v); fault == nil {
			return p, nil
		}
	}
	return nil, fault
}

// policyReader turns JSON values into a policy.
type policyReader struct {
	d       *document
	project string
}

func (r *policyReader) fault(v *value, expected, hint string) *PolicyError {
	return r.d.fault(v.at, expected, v.found(), hint)
}

// fields finds the values of an object's known keys; a key that is not known is an error.
func (r *policyReader) fields(v *value, what string, names ...string) (map[string]*value, *PolicyError) {
	if v.kind != objectValue {
		return nil, r.fault(v, what, "")
	}
	out := make(map[string]*value, len(names))
	for i := range v.keys {
		m := &v.keys[i]
		known := false
		for _, n := range names {
			known = known || n == m.name
		}
		if !known {
			return nil, r.d.fault(m.at, "one of the keys "+strings.Join(names, ", "), quoted(m.name), near(m.name, names))
		}
		out[m.name] = &m.value
	}
	return out, nil
}

// near suggests the known name that differs in case only, or by its beginning.
func near(name string, names []string) string {
	for _, n := range names {
		if strings.EqualFold(n, name) || strings.EqualFold(n+"s", name) {
			return fmt.Sprintf("did you mean %q?", n)
		}
	}
	return ""
}

func (r *policyReader) policy(v *value) (*ExceptionPolicy, *PolicyError) {
	f, err := r.fields(v, "an object that begins with '{'", "Version", "Statement")
	if err != nil {
		return nil, err
	}
	version, list := f["Version"], f["Statement"]
	switch {
	case version == nil:
		return nil, r.d.fault(v.at, `the key "Version"`, "an object without it", `write "Version": "1"`)
	case version.kind != stringValue || version.text != "1":
		return nil, r.fault(version, `the version "1"`, "")
	case list == nil:
		return nil, r.d.fault(v.at, `the key "Statement"`, "an object without it", "")
	case list.kind != listValue || len(list.items) == 0:
		return nil, r.fault(list, "a list of statements", `"Statement": [{…}]`)
	}
	p := &ExceptionPolicy{Project: r.project, Statements: make([]ExceptionStatement, len(list.items))}
	for i := range list.items {
		s := &p.Statements[i]
		s.Number = i + 1
		if err := r.statement(&list.items[i], s); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (r *policyReader) statement(v *value, s *ExceptionStatement) *PolicyError {
	f, err := r.fields(v, "a statement that begins with '{'", "Effect", "Principal", "Action", "Resource", "Condition")
	if err != nil {
		return err
	}
	for _, key := range [...]string{"Effect", "Principal", "Action", "Resource"} {
		if f[key] == nil {
			return r.d.fault(v.at, fmt.Sprintf("the key %q", key), "a statement without it", "")
		}
	}
	if err := r.effect(f["Effect"], s); err != nil {
		return err
	}
	if s.Principals, err = r.strings(f["Principal"], "a principal", r.principal); err != nil {
		return err
	}
	if s.Actions, err = r.strings(f["Action"], "an action", r.action(s)); err != nil {
		return err
	}
	if s.Resources, err = r.strings(f["Resource"], "a resource", r.resource); err != nil {
		return err
	}
	if c := f["Condition"]; c != nil {
		return r.conditions(c, s)
	}
	return nil
}

func (r *policyReader) effect(v *value, s *ExceptionStatement) *PolicyError {
	s.Allow = v.kind == stringValue && strings.EqualFold(v.text, "Allow")
	if !s.Allow && !(v.kind == stringValue && strings.EqualFold(v.text, "Deny")) {
		return r.fault(v, "Allow or Deny", "")
	}
	return nil
}

// strings reads a string or a list of strings and checks each.
func (r *policyReader) strings(v *value, what string, check func(*value) *PolicyError) ([]string, *PolicyError) {
	items := v.items
	if v.kind == stringValue {
		items = []value{*v}
	} else if v.kind != listValue || len(items) == 0 {
		return nil, r.fault(v, what+" or a list of them", "")
	}
	out := make([]string, len(items))
	for i := range items {
		if items[i].kind != stringValue {
			return nil, r.fault(&items[i], what+" in double quotes", "")
		}
		if err := check(&items[i]); err != nil {
			return nil, err
		}
		out[i] = items[i].text
	}
	return out, nil
}

func (r *policyReader) principal(v *value) *PolicyError {
	name := strings.Trim(v.text, "`")
	switch {
	case strings.TrimSpace(name) == "" || strings.HasPrefix(name, "@"):
		return r.fault(v, "an account, or *", "")
	case strings.HasPrefix(name, "RAM$") && strings.Contains(name, ":role/"):
		return r.fault(v, "an account", "a role is no account of the warehouse")
	}
	return nil
}

// action checks an action and adds what it covers to the statement.
func (r *policyReader) action(s *ExceptionStatement) func(*value) *PolicyError {
	return func(v *value) *PolicyError {
		name := v.text
		if name == "*" {
			s.uses = useRead | useDownload
			return nil
		}
		if len(name) < 5 || !strings.EqualFold(name[:5], "odps:") {
			return r.fault(v, "an action such as odps:Select", "invalid Action value - "+cut(name, 80))
		}
		name = strings.ToLower(name[5:])
		known := false
		for have, uses := range actionUses {
			if glob(name, have, false) {
				known = true
				s.uses |= uses
			}
		}
		if !known {
			return r.fault(v, "an action such as odps:Select, odps:Read, odps:Download or odps:*", "invalid Action value - "+cut(v.text, 80))
		}
		return nil
	}
}

// resourceForm begins every resource. Its region is always '*', which is no wildcard here.
const (
	resourceRegion = "acs:odps:*:"
	resourceForm   = resourceRegion + "projects/"
)

// under gives what is left of a resource below a path such as projects/p/tables/.
func under(resource, path string) []string {
	if rest, ok := strings.CutPrefix(resource, resourceRegion); ok {
		return after(rest, path, true)
	}
	return after(resource, resourceRegion+path, true)
}

// resource checks that a resource is one of the project's own.
func (r *policyReader) resource(v *value) *PolicyError {
	name := v.text
	if len(under(name, "projects/")) == 0 {
		return r.fault(v, "a resource such as "+resourceForm+r.project+"/tables/t", "")
	}
	own := under(name, "projects/"+r.project)
	for _, rest := range own {
		if rest == "" || rest[0] == '/' || rest[0] == '*' {
			return nil
		}
	}
	return r.fault(v, "a resource of project "+r.project, "an exception lets out its own project's data only")
}

func (r *policyReader) conditions(v *value, s *ExceptionStatement) *PolicyError {
	if v.kind != objectValue {
		return r.fault(v, `an object such as {"StringEquals": {"odps:TaskType": "SQL"}}`, "")
	}
	for i := range v.keys {
		m := &v.keys[i]
		op := operators[m.name]
		if op == nil {
			return r.d.fault(m.at, "a condition operator such as StringEquals, DateLessThan or IpAddress", quoted(m.name), nearOperator(m.name))
		}
		if m.value.kind != objectValue || len(m.value.keys) == 0 {
			return r.fault(&m.value, fmt.Sprintf(`an object of keys, such as {"odps:TaskType": "SQL"}, for %s`, op.name), "")
		}
		for j := range m.value.keys {
			if err := r.condition(op, &m.value.keys[j], s); err != nil {
				return err
			}
		}
	}
	return nil
}

func nearOperator(name string) string {
	for n := range operators {
		if strings.EqualFold(n, name) {
			return fmt.Sprintf("did you mean %q?", n)
		}
	}
	if strings.HasSuffix(name, "IfExists") {
		return "there is no IfExists form"
	}
	return ""
}

func (r *policyReader) condition(op *operator, m *member, s *ExceptionStatement) *PolicyError {
	key := conditionKeys[m.name]
	if key == nil {
		return r.d.fault(m.at, "one of the keys "+keyNames, quoted(m.name), "")
	}
	if !key.allows(op.family) {
		return r.d.fault(m.at, key.takes+" for "+key.name, op.name, "")
	}
	c := Condition{Operator: op.name, Key: key.name, op: op, key: key}
	items := m.value.items
	if m.value.kind != listValue {
		items = []value{m.value}
	}
	if len(items) == 0 || op.family == boolFamily && len(items) > 1 {
		return r.fault(&m.value, "one value for "+key.name, "")
	}
	for i := range items {
		item := &items[i]
		if !op.family.takes(item.kind) {
			return r.fault(item, "a value in double quotes for "+key.name, "")
		}
		if expected := c.compileValue(item.text); expected != "" {
			return r.fault(item, expected+" for "+key.name, "")
		}
		c.Values = append(c.Values, item.text)
	}
	if key.name != keySealed {
		s.Conditions = append(s.Conditions, c)
		return nil
	}
	return r.sealed(m, &c, s)
}

// keyNames lists the condition keys in the order of the contract.
var keyNames = strings.Join([]string{
	keyTaskType, keySourceIP, keyTime, keyTransport, keyTargetProject, keyTargetTable, keyTargetKind, keySealed,
}, ", ")

func (f family) takes(k valueKind) bool {
	return k == stringValue || f == boolFamily && k == boolValue || f == numericFamily && k == numberValue
}

// sealed takes sluice:Sealed. A wildcard names tables that nobody has seen yet, so none is sealed.
func (r *policyReader) sealed(m *member, c *Condition, s *ExceptionStatement) *PolicyError {
	s.Unsealed = !c.truth
	if !c.truth {
		return nil
	}
	for _, res := range s.Resources {
		if wild(strings.TrimPrefix(res, resourceRegion)) {
			return r.fault(&m.value, `"false" for a statement whose resource has a wildcard`, "a wildcard names tables that nobody has seen, so it cannot be sealed")
		}
	}
	return nil
}

// cut shortens a text for a message.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
