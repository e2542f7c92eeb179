package integration

import (
	"strings"
	"testing"

	"sluice/integration/servers"
	"sluice/parser"
)

// Names and texts mean what the warehouse takes them for in every character set of several bytes that it has.
func TestNamesInWideCharacterSets(t *testing.T) {
	onWideServers(t, func(t *testing.T, flavor parser.Flavor, sets []string, server *servers.Server) {
		w := newWorld(t, server, "")
		for _, schema := range []string{"myprj", "prj2"} {
			w.warehouse.Exec(t, "CREATE TABLE "+schema+".`表` (id INT, `功` VARCHAR(40) CHARACTER SET utf8mb4)", "CREATE TABLE "+schema+".`國功` (id INT, v VARCHAR(40) CHARACTER SET utf8mb4)")
		}
		w.warehouse.Exec(t, "INSERT INTO myprj.`表` VALUES (1, '"+canary+"')", "INSERT INTO prj2.`表` VALUES (1, '功功')", "INSERT INTO myprj.`國功` VALUES (1, '"+canary+"')")
		owner := w.as(t, "owner", "myprj")
		owner.do("SET ProjectProtection = true")
		for _, charset := range sets {
			t.Run(charset, func(t *testing.T) { namesIn(t, w, flavor, charset) })
		}
		if flavor == parser.TiDB {
			alice := w.as(t, "alice", "prj2")
			alice.do("SET NAMES latin1")
			if rows := alice.do("SELECT `功` FROM 表"); rows[0] != "功功" {
				t.Errorf("latin1: got %q", rows)
			}
			if m := alice.refused("SELECT * FROM myprj.表"); !strings.Contains(m, "myprj.表") {
				t.Error(m)
			}
			alice.refused("SELECT * FROM myprj.`\xb1\xed`")
		}
	})
}

func namesIn(t *testing.T, w *world, flavor parser.Flavor, charset string) {
	r := parser.Reading{Dialect: parser.Dialect{Flavor: flavor}, Charset: charset}
	in := func(text string) string {
		t.Helper()
		sent, ok := r.Encode(text)
		if !ok {
			t.Fatalf("%q cannot be spelt in %s", text, charset)
		}
		return sent
	}
	alice := w.as(t, "alice", "prj2")
	alice.do("SET NAMES " + charset)
	for _, q := range []string{"SELECT `功` FROM `表`", "SELECT '表', t.`功` FROM prj2.`表` AS t", "SELECT 1; SELECT `功` FROM `表` WHERE `功` = '功功'", "SELECT /*! `功`, */ '表' FROM `表` -- 功"} {
		if rows := alice.do(in(q)); !strings.Contains(strings.Join(rows, ","), in("功功")) {
			t.Errorf("%s: got %q", q, rows)
		}
	}
	for _, q := range []string{"SELECT * FROM myprj.`表`", "SELECT 1; SELECT `功` FROM myprj.`表`", "SELECT '功', v FROM myprj.`國功` -- '", "INSERT INTO prj2.`表` SELECT * FROM myprj.`表`", "EXPLAIN SELECT * FROM myprj.`表`", "SELECT '功' /*! FROM myprj.`表` */"} {
		sent, ok := r.Encode(q)
		if !ok {
			continue // gb2312 lacks 國
		}
		if m := alice.refused(sent); !strings.Contains(m, in("myprj.表")) && !(strings.Contains(q, "國") && strings.Contains(m, in("myprj.國功"))) {
			t.Errorf("%s: the refusal does not name the table: %s", q, m)
		}
	}
	alice.refused("SELECT * FROM myprj.`\xfe\xfe`") // what is no character could be any
	if charset == "gbk" {                           // what is left of 表 takes the next backslash along
		alice.refused("SELECT 'a\\" + in("表") + "\\' FROM myprj.table1 -- '")
	}
	spoken(t, alice, flavor, charset, in)
}

