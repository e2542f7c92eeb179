package integration

import (
	"strings"
	"testing"
)

// A variable that holds protected data stays in until SET gave it a value that stands in its text.
func TestVariablesAreOverwritten(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		c := w.as(t, "alice", "myprj")
		c.do("SELECT v INTO @x FROM table1 WHERE id = 1")
		c.do("USE prj2")
		c.refused("SELECT @x")
		for _, q := range []string{"SET @x = CONCAT(@x, '')", "SET @x = @x", "SET @y = 1", "SET @x = 5, @x = @x", "SET @x = NULL, @y = @x"} {
			c.do(q)
			c.refused("SELECT @x")
		}
		if _, err := c.try("SET @x = 5, @@no_such_variable = 1"); err == nil {
			t.Fatal("there is no such variable")
		}
		c.refused("INSERT INTO prj2.t VALUES (1, @x)")
		c.do("SET @X = 5")
		if rows := c.do("SELECT @x"); rows[0] != "5" {
			t.Errorf("%q", rows)
		}
		c.do("INSERT INTO prj2.t VALUES (1, @x)")
	})
}

// A text that is made of protected data may hold it as a literal: running such a text takes no label off.
func TestTextsMadeOfDataOverwriteNothing(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		c := w.as(t, "alice", "myprj")
		c.do("SELECT v INTO @y FROM table1 WHERE id = 1")
		// What the text does may be refused, or carried on: what it assigned must not be seen.
		for _, q := range []string{"SET @text = CONCAT('SET @x = ''', @y, '''')", "PREPARE s FROM @text", "EXECUTE s", "PREPARE p FROM 'SET @z = ?'", "EXECUTE p USING @y"} {
			_, _ = c.try(q)
		}
		if strings.Contains(t.Name(), "MariaDB") {
			_, _ = c.try("EXECUTE IMMEDIATE CONCAT('SET @w = ''', @y, '''')")
		}
		c.do("USE prj2")
		for _, v := range []string{"@x", "@z", "@w"} {
			rows, err := c.try("SELECT " + v)
			if err == nil && rows[0] != "" {
				t.Errorf("%s holds %q", v, rows)
			}
		}
	})
}
