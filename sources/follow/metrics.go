package follow

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what is counted. Labels name sources that are followed now; those
// of a source that is no more are removed.
type metrics struct {
	fetch   *prometheus.HistogramVec // by result
	errors  *prometheus.CounterVec   // by source
	success *prometheus.GaugeVec     // by source
	parsed  *prometheus.CounterVec   // by kind
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	m := &metrics{
		fetch: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "berth_source_fetch_seconds",
			Help:    "Time to ask a source, and to fetch it if it moved, by result.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}, []string{"result"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_source_errors_total",
			Help: "Attempts to read a source that failed.",
		}, []string{"source"}),
		success: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "berth_source_last_success_timestamp_seconds",
			Help: "When a source last answered and could be read.",
		}, []string{"source"}),
		parsed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_source_files_parsed_total",
			Help: "Files that were parsed, by kind.",
		}, []string{"kind"}),
	}
	if registerer != nil {
		registerer.MustRegister(m.fetch, m.errors, m.success, m.parsed)
	}
	return m
}

// fetched counts one question to a source.
func (m *metrics) fetched(took time.Duration, moved bool, err error) {
	result := "unchanged"
	switch {
	case err != nil:
		result = "failed"
	case moved:
		result = "moved"
	}
	m.fetch.WithLabelValues(result).Observe(took.Seconds())
}

// attempted counts one attempt to read a source.
func (m *metrics) attempted(source string, at time.Time, err error) {
	errors := m.errors.WithLabelValues(source) // from zero on, so that the first one is seen to be one more
	if err != nil {
		errors.Inc()
		return
	}
	m.success.WithLabelValues(source).Set(float64(at.UnixMilli()) / 1000)
}

// forget removes what is counted of a source.
func (m *metrics) forget(source string) {
	m.errors.DeleteLabelValues(source)
	m.success.DeleteLabelValues(source)
}