// spoken runs texts that are values or literals.
func spoken(t *testing.T, alice *client, flavor parser.Flavor, charset string, in func(string) string) {
	alice.do(in("SET @own = 'SELECT `功` FROM `表`', @other = 'SELECT * FROM myprj.`表`'"))
	alice.do("PREPARE s FROM @own")
	if rows := alice.do("EXECUTE s"); rows[0] != in("功功") {
		t.Errorf("EXECUTE gave %q", rows)
	}
	alice.refused("PREPARE s FROM @other")
	alice.do("SET character_set_connection = utf8mb4")
	if flavor == parser.MySQL { // the text goes through character_set_connection, and its bytes are read in the client's set
		_, _ = alice.try("PREPARE s FROM @other") // another name, or none
		if rows, err := alice.try("EXECUTE s"); err == nil && strings.Contains(strings.Join(rows, ""), canary) {
			t.Errorf("EXECUTE gave %q", rows)
		}
	} else {
		alice.do("PREPARE s FROM @own")
		alice.refused("PREPARE s FROM @other")
		alice.refused(in("PREPARE s FROM 'SELECT * FROM myprj.`表`'"))
		alice.do(in("PREPARE s FROM 'SELECT * FROM `表`'"))
	}
	alice.do("SET character_set_connection = " + charset)
	if flavor == parser.MariaDB {
		alice.refused(in("EXECUTE IMMEDIATE CONCAT('SELECT * FROM myprj.', '`表`')"))
		if rows := alice.do(in("EXECUTE IMMEDIATE CONCAT('SELECT `功`, ''表'' FROM ', '`表`')")); rows[0] != in("功功|表") {
			t.Errorf("EXECUTE IMMEDIATE gave %q", rows)
		}
	}
	if flavor == parser.TiDB {
		return
	}
	// A character that is a backslash where it is converted: what the warehouse runs is the text as it is.
	alice.do("SET NAMES utf8mb4")
	for _, code := range []string{"_sjis x'815F'", "_ujis x'A1C0'", "_gbk x'BF5C'", "_utf8mb4 x'5C'"} {
		for _, client := range []string{"utf8mb4", charset} {
			alice.do("SET NAMES utf8mb4")
			alice.do("SET @v = CONCAT('SELECT ''', CONVERT(" + code + " USING " + charset + "), ''' UNION SELECT v FROM myprj.table1 -- ''')")
			alice.do("SET @w = CONCAT('SELECT ''', " + code + ", ''' UNION SELECT v FROM myprj.table1 -- ''')")
			alice.do("SET character_set_client = " + client)
			for _, q := range []string{"PREPARE v FROM @v", "PREPARE v FROM @w", "EXECUTE IMMEDIATE @v", "EXECUTE IMMEDIATE @w", "EXECUTE IMMEDIATE CONCAT(@v)", "EXECUTE IMMEDIATE CONCAT(@w)"} {
				rows, err := alice.try(q)
				if err == nil && strings.HasPrefix(q, "PREPARE") {
					rows, err = alice.try("EXECUTE v")
				}
				if err == nil && strings.Contains(strings.Join(rows, ""), canary) {
					t.Errorf("LEAK in %s, %s, %s: %q", client, code, q, rows)
				}
			}
		}
	}
}

// A session may begin in such a set: by the number of its collation in the login, or in COM_CHANGE_USER.
func TestLoginInWideCharacterSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "")
	w.warehouse.Exec(t, "CREATE TABLE myprj.`表` SELECT * FROM myprj.table1", "CREATE TABLE prj2.`表` SELECT * FROM prj2.t")
	w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
	sjis := func(text string) string {
		sent, _ := parser.Reading{Dialect: parser.Dialect{Flavor: parser.MariaDB}, Charset: "sjis"}.Encode(text)
		return sent
	}
	alice := dialAs(t, w.gateway.Addr, "alice", "prj2", "&collation=sjis_japanese_ci")
	if got := alice.do("SELECT @@character_set_client"); got[0] != "sjis" {
		t.Fatalf("the session is in %q", got)
	}
	alice.do(sjis("SELECT '表', v FROM `表`"))
	alice.refused(sjis("SELECT '表', v FROM myprj.`表`"))
	alice.refused(sjis("SELECT '表', v FROM myprj.table1 -- '"))
}

