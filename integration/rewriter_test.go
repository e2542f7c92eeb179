package integration

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/integration/servers"
	"sluice/warehouse"
)

// ruleTable is where MySQL's plugin Rewriter reads its rules.
const ruleTable = `CREATE TABLE query_rewrite.rewrite_rules (id INT AUTO_INCREMENT PRIMARY KEY, pattern VARCHAR(5000) COLLATE utf8mb4_bin NOT NULL,
	pattern_database VARCHAR(20) COLLATE utf8mb4_bin, replacement VARCHAR(5000) COLLATE utf8mb4_bin NOT NULL, enabled ENUM('YES', 'NO') COLLATE utf8mb4_bin NOT NULL DEFAULT 'YES',
	message VARCHAR(1000) COLLATE utf8mb4_bin, pattern_digest VARCHAR(64), normalized_pattern VARCHAR(100)) CHARSET utf8mb4`

// A plugin that runs another statement than the one that was judged: through Sluice nobody loads it or writes its rules while
// something is protected, and while it has rules nothing runs that it could replace.
func TestRewriter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MySQL(t), "")
	w.warehouse.Exec(t, "GRANT ALL ON *.* TO "+w.account(t, "alice"), "CREATE DATABASE query_rewrite", ruleTable)
	owner, alice := w.as(t, "owner", "myprj"), w.as(t, "alice", "prj2")
	owner.do("SET ProjectProtection = true")
	rule := "INSERT INTO query_rewrite.rewrite_rules (pattern, replacement) VALUES ('SELECT ?', 'SELECT CONCAT(v) FROM myprj.table1 WHERE id = ?')"
	for _, q := range []string{
		rule, "UPDATE query_rewrite.rewrite_rules SET enabled = 'YES'", "INSTALL PLUGIN rewriter SONAME 'rewriter.so'",
		"DROP TABLE query_rewrite.rewrite_rules", "RENAME TABLE prj2.t TO query_rewrite.t", "CREATE TABLE query_rewrite.t AS SELECT 1 AS a",
	} {
		alice.refused(q)
	}
	alice.do("DELETE FROM query_rewrite.rewrite_rules")
	w.warehouse.Exec(t, rule, "INSTALL PLUGIN rewriter SONAME 'rewriter.so'", "SELECT 7")
	refusal := ""
	for deadline := time.Now().Add(10 * time.Second); refusal == "" && time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		if _, err := alice.try("SELECT 1 + 0"); err != nil {
			refusal = err.Error()
		}
	}
	if !strings.Contains(refusal, "plugin Rewriter") {
		t.Fatalf("while the plugin has rules: %q", refusal)
	}
	for _, q := range []string{"SELECT 1", "EXPLAIN SELECT 1", "PREPARE s FROM 'SELECT 1'", "WITH c AS (SELECT 1) SELECT * FROM c"} {
		alice.refused(q)
	}
	alice.do("SET @a = 1")
	if found := strings.Join(owner.do("CHECK PROJECTPROTECTION"), "\n"); !strings.Contains(found, "statements are rewritten") {
		t.Errorf("CHECK PROJECTPROTECTION does not tell of it:\n%s", found)
	}
	forged(t, w, alice)
}

// forged has the warehouse tell of another account when it is asked as the gateway asks: for a session that was asked before, one that
// logs in then, and a command that was prepared.
func forged(t *testing.T, w *world, alice *client) {

	question := "SELECT ?, %s, HEX(DATABASE()), HEX(CONCAT(@@sql_mode)), HEX(@@character_set_client), HEX(@@character_set_results) LIMIT ?"
	w.warehouse.Exec(t, "DELETE FROM query_rewrite.rewrite_rules", fmt.Sprintf("INSERT INTO query_rewrite.rewrite_rules (pattern, replacement) VALUES ('"+question+"', '"+question+"')",
		"HEX(CURRENT_USER())", "HEX(''owner@127.0.0.1'')"), "CREATE FUNCTION load_rewrite_rules RETURNS STRING SONAME 'rewriter.so'", "SELECT load_rewrite_rules()")
	root := w.warehouse.Root(t)
	asked := strings.NewReplacer("?", "1", "%s", "HEX(CURRENT_USER())").Replace(question)
	var n, user, schema, mode, client, results sql.NullString
	for deadline := time.Now().Add(10 * time.Second); user.String != "6F776E6572403132372E302E302E31" && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err := root.QueryRow(asked).Scan(&n, &user, &schema, &mode, &client, &results); err != nil {
			t.Fatal(err)
		}
	}
	if user.String != "6F776E6572403132372E302E302E31" {
		t.Fatalf("the rule does not take the gateway's question: %s", user.String)
	}
	time.Sleep(600 * time.Millisecond)
	alice.do("USE myprj")
	alice.refused("SET ProjectProtection = false")
	for range 3 {
		w.as(t, "alice", "myprj").refused("SET ProjectProtection = false")
	}
	w.as(t, "owner", "myprj").do("LIST OWNERS")
	// Nor does a rule answer the service account, which reads the policy.
	w.warehouse.Exec(t, "INSERT INTO query_rewrite.rewrite_rules (pattern, replacement) VALUES ('SELECT ? + ?', 'SELECT ? * ?')", "SELECT load_rewrite_rules()")
	var sum string
	for deadline := time.Now().Add(10 * time.Second); sum != "6" && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err := root.QueryRow("SELECT 2 + 3").Scan(&sum); err != nil {
			t.Fatal(err)
		}
	}
	pool := warehouse.New(warehouse.Options{Address: w.warehouse.Addr, User: servers.ServiceUser, Password: servers.ServicePassword})
	defer pool.Close()
	if rows, err := pool.Query(t.Context(), "SELECT 2 + 3"); err != nil || sum != "6" || *rows[0][0] != "5" {
		t.Errorf("2 + 3 is %s to others, and %v, %v to the service account", sum, rows, err)
	}
	for _, verb := range []string{"INSERT INTO prj3.t VALUES (2 + 3, '')", "REPLACE INTO prj3.t VALUES (2 + 3, '')", "UPDATE prj3.t SET id = 2 + 3", "DELETE FROM prj3.t"} {
		if _, err := pool.Exec(t.Context(), verb); err != nil {
			t.Errorf("%s: %v", verb, err)
		}
	}
}
