package lineage_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	tidb "github.com/pingcap/tidb/pkg/parser"

	"sluice/lineage"
	"sluice/lineage/catalog"
	"sluice/parser"
)

// Statements from a point select to a query of a BI tool.
var benchStatements = map[string]string{
	"point": "SELECT c FROM sbtest1 WHERE x10000000 = 4711",
	"join": `SELECT c.name, o.id, SUM(i.quantity * i.price) AS total FROM customers c JOIN orders o ON o.customer_id = c.id JOIN items i ON i.order_id = o.id
JOIN products p ON p.id = i.product_id LEFT JOIN regions r ON r.id = c.region_id WHERE o.created >= '2024-01-01' AND r.name IN ('north', 'south') AND p.category = 'books'
GROUP BY c.name, o.id HAVING x10000000 > 100 ORDER BY total DESC LIMIT 50`,
	"insert-select": `INSERT INTO report (day, region, total) WITH sales AS (SELECT DATE(o.created) AS day, o.region_id, i.price FROM orders o JOIN items i ON i.order_id = o.id),
totals AS (SELECT day, region_id, SUM(price) AS total FROM sales GROUP BY day, region_id) SELECT t.day, r.name, t.total FROM totals t JOIN regions r ON r.id = t.region_id WHERE t.x10000000 > 0`,
	"bi": biQuery(),
}

// biQuery is a query as a BI tool writes it: many computed columns, derived tables, conditions.
func biQuery() string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i := range 12 {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("SUM(CASE WHEN `t`.`month` = 'M" + string(rune('A'+i)) + "' THEN `t`.`amount` ELSE 0 END) AS `Amount " + string(rune('A'+i)) + "`")
	}
	b.WriteString(" FROM (SELECT `orders`.`region` AS `region`, DATE_FORMAT(`orders`.`created`, '%m') AS `month`, `items`.`price` * `items`.`quantity` AS `amount` FROM `orders` INNER JOIN `items` ON `items`.`order_id` = `orders`.`id` WHERE `orders`.`created` BETWEEN '2024-01-01' AND '2024-12-31' AND `orders`.`state` NOT IN ('new', 'cancelled')) `t` INNER JOIN (SELECT `region`, COUNT(*) AS `n` FROM `customers` GROUP BY `region` HAVING COUNT(`x10000000`) > 10) `c` ON `c`.`region` = `t`.`region` GROUP BY `t`.`region` ORDER BY 1 DESC LIMIT 1000")
	return b.String()
}

const benchDefinitions = `CREATE TABLE app.sbtest1 (id INT, c INT); CREATE TABLE app.customers (id INT); CREATE TABLE app.orders (id INT); CREATE TABLE app.items (id INT);
CREATE TABLE app.products (id INT); CREATE TABLE app.regions (id INT); CREATE TABLE app.report (day DATE);`

func benchReader(b testing.TB) *lineage.Reader {
	b.Helper()
	loader, err := lineage.LoadDefinitions(benchDefinitions, dialect(""), "")
	if err != nil {
		b.Fatal(err)
	}
	return lineage.NewReader(catalog.New(loader, time.Hour), 64<<20)
}

// BenchmarkKnown is parse, resolve and trace of a statement that was seen before: ns/best is the best of batches, which
// a busy machine hardly changes.
func BenchmarkKnown(b *testing.B) {
	for name, text := range benchStatements {
		b.Run(name, func(b *testing.B) {
			r, rd, sc, raw := benchReader(b), parser.Reading{Dialect: dialect("")}, lineage.Scope{Schema: "app"}, []byte(text)
			best := time.Hour
			for range 1000 {
				best = min(best, timed(func() {
					for range 100 {
						readOnce(b, r, raw, rd, sc)
					}
				}))
			}
			b.ReportAllocs()
			for b.Loop() {
				readOnce(b, r, raw, rd, sc)
			}
			b.ReportMetric(float64(best.Nanoseconds())/100, "ns/best")
		})
	}
}

func readOnce(b testing.TB, r *lineage.Reader, raw []byte, rd parser.Reading, sc lineage.Scope) {
	s, err := r.Parse(raw, rd)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.Graph(context.Background(), s, 0, sc); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkUnknown is parse, resolve and trace of a statement that was never seen: each has another name in it. It is
// held against the tree parser alone on the same text, in turns: x-tree is the best run of the first as a multiple of
// the best of the other, which a busy machine hardly changes; x-tree-reader has the look into the cache in it, too.
func BenchmarkUnknown(b *testing.B) {
	for name, text := range benchStatements {
		b.Run(name, func(b *testing.B) {
			r, rd, sc, p := benchReader(b), parser.Reading{Dialect: dialect("")}, lineage.Scope{Schema: "app"}, tidb.New()
			snapshot, err := r.Catalog.Current(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			raw, at := []byte(text), strings.Index(text, "1000")+len("1000")
			own, whole, tree, n := time.Hour, time.Hour, time.Hour, 0
			for b.Loop() {
				if n++; n%10000 == 0 {
					r = benchReader(b)
				}
				copy(raw[at:], fmt.Sprintf("%04d", n%10000))
				text := string(raw)
				own = min(own, timed(func() {
					script, err := parser.Parse(text, rd)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := lineage.Resolve(context.Background(), &script.Statements[0], rd, sc, snapshot); err != nil {
						b.Fatal(err)
					}
				}))
				tree = min(tree, timed(func() {
					if _, _, err := p.ParseSQL(text); err != nil {
						b.Fatal(err)
					}
				}))
				whole = min(whole, timed(func() { readOnce(b, r, raw, rd, sc) }))
			}
			if r.Hits() > 0 {
				b.Errorf("%d statements were known", r.Hits())
			}
			b.ReportMetric(float64(own.Nanoseconds()), "ns/best")
			b.ReportMetric(float64(own)/float64(tree), "x-tree")
			b.ReportMetric(float64(whole)/float64(tree), "x-tree-reader")
		})
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// A known statement costs no memory.
func TestKnownStatementAllocatesNothing(t *testing.T) {
	r, rd, sc := benchReader(t), parser.Reading{Dialect: dialect("")}, lineage.Scope{Schema: "app"}
	for name, text := range benchStatements {
		raw := []byte(text)
		for range 2 { // a text is kept when it comes again
			readOnce(t, r, raw, rd, sc)
		}
		if n := testing.AllocsPerRun(100, func() { readOnce(t, r, raw, rd, sc) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkLikened is parse, resolve and trace of a statement that was seen with other literals.
func BenchmarkLikened(b *testing.B) {
	r, rd, sc := benchReader(b), parser.Reading{Dialect: dialect("")}, lineage.Scope{Schema: "app"}
	raw := []byte(benchStatements["point"])
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		raw = strconv.AppendInt(raw[:len("SELECT c FROM sbtest1 WHERE x10000000 = ")], int64(i), 10)
		readOnce(b, r, raw, rd, sc)
	}
	b.ReportMetric(float64(r.Misses()), "parsed")
}
