// SPDX-License-Identifier: MIT

//go:build unix

package lockbench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	bsm "github.com/bsm/redislock"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/lock"
)

const (
	waiters = 32
	watched = 10 * time.Second
)

// waitingFigures is what it costs that many wait for one name, and who gets
// it: for holdfast with bars, for peers printed. Each runs once, and the
// figures of one contestant come from the same run.
func waitingFigures(tb testing.TB, c *redis.Client) (list []bench.Figure) {
	for _, k := range []struct {
		name             string
		wait             locker
		commands, spread float64 // bars; 0 = none

		// What it sends, as commandstats has it, which also counts what
		// scripts call.
		sends []string
	}{
		{"holdfast", holdfastWaiting(c), 3.5, 2, []string{"eval", "evalsha", "subscribe"}},
		{"redislock, linear back-off of 50 ms", bsmWaiting(c), 0, 0, []string{"eval", "evalsha"}},
		{"redsync, its back-off of 50 to 250 ms", redsyncWaiting(c), 0, 0, []string{"eval", "evalsha", "set"}},
	} {
		run := sync.OnceValues(func() (turns, error) { return contend(tb.Context(), c, k.wait, k.sends) })
		list = append(list,
			bench.Figure{Name: k.name + ", 32 waiters on one key: Redis commands per turn", AtMost: k.commands,
				Measure: func() (float64, error) { t, err := run(); return t.commands, err }},
			bench.Figure{Name: k.name + ", 32 waiters on one key: most turns against fewest in 10 s", Unit: "times", AtMost: k.spread,
				Measure: func() (float64, error) { t, err := run(); return t.spread, err }},
			bench.Figure{Name: k.name + ", 32 waiters on one key: turns in 10 s",
				Measure: func() (float64, error) { t, err := run(); return t.all, err }},
		)
	}
	return list
}

// turns is what waiting gave and cost.
type turns struct{ all, commands, spread float64 }

// contend has all waiters take the same name again and again. Who never gets
// it counts as one who got it once, so that the spread is a number.
func contend(ctx context.Context, c *redis.Client, wait locker, sends []string) (turns, error) {
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
	sent, err := cost(context.WithoutCancel(ctx), c, func(name string) bool { return slices.Contains(sends, name) })
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

func holdfastWaiting(c redis.UniversalClient) locker {
	m := manager(c, nil)
	return func(ctx context.Context, name string) error {
		l, err := m.Acquire(ctx, lock.Key(name))
		if err != nil {
			return err
		}
		return l.Release(ctx)
	}
}

func bsmWaiting(c redis.UniversalClient) locker {
	client := bsm.New(c)
	return func(ctx context.Context, name string) error {
		l, err := client.Obtain(ctx, "bsm:"+name, ttl, &bsm.Options{RetryStrategy: bsm.LinearBackoff(50 * time.Millisecond)})
		if err != nil {
			return err
		}
		return l.Release(ctx)
	}
}

func redsyncWaiting(c redis.UniversalClient) locker {
	r := redsync.New(goredis.NewPool(c))
	return func(ctx context.Context, name string) error {
		m := r.NewMutex("redsync:"+name, redsync.WithExpiry(ttl), redsync.WithTries(1_000_000))
		if err := m.LockContext(ctx); err != nil {
			return err
		}
		_, err := m.UnlockContext(ctx)
		return err
	}
}
