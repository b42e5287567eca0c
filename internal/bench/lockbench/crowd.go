// SPDX-License-Identifier: MIT

package lockbench

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// crowdFigures measure what those who wait for busy names cost another name of
// the same group, and what those cost who wait.
func crowdFigures(tb testing.TB, server *redistest.Server) []bench.Figure {
	of := shared(func() ([]float64, error) { return besideCrowd(tb, server) })
	return []bench.Figure{
		{Name: "from release to grant, no other waiters", Unit: "µs", Measure: of(func(t []float64) float64 { return t[1] })},
		{Name: "from release to grant with 10^5 waiters elsewhere, of that with none", Unit: "times", AtMost: 1.3,
			Measure: of(func(t []float64) float64 { return t[0] / t[1] })},
		{Name: "uncontended pair with 10^5 waiters elsewhere, of that with none", Unit: "times", AtMost: 1.2,
			Measure: of(func(t []float64) float64 { return t[2] / t[3] })},
		{Name: "commands per second and waiter, 1000 behind a renewed hold", AtMost: 0.05,
			Measure: func() (float64, error) { return idleWaiters(tb, server) }},
	}
}

// claimOf is a claim of a key in a group of its space.
func claimOf(space, name, id string) lock.StoreClaim {
	return lock.StoreClaim{
		StoreTicket: lock.StoreTicket{Space: space, Group: "all", Name: name, ID: id, Token: "token of " + id},
		Resource:    lock.Key(name), Capacity: []int{1}, TTL: time.Hour, Limit: 1,
	}
}

// besideCrowd returns the medians of the times from release to grant, and of those of
// a pair, each among 10^5 waiters and without them, in µs.
func besideCrowd(tb testing.TB, server *redistest.Server) ([]float64, error) {
	ctx := tb.Context()
	waiting, c := client(tb, server, &redis.Options{PoolSize: few}), client(tb, server, &redis.Options{PoolSize: few})
	defer waiting.Close() // ends the waiting
	if err := crowd(ctx, redislock.New(waiting), "crowded"); err != nil {
		return nil, err
	}
	s, n := redislock.New(c), 0
	handover := func(space string) func() (float64, error) {
		return func() (float64, error) { n++; return handOver(ctx, s, space, strconv.Itoa(n)) }
	}
	uncontended := func(space string) func() (float64, error) {
		return func() (float64, error) { n++; return pairTime(ctx, s, space, strconv.Itoa(n)) }
	}
	return interleaved(500, handover("crowded"), handover("quiet"), uncontended("crowded"), uncontended("quiet"))
}

// crowd makes 10^5 claims wait in a space, for a hundred names. The inbox of
// the first keeps all their places.
func crowd(ctx context.Context, s *redislock.Store, space string) error {
	const names, each = 100, 1000
	err := share(0, names, func(i int) error {
		g, err := s.Acquire(ctx, claimOf(space, "busy/"+strconv.Itoa(i), "h"+strconv.Itoa(i)))
		return expect(g, err, lock.StatusGranted)
	})
	if err != nil {
		return err
	}
	if err := queue(ctx, s, queued(space, "busy/0", "w0")); err != nil {
		return err
	}
	return share(1, names*each, func(i int) error {
		return queue(ctx, s, queued(space, "busy/"+strconv.Itoa(i%names), "w"+strconv.Itoa(i)))
	})
}

func queued(space, name, id string) lock.StoreClaim {
	c := claimOf(space, name, id)
	c.Queue = true
	return c
}

// queue gives a claim its place.
func queue(ctx context.Context, s *redislock.Store, c lock.StoreClaim) error {
	for range 2 {
		g, err := s.Acquire(ctx, c)
		if err = expect(g, err, lock.StatusBlocked); err != nil || g.Place > 0 {
			return err
		}
		if g, err = s.Wait(ctx, c, g); err != nil || g.Status != lock.StatusBlocked { // opens the inbox
			return expect(g, err, lock.StatusBlocked)
		}
	}
	return fmt.Errorf("claim %s got no place", c.ID)
}

func expect(g lock.StoreGrant, err error, want lock.StoreStatus) error {
	if err == nil && g.Status != want {
		err = fmt.Errorf("status %d, want %d", g.Status, want)
	}
	return err
}

// handOver is the time from a release until the waiter has its grant.
func handOver(ctx context.Context, s *redislock.Store, space, id string) (float64, error) {
	holder, waiter := claimOf(space, "free", "a"+id), queued(space, "free", "b"+id)
	g, err := s.Acquire(ctx, holder)
	if err = expect(g, err, lock.StatusGranted); err != nil {
		return 0, err
	}
	if err := queue(ctx, s, waiter); err != nil {
		return 0, err
	}
	type grant struct {
		err error
		at  time.Time
	}
	granted := make(chan grant, 1)
	go func() {
		g, err := s.Wait(ctx, waiter, lock.StoreGrant{Status: lock.StatusBlocked})
		granted <- grant{expect(g, err, lock.StatusGranted), time.Now()}
	}()
	start := time.Now()
	if _, err := s.Release(ctx, []lock.StoreTicket{fenced(holder.StoreTicket)}); err != nil {
		return 0, err
	}
	got := <-granted
	if got.err != nil {
		return 0, got.err
	}
	_, err = s.Release(ctx, []lock.StoreTicket{fenced(waiter.StoreTicket)})
	return micros(got.at.Sub(start)), err
}

// fenced is the ticket of a hold: one without a fence gives a claim up.
func fenced(t lock.StoreTicket) lock.StoreTicket {
	t.Fence = 1
	return t
}

// pairTime is the time of an acquire and a release that nothing is in the way of.
func pairTime(ctx context.Context, s *redislock.Store, space, id string) (float64, error) {
	claim, start := claimOf(space, "other/"+id, "p"+id), time.Now()
	g, err := s.Acquire(ctx, claim)
	if err = expect(g, err, lock.StatusGranted); err != nil {
		return 0, err
	}
	_, err = s.Release(ctx, []lock.StoreTicket{fenced(claim.StoreTicket)})
	return micros(time.Since(start)), err
}

// idleWaiters is how many commands a process sends for each of 1000 waiters
// and second, while the hold in their way is renewed.
func idleWaiters(tb testing.TB, server *redistest.Server) (float64, error) {
	const n, settling = 1000, 2 * time.Second
	c := client(tb, server, &redis.Options{PoolSize: few})
	if err := c.FlushDB(tb.Context()).Err(); err != nil {
		return 0, err
	}
	m := manager(c, nil)
	defer m.Close(tb.Context())
	if _, err := m.TryAcquire(tb.Context(), lock.Key("busy"), lock.TTL(3*time.Second), lock.AutoRenew()); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(tb.Context())
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel()
	for range n {
		done.Go(func() { _, _ = m.Acquire(ctx, lock.Key("busy")) })
	}
	time.Sleep(settling) // until the crowd has queued up
	if waiting := m.Stats().Waiting; waiting < n {
		return 0, fmt.Errorf("%d wait, want %d", waiting, n)
	}
	if err := c.ConfigResetStat(ctx).Err(); err != nil {
		return 0, err
	}
	time.Sleep(watched) // it is what is measured
	sent, err := cost(ctx, c, sends("eval", "evalsha", "subscribe", "ping"))
	return sent.calls / n / watched.Seconds(), err
}
