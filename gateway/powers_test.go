package gateway

import (
	"testing"

	"sluice/lineage"
)

func grantsOf(lines ...string) powers {
	var rows [][]*string
	for _, l := range lines {
		rows = append(rows, []*string{&l})
	}
	return powersOf(rows)
}

// Lines as MariaDB, MySQL and TiDB write them.
func TestPowers(t *testing.T) {
	table := lineage.Object{Schema: "pay", Name: "salary"}
	for _, c := range []struct {
		why    string
		lines  []string
		object lineage.Object
		want   string
		may    bool
	}{
		{"all of everything", []string{"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION", "GRANT PROXY ON ``@`%` TO `root`@`localhost` WITH GRANT OPTION"}, table, "DROP", true},
		{"rows alone", []string{"GRANT USAGE ON *.* TO `a`@`%`", "GRANT SELECT, INSERT (`id`), UPDATE ON `pay`.`salary` TO `a`@`%`"}, table, "DROP", false},
		{"on some columns", []string{"GRANT SELECT, INSERT (`id`, `amount`), UPDATE ON `pay`.`salary` TO `a`@`%`"}, table, "INSERT", true},
		{"on some columns, as TiDB says it", []string{"GRANT INSERT(id, id) ON `pay`.`salary` TO 'a'@'%'"}, table, "INSERT", true},
		{"on another table", []string{"GRANT DROP ON `pay`.`other` TO `a`@`%`"}, table, "DROP", false},
		{"on the schema", []string{"GRANT DROP, ALTER ON `pay`.* TO `a`@`%`"}, table, "DROP", true},
		{"a schema by pattern", []string{"GRANT DROP ON `p%`.* TO `a`@`%`"}, table, "DROP", true},
		{"a pattern that means itself", []string{`GRANT DROP ON ` + "`p\\_y`" + `.* TO a`}, table, "DROP", false},
		{"one letter of a pattern", []string{"GRANT DROP ON `p_y`.* TO `a`@`%`"}, table, "DROP", true},
		{"no pattern in a table's grant", []string{"GRANT DROP ON `p%`.`salary` TO `a`@`%`"}, table, "DROP", false},
		{"another case", []string{"GRANT DROP ON `PAY`.* TO `a`@`%`"}, table, "DROP", true},
		{"of an active role", []string{"GRANT USAGE ON *.* TO `a`@`%`", "GRANT `r1` TO `a`@`%`", "GRANT DROP ON `pay`.* TO `r1`"}, table, "DROP", true},
		{"of a role that is not active", []string{"GRANT USAGE ON *.* TO `a`@`%`", "GRANT `r1`@`%`,`r3`@`%` TO `a`@`%`"}, table, "DROP", false},
		{"of everybody", []string{"GRANT USAGE ON *.* TO `a`@`%`", "GRANT DROP ON `pay`.* TO PUBLIC"}, table, "DROP", true},
		{"taken away in part: still in doubt", []string{"GRANT DROP ON *.* TO `a`@`%`", "REVOKE DROP ON `pay`.* FROM `a`@`%`"}, table, "DROP", true},
		{"in ANSI quotes", []string{`GRANT DROP ON "pay".* TO "a"@"%"`}, table, "DROP", true},
		{"without quotes", []string{"GRANT DROP ON pay.salary TO a@localhost"}, table, "DROP", true},
		{"dynamic privileges", []string{"GRANT BACKUP_ADMIN,CONNECTION_ADMIN ON *.* TO `a`@`%`"}, table, "DROP", false},
		{"a name with quotes in it", []string{"GRANT DROP ON `a``b`.* TO `a`@`%`"}, lineage.Object{Schema: "a`b", Name: "t"}, "DROP", true},
		{"a routine's grant says nothing of a table", []string{"GRANT EXECUTE, ALTER ROUTINE ON PROCEDURE `pay`.`salary` TO `a`@`%`"}, table, "EXECUTE", false},
		{"a routine", []string{"GRANT EXECUTE ON PROCEDURE `pay`.`raise` TO `a`@`%`"}, lineage.RoutineObject("pay", "Raise"), "EXECUTE", true},
		{"another routine", []string{"GRANT EXECUTE ON FUNCTION `pay`.`f` TO `a`@`%`"}, lineage.RoutineObject("pay", "raise"), "EXECUTE", false},
		{"a schema, by a table of it: in doubt", []string{"GRANT DROP ON `pay`.`salary` TO `a`@`%`"}, lineage.Object{Schema: "pay"}, "DROP", true},
		{"what is not understood", []string{"GRANT USAGE ON *.* TO `a`@`%`", "GIVE ALL"}, table, "DROP", true},
		{"a name without an end", []string{"GRANT SELECT ON `pay.* TO a"}, table, "DROP", true},
		{"nothing at all", nil, table, "DROP", true},
		{"letters that servers compare in ways of their own", []string{"GRANT SELECT ON *.* TO a", "GRANT DROP ON `päy`.* TO a"}, table, "DROP", true},
	} {
		p := grantsOf(c.lines...)
		if may := p.may(c.object, c.want); may != c.may {
			t.Errorf("%s: %s on %s may be held: %t, want %t", c.why, c.want, c.object, may, c.may)
		}
	}
}
