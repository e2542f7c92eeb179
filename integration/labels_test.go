package integration

import "testing"

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
