// SPDX-License-Identifier: MIT

// Package lockbench compares locks in Redis: what a pair of acquire and release
// costs, what waiting costs, and what many holds cost the server.
package lockbench

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

const (
	few  = 32  // goroutines on a plain client
	many = 128 // goroutines on the auto-pipeliner
)

// Suite is the comparison: all on one redis-server, and all of a row's
// contestants on the same client. Each goroutine has a key of its own.
func Suite(tb testing.TB) bench.Suite {
	server := redistest.Real(tb)
	// A connection for each goroutine: none waits for the pool.
	plain := client(tb, server, &redis.Options{PoolSize: many})
	piped, err := client(tb, server, &redis.Options{}).AutoPipeline()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = piped.Close() })
	return bench.Suite{
		Name:   "lock",
		Peers:  []string{"github.com/redis/go-redis/v9", "github.com/bsm/redislock", "github.com/go-redsync/redsync/v4"},
		Sample: 60 * time.Millisecond,
		Cases: []bench.Case{
			{Name: "floor: SET NX and compare-and-delete scripts, 32 goroutines", Make: pair(tb, floor(plain)), Goroutines: few},
			{Name: "holdfast Key, 32 goroutines", Make: pair(tb, holdfast(plain, lock.Key)), Goroutines: few},
			{Name: "holdfast Key, a group for each, 32 goroutines", Make: pair(tb, apart(plain)), Goroutines: few},
			{Name: "holdfast Nights, 32 goroutines", Make: pair(tb, holdfast(plain, nights)), Goroutines: few},
			{Name: "redislock, 32 goroutines", Make: pair(tb, bsmRedislock(plain, 0, 0)), Goroutines: few},
			{Name: "redsync, 32 goroutines", Make: pair(tb, redsyncs(plain, 1)), Goroutines: few},

			{Name: "floor, auto-pipeliner, 128 goroutines", Make: pair(tb, floor(piped)), Goroutines: many},
			{Name: "holdfast Key, auto-pipeliner, 128 goroutines", Make: pair(tb, holdfast(piped, lock.Key)), Goroutines: many},
			{Name: "redislock, auto-pipeliner, 128 goroutines", Make: pair(tb, bsmRedislock(piped, 0, 0)), Goroutines: many},
			{Name: "redsync, auto-pipeliner, 128 goroutines", Make: pair(tb, redsyncs(piped, 1)), Goroutines: many},

			{Name: "PostgreSQL EXCLUDE, insert and delete, 32 goroutines, fsync off", Make: pair(tb, excluding(tb)), Goroutines: few},
		},
		Bars: []bench.Bar{
			{Slow: "holdfast Nights, 32 goroutines", Fast: "floor: SET NX and compare-and-delete scripts, 32 goroutines", AtMost: 2.5},
			{Slow: "redislock, 32 goroutines", Fast: "holdfast Key, 32 goroutines", AtLeast: 0.95},
			{Slow: "redsync, 32 goroutines", Fast: "holdfast Key, 32 goroutines", AtLeast: 1.1},
			{Slow: "holdfast Key, auto-pipeliner, 128 goroutines", Fast: "floor, auto-pipeliner, 128 goroutines", AtMost: 2.2},
		},
		Figures: figures(tb, server),
	}
}

// client is one of the suite's own.
func client(tb testing.TB, server *redistest.Server, o *redis.Options) *redis.Client {
	o.Addr, o.ContextTimeoutEnabled = server.Addr, true
	c := redis.NewClient(o)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// pair measures a locker. Its clients are warm: they are those of all rounds.
func pair(tb testing.TB, take locker) func() func(int) {
	return func() func(int) {
		var goroutines atomic.Int64
		return func(n int) {
			name := "room/" + strconv.FormatInt(goroutines.Add(1), 10)
			for range n {
				if err := take(tb.Context(), name); err != nil {
					tb.Error(err)
					return
				}
			}
		}
	}
}
