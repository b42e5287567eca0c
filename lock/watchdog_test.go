// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

func TestTheWatchdogKeepsALeaseForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{MaxExtensions: 1})
		l := d.take(t, lock.Key("room"), lock.AutoRenew())
		ctx := l.Context(t.Context())
		time.Sleep(24 * time.Hour)
		if l.Err() != nil || ctx.Err() != nil {
			t.Errorf("after a day: %v, %v", l.Err(), ctx.Err())
		}
		for h := range d.Holds(t.Context(), lock.Key("room")) {
			if h.Extensions != 0 {
				t.Errorf("renewals count as %d extensions", h.Extensions)
			}
		}
		wantErr(t, l.Extend(t.Context(), 0)) // the holder's own is still there
		wantErr(t, l.Release(t.Context()))
		if n := d.store.extends.Load(); n < 24*60*60/10 || n > 24*60*60/8 {
			t.Errorf("%d renewals in a day of 30 s leases, want one each 10 s", n)
		}
		extends := d.store.extends.Load()
		time.Sleep(time.Hour)
		if d.store.extends.Load() != extends || d.Stats().Renewing != 0 {
			t.Error("a released lease is renewed")
		}
	})
}

func TestOneGoroutineRenewsEverythingUntilClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		count := func() int {
			buf := make([]byte, 1<<20)
			return strings.Count(string(buf[:runtime.Stack(buf, true)]), "lock.(*watchdog).run(")
		}
		d.take(t, lock.Key("plain"))
		if n := count(); n != 0 {
			t.Errorf("%d watchdogs before the first use", n)
		}
		for i := range 300 {
			d.take(t, lock.Key(fmt.Sprint("room", i)), lock.AutoRenew())
		}
		time.Sleep(time.Minute)
		if n := count(); n != 1 {
			t.Errorf("%d watchdogs, want 1", n)
		}
		if s := d.Stats(); s.Renewing != 300 || s.Held != 300 {
			t.Errorf("stats: %+v", s)
		}
		wantErr(t, d.Close(t.Context()))
		if n := count(); n != 0 {
			t.Errorf("%d watchdogs after Close", n)
		}
	})
}

func TestRenewalsGoInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{GroupBy: func(name string) string { return name[:1] }})
		const leases = 2000
		for i := range leases {
			d.take(t, lock.Key(fmt.Sprint(string(rune('a'+i%3)), i)), lock.AutoRenew())
		}
		time.Sleep(11 * time.Second)
		if n := d.store.extends.Load(); n > 20 || d.store.largest.Load() > 128 {
			t.Errorf("%d requests, the largest of %d, to renew %d leases of three groups once", n, d.store.largest.Load(), leases)
		}
		if n := d.Stats().Renewing; n != leases {
			t.Errorf("%d are renewed, want %d", n, leases)
		}
	})
}

func TestTheWatchdogSurvivesAnOutageShorterThanTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"), lock.AutoRenew())
		for _, fault := range []interface{ Store(bool) }{&d.store.down, &d.store.hang, &d.store.lose} {
			fault.Store(true)
			time.Sleep(18 * time.Second)
			fault.Store(false)
			time.Sleep(time.Minute)
			wantErr(t, l.Err())
		}
	})
}

func TestAnUnansweredRenewalNeverPostponesTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"), lock.AutoRenew())
		before := l.Deadline()
		d.store.lose.Store(true)
		<-l.Context(t.Context()).Done()
		if now := time.Now(); !now.Equal(before) || l.Err() != lock.ErrLost {
			t.Errorf("it ended %s after its deadline as %v", now.Sub(before), l.Err())
		}
	})
}

func TestAStoreThatAnswersTooFewRenewalsPostponesNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l, other := d.take(t, lock.Key("room"), lock.AutoRenew()), d.take(t, lock.Key("hall"), lock.AutoRenew())
		before := l.Deadline()
		d.store.forged.Store(new(lock.StoreStatus))
		<-l.Context(t.Context()).Done()
		<-other.Context(t.Context()).Done()
		if now := time.Now(); !now.Equal(before) || l.Err() != lock.ErrLost || other.Err() != lock.ErrLost {
			t.Errorf("they ended %s after their deadline as %v and %v", now.Sub(before), l.Err(), other.Err())
		}
	})
}

func TestTheWatchdogFindsALeaseThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		thief := newDesk(t, lock.Config{}, d.store)
		l, other := d.take(t, lock.Key("room"), lock.AutoRenew()), d.take(t, lock.Key("other"), lock.AutoRenew())
		ctx := l.Context(t.Context())
		wantErr(t, thief.ForceRelease(t.Context(), lock.Hold{ID: l.ID(), Resource: l.Resource()}))
		start := time.Now()
		<-ctx.Done()
		if took := time.Since(start); took > 10*time.Second || context.Cause(ctx) != lock.ErrLost {
			t.Errorf("after %s: %v", took, context.Cause(ctx))
		}
		time.Sleep(time.Hour)
		wantErr(t, other.Err())
	})
}

func TestRenewingAndReleasingDoNotRace(t *testing.T) {
	d := newDesk(t, lock.Config{TTL: 4 * time.Millisecond})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 200 {
				l, err := d.TryAcquire(t.Context(), lock.Key(fmt.Sprint("room", i)), lock.AutoRenew())
				if err != nil {
					continue // the last one was lost on a busy machine and has not expired yet
				}
				_ = l.Release(t.Context())
			}
		})
	}
	all.Wait()
	_ = d.Close(t.Context()) // a lease that ran out is forgotten in the background, which Close waits for
	if s := d.Stats(); s.Held != 0 || s.Renewing != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestALeaseReleasedDuringItsRenewalIsNotRenewedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"), lock.AutoRenew())
		time.Sleep(9 * time.Second)
		d.store.hang.Store(true)
		time.Sleep(2 * time.Second) // the renewal of the tenth second is waiting
		d.store.hang.Store(false)
		wantErr(t, l.Release(t.Context()))
		extends := d.store.extends.Load()
		time.Sleep(time.Hour)
		if n := d.store.extends.Load(); extends != 1 || n != 1 {
			t.Errorf("%d renewals at the release, %d in the end, want the one", extends, n)
		}
	})
}

// slow takes its time with each renewal.
type slow struct{}

func (slow) ObserveLock(_ context.Context, e lock.Event) {
	if e.Op == lock.OpRenew {
		time.Sleep(time.Second)
	}
}

func TestASlowObserverHoldsUpNoRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{Observer: slow{}, TTL: 9 * time.Second})
		var leases []*lock.Lease
		for i := range 50 {
			leases = append(leases, d.take(t, lock.Key(fmt.Sprint("room", i)), lock.AutoRenew()))
		}
		time.Sleep(time.Minute)
		for _, l := range leases {
			if err := l.Err(); err != nil {
				t.Fatalf("%s: %v", l, err)
			}
		}
	})
}
