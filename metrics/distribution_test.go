// SPDX-License-Identifier: MIT

package metrics

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What a distribution says must be what a prometheus.Histogram says of the
// same values, the edges of the buckets included.
func TestADistributionIsTheHistogramOfItsValues(t *testing.T) {
	m, _ := newMetrics(t)
	for _, place := range []series{lockTook, lockWait, lockHold, sessionCleanupTook, sessionBytes} {
		s := catalog[place]
		labels := []string{"rooms", "acquire"}[:len(s.Labels)]
		ours := newDistribution(place, labels...)
		theirs := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Buckets: s.Buckets})
		var values []int64
		for _, bound := range s.Buckets {
			edge := int64(bound * ours.one)
			values = append(values, edge-1, edge, edge+1)
		}
		rnd := rand.New(rand.NewPCG(1, uint64(place)))
		for range 1000 {
			values = append(values, rnd.Int64N(int64(2*s.Buckets[len(s.Buckets)-1]*ours.one)))
		}
		for _, v := range values {
			ours.observe(v)
			theirs.Observe(float64(v) / ours.one)
		}
		got, want := inBuckets(t, single{m, ours}), inBuckets(t, theirs)
		for i, v := range got {
			if len(got) != len(want) || relative(v, want[i]) > 1e-9 {
				t.Fatalf("%s: %v, want %v", s.Name, got, want)
			}
		}
	}
}

func TestAClockThatWentBackIsNoTimeAtAll(t *testing.T) {
	m, _ := newMetrics(t)
	d := newDistribution(lockHold, "rooms")
	d.observe(int64(-time.Hour))
	if got := inBuckets(t, single{m, d}); got[0] != 1 || got[1] != 0 || got[3] != 1 {
		t.Fatalf("%v", got)
	}
}

func TestTheLongestListOfBucketsFits(t *testing.T) {
	longest := 0
	for _, s := range catalog {
		longest = max(longest, len(s.Buckets))
	}
	if longest != maxBuckets {
		t.Fatalf("the longest has %d bounds, maxBuckets is %d", longest, maxBuckets)
	}
}

// single is a collector of one distribution.
type single struct {
	m *Metrics
	d *distribution
}

func (s single) Describe(ch chan<- *prometheus.Desc) { ch <- s.m.descs[s.d.place] }
func (s single) Collect(ch chan<- prometheus.Metric) { output{s.m, ch}.distribution(s.d) }

// inBuckets lists the count and the sum of a histogram, and of each bucket its
// bound and count.
func inBuckets(t *testing.T, c prometheus.Collector) (list []float64) {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	h := families[0].GetMetric()[0].GetHistogram()
	list = append(list, float64(h.GetSampleCount()), h.GetSampleSum())
	for _, b := range h.GetBucket() {
		list = append(list, b.GetUpperBound(), float64(b.GetCumulativeCount()))
	}
	return list
}

func relative(a, b float64) float64 {
	if a == b {
		return 0
	}
	return max(a-b, b-a) / max(a, b)
}
