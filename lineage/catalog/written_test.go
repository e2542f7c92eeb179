package catalog

import (
	"errors"
	"testing"
)

// Programs whose text information_schema may show otherwise than it was written are read by SHOW CREATE.
func TestProgramsAsWritten(t *testing.T) {
	cases := []struct {
		version, body, mode string
		asks                bool
	}{
		{"10.11.19-MariaDB", `SET @a = '\'`, "", true},
		{"10.11.19-MariaDB", `SET @a = '\'`, "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", false},
		{"10.11.19-MariaDB", "SET @a = 'it''s', `b``c` = 1", "", false}, // doubled there again
		{"9.7.4", `SET @a = '\'`, "NO_BACKSLASH_ESCAPES", true},
		{"9.7.4", "SET @a = 'it's'", "", true},
		{"9.7.4", "SET `a`b` = 1", "", true},
		{"9.7.4", `SET @a = "x"`, "", true},
		{"9.7.4", "SET @a = 1", "", false},
		{"8.0.11-TiDB-v8.5.0", `SET @a = '\'`, "", false},
	}
	for _, c := range cases {
		s := mysql("0")
		s.answers["VERSION()"] = c.version
		s.answers["schemata WHERE"] = "pay"
		s.answers["information_schema.tables WHERE table_schema = ?"] = "pay|salary|BASE TABLE|InnoDB"
		s.answers["information_schema.views WHERE"] = ""
		s.answers["information_schema.routines WHERE"] = "pay|Raise|PROCEDURE|" + c.body + "|" + c.mode + "|utf8mb4|root@%|SQL"
		s.answers["information_schema.triggers WHERE"] = "pay|tr|INSERT|salary|" + c.body + "|" + c.mode + "|latin1|root@%"
		s.answers["information_schema.events WHERE"] = "pay|Nightly|" + c.body + "|" + c.mode + "|utf8mb4|root@%"
		s.answers["SHOW CREATE PROCEDURE `pay`.`Raise`"] = "Raise|m|CREATE PROCEDURE Raise() SELECT 1"
		s.answers["SHOW CREATE TRIGGER `pay`.`tr`"] = "tr|m|NULL"
		s.answers["SHOW CREATE EVENT `pay`.`Nightly`"] = "Nightly|m|SYSTEM|CREATE EVENT Nightly DO SELECT 1"
		l := &SQLLoader{Query: s.query, TiDB: c.version == "8.0.11-TiDB-v8.5.0"}
		got, err := l.Load(t.Context(), "pay")
		if err != nil {
			t.Fatal(err)
		}
		routine, trigger, event := got.Routines["procedure raise"], got.Objects["salary"].Triggers[0], got.Events["Nightly"]
		if want := "CREATE PROCEDURE Raise() SELECT 1"; (routine.Create == want) != c.asks || routine.Lost {
			t.Errorf("%s %s: routine %+v", c.version, c.body, routine)
		}
		if want := "CREATE EVENT Nightly DO SELECT 1"; (event.Create == want) != c.asks || event.Lost {
			t.Errorf("%s %s: event %+v", c.version, c.body, event)
		}
		if trigger.Lost != c.asks || trigger.Create != "" {
			t.Errorf("%s %s: a trigger whose definition is not shown: %+v", c.version, c.body, trigger)
		}
		if certain(got) == c.asks {
			t.Errorf("%s %s: shared with a trigger that could not be read: %v", c.version, c.body, !c.asks)
		}
	}
}

// Routines whose parameters may have defaults are read by SHOW CREATE: what a default evaluates stands in no body.
func TestParametersWithDefaults(t *testing.T) {
	s := mysql("0")
	s.answers["VERSION()"] = "11.8.9-MariaDB"
	s.answers["schemata WHERE"] = "pay"
	s.answers["information_schema.tables WHERE table_schema = ?"] = "pay|salary|BASE TABLE|InnoDB"
	s.answers["information_schema.routines WHERE"] = "pay|Raise|PROCEDURE|SELECT a||utf8mb4|root@%|SQL\npay|Other|PROCEDURE|SELECT 1||utf8mb4|root@%|SQL\npay|Lost|FUNCTION|RETURN 1||utf8mb4|root@%|SQL"
	s.answers["FROM mysql.proc WHERE db = ?"] = "raise|PROCEDURE\nLost|FUNCTION"
	s.answers["SHOW CREATE PROCEDURE `pay`.`Raise`"] = "Raise|m|CREATE PROCEDURE Raise(a INT DEFAULT f()) SELECT a"
	l := &SQLLoader{Query: s.query}
	got, err := l.Load(t.Context(), "pay")
	if err != nil {
		t.Fatal(err)
	}
	if r := got.Routines["procedure raise"]; r.Create == "" || r.Lost {
		t.Errorf("one with a default: %+v", r)
	}
	if r := got.Routines["procedure other"]; r.Create != "" || r.Lost {
		t.Errorf("one without: %+v", r)
	}
	if r := got.Routines["function lost"]; !r.Lost {
		t.Errorf("one that is not shown: %+v", r)
	}
	s.faults["FROM mysql.proc WHERE db"] = errors.New("denied")
	if _, err := l.Load(t.Context(), "pay"); err == nil {
		t.Error("parameters that cannot be read are taken for plain ones")
	}
}
