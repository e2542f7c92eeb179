package gateway

import (
	"strings"

	"sluice/enforcement"
)

// TaskTypes says which sessions are download or batch sessions without asking (contract 2):
// by the program name in the connection attributes, or by account.
type TaskTypes struct {
	DT, MapReduce TaskMatch
}

// TaskMatch lists programs and users, matched without regard to letter case.
type TaskMatch struct{ Programs, Users []string }

func (m TaskMatch) matches(program, user string) bool {
	return contains(m.Programs, program) || contains(m.Users, user)
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if s != "" && strings.EqualFold(e, s) {
			return true
		}
	}
	return false
}

// of gives the task type of a session that did not ask for one.
func (t TaskTypes) of(program, user string) enforcement.Task {
	switch {
	case t.DT.matches(program, user):
		return enforcement.DT
	case t.MapReduce.matches(program, user):
		return enforcement.MapReduce
	default:
		return enforcement.SQL
	}
}
