// SPDX-License-Identifier: MIT

package lockbench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/bench"
)

const (
	counted = 1000 // turns of a contestant in a round
	rounds  = 11   // of what is measured in interleaved rounds of its own
	crowded = 512  // goroutines that want one name
)

// turnFigures compare how fast a name goes from hand to hand when 512 want it,
// when 2 do, and in a sketch of a queue.
func turnFigures(tb testing.TB, c *redis.Client) []bench.Figure {
	ctx, floor := tb.Context(), newSketch(tb, c)
	holdfast := inTurn(manager(c, nil), 0)
	of := shared(func() ([]float64, error) {
		return interleaved(rounds,
			func() (float64, error) { return turn(ctx, holdfast, 2) },
			func() (float64, error) { return turn(ctx, holdfast, crowded) },
			func() (float64, error) { return turn(ctx, floor.take, crowded) })
	})
	return []bench.Figure{
		{Name: "holdfast, 2 goroutines want one key", Unit: "turns/s", Measure: of(func(t []float64) float64 { return 1e6 / t[0] })},
		{Name: "holdfast, 512 goroutines want one key", Unit: "turns/s", Measure: of(func(t []float64) float64 { return 1e6 / t[1] })},
		{Name: "sketch of a queue, 512 goroutines want one key", Unit: "turns/s", Measure: of(func(t []float64) float64 { return 1e6 / t[2] })},
		{Name: "turns/s when 512 want one key, of those when 2 do", Unit: "times", AtLeast: 0.8,
			Measure: of(func(t []float64) float64 { return t[0] / t[1] })},
		{Name: "turns/s when 512 want one key, of the sketch's", Unit: "times", AtLeast: 0.5,
			Measure: of(func(t []float64) float64 { return t[2] / t[1] })},
	}
}

// turn is how long a turn takes, in µs, when goroutines want the same name
// again and again. It is timed once all of them have come, and until the first
// leave.
func turn(ctx context.Context, take locker, goroutines int) (float64, error) {
	var (
		done         sync.WaitGroup
		begun, ended atomic.Int64
		first, last  time.Time
		errs         = make([]error, goroutines)
		coming       = int64(max(goroutines, 100))
	)
	for i := range goroutines {
		done.Go(func() {
			for begun.Add(1) <= coming+counted+int64(goroutines) {
				if errs[i] = take(ctx, "turn"); errs[i] != nil {
					return
				}
				switch ended.Add(1) {
				case coming:
					first = time.Now()
				case coming + counted:
					last = time.Now()
				}
			}
		})
	}
	done.Wait()
	return micros(last.Sub(first)) / counted, errors.Join(errs...)
}
