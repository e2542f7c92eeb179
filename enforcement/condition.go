package enforcement

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sluice/lineage"
)

// Condition is one operator over one key of an exception statement. Several values are
// alternatives; under a negated operator none of them may match.
type Condition struct {
	Operator string
	Key      string
	Values   []string

	op      *operator
	key     *conditionKey
	numbers []float64
	times   []int64 // Unix seconds
	nets    []netip.Prefix
	truth   bool
}

// family groups operators by what they compare.
type family uint8

const (
	stringFamily family = iota + 1
	numericFamily
	dateFamily
	boolFamily
	addressFamily
)

// comparison is what an operator asks, before negation.
type comparison uint8

const (
	equals comparison = iota
	equalsFold
	like
	less
	lessEquals
	greater
	greaterEquals
)

type operator struct {
	name    string
	family  family
	compare comparison
	negated bool
}

// operators are those of the RAM policy language (semantics 2.3); there is no IfExists form.
var operators = func() map[string]*operator {
	m := map[string]*operator{}
	for _, o := range []operator{
		{"StringEquals", stringFamily, equals, false},
		{"StringNotEquals", stringFamily, equals, true},
		{"StringEqualsIgnoreCase", stringFamily, equalsFold, false},
		{"StringNotEqualsIgnoreCase", stringFamily, equalsFold, true},
		{"StringLike", stringFamily, like, false},
		{"StringNotLike", stringFamily, like, true},
		{"NumericEquals", numericFamily, equals, false},
		{"NumericNotEquals", numericFamily, equals, true},
		{"NumericLessThan", numericFamily, less, false},
		{"NumericLessThanEquals", numericFamily, lessEquals, false},
		{"NumericGreaterThan", numericFamily, greater, false},
		{"NumericGreaterThanEquals", numericFamily, greaterEquals, false},
		{"DateEquals", dateFamily, equals, false},
		{"DateNotEquals", dateFamily, equals, true},
		{"DateLessThan", dateFamily, less, false},
		{"DateLessThanEquals", dateFamily, lessEquals, false},
		{"DateGreaterThan", dateFamily, greater, false},
		{"DateGreaterThanEquals", dateFamily, greaterEquals, false},
		{"Bool", boolFamily, equals, false},
		{"IpAddress", addressFamily, equals, false},
		{"NotIpAddress", addressFamily, equals, true},
	} {
		m[o.name] = &o
	}
	return m
}()

// conditionKey is a key with the operators that can ask for it.
type conditionKey struct {
	name     string
	families []family
	takes    string
}

// The keys of conditions. sluice:Sealed is no question about the request: it says whether the
// statement's tables are sealed.
const (
	keyTaskType      = "odps:TaskType"
	keySourceIP      = "acs:SourceIp"
	keyTime          = "acs:CurrentTime"
	keyTransport     = "acs:SecureTransport"
	keyTargetProject = "sluice:TargetProject"
	keyTargetTable   = "sluice:TargetTable"
	keyTargetKind    = "sluice:TargetKind"
	keySealed        = "sluice:Sealed"
)

var conditionKeys = func() map[string]*conditionKey {
	text := []family{stringFamily, numericFamily}
	m := map[string]*conditionKey{}
	for _, k := range []conditionKey{
		{keyTaskType, text, "a String or Numeric operator"},
		{keyTargetProject, text, "a String or Numeric operator"},
		{keyTargetTable, []family{stringFamily}, "a String operator"},
		{keyTargetKind, []family{stringFamily}, "a String operator"},
		{keySourceIP, []family{addressFamily}, "IpAddress or NotIpAddress"},
		{keyTime, []family{dateFamily, numericFamily}, "a Date operator, or a Numeric one with Unix seconds"},
		{keyTransport, []family{boolFamily}, "Bool"},
		{keySealed, []family{boolFamily}, "Bool"},
	} {
		m[k.name] = &k
	}
	return m
}()

func (k *conditionKey) allows(f family) bool {
	for _, have := range k.families {
		if have == f {
			return true
		}
	}
	return false
}

// compileValue checks one value and keeps it in the form that holds compares. It answers what it
// expected when the value does not do.
func (c *Condition) compileValue(v string) (expected string) {
	switch c.op.family {
	case numericFamily:
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || n != n {
			return "a number"
		}
		c.numbers = append(c.numbers, n)
	case dateFamily:
		t, ok := parseDate(v)
		if !ok {
			return "a date such as 2026-12-31T23:59:59Z"
		}
		c.times = append(c.times, t.Unix())
	case boolFamily:
		switch {
		case strings.EqualFold(v, "true"):
			c.truth = true
		case !strings.EqualFold(v, "false"):
			return "true or false"
		}
	case addressFamily:
		p, ok := parseNet(v)
		if !ok {
			return "an address or CIDR block such as 10.0.0.0/8"
		}
		c.nets = append(c.nets, p)
	default:
		return c.checkText(v)
	}
	return ""
}

// checkText refuses values that can never match.
func (c *Condition) checkText(v string) string {
	pattern := c.op.compare == like
	switch c.key.name {
	case keyTargetKind:
		for _, k := range [...]string{kindTable, kindResult, kindFile} {
			if k == v || pattern && glob(v, k, true) || c.op.compare == equalsFold && strings.EqualFold(k, v) {
				return ""
			}
		}
		return "table, result or file"
	case keyTargetTable:
		if !strings.Contains(v, ".") && !(pattern && wild(v)) {
			return "schema.table"
		}
	}
	if v == "" {
		return "a value that is not empty"
	}
	return ""
}

