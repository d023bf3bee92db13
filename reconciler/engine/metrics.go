package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// Metrics are what the engine counts.
type Metrics struct {
	plans       prometheus.Histogram
	decided     prometheus.Counter
	work        *prometheus.HistogramVec
	errors      *prometheus.CounterVec
	steps       *prometheus.CounterVec
	deployments *prometheus.GaugeVec
}

// NewMetrics makes the metrics and registers them; a nil registerer leaves them unregistered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		plans: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "berth_plan_seconds", Help: "Time that one planning took.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
		}),
		decided: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "berth_plan_decisions_total", Help: "Deployments that were planned.",
		}),
		work: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "berth_work_seconds", Help: "Time that one piece of work on a backend took.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 8),
		}, []string{"backend", "work"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_work_errors_total", Help: "Pieces of work that failed, by kind of error.",
		}, []string{"backend", "kind"}),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_steps_total", Help: "Steps that backends took, by verb.",
		}, []string{"backend", "verb"}),
		deployments: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "berth_deployments", Help: "Deployments by state.",
		}, []string{"state"}),
	}
	if reg != nil {
		reg.MustRegister(m.plans, m.decided, m.work, m.errors, m.steps, m.deployments)
	}
	return m
}

func (m *Metrics) planned(took time.Duration, decisions int) {
	m.plans.Observe(took.Seconds())
	m.decided.Add(float64(decisions))
}

// kinds are the words for what workers do.
var kinds = map[taskKind]string{apply: "apply", remove: "remove", forget: "forget"}

func (m *Metrics) worked(backend string, kind taskKind, took time.Duration, err error) {
	m.work.WithLabelValues(backend, kinds[kind]).Observe(took.Seconds())
	for _, k := range schema.ErrorKinds { // from zero on, so that the first one is seen to be one more
		m.errors.WithLabelValues(backend, string(k))
	}
	if err != nil {
		m.errors.WithLabelValues(backend, string(schema.KindOf(err))).Inc()
	}
}

func (m *Metrics) step(backend string, s backends.Step) {
	if s.Done {
		m.steps.WithLabelValues(backend, s.Verb).Inc()
	}
}

func (m *Metrics) turned(from, to State) {
	if from != "" {
		m.deployments.WithLabelValues(string(from)).Dec()
	}
	if to != "" {
		m.deployments.WithLabelValues(string(to)).Inc()
	}
}
