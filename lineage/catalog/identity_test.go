package catalog

import "testing"

// Each line of the table in Identity's comment, and what a policy keeps of it.
func TestIdentityKeeps(t *testing.T) {
	was := Identity{IDs: []string{"40"}, Created: 100}
	for _, c := range []struct {
		what string
		was  Identity
		now  Identity
		same bool
	}{
		{"nothing happened", was, was, true},
		{"ALTER in place", was, Identity{IDs: []string{"40"}, Created: 105}, true},
		{"TRUNCATE", was, Identity{IDs: []string{"45"}, Created: 100}, true},
		{"rebuilt, or made again", was, Identity{IDs: []string{"45"}, Created: 105}, false},
		{"made again in the second in which it was made", Identity{IDs: []string{"40"}, Created: 100, Young: true}, Identity{IDs: []string{"45"}, Created: 100}, false},
		{"a partition comes and another goes", Identity{IDs: []string{"42", "43"}, Created: 100}, Identity{IDs: []string{"43", "44"}, Created: 105}, true},
		{"of an engine without numbers", Identity{Created: 100}, Identity{Created: 101}, false},
		{"of a replica that took over", Identity{Server: "1", IDs: []string{"40"}, Created: 100}, Identity{Server: "2", IDs: []string{"77"}, Created: 99}, true},
		{"of the same server", Identity{Server: "1", IDs: []string{"40"}, Created: 100}, Identity{Server: "1", IDs: []string{"77"}, Created: 99}, false},
		{"of a server without marks", Identity{}, Identity{IDs: []string{"7"}}, true},
	} {
		if same := c.now.keeps(parseIdentity(c.was.String())); same != c.same {
			t.Errorf("%s: the same table: %t, want %t", c.what, same, c.same)
		}
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]string{"t_1": "t_1", "a-b c": "a@002db@0020c", "Ä": "", "#x": "@0023x"} {
		if got, _ := FileName(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
