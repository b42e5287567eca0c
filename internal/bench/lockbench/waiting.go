// SPDX-License-Identifier: MIT

package lockbench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/lock"
)

const (
	waiters = 32
	watched = 5 * time.Second
)

// waitingFigures is what it costs that many wait for one name, and which of them get
// it: for holdfast with bars, for peers printed. The figures of one contestant come
// from the same run.
func waitingFigures(tb testing.TB, c *redis.Client) (list []bench.Figure) {
	for _, k := range []struct {
		name             string
		wait             locker
		commands, spread float64 // bars; 0 = none

		// What it sends, as commandstats has it, which also counts what
		// scripts call.
		sends func(command string) bool
	}{
		{"holdfast", inTurn(manager(c, nil), 0), 2.2, 2, sends("eval", "evalsha", "subscribe")},
		{"holdfast, holds of 5 ms", inTurn(manager(c, nil), holding), 3.2, 2, sends("eval", "evalsha", "subscribe")},
		{"redislock, linear back-off of 50 ms", bsmRedislock(c, 50*time.Millisecond, 0), 0, 0, sends("eval", "evalsha")},
		{"redsync, its back-off of 50 to 250 ms", redsyncs(c, 1_000_000), 0, 0, sends("eval", "evalsha", "set")},
	} {
		of := shared(func() (turns, error) { return contend(tb.Context(), c, k.wait, k.sends) })
		list = append(list,
			bench.Figure{Name: k.name + ", 32 waiters on one key: Redis commands per turn", AtMost: k.commands,
				Measure: of(func(t turns) float64 { return t.commands })},
			bench.Figure{Name: k.name + ", 32 waiters on one key: most turns against fewest in 5 s", Unit: "times", AtMost: k.spread,
				Measure: of(func(t turns) float64 { return t.spread })},
			bench.Figure{Name: k.name + ", 32 waiters on one key: turns in 5 s",
				Measure: of(func(t turns) float64 { return t.all })},
		)
	}
	return list
}

// sends selects the commands that are named.
func sends(names ...string) func(string) bool {
	return func(command string) bool { return slices.Contains(names, command) }
}

// turns is what waiting gave and cost.
type turns struct{ all, commands, spread float64 }

// contend has all waiters take the same name again and again. For the spread, a
// waiter that never gets it counts as one that got it once.
func contend(ctx context.Context, c *redis.Client, wait locker, sends func(string) bool) (turns, error) {
	ctx, cancel := context.WithTimeout(ctx, watched)
	defer cancel()
	if err := c.ConfigResetStat(ctx).Err(); err != nil {
		return turns{}, err
	}
	var (
		done   sync.WaitGroup
		counts [waiters]int
		errs   [waiters]error
	)
	for i := range waiters {
		done.Go(func() {
			for ctx.Err() == nil {
				if err := wait(ctx, "one"); err == nil {
					counts[i]++
				} else if ctx.Err() == nil {
					errs[i] = err
					return
				}
			}
		})
	}
	done.Wait()
	sent, err := cost(context.WithoutCancel(ctx), c, sends)
	all := 0
	for _, n := range counts {
		all += n
	}
	t := turns{
		all:      float64(all),
		commands: sent.calls / float64(max(all, 1)),
		spread:   float64(slices.Max(counts[:])) / float64(max(slices.Min(counts[:]), 1)),
	}
	return t, errors.Join(append(errs[:], err)...)
}

// inTurn waits for a key, holds it for a while, and releases it.
func inTurn(m *lock.Manager, hold time.Duration) locker {
	return func(ctx context.Context, name string) error {
		l, err := m.Acquire(ctx, lock.Key(name))
		if err != nil {
			return err
		}
		time.Sleep(hold) // it is what holding takes
		return l.Release(ctx)
	}
}
