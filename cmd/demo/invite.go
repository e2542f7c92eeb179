package main

import (
	"fmt"
	"net"
	"path/filepath"
)

// introduce says what runs where.
func (w *world) introduce(out *screen) {
	out.line(out.style("Sluice: a gateway that keeps data inside of protected projects", bold))
	out.line("")
	for _, part := range [][2]string{
		{"gateway", w.listener.Addr().String() + "   MySQL protocol: this is where clients connect"},
		{"console", "http://" + w.admin.Addr().String() + "/"},
		{"warehouse", w.warehouse.address + "   in memory, gone when the demo ends"},
		{"Redis", w.redis.Addr() + "   in memory"},
		{"decision log", filepath.Join(w.folder, logName) + "   removed when the demo ends"},
	} {
		out.line(fmt.Sprintf("  %-13s %s", part[0], part[1]))
	}
	out.line("")
	out.line("  project       tables")
	out.line("  myprj         table1 (id, name, salary)                 owner: owner")
	out.line("  alipay        table_test (id, city, orders), accounts   owner: owner")
	out.line("  prj2          notes                                     where alice and bob work")
}

// invite says what to type.
func (w *world) invite(out *screen) {
	host, port, err := net.SplitHostPort(w.listener.Addr().String())
	if err != nil {
		host, port = "127.0.0.1", "3307"
	}
	client := func(user, project string) {
		out.line(out.style(fmt.Sprintf("    mysql -h%s -P%s -u%s -p%s %s", host, port, user, w.passwords[user], project), bold))
	}
	enter := func(statements ...string) {
		for _, s := range statements {
			out.line(out.style("        "+s+";", cyan))
		}
	}
	out.heading("Try it")
	out.note("The passwords were made for this run. root is the Super_Administrator:")
	client("root", "myprj")
	out.note("1. The owner protects myprj:")
	client("owner", "myprj")
	enter("SET ProjectProtection = true", "SHOW SECURITYCONFIGURATION")
	out.note("2. Alice may read myprj and write prj2, and is stopped when she carries one into the other:")
	client("alice", "prj2")
	enter(theft, "EXPLAIN FLOW "+theft)
	out.note("3. The owner trusts prj2, and takes the trust back:")
	enter("ADD TRUSTEDPROJECT prj2", "LIST TRUSTEDPROJECTS", "REMOVE TRUSTEDPROJECT prj2")
	out.note("4. The owner lets alice, not bob, take one table out of alipay:")
	client("owner", "alipay")
	enter("SET ProjectProtection = true WITH EXCEPTION '" + exception + "'")
	client("alice", "prj2")
	enter(export)
	client("bob", "prj2")
	enter("create table prj2.bobs as select * from alipay.table_test")
	out.note("5. A write breaks the seal of what was approved; who did what is on record:")
	client("bob", "alipay")
	enter("insert into table_test values (9, 'Ada', 9100)")
	client("owner", "alipay")
	enter("SHOW SEALS", "SHOW FLOW LOG LIMIT 10")
	out.note("The same story plays by itself with --play. Ctrl-C ends the demo.")
}
