// SPDX-License-Identifier: MIT

package metrics

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/lock"
)

// The floor is what a lock operation has to cost at least: one counter and
// one histogram whose children are at hand.
func BenchmarkObserveLock(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		n := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "n"}, []string{"manager", "operation", "result"}).WithLabelValues("rooms", "acquire", "success")
		took := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "took", Buckets: opBuckets}, []string{"manager", "operation"}).WithLabelValues("rooms", "acquire")
		b.ReportAllocs()
		for b.Loop() {
			n.Inc()
			took.Observe(time.Millisecond.Seconds())
		}
	})
	b.Run("observer", func(b *testing.B) {
		m, _ := newMetrics(b)
		var o lock.Observer = m
		e := lock.Event{Op: lock.OpAcquire, Source: named[lock.Stats]("rooms"), Took: time.Millisecond}
		b.ReportAllocs()
		for b.Loop() {
			o.ObserveLock(background, e)
		}
	})
}