// Policy is set in the client's own character set.
func TestCommandsInWideCharacterSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "")
	w.warehouse.Exec(t, "CREATE DATABASE `項目` CHARACTER SET utf8mb4", "CREATE TABLE `項目`.`表` SELECT * FROM myprj.table1", "GRANT ALL ON `項目`.* TO alice@'127.0.0.1', owner@'127.0.0.1', super@'127.0.0.1'")
	w.as(t, "super", "項目").do("ADD OWNER owner")
	big5 := func(text string) string {
		sent, ok := parser.Reading{Dialect: parser.Dialect{Flavor: parser.MariaDB}, Charset: "big5"}.Encode(text)
		if !ok {
			t.Fatal(text)
		}
		return sent
	}
	owner := w.as(t, "owner", "項目")
	owner.do("SET NAMES big5")
	owner.do("SET ProjectProtection = true")
	owner.do(big5("CREATE PACKAGE p1"))
	owner.do(big5("ADD TABLE `表` TO PACKAGE p1"))
	if rows := owner.do("DESC PACKAGE p1"); !strings.Contains(strings.Join(rows, ","), big5("表")) {
		t.Errorf("DESC PACKAGE gave %q", rows)
	}
	owner.do(big5("ALLOW PROJECT prj2 TO INSTALL PACKAGE p1"))
	if _, err := owner.try("ADD TABLE `\xfe\xfe` TO PACKAGE p1"); err == nil {
		t.Error("a table whose name is no text was added")
	}
	if _, err := owner.try("SET ProjectProtection = true WITH EXCEPTION '{\"Version\": \"1\", \"Statement\": [{\"Effect\": \"Allow\", \"Principal\": [\"\xfe\"], \"Action\": [\"odps:Select\"], \"Resource\": [\"acs:odps:*:projects/*\"]}]}'"); err == nil {
		t.Error("a policy that is no text was set")
	}
	alice := w.as(t, "alice", "prj2")
	alice.do("SET NAMES big5")
	if m := alice.refused(big5("SELECT v FROM `項目`.`表`")); !strings.Contains(m, big5("項目")) {
		t.Error(m)
	}
	alice.do(big5("USE `項目`"))
	alice.do(big5("SELECT v FROM `表`"))
	super := w.as(t, "super", "prj2")
	super.do("SET NAMES big5")
	super.do(big5("INSTALL PACKAGE `項目`.p1"))
	super.do(big5("GRANT READ ON PACKAGE `項目`.p1 TO USER alice"))
	alice.do("USE prj2")
	if rows := alice.do(big5("SELECT v FROM `項目`.`表` WHERE id = 1")); rows[0] != canary {
		t.Errorf("through the package: %q", rows)
	}
}

