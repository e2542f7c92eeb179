package integration

import (
	"testing"

	"sluice/gateway/wire"
)

// MySQL opens what stands before a zero byte in COM_INIT_DB's name and tells the whole name as the current schema: neither a
// protected project nor the policy is reached so.
func TestSchemaNameWithZeroByte(t *testing.T) {
	before(t, everyKind, func(t *testing.T, w *world) {
		w.warehouse.Exec(t, "CREATE USER 'zero'@'127.0.0.%' IDENTIFIED BY ''", "GRANT ALL ON *.* TO 'zero'@'127.0.0.%'")
		defer w.warehouse.Exec(t, "DROP USER 'zero'@'127.0.0.%'")
		for _, name := range []string{"myprj\x00", "myprj\x00x", "sluice\x00", "\x00myprj"} {
			p, err := dialProber(w.gateway.Addr, "zero", "prj2", probeCaps, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			p.begin()
			if err := p.send(append([]byte{byte(wire.ComInitDB)}, name...)); err != nil {
				t.Fatal(err)
			}
			_, packets, err := p.answer(wire.ComInitDB)
			if err != nil || len(packets) != 1 || packets[0][0] != 0xff {
				t.Errorf("%q: %x, %v: want an error", name, packets, err)
			}
			_ = p.conn.Close()
		}
	})
}
