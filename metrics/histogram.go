// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// newHistograms makes the histograms of a series, with the bounds of the
// catalogue unless others are given, and native buckets for servers that
// scrape them.
func newHistograms(name string, s Series, bounds []float64) *prometheus.HistogramVec {
	if bounds == nil {
		bounds = s.Buckets
	}
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: s.Help, Buckets: bounds,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}, s.labelNames())
}

// distribution is the histogram of a series that has the labels.
type distribution struct {
	prometheus.Observer
	name   string // in Catalog
	labels []string
}

func (m *Metrics) histogram(s series, labels ...string) *distribution {
	return &distribution{m.histograms[s].WithLabelValues(labels...), catalog[s].fullName(defaultNamespace), labels}
}

// forget returns a function that removes the histograms with a value of a label.
func (m *Metrics) forget(label string, all ...series) func(value string) {
	return func(value string) {
		for _, s := range all {
			m.histograms[s].DeletePartialMatch(prometheus.Labels{label: value})
		}
	}
}

// maxTraceID is the length of a trace id, in bytes, up to which it is an
// exemplar. One of W3C Trace Context has 32; the client library panics beyond 128
// characters.
const maxTraceID = 64

// observe counts v, which is less than 0 only if a clock was wrong. The trace
// of ctx, if there is one, becomes the exemplar of its bucket.
func (m *Metrics) observe(ctx context.Context, h *distribution, v float64) {
	v = max(v, 0)
	if m.observed != nil {
		m.observed(ctx, h.name, v, h.labels...)
	}
	if m.traceID != nil {
		if id := m.traceID(ctx); id != "" && len(id) <= maxTraceID && utf8.ValidString(id) {
			h.Observer.(prometheus.ExemplarObserver).ObserveWithExemplar(v, prometheus.Labels{"trace_id": id})
			return
		}
	}
	h.Observe(v)
}
