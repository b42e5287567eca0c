// SPDX-License-Identifier: MIT

package lockbench

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// long asks for the counts of .ci/long.
func long() bool { return os.Getenv("HOLDFAST_LONG") != "" }

// interleaved measures all contestants once a round, one after another, and
// returns the median of each.
func interleaved(rounds int, contestants ...func() (float64, error)) ([]float64, error) {
	taken := make([][]float64, len(contestants))
	for range rounds {
		for i, measure := range contestants {
			v, err := measure()
			if err != nil {
				return nil, err
			}
			taken[i] = append(taken[i], v)
		}
	}
	medians := make([]float64, len(contestants))
	for i, list := range taken {
		slices.Sort(list)
		medians[i] = list[len(list)/2]
	}
	return medians, nil
}

// share calls f with each number from begin up to end, on a few goroutines, each
// of which stops at its first error.
func share(begin, end int, f func(i int) error) error {
	var done sync.WaitGroup
	var next atomic.Int64
	next.Store(int64(begin))
	errs := make([]error, few)
	for n := range few {
		done.Go(func() {
			for i := int(next.Add(1)) - 1; i < end && errs[n] == nil; i = int(next.Add(1)) - 1 {
				errs[n] = f(i)
			}
		})
	}
	done.Wait()
	return errors.Join(errs...)
}

// shared takes several figures from one run, which the first of them makes.
func shared[T any](run func() (T, error)) (figure func(of func(T) float64) func() (float64, error)) {
	run = sync.OnceValues(run)
	return func(of func(T) float64) func() (float64, error) {
		return func() (float64, error) {
			t, err := run()
			if err != nil {
				return 0, err
			}
			return of(t), nil
		}
	}
}

// micros is a time as the figures print it.
func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
