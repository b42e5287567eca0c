// SPDX-License-Identifier: MIT

package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
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
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		requests:  counter("orchestrator_requests_total", "Messages answered.", "intent", "outcome"),
		latency:   f.NewHistogram(prometheus.HistogramOpts{Name: "orchestrator_latency_seconds", Help: "Time from message to answer."}),
		intents:   counter("intents_detected", "Messages by what they ask for.", "intent"),
		fallbacks: counter("nlp_fallbacks_total", "Answers that were second best, by reason.", "reason"),
		calls:     counter("pms_operations_total", "Calls to the PMS. Those that the breaker rejects are not made.", "operation", "result"),
		callTime:  f.NewHistogramVec(prometheus.HistogramOpts{Name: "pms_api_latency_seconds", Help: "Time that calls to the PMS took."}, []string{"operation"}),
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
	return m
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

// Trace shows how an answer came about.
type Trace struct {
	ID      string        `json:"id"` // that the answer's audit events carry as their correlation
	Intent  talk.Intent   `json:"intent"`
	Outcome Outcome       `json:"outcome"`
	Breaker string        `json:"breaker"` // its state when the answer was ready
	Calls   int           `json:"pms_calls"`
	PMSTime time.Duration `json:"pms_ns"`          // all calls together
	Audit   []string      `json:"audit,omitempty"` // types of the events, the lock's among them
}

// tracer collects a trace. The locks record their events on goroutines of
// their own.
type tracer struct {
	mu sync.Mutex
	Trace
}

type traceKey struct{}

func withTrace(ctx context.Context) (context.Context, *tracer) {
	t := &tracer{Trace: Trace{ID: rand.Text()[:8]}}
	return context.WithValue(ctx, traceKey{}, t), t
}

// called adds a call that reached out for the PMS.
func (t *tracer) called(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Calls++
	t.PMSTime += took
}

// read returns the trace so far, with what is known at the end.
func (t *tracer) read(r Reply, breaker circuitbreaker.State) Trace {
	t.mu.Lock()
	defer t.mu.Unlock()
	trace := t.Trace
	trace.Intent, trace.Outcome, trace.Breaker, trace.Audit = r.Intent, r.Outcome, breaker.String(), slices.Clone(t.Audit)
	return trace
}

// Enrich is an [audit.Config]'s Enrich: it connects each event with the answer
// that caused it.
func Enrich(ctx context.Context, e *audit.Event) {
	t, ok := ctx.Value(traceKey{}).(*tracer)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Audit = append(t.Audit, e.Type)
	e.Correlation = t.ID
}
