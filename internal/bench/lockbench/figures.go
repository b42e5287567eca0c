// SPDX-License-Identifier: MIT

package lockbench

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// figures are the suite's quantities that are no times of a function.
func figures(tb testing.TB, server *redistest.Server) []bench.Figure {
	c := client(tb, server, &redis.Options{PoolSize: few})
	return slices.Concat(
		turnFigures(tb, c),
		crowdFigures(tb, server),
		waitingFigures(tb, c),
		overloadFigures(tb, server),
		serverFigures(tb, server),
		sizeFigures(tb, c),
	)
}

// sizeFigures are what many holds cost the server, while they last and after.
func sizeFigures(tb testing.TB, c *redis.Client) []bench.Figure {
	ctx, names, pause, left, beside := tb.Context(), 100_000, 10*time.Second, 0.1, 0.0 // the hold beside is renewed once
	if long() {
		names, pause, left, beside = 1_000_000, time.Minute, 1, 1
	}
	return []bench.Figure{
		{Name: "server time of a range acquire, 10^5 holds against 10^3", Unit: "times", Runs: 3, AtMost: 2,
			Measure: func() (float64, error) { return growth(ctx, c) }},
		{Name: "Redis memory per hold of 3 nights, 32-byte holder, 10^4 holds", Unit: "B", AtMost: 350,
			Measure: func() (float64, error) { return memory(ctx, c, nights) }},
		{Name: "Redis memory per hold of a Key, 32-byte holder, 10^4 holds", Unit: "B", AtMost: 300,
			Measure: func() (float64, error) { return memory(ctx, c, lock.Key) }},
		{Name: fmt.Sprintf("Redis memory that %d names leave that were used once, %v later", names, pause), Unit: "MiB", AtMost: left,
			Measure: func() (float64, error) { return leftover(ctx, c, names, pause, false) }},
		{Name: fmt.Sprintf("Redis memory that %d names leave beside a hold that lasts, %v later", names, pause), Unit: "MiB", AtMost: beside,
			Measure: func() (float64, error) { return leftover(ctx, c, names, pause, true) }},
	}
}

// fill makes holds, each of a room of its own, as a manager would.
func fill(ctx context.Context, s *redislock.Store, from, to int, what func(string) lock.Resource) error {
	return share(from, to, func(i int) error {
		name := "room/" + strconv.Itoa(i)
		g, err := s.Acquire(ctx, lock.StoreClaim{
			StoreTicket: lock.StoreTicket{Space: "many", Group: "all", Name: name, ID: fmt.Sprintf("%014d", i), Token: fmt.Sprintf("%016d", i)},
			Resource:    what(name), Capacity: []int{1}, TTL: time.Hour, Holder: strings.Repeat("h", 32),
		})
		return expect(g, err, lock.StatusGranted)
	})
}

// growth is how many times more of the server's time an acquire of nights
// takes among 10^5 holds than among 10^3.
func growth(ctx context.Context, c *redis.Client) (float64, error) {
	s := redislock.New(c)
	if err := c.FlushDB(ctx).Err(); err != nil {
		return 0, err
	}
	var took [2]float64
	held := 0
	for i, size := range []int{1_000, 100_000} {
		if err := fill(ctx, s, held, size, nights); err != nil {
			return 0, err
		}
		held = size
		var err error
		if took[i], err = acquireTime(ctx, c, s, size); err != nil {
			return 0, err
		}
	}
	return took[1] / took[0], nil
}

// acquireTime is the server's own time of an acquire, in µs. The releases in
// between are not counted.
func acquireTime(ctx context.Context, c *redis.Client, s *redislock.Store, held int) (float64, error) {
	var spent float64
	const rounds = 2000
	for i := range rounds {
		claim := claimOf("many", "free/"+strconv.Itoa(i), fmt.Sprintf("probe%dx%d", held, i))
		claim.Resource = nights(claim.Name)
		if err := c.ConfigResetStat(ctx).Err(); err != nil {
			return 0, err
		}
		g, err := s.Acquire(ctx, claim)
		if err = expect(g, err, lock.StatusGranted); err != nil {
			return 0, err
		}
		one, err := evals(ctx, c)
		if err != nil {
			return 0, err
		}
		spent += one.usec
		if _, err := s.Release(ctx, []lock.StoreTicket{fenced(claim.StoreTicket)}); err != nil {
			return 0, err
		}
	}
	return spent / rounds, nil
}

// memory is what a hold takes of the server's, in bytes.
func memory(ctx context.Context, c *redis.Client, what func(string) lock.Resource) (float64, error) {
	const holds = 10_000
	if err := c.FlushDB(ctx).Err(); err != nil {
		return 0, err
	}
	s := redislock.New(c)
	if err := fill(ctx, s, 0, 1, what); err != nil { // the script, the keys
		return 0, err
	}
	before, err := usedMemory(ctx, c)
	if err != nil {
		return 0, err
	}
	if err := fill(ctx, s, 1, holds+1, what); err != nil {
		return 0, err
	}
	after, err := usedMemory(ctx, c)
	return (after - before) / holds, err
}

// leftover is what remains, in MiB, of names that were held once each, in a group
// that then is idle or where one other is held.
func leftover(ctx context.Context, c *redis.Client, names int, pause time.Duration, beside bool) (float64, error) {
	if err := c.FlushDB(ctx).Err(); err != nil {
		return 0, err
	}
	m := manager(c, nil)
	defer m.Close(ctx)
	if beside {
		if _, err := m.TryAcquire(ctx, lock.Key("held"), lock.AutoRenew()); err != nil {
			return 0, err
		}
	}
	once := func(i int) error {
		what := lock.Key
		if i%2 == 0 {
			what = nights
		}
		return pairs(m, what)(ctx, "once/"+strconv.Itoa(i))
	}
	if err := share(0, few, once); err != nil { // the scripts, the keys
		return 0, err
	}
	before, err := usedMemory(ctx, c)
	if err != nil {
		return 0, err
	}
	if err := share(few, few+names, once); err != nil {
		return 0, err
	}
	time.Sleep(pause) // the load leaves the server for a moment
	after, err := usedMemory(ctx, c)
	return max(after-before, 0) / (1 << 20), err
}

func usedMemory(ctx context.Context, c *redis.Client) (float64, error) {
	info, err := c.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(info, "used_memory:")
	return strconv.ParseFloat(strings.Fields(rest)[0], 64)
}

// usage is how often commands were called and how long the server took.
type usage struct{ calls, usec float64 }

// evals is what scripts have cost since the last CONFIG RESETSTAT.
func evals(ctx context.Context, c *redis.Client) (usage, error) {
	return cost(ctx, c, func(name string) bool { return strings.HasPrefix(name, "eval") })
}

// cost adds up the server's figures of the commands that count.
func cost(ctx context.Context, c *redis.Client, counts func(name string) bool) (sum usage, err error) {
	info, err := c.Info(ctx, "commandstats").Result()
	for line := range strings.Lines(info) {
		name, rest, found := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
		var calls, usec float64
		if _, bad := fmt.Sscanf(rest, "calls=%f,usec=%f", &calls, &usec); !found || bad != nil || !counts(name) {
			continue
		}
		sum.calls += calls
		sum.usec += usec
	}
	return sum, err
}
