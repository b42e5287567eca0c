// SPDX-License-Identifier: MIT

package redislock_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// A day at the desk, in which every hour one guest has himself renewed until
// MaxHold ends it, one extends by hand as often as he may, and one leaves
// without a word.
func TestADayOfRenewalsLimitsAndExpiries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			ttl     = 15 * time.Minute
			maxHold = 6 * time.Hour
			drift   = ttl/100 + 2*time.Millisecond
		)
		client, _ := redistest.Virtual(t)
		trail := audit.NewMemory()
		m, err := lock.New(redislock.New(client), lock.Config{
			Name: "rooms", TTL: ttl, MaxHold: maxHold, MaxExtensions: 2, Audit: audit.Direct(trail),
		})
		if err != nil {
			t.Fatal(err)
		}
		var fence uint64
		take := func(name string, hour int, opts ...lock.Option) *lock.Lease {
			l, err := m.TryAcquire(t.Context(), lock.Span(name, int64(hour), int64(hour)+1), opts...)
			if err != nil {
				t.Fatalf("hour %d: %v", hour, err)
			}
			if l.Fence() <= fence {
				t.Errorf("hour %d: fence %d after %d", hour, l.Fence(), fence)
			}
			fence = l.Fence()
			return l
		}
		type guest struct {
			*lock.Lease
			since time.Time
		}
		var renewed, extended []guest
		for hour := range 24 {
			start := time.Now()
			renewed = append(renewed, guest{take("renewed", hour, lock.AutoRenew()), start})
			extended = append(extended, guest{take("extended", hour), start})
			take("left", hour).Detach()
			for i := range 3 {
				time.Sleep(ttl - 10*time.Second)
				err := extended[hour].Extend(t.Context(), 0)
				if i < 2 && err != nil || i == 2 && !errors.Is(err, lock.ErrMaxReached) {
					t.Errorf("hour %d, extension %d: %v", hour, i+1, err)
				}
			}
			time.Sleep(time.Until(start.Add(time.Hour)))
			for i, l := range renewed {
				held := time.Since(l.since)
				switch err := l.Err(); {
				case held < maxHold-drift && err != nil:
					t.Errorf("hour %d: the guest of hour %d was held for %s: %v", hour, i, held, err)
				case held >= maxHold && err != lock.ErrMaxReached:
					t.Errorf("hour %d: the guest of hour %d is still held after %s: %v", hour, i, held, err)
				}
			}
			if err := extended[hour].Err(); err != lock.ErrMaxReached {
				t.Errorf("hour %d: extended by hand, it ended as %v", hour, err)
			}
		}
		time.Sleep(maxHold)
		for i, l := range renewed { // whose night is free again
			if err := take("renewed", i).Release(t.Context()); err != nil || l.Err() != lock.ErrMaxReached {
				t.Errorf("the guest of hour %d: %v, the next one: %v", i, l.Err(), err)
			}
		}
		for range 3 {
			if _, err := m.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
		}
		recorded, ids := map[string]int{}, map[audit.ID]bool{}
		for _, e := range trail.Events() {
			if e.Type == "lock.expired" {
				recorded[e.Resource.ID]++
				ids[e.ID] = true
			}
		}
		if want := "map[extended:24 left:24 renewed:24]"; fmt.Sprint(recorded) != want || len(ids) != 72 {
			t.Errorf("expiries recorded: %v under %d ids, want %s", recorded, len(ids), want)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(8 * 24 * time.Hour)
		if left := client.Keys(t.Context(), "*").Val(); len(left) > 0 {
			t.Errorf("a week later there is still %q", left)
		}
	})
}