// strangers gives the task types of a condition that no session is of. Policies that come from elsewhere name more
// than there are here, so they are no faults.
func (c *Condition) strangers() []string {
	if c.key.name != keyTaskType || c.op.family != stringFamily {
		return nil
	}
	var out []string
	for _, v := range c.Values {
		known := false
		for _, t := range [...]Task{SQL, DT, MapReduce} {
			known = known || compareText(c.op.compare, v, t.String())
		}
		if !known {
			out = append(out, v)
		}
	}
	return out
}

var dateForms = []string{
	time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02",
}

// parseDate reads ISO 8601; a date without a zone is in UTC.
func parseDate(s string) (time.Time, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// parseNet reads an address or a CIDR block. An IPv4 block may be spelt in IPv6.
func parseNet(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, false
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, false
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// The values of sluice:TargetKind.
const (
	kindTable  = "table"
	kindResult = "result"
	kindFile   = "file"
)

// asking is one flow that is judged: everything that a rule may ask about it but its source.
type asking struct {
	subject *Subject
	now     time.Time
	task    Task
	kind    string
	// project is the sink's; "" when it is outside or none.
	project string
	table   lineage.Object // of kindTable
	// download: the data leaves the warehouse without a cap.
	download bool
}

// holds tells whether the condition is true. An absent value makes it false, under negated operators
// too (contract 4).
func (c *Condition) holds(a *asking) bool {
	switch c.op.family {
	case addressFamily:
		return c.holdsAddress(a.subject.Address)
	case boolFamily:
		return c.key.name == keySealed || c.truth == a.subject.TLS
	case dateFamily:
		if a.now.IsZero() {
			return false
		}
		return c.op.negated != c.anyTime(a.now.Unix())
	case numericFamily:
		return c.holdsNumber(a)
	default:
		return c.holdsText(a)
	}
}

func (c *Condition) holdsAddress(address netip.Addr) bool {
	if !address.IsValid() {
		return false
	}
	address = address.Unmap().WithZone("")
	for _, n := range c.nets {
		if n.Contains(address) {
			return !c.op.negated
		}
	}
	return c.op.negated
}

func (c *Condition) anyTime(now int64) bool {
	for _, t := range c.times {
		if order(c.op.compare, now, t) {
			return true
		}
	}
	return false
}

func (c *Condition) holdsNumber(a *asking) bool {
	var n float64
	if c.key.name == keyTime {
		if a.now.IsZero() {
			return false
		}
		n = float64(a.now.Unix())
	} else {
		var err error
		if n, err = strconv.ParseFloat(c.text(a), 64); err != nil {
			return false
		}
	}
	for _, v := range c.numbers {
		if order(c.op.compare, n, v) {
			return !c.op.negated
		}
	}
	return c.op.negated
}

func order[T int64 | float64](c comparison, have, want T) bool {
	switch c {
	case less:
		return have < want
	case lessEquals:
		return have <= want
	case greater:
		return have > want
	case greaterEquals:
		return have >= want
	default:
		return have == want
	}
}

// text gives the value of a text key; "" when it is absent.
func (c *Condition) text(a *asking) string {
	switch c.key.name {
	case keyTaskType:
		return a.task.String()
	case keyTargetProject:
		return a.project
	case keyTargetKind:
		return a.kind
	default:
		return ""
	}
}

func (c *Condition) holdsText(a *asking) bool {
	if c.key.name == keyTargetTable {
		return c.holdsTable(a)
	}
	have := c.text(a)
	if have == "" {
		return false
	}
	for _, v := range c.Values {
		if compareText(c.op.compare, v, have) {
			return !c.op.negated
		}
	}
	return c.op.negated
}

// holdsTable compares schema.table without building it on the heap.
func (c *Condition) holdsTable(a *asking) bool {
	if a.kind != kindTable || a.table.Name == "" {
		return false
	}
	var room [256]byte
	have := append(append(append(room[:0], a.table.Schema...), '.'), a.table.Name...)
	for _, v := range c.Values {
		var match bool
		switch c.op.compare {
		case like:
			match = glob(v, have, true)
		case equalsFold:
			match = strings.EqualFold(v, string(have))
		default:
			match = v == string(have)
		}
		if match {
			return !c.op.negated
		}
	}
	return c.op.negated
}

func compareText(c comparison, want, have string) bool {
	switch c {
	case like:
		return glob(want, have, true)
	case equalsFold:
		return strings.EqualFold(want, have)
	default:
		return want == have
	}
}

// have describes what the request holds for the condition's key, for EXPLAIN FLOW.
func (c *Condition) have(a *asking) string {
	switch c.key.name {
	case keyTime:
		return a.now.UTC().Format(time.RFC3339)
	case keySourceIP:
		if !a.subject.Address.IsValid() {
			return "unknown"
		}
		return a.subject.Address.Unmap().String()
	case keyTransport:
		return strconv.FormatBool(a.subject.TLS)
	case keyTargetTable:
		if a.kind == kindTable {
			return a.table.String()
		}
	}
	if s := c.text(a); s != "" {
		return s
	}
	return "absent"
}
