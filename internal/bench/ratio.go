// SPDX-License-Identifier: MIT

package bench

import (
	"math/rand/v2"
	"slices"
)

const (
	seed      = 20261123
	resamples = 4000
	tail      = 0.025 // on each side: a 95 % interval
)

// Ratio is how many times longer one case takes than another, with its
// confidence interval.
type Ratio struct{ Low, Median, High float64 }

// Ratio compares two cases by the medians of their rounds. Resampling takes a
// round of both cases or of neither: what slowed a round slowed both.
func (r *Result) Ratio(slow, fast string) Ratio {
	a, b := r.ns[slow], r.ns[fast]
	random := rand.New(rand.NewPCG(seed, 1))
	ratios := make([]float64, resamples)
	x, y := make([]float64, len(a)), make([]float64, len(a))
	for i := range ratios {
		for j := range x {
			round := random.IntN(len(a))
			x[j], y[j] = a[round], b[round]
		}
		ratios[i] = median(x) / median(y)
	}
	slices.Sort(ratios)
	return Ratio{
		Low:    ratios[int(tail*resamples)],
		Median: median(slices.Clone(a)) / median(slices.Clone(b)),
		High:   ratios[resamples-1-int(tail*resamples)],
	}
}

// median sorts its argument.
func median(list []float64) float64 {
	slices.Sort(list)
	middle := len(list) / 2
	if len(list)%2 == 0 {
		return (list[middle-1] + list[middle]) / 2
	}
	return list[middle]
}
