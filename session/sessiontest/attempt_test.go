// SPDX-License-Identifier: MIT

package sessiontest

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// slow is a store behind a machine that stops for a while, now and then.
type slow struct {
	session.Store
	stops atomic.Int32
}

func (s *slow) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	if s.stops.Add(-1) >= 0 {
		time.Sleep(300 * time.Millisecond)
	}
	return s.Store.Load(ctx, l)
}

// playedReal returns what playReal reports of a case. The bubble is its
// machine: calls take no time there but what the store takes on purpose.
func playedReal(t *testing.T, c conformanceCase, newStore func() session.Store) (found []string) {
	synctest.Test(t, func(t *testing.T) {
		a := &attempt{TB: t}
		(&suite{stretch: 1, seed: 7}).playReal(a, c, newStore())
		found = a.found
	})
	return found
}

func TestWhatAnAttemptBeganIsOverBeforeTheNext(t *testing.T) {
	var order []string
	playedReal(t, conformanceCase{"late once", func(b *bench) {
		first := len(order) == 0
		order = append(order, "begun")
		b.Cleanup(func() { order = append(order, "over") })
		if first {
			time.Sleep(time.Minute)
			b.Fatal("too late")
		}
	}}, func() session.Store { return memsession.New() })
	if want := []string{"begun", "over", "begun", "over"}; !slices.Equal(order, want) {
		t.Errorf("the attempts are %q, want %q", order, want)
	}
}

func TestALoadedMachineFailsNoCase(t *testing.T) {
	for _, c := range []conformanceCase{{"touches", touchesAreThrottled}, {"renewal", leaseRenewal}, {"model", modelAgrees}} {
		found := playedReal(t, c, func() session.Store {
			store := &slow{Store: memsession.New()}
			store.stops.Store(3)
			return store
		})
		if len(found) > 0 {
			t.Errorf("%s: a machine that stood still for 300 ms at times fails the store: %q", c.name, found)
		}
	}
}

func TestAWrongStoreFailsInRealTimeToo(t *testing.T) {
	found := playedReal(t, conformanceCase{"renewal", leaseRenewal}, func() session.Store {
		return &fault{Store: memsession.New(), load: func(l session.StoreLoad) session.StoreLoad { l.Held = false; return l }}
	})
	if len(found) == 0 {
		t.Error("a store that gives away lost leases passes in real time")
	}
}
