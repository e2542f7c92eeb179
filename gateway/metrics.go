package gateway

import "time"

// Metrics takes the gateway's counts; every method returns at once.
type Metrics interface {
	SessionOpened()
	SessionClosed()
	SessionRejected(reason string)
	LoginTook(d time.Duration)
	// Statement counts one judged statement by verdict (permit, deny, dryrun, command), by the
	// deciding rule and by tier.
	Statement(verdict, rule, tier string)
	Alarm(kind string)
}

type noMetrics struct{}

func (noMetrics) SessionOpened()                   {}
func (noMetrics) SessionClosed()                   {}
func (noMetrics) SessionRejected(string)           {}
func (noMetrics) LoginTook(time.Duration)          {}
func (noMetrics) Statement(string, string, string) {}
func (noMetrics) Alarm(string)                     {}
