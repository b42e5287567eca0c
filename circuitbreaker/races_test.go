// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"testing"
	"testing/synctest"
	"time"
)

// overtaking is a cause that lets another change come first: it runs do when it
// is asked for its delay, between the breaker's look at the state and its swap.
type overtaking struct{ do func() }

func (overtaking) Error() string { return "down" }

func (o overtaking) RetryAfter() time.Duration {
	o.do()
	return 0
}

func TestATripThatLosesARaceIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.Observer = seen
		b := mustNew(t, cfg)
		raced := false
		b.Trip(overtaking{func() {
			if !raced {
				raced = true
				b.Reset()
			}
		}})
		wantState(t, b, Open)
		if got := seen.transitions(); len(got) != 1 {
			t.Errorf("observers saw %v, want the one trip", got)
		}
	})
}

func TestATripThatLosesARaceToAForcedStateLeavesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		b.Trip(overtaking{b.Disable})
		wantState(t, b, Disabled)
		time.Sleep(time.Minute) // the timer of an open state that never began would have run
		synctest.Wait()
		wantState(t, b, Disabled)
	})
}
