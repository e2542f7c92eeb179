package audit

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	const s = "s3cr t!"
	for _, c := range []struct{ text, want string }{
		{"CREATE USER a IDENTIFIED BY '" + s + "' REQUIRE SSL", "CREATE USER a IDENTIFIED BY '***'"},
		{"alter user 'a'@'%' identified with caching_sha2_password by \"" + s + "\"", "alter user 'a'@'%' identified with caching_sha2_password by '***'"},
		{"CREATE USER a IDENTIFIED BY PASSWORD '*" + s + "'", "CREATE USER a IDENTIFIED BY PASSWORD '***'"},
		{"CREATE USER a IDENTIFIED/**/BY /* ' */ '" + s + "'", "CREATE USER a IDENTIFIED/**/BY /* '***'"},
		{"CREATE USER a IDENTIFIED VIA ed25519 USING PASSWORD( '" + s + "' )", "CREATE USER a IDENTIFIED VIA ed25519 USING PASSWORD( '***'"},
		{"CREATE USER a IDENTIFIED VIA ed25519 USING '" + s + "'", "CREATE USER a IDENTIFIED VIA ed25519 USING '***'"},
		{"ALTER USER a IDENTIFIED BY 'new' REPLACE '" + s + "'", "ALTER USER a IDENTIFIED BY '***'"},
		{"ALTER USER a IDENTIFIED WITH p AS 0x" + "733363722074", "ALTER USER a IDENTIFIED WITH p AS '***'"},
		{"SET PASSWORD = PASSWORD('" + s + "')", "SET PASSWORD = PASSWORD('***'"},
		{"SET PASSWORD FOR bob = '" + s + "'", "SET PASSWORD FOR bob = '***'"},
		{"CHANGE MASTER TO MASTER_PASSWORD='" + s + "'", "CHANGE MASTER TO MASTER_PASSWORD='***'"},
		{"CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = '" + s + "'", "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = '***'"},
		{"CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'u', PASSWORD '" + s + "')", "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'u', PASSWORD '***'"},
		{"SET GLOBAL s3_secret_key = '" + s + "'", "SET GLOBAL s3_secret_key = '***'"},
		{"EXECUTE IMMEDIATE 'CREATE USER a IDENTIFIED BY ''" + s + "'''", "EXECUTE IMMEDIATE 'CREATE USER a IDENTIFIED BY '***'"},
		{"CREATE USER a IDENTIFIED BY 'cut off s3cr t", "CREATE USER a IDENTIFIED BY '***'"},
		{"CREATE USER a IDENTIFIED BY 'a\\' s3cr t'", "CREATE USER a IDENTIFIED BY '***'"},
		{"SELECT name FROM t WHERE a = 'x'", "SELECT name FROM t WHERE a = 'x'"},
		{"SELECT password FROM t WHERE a = 1", "SELECT password FROM t WHERE a = 1"},
		{"", ""},
	} {
		got := Redact(c.text)
		if got != c.want {
			t.Errorf("%s\n\tgives %s\n\twant  %s", c.text, got, c.want)
		}
		if strings.Contains(got, "s3cr") || strings.Contains(got, "733363") {
			t.Errorf("%s: the secret stays: %s", c.text, got)
		}
	}
}
