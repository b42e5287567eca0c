// SPDX-License-Identifier: MIT

// Package metricsbench compares what observing an event costs with what the
// client library of Prometheus costs alone.
package metricsbench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/metrics"
	"github.com/holdfast-go/holdfast/session"
)

const (
	floor  = "floor: a counter and a histogram at hand"
	lookup = "a counter and a histogram by their labels"
	traced = "holdfast, event of a lock, with the trace as exemplar"
	bare   = "breaker without an observer"
	seen   = "breaker with holdfast's metrics"
)

// Suite is the comparison. Events are of one manager, which is what nearly all
// programs have of a kind.
func Suite(testing.TB) bench.Suite {
	return bench.Suite{
		Name:  "metrics",
		Peers: []string{"github.com/prometheus/client_golang"},
		Cases: []bench.Case{
			{Name: floor, Make: children, NoAllocs: true},
			{Name: lookup, Make: byLabels},
			{Name: "holdfast, event of a lock", Make: locks, NoAllocs: true},
			{Name: traced, Make: tracedLocks},
			{Name: "holdfast, event of a session", Make: sessions, NoAllocs: true},
			{Name: "holdfast, event of an audit log", Make: logs, NoAllocs: true},
			{Name: bare, Make: breakers(false), NoAllocs: true},
			{Name: seen, Make: breakers(true), NoAllocs: true},
		},
		Bars: []bench.Bar{
			{Slow: "holdfast, event of a lock", Fast: floor, AtMost: 4},
			{Slow: "holdfast, event of a session", Fast: floor, AtMost: 4},
			{Slow: "holdfast, event of an audit log", Fast: floor, AtMost: 4},
			{Slow: seen, Fast: bare, AtMost: 1.1},
		},
		Figures: []bench.Figure{
			{Name: "scrape of 10 000 breakers in 100 groups", Unit: "ms", Measure: scrape, Runs: 9, AtMost: 100},
		},
	}
}

// groups has the metrics of 100 groups of so many breakers each.
func groups(members int) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry)
	if err != nil {
		return nil, err
	}
	for i := range 100 {
		g, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{Breaker: circuitbreaker.Config{Name: fmt.Sprintf("hotel-%d.example.com", i), Observer: m}})
		if err != nil {
			return nil, err
		}
		for j := range members {
			if err := g.Get(fmt.Sprint("room-", j)).Do(ctx, func(context.Context) error { return nil }); err != nil {
				return nil, err
			}
		}
	}
	return registry, nil
}

// expose returns what a server gets.
func expose(g prometheus.Gatherer) []byte {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.Bytes()
}

func scrape() (ms float64, err error) {
	registry, err := groups(100)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	expose(registry)
	return float64(time.Since(start).Microseconds()) / 1000, nil
}

const took = time.Millisecond

var (
	ctx     = context.Background()
	buckets = []float64{.001, .005, .025, .1, .5, 2.5, 10} // as holdfast has them
)

func vectors() (*prometheus.CounterVec, *prometheus.HistogramVec) {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "operations_total"}, []string{"manager", "operation", "result"}),
		prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "duration_seconds", Buckets: buckets}, []string{"manager", "operation"})
}

func children() func(int) {
	ops, times := vectors()
	n, h := ops.WithLabelValues("rooms", "acquire", "success"), times.WithLabelValues("rooms", "acquire")
	return func(count int) {
		for range count {
			n.Inc()
			h.Observe(took.Seconds())
		}
	}
}

func byLabels() func(int) {
	ops, times := vectors()
	return func(count int) {
		for range count {
			ops.With(prometheus.Labels{"manager": "rooms", "operation": "acquire", "result": "success"}).Inc()
			times.With(prometheus.Labels{"manager": "rooms", "operation": "acquire"}).Observe(took.Seconds())
		}
	}
}

// source is a manager or log that does nothing.
type source[S any] struct{ name string }

func (s *source[S]) Name() string { return s.name }
func (s *source[S]) Stats() (_ S) { return }

func newMetrics(opts ...metrics.Option) *metrics.Metrics {
	m, err := metrics.New(prometheus.NewRegistry(), opts...)
	if err != nil {
		panic(err)
	}
	return m
}

func locks() func(int) { return lockEvents(newMetrics()) }

func tracedLocks() func(int) {
	return lockEvents(newMetrics(metrics.WithTraceID(func(context.Context) string { return "4bf92f3577b34da6a3ce929d0e0e4736" })))
}

func lockEvents(o lock.Observer) func(int) {
	e := lock.Event{Op: lock.OpAcquire, Source: &source[lock.Stats]{"rooms"}, Took: took}
	return func(count int) {
		for range count {
			o.ObserveLock(ctx, e)
		}
	}
}

func sessions() func(int) {
	var o session.Observer = newMetrics()
	e := session.Event{Op: session.OpGet, Source: &source[session.Stats]{"chats"}, Took: took}
	return func(count int) {
		for range count {
			o.ObserveSession(ctx, e)
		}
	}
}

func logs() func(int) {
	var o audit.Observer = newMetrics()
	a := audit.Activity{Op: audit.OpWrite, Source: &source[audit.Stats]{"trail"}, Took: took}
	return func(count int) {
		for range count {
			o.ObserveAudit(ctx, a)
		}
	}
}

// breakers are asked and answer with success: an observer is not called.
func breakers(observed bool) func() func(int) {
	return func() func(int) {
		cfg := circuitbreaker.Config{Name: "pms", FailureRate: 0.5, Observer: unexpected{}}
		if observed {
			cfg.Observer = circuitbreaker.Observers(newMetrics(), unexpected{})
		}
		b, err := circuitbreaker.New(cfg)
		if err != nil {
			panic(err)
		}
		return func(count int) {
			for range count {
				if err := b.Do(ctx, func(context.Context) error { return nil }); err != nil {
					panic(err)
				}
			}
		}
	}
}

// unexpected is an observer of a breaker that never changes.
type unexpected struct{}

func (unexpected) ObserveBreaker(_ context.Context, e circuitbreaker.Event) {
	if e.Op != circuitbreaker.OpNew {
		panic(errors.New("an event of a successful call"))
	}
}
