package config

import (
	"sort"
	"strings"
)

// MisspeltEnvironment gives the variables that look like a setting and are none, each with the one that was meant. Others
// that begin with SLUICE_ are left alone: orchestrators make variables of services' names.
func MisspeltEnvironment(environ []string) []string {
	var faults []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		key, ours := strings.CutPrefix(name, prefix)
		if !ours || knownVariable(name) {
			continue
		}
		if meant := suggestion(key, min(2, len(key)/4), variable); meant != "" {
			faults = append(faults, name+": there is no such setting"+strings.Replace(meant, "mean ", "mean "+prefix, 1))
		}
	}
	sort.Strings(faults)
	return faults
}

const prefix = "SLUICE_"

// variable spells a key as its environment variable does, without the prefix.
func variable(key string) string { return strings.ToUpper(strings.ReplaceAll(key, ".", "_")) }

func knownVariable(name string) bool {
	for key := range defaults {
		if prefix+variable(key) == name {
			return true
		}
	}
	return false
}

// suggestion names the setting with the fewest edits, if there is one with at most so many; spell says how settings are
// spelt there.
func suggestion(given string, most int, spell func(string) string) string {
	best, at := "", most+1
	for known := range defaults {
		known = spell(known)
		if d := distance(given, known); d < at || (d == at && d <= most && known < best) {
			best, at = known, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			previous, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, previous+cost)
		}
	}
	return row[len(b)]
}
