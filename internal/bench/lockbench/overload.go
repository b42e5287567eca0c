// SPDX-License-Identifier: MIT

package lockbench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

// What is asked of one key: three times what it can grant.
const (
	asked    = 600 // claims a second
	holding  = 5 * time.Millisecond
	patience = time.Second
	window   = 5 * time.Second
)

// overloadFigures compare how many are granted a key when more ask for it than
// can be.
func overloadFigures(tb testing.TB, server *redistest.Server) []bench.Figure {
	lasts := 15 * time.Second
	if long() {
		lasts = time.Minute
	}
	ours, theirs := client(tb, server, &redis.Options{PoolSize: few}), client(tb, server, &redis.Options{PoolSize: few})
	type run struct{ ours, theirs []int64 } // grants by window
	of := shared(func() (r run, err error) {
		if err := ours.FlushDB(tb.Context()).Err(); err != nil {
			return r, err
		}
		if r.ours, err = overload(tb.Context(), inTurn(manager(ours, nil), holding), lasts); err != nil {
			return r, err
		}
		r.theirs, err = overload(tb.Context(), bsmRedislock(theirs, 20*time.Millisecond, holding), lasts)
		return r, err
	})
	load := fmt.Sprintf("%d a second ask for %v, for %v each, %v long", asked, holding, patience, lasts)
	return []bench.Figure{
		{Name: "overload: holdfast, " + load, Unit: "grants/s", Measure: of(func(r run) float64 { return sum(r.ours) / lasts.Seconds() })},
		{Name: "overload: redislock, back-off of 20 ms, " + load, Unit: "grants/s",
			Measure: of(func(r run) float64 { return sum(r.theirs) / lasts.Seconds() })},
		{Name: "overload: grants, of redislock's", Unit: "times", AtLeast: 0.9, Measure: of(func(r run) float64 { return sum(r.ours) / sum(r.theirs) })},
		{Name: "overload: grants in the worst 5 s, of redislock's in the same 5 s of its own", Unit: "times", AtLeast: 0.9,
			Measure: of(func(r run) float64 {
				worst := math.Inf(1)
				for i, theirs := range r.theirs {
					worst = min(worst, float64(r.ours[i])/float64(max(theirs, 1)))
				}
				return worst
			})},
	}
}

func sum(windows []int64) (all float64) {
	for _, n := range windows {
		all += float64(n)
	}
	return all
}

// overload asks for one name at a steady rate, whatever comes of it, and returns how
// many claims were granted in each window.
func overload(ctx context.Context, take locker, lasts time.Duration) ([]int64, error) {
	var (
		done    sync.WaitGroup
		failed  atomic.Pointer[error]
		granted = make([]atomic.Int64, lasts/window)
		start   = time.Now()
	)
	for i := range int(lasts.Seconds()) * asked {
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / asked))) // the next one asks at its time
		done.Go(func() {
			limited, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			switch err := take(limited, "overload"); {
			case err != nil && limited.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded): // a connection may notice first
				failed.Store(&err)
			case err == nil:
				if w := time.Since(start) / window; int(w) < len(granted) {
					granted[w].Add(1)
				}
			}
		})
	}
	done.Wait()
	windows := make([]int64, len(granted))
	for i := range granted {
		windows[i] = granted[i].Load()
	}
	if err := failed.Load(); err != nil {
		return nil, fmt.Errorf("overload: %w", *err)
	}
	return windows, ctx.Err()
}
