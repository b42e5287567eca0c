// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// renewals counts what the watchdog did.
type renewals struct{ done, failed, lost, slowest atomic.Int64 }

func (r *renewals) ObserveLock(_ context.Context, e lock.Event) {
	if e.Op == lock.OpRenew {
		r.slowest.Store(max(r.slowest.Load(), int64(e.Took))) // one goroutine renews
	}
	switch {
	case e.Op == lock.OpLost:
		r.lost.Add(1)
	case e.Op == lock.OpRenew && e.Result == lock.ResultOK:
		r.done.Add(1)
	case e.Op == lock.OpRenew:
		r.failed.Add(1)
	}
}

// One goroutine renews all leases of a process whose CPUs are all busy: 10 000
// of the usual 30 s over three TTLs with HOLDFAST_LONG, else 1000 of 10 s for
// somewhat longer than one.
func TestTheWatchdogLosesNoneAtFullLoad(t *testing.T) {
	leases, ttl, wait := 1000, 10*time.Second, 11*time.Second
	if long() {
		leases, ttl, wait = 10_000, 30*time.Second, 90*time.Second
	}
	server := redistest.Real(t)
	var seen renewals
	m, err := lock.New(redislock.New(server.Client(t)), lock.Config{Name: "rooms", TTL: ttl, Observer: &seen})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := m.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	held := make([]*lock.Lease, leases)
	var next atomic.Int64
	var taking sync.WaitGroup
	for range 32 {
		taking.Go(func() {
			for i := next.Add(1) - 1; i < int64(leases); i = next.Add(1) - 1 {
				l, err := m.TryAcquire(t.Context(), lock.Span("room "+strconv.FormatInt(i%1000, 10), i/1000, i/1000+1), lock.AutoRenew())
				if err != nil {
					t.Error(err)
					return
				}
				held[i] = l
			}
		})
	}
	taking.Wait()
	if t.Failed() {
		return
	}
	ctx, stop := context.WithCancel(t.Context())
	var burning sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		burning.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_ = n * n
			}
		})
	}
	defer burning.Wait()
	defer stop()
	before := seen.done.Load()
	pause(ctx, wait)
	least := ttl
	for _, l := range held {
		least = min(least, time.Until(l.Deadline()))
	}
	stop()
	t.Logf("%d leases of %s, over %s: %d renewals, %d failed, the slowest took %s; %d leases lost; the shortest has %s left",
		leases, ttl, wait, seen.done.Load()-before, seen.failed.Load(), time.Duration(seen.slowest.Load()), seen.lost.Load(), least.Round(time.Millisecond))
	if seen.lost.Load() > 0 || least <= 0 {
		t.Error("leases were lost")
	}
}
