package integration

import (
	"strings"
	"testing"
	"time"

	"sluice/integration/servers"
)

// namesakes: to the warehouse, grants to an account of the same name and another host count, and those on a schema to the anonymous
// account, though SHOW GRANTS tells of neither. What somebody may do by them runs, and breaks the seal.
func (s *sealing) namesakes(t *testing.T, server *servers.Server) {
	server.Exec(t, "CREATE USER dave@'127.0.0.1' IDENTIFIED BY 'd-pass'", "GRANT ALL ON prj2.* TO dave@'127.0.0.1'")
	for _, c := range []struct{ account, grants, only string }{
		{"dave@'%'", "ALL ON myprj.*", ""}, {"dave@'%'", "ALL ON myprj.s", ""}, {"dave@'127.%'", "DROP ON myprj.*", ""}, {"dave@'%'", "ALL ON prj3.*", "nothing"}, {"dave@'%'", "ALL ON *.*", "nothing"},
		{"''@'%'", "ALL ON myprj.*", "M"}, {"''@'%'", "ALL ON myprj.s", "nothing"}, {"davey@'%'", "ALL ON myprj.*", "nothing"},
	} {
		server.Exec(t, "CREATE USER "+c.account+" IDENTIFIED BY 'unknown'", "GRANT "+c.grants+" TO "+c.account)
		time.Sleep(60 * time.Millisecond)
		s.approve(t)
		dave := dialWith(t, s.w.gateway.Addr, "dave", "d-pass", "prj2")
		_, err := dave.try("TRUNCATE myprj.s")
		dave.close()
		state, may := s.state(t), strings.HasPrefix(server.Name, c.only)
		if may != (err == nil) || may != strings.Contains(state, "|dave@127.0.0.1|") || !may && !strings.Contains(state, "|whole|") {
			t.Errorf("%s to %s: TRUNCATE by dave@127.0.0.1: %v, %s", c.grants, c.account, err, state)
		}
		server.Exec(t, "DROP USER "+c.account)
	}
	server.Exec(t, "DROP USER dave@'127.0.0.1'")
}
