package statuses

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/berthdev/berth/schema"
)

// Metrics are what a [Sender] counts.
type Metrics struct {
	told    prometheus.Counter
	errors  *prometheus.CounterVec
	waiting prometheus.Gauge
	seconds prometheus.Histogram
}

// NewMetrics makes the metrics and registers them; a nil registerer leaves them unregistered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		told: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "berth_statuses_sent_total", Help: "Commit statuses that a forge has taken.",
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_status_errors_total", Help: "Requests about commit statuses that failed, by kind of error; limited: the forge asked to wait.",
		}, []string{"kind"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "berth_statuses_waiting", Help: "Commit statuses that are to be sent.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "berth_status_seconds", Help: "Time from knowing a commit status to the forge having taken it.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 10),
		}),
	}
	for _, kind := range schema.ErrorKinds { // from zero on, so that the first one is seen to be one more
		m.errors.WithLabelValues(string(kind))
	}
	m.errors.WithLabelValues(askedToWait)
	if reg != nil {
		reg.MustRegister(m.told, m.errors, m.waiting, m.seconds)
	}
	return m
}

func (m *Metrics) sent(after time.Duration) {
	m.told.Inc()
	m.seconds.Observe(after.Seconds())
}

// askedToWait is the kind of a request after which the forge asked to wait.
const askedToWait = "limited"

func (m *Metrics) failed(kind string) { m.errors.WithLabelValues(kind).Inc() }

// waits counts one more that waits, or one less.
func (m *Metrics) waits(more bool) {
	if more {
		m.waiting.Inc()
	} else {
		m.waiting.Dec()
	}
}
