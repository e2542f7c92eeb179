package console

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are the gateway's counts in Prometheus form. It implements gateway.Metrics.
type Metrics struct {
	registry   *prometheus.Registry
	sessions   prometheus.Gauge
	opened     prometheus.Counter
	rejected   *prometheus.CounterVec
	login      prometheus.Histogram
	statements *prometheus.CounterVec
	alarms     *prometheus.CounterVec
	verdicts   atomic.Pointer[[]verdictCount] // those counted so far, which are few; copied to add one
}

// verdictCount is the counter of one kind of verdict.
type verdictCount struct {
	verdict, rule, tier string
	count               prometheus.Counter
}

// NewMetrics gives metrics in a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_sessions", Help: "Client sessions that are open."}),
		opened:   prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_sessions_total", Help: "Client sessions that were opened."}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_sessions_rejected_total", Help: "Clients that were turned away, by reason."}, []string{"reason"}),
		login:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sluice_login_seconds", Help: "Time from accept to OK.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
		statements: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_statements_total", Help: "Judged statements by verdict, deciding rule and tier of reading."},
			[]string{"verdict", "rule", "tier"}),
		alarms: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_alarms_total", Help: "Alarms by kind; each deserves a look."}, []string{"kind"}),
	}
	m.verdicts.Store(new([]verdictCount))
	m.registry.MustRegister(m.sessions, m.opened, m.rejected, m.login, m.statements, m.alarms,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Reader counts the texts that it read.
type Reader interface {
	Hits() uint64
	Likened() uint64
	Misses() uint64
}

// Watch shows how often the statement cache helps, and the revision that is decided by.
func (m *Metrics) Watch(r Reader, p Policies) {
	for how, count := range map[string]func() uint64{"known": r.Hits, "likened": r.Likened, "parsed": r.Misses} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "sluice_texts_total", Help: "Texts by how they were read: known, likened to one with other literals, parsed.",
			ConstLabels: prometheus.Labels{"how": how},
		}, func() float64 { return float64(count()) }))
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_policy_revision", Help: "Revision of the policy that is decided by."},
		func() float64 { return float64(p.Current().Revision()) }))
}

// SessionOpened counts a session that began.
func (m *Metrics) SessionOpened() { m.sessions.Inc(); m.opened.Inc() }

// SessionClosed counts a session that ended.
func (m *Metrics) SessionClosed() { m.sessions.Dec() }

// SessionRejected counts a client that was turned away.
func (m *Metrics) SessionRejected(reason string) { m.rejected.WithLabelValues(reason).Inc() }

// LoginTook notes how long a login took.
func (m *Metrics) LoginTook(d time.Duration) { m.login.Observe(d.Seconds()) }

// Statement counts one judged statement.
func (m *Metrics) Statement(verdict, rule, tier string) {
	known := m.verdicts.Load()
	for i := range *known {
		if v := &(*known)[i]; v.verdict == verdict && v.rule == rule && v.tier == tier {
			v.count.Inc()
			return
		}
	}
	count := m.statements.WithLabelValues(verdict, rule, tier)
	count.Inc()
	more := append(slices.Clip(*known), verdictCount{verdict, rule, tier, count})
	m.verdicts.CompareAndSwap(known, &more) // one who came first may have added it
}

// Alarm counts an alarm.
func (m *Metrics) Alarm(kind string) { m.alarms.WithLabelValues(kind).Inc() }
