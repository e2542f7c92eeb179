package integration

import (
	"strings"
	"testing"
)

// outliving are sessions of prj2 in which a statement leaves something in the warehouse that the session may not see by the
// time of the last step: that one is to be answered with an error.
var outliving = []struct {
	name  string
	only  string // engines, "" for all
	steps []string
}{
	{"a cursor whose statement is refused by now, and was tried again", "", []string{
		"owner ADD TRUSTEDPROJECT prj2", "prepare SELECT v FROM myprj.table1", "execute 1 cursor",
		"owner REMOVE TRUSTEDPROJECT prj2", "execute 1 cursor", "fetch 1 1"}},
	{"a cursor whose statement could not be executed again", "", []string{
		"owner ADD TRUSTEDPROJECT prj2", "prepare SELECT v FROM myprj.table1 WHERE id > ?", "execute 1 cursor 0",
		"execute 1 cursor", "owner REMOVE TRUSTEDPROJECT prj2", "fetch 1 1"}},
	{"a cursor over a variable that holds something else by now", "", []string{
		"initdb myprj", "query SET @x = (SELECT v FROM myprj.table1 WHERE id = 1)", "prepare SELECT @x", "execute 1 cursor",
		"query SET @x = 1", "initdb prj2", "fetch 1 1"}},
	{"a cursor that assigned a variable before", "", []string{
		"initdb myprj", "prepare SELECT @x := 1", "execute 1 cursor", "query SET @x = (SELECT v FROM myprj.table1 WHERE id = 1)",
		"fetch 1 1", "initdb prj2", "query SELECT @x"}},
	{"the cursor of the statement that was prepared last, past the display cap", "MariaDB", []string{
		"owner SETPROJECT READ_TABLE_MAX_ROW = 1", "initdb myprj", "prepare SELECT v FROM myprj.table1 ORDER BY id DESC", "execute 1 cursor",
		"fetch 1 1", "fetch last 1"}},
	{"messages", "MariaDB MySQL", []string{
		"initdb myprj", "query SELECT EXTRACTVALUE(1, CONCAT('~', v)) FROM myprj.table1", "initdb prj2", "query SHOW WARNINGS"}},
	{"messages over USE", "MariaDB MySQL", []string{
		"initdb myprj", "query SELECT EXTRACTVALUE(1, CONCAT('~', v)) FROM myprj.table1", "query USE prj2", "query GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT", "query SELECT @m, @@error_count"}},
	{"how many messages there were", "", []string{
		"initdb myprj", "query SELECT CAST(v AS SIGNED) FROM myprj.table1", "initdb prj2", "query SELECT @@warning_count"}},
	{"the number of rows found", "", []string{
		"initdb myprj", "query SELECT v FROM myprj.table1", "initdb prj2", "query SET @y = 1", "query SELECT FOUND_ROWS()"}},
	{"the number of rows found before COM_CHANGE_USER", "MariaDB MySQL", []string{
		"initdb myprj", "query SELECT v FROM myprj.table1", "changeuser probe prj2", "query SELECT FOUND_ROWS()"}},
	{"the number of rows found before COM_RESET_CONNECTION", "MariaDB MySQL", []string{
		"initdb myprj", "query SELECT v FROM myprj.table1", "raw 1f", "initdb prj2", "query SELECT FOUND_ROWS()"}},
	{"the number of rows found before a COM_CHANGE_USER that is refused", "MariaDB", []string{
		"initdb myprj", "query SELECT v FROM myprj.table1", "changeuser nobody", "initdb prj2", "query SELECT FOUND_ROWS()"}},
}

// A session may stand in another project, and another policy may hold, by the time that something of an earlier statement
// is asked for: the warehouse's cursors and messages outlive both.
func TestWhatOutlivesItsStatement(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		w.warehouse.Exec(t, "CREATE USER 'probe'@'127.0.0.%' IDENTIFIED BY ''", "GRANT ALL ON *.* TO 'probe'@'127.0.0.%'")
		defer w.warehouse.Exec(t, "DROP USER 'probe'@'127.0.0.%'")
		owner := w.as(t, "owner", "myprj")
		owner.do("SET ProjectProtection = true")
		for _, c := range outliving {
			if c.only != "" && !strings.Contains(c.only, w.warehouse.Name) {
				continue
			}
			p, err := dialProber(w.gateway.Addr, "probe", "prj2", probeCaps, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			run := &probing{prober: p}
			for i, step := range c.steps {
				if command, is := strings.CutPrefix(step, "owner "); is {
					owner.do(command)
					continue
				}
				seen, err := run.run([]string{step})
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				run.out = nil
				if i == len(c.steps)-1 && !strings.Contains(seen[1], `\xff`) {
					t.Errorf("LEAK: %s: %q", c.name, seen)
				}
			}
			owner.do("SETPROJECT READ_TABLE_MAX_ROW = 10000")
			_ = p.conn.Close()
		}
	})
}
