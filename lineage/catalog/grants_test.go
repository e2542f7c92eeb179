package catalog

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestLackingGrants(t *testing.T) {
	for grants, want := range map[string]string{
		"GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION":                                               "",
		"GRANT SELECT, PROCESS, SHOW VIEW, TRIGGER ON *.* TO `s`@`%`":                                               "",
		"GRANT SELECT, PROCESS, SHOW VIEW ON *.* TO `s`@`%`\nGRANT `r` TO `s`@`%`\nGRANT TRIGGER ON *.* TO `r`":     "",
		"GRANT SELECT, SHOW VIEW, TRIGGER ON *.* TO `s`@`%`":                                                        "PROCESS",
		"GRANT USAGE ON *.* TO `s`@`%`\nGRANT ALL PRIVILEGES ON `pay`.* TO `s`@`%`":                                 "PROCESS, TRIGGER, SELECT, SHOW VIEW",
		"GRANT PROCESS, SELECT (`a`, TRIGGER ON *.* TO `) ON `x`.`y` TO `s`@`%`\nGRANT SHOW VIEW ON *.* TO `s`@`%`": "PROCESS, TRIGGER, SELECT",
		"REVOKE TRIGGER ON *.* TO `s`@`%`\nGRANT SELECT, PROCESS, SHOW VIEW ON *.* TO `s`@`%`":                      "TRIGGER",
		"": "PROCESS, TRIGGER, SELECT, SHOW VIEW",
	} {
		if got := strings.Join(lackingOf(rowsOf(grants), needed), ", "); got != want {
			t.Errorf("%s\nlacks %q, want %q", grants, got, want)
		}
	}
}

func TestAnAccountThatIsShownAPartIsAnError(t *testing.T) {
	s := mysql("0")
	s.answers["SHOW GRANTS"] = "GRANT SELECT ON *.* TO `s`@`%`"
	l := &SQLLoader{Query: s.query}
	if _, err := l.Schemas(context.Background()); err == nil || !strings.Contains(err.Error(), "PROCESS, TRIGGER, SHOW VIEW") {
		t.Fatalf("got %v", err)
	}
	s.faults["SHOW GRANTS"] = errors.New("gone away")
	if _, err := l.Schemas(context.Background()); err == nil {
		t.Fatal("grants that cannot be read are taken for enough")
	}
	delete(s.faults, "SHOW GRANTS")
	s.answers["SHOW GRANTS"] = "GRANT SELECT,SHOW VIEW ON *.* TO 's'@'%'"
	if _, err := (&SQLLoader{Query: s.query, TiDB: true}).Schemas(context.Background()); err != nil {
		t.Fatalf("TiDB: %v", err)
	}
	s.faults["SHOW GRANTS"] = errors.New("gone away")
	s.answers["STATUS LIKE 'Com_show_status'"] = "Com_show_status|0"
	if _, err := (&SQLLoader{Query: s.query}).Schemas(context.Background()); err != nil {
		t.Fatalf("an embedded server: %v", err)
	}
}
