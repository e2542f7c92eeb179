package integration

import (
	"context"
	"sync"
	"testing"
	"time"

	"sluice/integration/servers"
)

// Sealed tables that somebody locks are waited for by those who read them alone: the lease on the policy is renewed, the policy
// changes, and what needs no seal goes on.
func TestLockedSealedTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.MariaDB(t), "policy: {lease: 2s}\n")
	owner, bob := w.as(t, "owner", "myprj"), w.as(t, "bob", "prj3")
	owner.do(`SET ProjectProtection = true WITH EXCEPTION '{"Version": "1", "Statement": [{"Effect": "Allow", "Principal": "alice", "Action": ["odps:Select"], "Resource": "acs:odps:*:projects/myprj/tables/table1"}]}'`)
	owner.do("ADD TRUSTEDPROJECT prj3")
	const readers = 24 // more than the service account has connections for one purpose
	all := make([]*client, readers)
	for i := range all {
		all[i] = w.as(t, "alice", "prj2")
	}
	const sealed = "SELECT v FROM myprj.table1"
	all[0].do(sealed)
	db := w.warehouse.Root(t)
	defer db.Close()
	lock, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.ExecContext(context.Background(), "LOCK TABLES myprj.table1 WRITE"); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	for _, c := range all {
		reading.Go(func() { _, _ = c.try(sealed) })
	}
	time.Sleep(time.Second)
	begun := time.Now()
	for time.Since(begun) < 5*time.Second { // longer than a lease
		bob.do("SELECT id FROM myprj.other")
		owner.do("SETPROJECT READ_TABLE_MAX_ROW = 100")
		time.Sleep(100 * time.Millisecond)
	}
	if _, err := lock.ExecContext(context.Background(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	all[0].do(sealed)
}