// Clients whose connections are in GBK read, write and are refused as others are.
func TestClientsInGBK(t *testing.T) {
	onWideServers(t, func(t *testing.T, flavor parser.Flavor, _ []string, server *servers.Server) {
		w := newWorld(t, server, "")
		for _, schema := range []string{"myprj", "prj2"} {
			w.warehouse.Exec(t, "CREATE TABLE "+schema+".`客户` (`名称` VARCHAR(40) CHARACTER SET utf8mb4)")
		}
		w.warehouse.Exec(t, "INSERT INTO myprj.`客户` VALUES ('"+canary+"')")
		w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
		p, pass := port(w), accounts["alice"]
		gbk := func(text string) string {
			sent, _ := parser.Reading{Dialect: parser.Dialect{Flavor: flavor}, Charset: "gbk"}.Encode(text)
			return sent
		}
		check := func(t *testing.T, out string, wanted ...string) {
			t.Helper()
			for _, part := range append(wanted, "seven") {
				if !strings.Contains(out, part) {
					t.Errorf("the output lacks %q:\n%q", part, out)
				}
			}
			if strings.Contains(out, canary) {
				t.Errorf("protected data came out:\n%q", out)
			}
		}
		script := gbk("INSERT INTO `客户` VALUES ('李四縗');\nSELECT * FROM myprj.`客户`;\nSELECT '縗', v FROM myprj.table1 -- ';\n;\nSELECT `名称`, '縗' FROM 客户 WHERE `名称` LIKE '李%';\nSELECT v FROM t;\n")
		account := []string{"--default-character-set=gbk", "-h127.0.0.1", "-P" + p, "-ualice", "-p" + pass, "--force", "prj2"}
		wanted := []string{gbk("myprj.客户"), gbk("李四縗\t縗"), "myprj.table1"}
		t.Run("mariadb", func(t *testing.T) {
			out, _ := try(script, need(t, "mariadb"), account...)
			check(t, out, wanted...)
		})
		t.Run("mysql", func(t *testing.T) {
			out, _ := try(script, servers.MySQLClient(t), append([]string{"--get-server-public-key"}, account...)...)
			check(t, out, wanted...)
		})
		t.Run("PyMySQL", func(t *testing.T) {
			out := run(t, "", python(t), "testdata/clients/pymysql_gbk.py", p, pass)
			check(t, out)
			if strings.Count(out, "refused") != 3 {
				t.Errorf("%q", out)
			}
		})
	})
}

// A program is read by the set that it was made in; what its conversion may have hidden is not read through.
func TestProgramsInWideCharacterSets(t *testing.T) {
	t.Parallel()
	for _, flavor := range []parser.Flavor{parser.MariaDB, parser.MySQL} {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wideServers[flavor].start(t), "")
			w.warehouse.Exec(t, "CREATE TABLE prj2.`表` (v VARCHAR(40) CHARACTER SET utf8mb4)", "INSERT INTO prj2.`表` VALUES ('功')", "CREATE TABLE myprj.`表` SELECT * FROM myprj.table1", "GRANT ALL ON *.* TO owner@'127.0.0.1'")
			w.as(t, "owner", "myprj").do("SET ProjectProtection = true")
			past := dialAs(t, w.warehouse.Addr, "owner", "prj2")
			spell := func(charset, text string) string {
				sent, ok := parser.Reading{Dialect: parser.Dialect{Flavor: flavor}, Charset: charset}.Encode(text)
				if !ok {
					t.Fatal(text)
				}
				return sent
			}
			past.do("SET NAMES gbk")
			past.do(spell("gbk", "CREATE PROCEDURE prj2.`過程` () SELECT v, '縗' FROM prj2.`表`"))
			past.do(spell("gbk", "CREATE PROCEDURE prj2.p1 () SELECT v, '縗' FROM myprj.`表` -- '"))
			past.do("CREATE PROCEDURE prj2.p2 () SELECT '\x81', v FROM myprj.table1 UNION SELECT 'a', ' b'")
			past.do("SET NAMES sjis")
			past.do("CREATE PROCEDURE prj2.p3 () SELECT '\x81_' UNION SELECT v FROM myprj.table1 -- '")
			past.do("SET NAMES ujis")
			past.do("CREATE PROCEDURE prj2.p4 () SELECT '\xa1\xc0' UNION SELECT v FROM myprj.table1 -- '")
			alice := w.as(t, "alice", "prj2")
			if rows := alice.do("CALL `過程`()"); rows[0] != "功|縗" {
				t.Errorf("CALL gave %q", rows)
			}
			for _, p := range []string{"p1", "p2", "p3", "p4"} {
				alice.refused("CALL " + p + "()")
			}
			alice.do("SET NAMES big5")
			if rows := alice.do(spell("big5", "CALL `過程`()")); rows[0] != spell("big5", "功|縗") {
				t.Errorf("CALL gave %q", rows)
			}
			alice.do(spell("big5", "CREATE PROCEDURE `功` () SELECT v FROM `表`"))
			alice.do(spell("big5", "CALL `功`()"))
			alice.refused(spell("big5", "CREATE PROCEDURE `功功` () SELECT '功', v FROM myprj.`表` -- '"))
		})
	}
}
