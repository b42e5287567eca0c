// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"crypto/rand"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// fenceOf takes a key, gives it back, and returns the fence.
func fenceOf(t testing.TB, client redis.UniversalClient) uint64 {
	t.Helper()
	m, err := lock.New(redislock.New(client), lock.Config{Name: "rooms"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(t.Context())
	// A room of its own: a replica that lags may know of a hold and not of its
	// release, and the fence is the group's.
	l, err := m.TryAcquire(t.Context(), lock.Key(rand.Text()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release(t.Context())
	return l.Fence()
}

// rising is called with each new fence.
func rising(t testing.TB) func(what string, fence uint64) {
	var last uint64
	return func(what string, fence uint64) {
		t.Helper()
		if fence <= last {
			t.Errorf("%s: fence %d after %d", what, fence, last)
		}
		last = fence
	}
}

// The replica has none of what the master granted last, nor the key that says
// so; its clock is all that it needs.
func TestFencesRiseThroughAReplicaThatLags(t *testing.T) {
	t.Parallel()
	next := rising(t)
	for cycle := range 3 {
		master := redistest.Real(t)
		link := faultproxy.Start(t, master.Addr)
		replica := redistest.Replica(t, link.Addr)
		next(fmt.Sprint("the master of cycle ", cycle), fenceOf(t, master.Client(t)))
		link.Hold(faultproxy.Replies)
		for range 20 {
			next(fmt.Sprint("the lonely master of cycle ", cycle), fenceOf(t, master.Client(t)))
		}
		client := replica.Client(t)
		if err := client.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
			t.Fatal(err)
		}
		next(fmt.Sprint("the promoted replica of cycle ", cycle), fenceOf(t, client))
	}
}

func TestFencesRiseThroughExpiryAndFlush(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]func(*testing.T) *redis.Client{
		"virtual": func(t *testing.T) *redis.Client { c, _ := redistest.Virtual(t); return c },
		"real":    func(t *testing.T) *redis.Client { return redistest.Real(t).Client(t) },
	} {
		t.Run(name, func(t *testing.T) {
			run := func(t *testing.T) {
				next, client := rising(t), client(t)
				for range 100 {
					next("granted", fenceOf(t, client))
					client.FlushAll(t.Context())
					time.Sleep(time.Microsecond) // a fence is a microsecond at least, and so is a flush
				}
				for _, key := range client.Keys(t.Context(), "*").Val() {
					client.PExpire(t.Context(), key, time.Millisecond)
				}
				for client.DBSize(t.Context()).Val() > 0 {
					time.Sleep(time.Millisecond) // the server's clock is real
				}
				next("expired", fenceOf(t, client))
			}
			if name == "virtual" {
				synctest.Test(t, run)
			} else {
				run(t)
			}
		})
	}
}

// Both sides of the promise: a server that knows nothing of the last grant goes
// on with higher fences as long as its clock is behind by less than the time
// that has passed since.
func TestFencesRiseAsLongAsClocksDifferByLessThanTheTimeBetween(t *testing.T) {
	for _, c := range []struct {
		behind, between time.Duration
		rises           bool
	}{
		{0, time.Microsecond, true},
		{-time.Hour, 0, true}, // ahead
		{time.Second, time.Second + time.Microsecond, true},
		{time.Second, time.Second, false},
		{time.Second, time.Second - time.Millisecond, false}, // what is not promised
		{time.Hour, time.Minute, false},
	} {
		t.Run(fmt.Sprintf("%s behind, after %s", c.behind, c.between), func(t *testing.T) {
			master, first := redistest.Virtual(t)
			promoted, second := redistest.Virtual(t)
			start := time.Date(2026, 1, 1, 15, 0, 0, 0, time.UTC)
			first.SetTime(start)
			second.SetTime(start.Add(c.between - c.behind))
			before := fenceOf(t, master)
			if after := fenceOf(t, promoted); (after > before) != c.rises {
				t.Errorf("fence %d after %d, want one that rises: %t", after, before, c.rises)
			}
		})
	}
}
