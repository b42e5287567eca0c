// SPDX-License-Identifier: MIT

package desk

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
)

// Metrics are the orchestrator's own, under the names that the original
// service gave them:
//
//	orchestrator_requests_total{intent,outcome}   messages answered
//	orchestrator_latency_seconds                  from message to answer
//	intents_detected{intent}                      messages understood so
//	nlp_fallbacks_total{reason}                   answers that were second best
//	pms_operations_total{operation,result}        calls that reached out for the PMS
//	pms_api_latency_seconds{operation}            how long they took
type Metrics struct {
	requests  *prometheus.CounterVec
	latency   prometheus.Histogram
	intents   *prometheus.CounterVec
	fallbacks *prometheus.CounterVec
	calls     *prometheus.CounterVec
	callTime  *prometheus.HistogramVec
}

// NewMetrics registers the metrics, each label value that is known beforehand
// starting at zero.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orchestrator_requests_total", Help: "Messages answered."}, []string{"intent", "outcome"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "orchestrator_latency_seconds", Help: "Time from message to answer.", Buckets: prometheus.DefBuckets}),
		intents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "intents_detected", Help: "Messages by what they ask for."}, []string{"intent"}),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nlp_fallbacks_total", Help: "Answers that were second best, by reason."}, []string{"reason"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pms_operations_total", Help: "Calls to the PMS. Those that the breaker rejects are not made."}, []string{"operation", "result"}),
		callTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pms_api_latency_seconds", Help: "Time that calls to the PMS took.", Buckets: prometheus.DefBuckets}, []string{"operation"}),
	}
	for _, intent := range talk.Intents() {
		m.intents.WithLabelValues(string(intent))
		for _, o := range []Outcome{OK, Refused, Fallback, Failed} {
			m.requests.WithLabelValues(string(intent), string(o))
		}
	}
	for _, reason := range []string{"unknown_intent", "breaker_open", "pms_error", "lock_unavailable", "lock_error", "session_unavailable", "rush"} {
		m.fallbacks.WithLabelValues(reason)
	}
	for _, operation := range []string{"free", "list", "book", "cancel", "withdraw"} {
		m.callTime.WithLabelValues(operation)
		for _, result := range []string{"success", "refused", "timeout", "error"} {
			m.calls.WithLabelValues(operation, result)
		}
	}
	for _, c := range []prometheus.Collector{m.requests, m.latency, m.intents, m.fallbacks, m.calls, m.callTime} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Metrics) answered(r Reply, took time.Duration) {
	m.intents.WithLabelValues(string(r.Intent)).Inc()
	m.requests.WithLabelValues(string(r.Intent), string(r.Outcome)).Inc()
	m.latency.Observe(took.Seconds())
}

func (m *Metrics) fellBack(reason string) { m.fallbacks.WithLabelValues(reason).Inc() }

func (m *Metrics) called(operation string, err error, took time.Duration) {
	result := "success"
	switch {
	case refusal(err):
		result = "refused"
	case errors.Is(err, context.DeadlineExceeded):
		result = "timeout"
	case err != nil:
		result = "error"
	}
	m.calls.WithLabelValues(operation, result).Inc()
	m.callTime.WithLabelValues(operation).Observe(took.Seconds())
}
