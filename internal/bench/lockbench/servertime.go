// SPDX-License-Identifier: MIT

package lockbench

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

// serverFigures split the time of a pair of one client into the server's, as
// commandstats has it, and the rest: client, network, and the server's
// reading and writing.
func serverFigures(tb testing.TB, server *redistest.Server) []bench.Figure {
	c := client(tb, server, &redis.Options{PoolSize: 1})
	ctx, contestants := tb.Context(), []struct {
		name string
		take locker
	}{
		{"floor", floor(c)},
		{"holdfast Key", holdfast(c, lock.Key)},
		{"holdfast Nights", holdfast(c, nights)},
		{"redislock", bsmRedislock(c, 0, 0)},
	}
	of := shared(func() (list []float64, err error) {
		if err := c.FlushDB(ctx).Err(); err != nil {
			return nil, err
		}
		var measures []func() (float64, error)
		for _, k := range contestants {
			var rest float64
			measures = append(measures,
				func() (spent float64, err error) { spent, rest, err = split(ctx, c, k.take); return spent, err },
				func() (float64, error) { return rest, nil })
		}
		return interleaved(rounds, measures...)
	})
	var list []bench.Figure
	for i, k := range contestants {
		list = append(list,
			bench.Figure{Name: k.name + ", one client: time of the scripts of a pair", Unit: "µs", Measure: of(func(t []float64) float64 { return t[2*i] })},
			bench.Figure{Name: k.name + ", one client: all else of a pair", Unit: "µs", Measure: of(func(t []float64) float64 { return t[2*i+1] })})
	}
	return append(list, bench.Figure{Name: "time of the scripts of a pair: holdfast Key, of the floor's", Unit: "times", AtMost: 3.5,
		Measure: of(func(t []float64) float64 { return t[2] / t[0] })})
}

// split measures pairs of one client, in µs each.
func split(ctx context.Context, c *redis.Client, take locker) (server, rest float64, err error) {
	const pairs = 1000
	if err := c.ConfigResetStat(ctx).Err(); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	for range pairs {
		if err := take(ctx, "split"); err != nil {
			return 0, 0, err
		}
	}
	all := micros(time.Since(start)) / pairs
	scripts, err := evals(ctx, c)
	server = scripts.usec / pairs
	return server, all - server, err
}
