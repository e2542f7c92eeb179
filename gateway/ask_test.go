package gateway

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"sluice/gateway/wire"
)

// An answer that lacks the question's number is another command's: it is not believed, and the connection ends.
func TestAnswerToAnotherCommand(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	s := &Session{g: &Gateway{Options: Options{Limits: Limits{WriteTimeout: time.Minute}}}, warehouse: wire.NewConn(here)}
	s.caps = wire.ClientProtocol41 | wire.ClientDeprecateEOF
	go func() {
		w := wire.NewConn(there)
		if _, err := w.ReadPacket(1 << 20); err != nil {
			return
		}
		rs := wire.ResultSet{}
		for _, v := range []string{"1", "6F776E6572402500"} {
			rs.Columns = append(rs.Columns, wire.TextColumn("c"))
			if len(rs.Rows) == 0 {
				rs.Rows = append(rs.Rows, nil)
			}
			rs.Rows[0] = append(rs.Rows[0], wire.Text(v))
		}
		frames, _, _ := rs.Append(nil, 1, wire.ResultOptions{Capabilities: s.caps})
		_, _ = w.Write(frames)
	}()
	if rows, err := s.askRow(context.Background(), "HEX(CURRENT_USER())"); !errors.Is(err, errOutOfStep) {
		t.Errorf("%v, %v", rows, err)
	}
	if _, err := here.Write([]byte{0}); err == nil {
		t.Error("the connection goes on")
	}
}
