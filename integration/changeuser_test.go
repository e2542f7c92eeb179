package integration

import (
	"strings"
	"testing"

	"sluice/gateway/wire"
)

// left are sessions of carol's, who may see the data of myprj in prj2, may download it and owns the project; what they did before COM_CHANGE_USER
// makes them eve's, who may do none of that; and what eve tries.
var left = map[string]struct {
	only          string
	schema        string
	before, after []string
}{
	"read":           {"", "prj2", []string{"query SELECT v FROM myprj.table1"}, []string{"query SELECT v FROM myprj.table1"}},
	"transaction":    {"", "prj2", []string{"query BEGIN", "query INSERT INTO prj2.t SELECT id, v FROM myprj.table1"}, []string{"query SELECT v FROM prj2.t", "query COMMIT", "query SELECT v FROM prj2.t"}},
	"XA":             {"MariaDB MySQL", "prj2", []string{"query XA START 'x'", "query INSERT INTO prj2.t SELECT id, v FROM myprj.table1"}, []string{"query XA END 'x'", "query XA COMMIT 'x' ONE PHASE", "query SELECT v FROM prj2.t"}},
	"prepared":       {"", "prj2", []string{"prepare SELECT v FROM myprj.table1", "execute 1"}, []string{"execute 1", "execute last"}},
	"cursor":         {"", "prj2", []string{"prepare SELECT v FROM myprj.table1", "execute 1 cursor"}, []string{"fetch 1 2"}},
	"long data":      {"", "prj2", []string{"prepare INSERT INTO prj2.t SELECT id, ? FROM myprj.table1", "longdata 1 0 text"}, []string{"execute 1", "query SELECT v FROM prj2.t"}},
	"named":          {"", "prj2", []string{"query PREPARE p FROM 'SELECT v FROM myprj.table1'", "query EXECUTE p"}, []string{"query EXECUTE p"}},
	"variable":       {"", "prj2", []string{"query SET @v = (SELECT MIN(v) FROM myprj.table1)"}, []string{"query SELECT @v", "query INSERT INTO prj2.t VALUES (1, @v)", "query SELECT v FROM prj2.t"}},
	"text":           {"", "prj2", []string{"query SET @q = 'SELECT v FROM myprj.table1'"}, []string{"query PREPARE p FROM @q", "query EXECUTE p"}},
	"temporary":      {"", "prj2", []string{"query CREATE TEMPORARY TABLE tmp (v VARCHAR(100))", "query INSERT INTO tmp SELECT v FROM myprj.table1"}, []string{"query SELECT v FROM tmp"}},
	"shadow":         {"", "prj2", []string{"query CREATE TEMPORARY TABLE myprj.table1 (v VARCHAR(100))"}, []string{"query SELECT v FROM myprj.table1"}},
	"handler":        {"MariaDB MySQL", "prj2", []string{"query HANDLER myprj.table1 OPEN AS h"}, []string{"query HANDLER h READ FIRST"}},
	"messages":       {"", "prj2", []string{"query SELECT CAST(v AS SIGNED) FROM myprj.table1"}, []string{"query SHOW WARNINGS", "query GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT", "query SELECT @m"}},
	"download":       {"", "myprj", []string{"query SET odps.task.type = 'DT'", "query SELECT v FROM table1"}, []string{"query USE prj2", "query SELECT v FROM myprj.table1"}},
	"owner":          {"", "myprj", []string{"query LIST OWNERS"}, []string{"query USE myprj", "query LIST OWNERS", "query SET ProjectProtection = false", "query SELECT v FROM prj2.t", "query USE prj2", "query SELECT v FROM myprj.table1"}},
	"prepared owner": {"", "myprj", []string{"prepare ADD TRUSTEDPROJECT prj2"}, []string{"execute 1", "execute last", "query SELECT v FROM myprj.table1"}},
	"role":           {"MySQL TiDB", "prj2", []string{"query SET ROLE ALL", "query SELECT v FROM myprj.table1"}, []string{"query SELECT v FROM myprj.table1"}},
}

// COM_CHANGE_USER makes a session another account's, whatever was open: nothing of it goes on, and nothing is decided for the one before.
func TestChangeOfUser(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		for _, user := range []string{"carol", "eve"} {
			account := user + "@'127.0.0.1'"
			w.warehouse.Exec(t, "CREATE USER "+account+" IDENTIFIED BY ''", "GRANT ALL ON *.* TO "+account)
		}
		owner := w.as(t, "owner", "myprj")
		owner.do(`SET ProjectProtection = true WITH EXCEPTION '{"Version": "1", "Statement": [
			{"Effect": "Allow", "Principal": "carol", "Action": "odps:*", "Resource": "acs:odps:*:projects/myprj/tables/*", "Condition": {"Bool": {"sluice:Sealed": "false"}}}]}'`)
		owner.do("ADD OWNER carol")
		for name, s := range left {
			if s.only != "" && !strings.Contains(s.only, w.warehouse.Name) {
				continue
			}
			p, err := dialProber(w.gateway.Addr, "carol", s.schema, probeCaps|wire.ClientMultiStatements, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			c := &probing{prober: p}
			out, err := c.run(s.before)
			if text := strings.Join(out, "\n"); err != nil || strings.Contains(text, "ODPS") || strings.Contains(text, `"\xff`) {
				t.Errorf("%s: carol may: %s %v", name, text, err)
			}
			c.out = nil
			out, err = c.run(append([]string{"changeuser eve prj2"}, s.after...))
			if text := strings.Join(out, "\n"); err != nil || strings.Contains(text, canary) {
				t.Errorf("%s: eve may not: %s %v", name, text, err)
			}
			if e := lastEntry(t, w.gateway); e.User == "eve" && e.Verdict != "deny" {
				t.Errorf("%s: in the decision log it is %+v", name, e)
			}
			c.out = nil
			if out, err = c.run([]string{"query SELECT v FROM myprj.table1"}); err != nil || !strings.Contains(strings.Join(out, "\n"), "4021") || lastEntry(t, w.gateway).User != "eve" {
				t.Errorf("%s: eve is refused as herself: %s, %v", name, out, err)
			}
			c.out = nil
			if out, err = c.run([]string{"changeuser carol prj2", "query SELECT v FROM myprj.table1"}); err != nil || !strings.Contains(strings.Join(out, "\n"), canary) {
				t.Errorf("%s: carol may again: %s, %v", name, out, err)
			}
			_ = p.conn.Close()
		}
	})
}
