// SPDX-License-Identifier: MIT

package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// distribution counts durations or sizes. Unlike a [prometheus.Histogram] it
// counts whole nanoseconds or bytes, so an observation is two additions and no
// loop on a float. Its count is the sum of its buckets, which
// therefore always agree; its sum may be ahead or behind of them by the
// observations that are under way.
type distribution struct {
	place  series
	labels []string
	bounds []int64
	one    float64                       // the unit of the catalogue, in nanoseconds or bytes
	counts [maxBuckets + 1]atomic.Uint64 // of these, the first len(bounds) + 1
	total  atomic.Int64
}

// maxBuckets is the number of bounds of the longest list, without +Inf.
const maxBuckets = 12

func newDistribution(place series, labels ...string) *distribution {
	s := catalog[place]
	h := &distribution{place: place, labels: labels, one: 1}
	if s.Unit == "seconds" {
		h.one = float64(time.Second)
	}
	for _, bound := range s.Buckets {
		h.bounds = append(h.bounds, int64(bound*h.one))
	}
	return h
}

// observe counts v, which is less than 0 only if a clock was wrong.
func (h *distribution) observe(v int64) {
	v, i := max(v, 0), 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.total.Add(v)
}

func (o output) distribution(h *distribution) {
	var n uint64
	bounds := catalog[h.place].Buckets
	upTo := make(map[float64]uint64, len(bounds))
	for i := range len(bounds) + 1 {
		n += h.counts[i].Load()
		if i < len(bounds) {
			upTo[bounds[i]] = n
		}
	}
	metric, err := prometheus.NewConstHistogram(o.m.descs[h.place], n, float64(h.total.Load())/h.one, upTo, h.labels...)
	o.send(h.place, metric, err)
}
