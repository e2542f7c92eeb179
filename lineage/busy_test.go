package lineage_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// busy is a warehouse that reads slowly, and whose definitions change with each of its first readings.
type busy struct {
	catalog.Loader
	left atomic.Int64
}

func (b *busy) Load(ctx context.Context, schema string) (*catalog.Schema, error) {
	time.Sleep(30 * time.Millisecond)
	return b.Loader.Load(ctx, schema)
}

func (b *busy) Clock(context.Context) (string, error) {
	return strconv.FormatInt(max(b.left.Add(-1), 0), 10), nil
}

// A statement beside sessions that define much is read until its definitions hold still for it, and not refused.
func TestReadingBesideManyDefinitions(t *testing.T) {
	t.Parallel()
	loader, err := lineage.LoadDefinitions("CREATE TABLE pub.t (v TEXT);", dialect(""), "")
	if err != nil {
		t.Fatal(err)
	}
	slow := &busy{Loader: loader}
	slow.left.Store(40)
	r := lineage.NewReader(catalog.New(slow, 40*time.Millisecond), 1<<20)
	s, err := r.Parse([]byte("SELECT v FROM t"), parser.Reading{Dialect: dialect("")})
	if err != nil {
		t.Fatal(err)
	}
	if g, err := r.Graph(context.Background(), s, 0, lineage.Scope{Schema: "pub"}); err != nil || g.Refused != "" {
		t.Fatalf("%+v, %v", g, err)
	}
	if slow.left.Load() > 0 {
		t.Errorf("%d changes were left: the test did not do what it is for", slow.left.Load())
	}
}
