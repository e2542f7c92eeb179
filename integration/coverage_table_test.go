package integration

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// tally counts the statements of one kind.
type tally struct {
	total, unread, policy    int
	tree, recognised, tokens int
}

func (c *tally) add(j *judgement) {
	c.total++
	switch j.tier {
	case "tree":
		c.tree++
	case "recogniser":
		c.recognised++
	default:
		c.tokens++
	}
	switch {
	case j.policy:
		c.policy++
	case j.refused != "":
		c.unread++
	}
}

func (c *tally) share() float64 {
	if c.total == 0 {
		return 1
	}
	return float64(c.total-c.unread) / float64(c.total)
}

// permitted is the share that is not refused, for whatever reason.
func (c *tally) permitted() float64 { return c.share() - float64(c.policy)/float64(max(c.total, 1)) }

// coverage is the table of a run. What is refused by decision (a foreign grammar, a character set that
// cannot be lexed) is counted beside it.
type coverage struct {
	rows, all          tally
	kinds              map[string]*tally
	reasons            map[string]int
	foreign, unlexable tally
	homeless           tally
	joinedRows         tally
}

var rowKinds = map[string]bool{"select": true, "insert": true, "update": true, "delete": true, "replace": true}

func newCoverage(all []judgement) *coverage {
	c := &coverage{kinds: map[string]*tally{}, reasons: map[string]int{}}
	for i := range all {
		j := &all[i]
		switch {
		case j.homeless:
			c.homeless.add(j)
			continue
		case j.foreign:
			c.foreign.add(j)
			continue
		case j.unlexable:
			c.unlexable.add(j)
			continue
		}
		if j.joined {
			if rowKinds[j.kind] {
				c.joinedRows.add(j)
			}
			continue
		}
		c.all.add(j)
		if rowKinds[j.kind] {
			c.rows.add(j)
		}
		if c.kinds[j.kind] == nil {
			c.kinds[j.kind] = &tally{}
		}
		c.kinds[j.kind].add(j)
		if j.refused != "" {
			c.reasons[general(j.refused)]++
		}
	}
	return c
}

var detail = regexp.MustCompile(`'[^']*'|"[^"]*"|[0-9]+|near.*$|(?:procedure|function) [^ ]+ `)

// general takes the names out of a reason, so that equal reasons count together.
func general(reason string) string {
	return strings.TrimSpace(detail.ReplaceAllString(strings.SplitN(reason, "\n", 2)[0], "…"))
}

func (c *coverage) String() string {
	var b strings.Builder
	b.WriteString("| kind | accepted | tree | recogniser | tokens | refused by policy | not read | read and decided | permitted |\n|---|---|---|---|---|---|---|---|---|\n")
	row := func(name string, t *tally) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d | %.2f %% | %.2f %% |\n", name, t.total, t.tree, t.recognised, t.tokens, t.policy, t.unread,
			100*t.share(), 100*t.permitted())
	}
	row("**rows** (SELECT, INSERT, UPDATE, DELETE, REPLACE)", &c.rows)
	row("**all**", &c.all)
	names := make([]string, 0, len(c.kinds))
	for name := range c.kinds {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		a, z := c.kinds[names[i]], c.kinds[names[j]]
		return a.total > z.total || a.total == z.total && names[i] < names[j]
	})
	rest := tally{}
	for i, name := range names {
		if t := c.kinds[name]; i < 50 || t.unread > 10 {
			row(name, t)
		} else {
			rest.total, rest.policy, rest.unread = rest.total+t.total, rest.policy+t.policy, rest.unread+t.unread
			rest.tree, rest.recognised, rest.tokens = rest.tree+t.tree, rest.recognised+t.recognised, rest.tokens+t.tokens
		}
	}
	row("other kinds", &rest)
	row("beside it: statements about rows that a sourced file puts together from a script's variables; most of those refused wait until the process list shows a text", &c.joinedRows)
	row("not counted: with tables of engines, or functions, that the server does not have (CONNECT, SPIDER, FEDERATED, MROONGA, ROCKSDB …)", &c.homeless)
	row("refused by decision: sql_mode ORACLE, MSSQL, DB2 …", &c.foreign)
	row("refused by decision: text beyond ASCII in sjis, gbk, big5 …, names beyond ASCII in sets other than UTF-8", &c.unlexable)
	b.WriteString("\n| refusals | reason |\n|---|---|\n")
	reasons := make([]string, 0, len(c.reasons))
	for r := range c.reasons {
		reasons = append(reasons, r)
	}
	sort.Slice(reasons, func(i, j int) bool {
		a, z := c.reasons[reasons[i]], c.reasons[reasons[j]]
		return a > z || a == z && reasons[i] < reasons[j]
	})
	for i, r := range reasons {
		if i < 40 {
			fmt.Fprintf(&b, "| %d | %s |\n", c.reasons[r], strings.ReplaceAll(r, "|", "\\|"))
		}
	}
	return b.String()
}
