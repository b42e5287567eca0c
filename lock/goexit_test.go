// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/spantest"
	"github.com/holdfast-go/holdfast/lock"
)

// endsAt is an observer that ends its goroutine at the first event of an
// operation, as t.FailNow does.
func endsAt(op lock.Op) lock.Observer {
	var once atomic.Bool
	return observerFunc(func(_ context.Context, e lock.Event) {
		if e.Op == op && once.CompareAndSwap(false, true) {
			runtime.Goexit()
		}
	})
}

func TestExpiriesAreReportedThoughAnObserverEndsTheGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: time.Second, Observer: endsAt(lock.OpExpired)})
		for _, names := range [][]string{{"a", "b"}, {"c"}} { // the second round meets the sweeper that was ended
			for _, name := range names {
				d.take(t, lock.Key(name)).Detach()
			}
			time.Sleep(2 * time.Second)
			d.take(t, lock.Key("hint for "+names[0]), lock.TTL(time.Hour))
			synctest.Wait()
		}
		seen := d.seen.seen()
		if n := len(slices.DeleteFunc(seen, func(s string) bool { return s != "expired success" })); n != 3 {
			t.Errorf("%d expiries observed, want 3", n)
		}
	})
}

func TestALossIsRecordedThoughAnObserverEndsTheGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: time.Second, Observer: endsAt(lock.OpLost)})
		d.take(t, lock.Key("room"))
		time.Sleep(2 * time.Second)
		d.trail.only(t, "lock.lost")
	})
}

func TestRenewalsOfABatchAreObservedThoughAnObserverEndsTheGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: 30 * time.Second, Observer: endsAt(lock.OpRenew)})
		for i := range 5 {
			d.take(t, lock.Key(fmt.Sprint("room", i)), lock.AutoRenew())
		}
		time.Sleep(12 * time.Second)
		seen := d.seen.seen()
		if n := len(slices.DeleteFunc(seen, func(s string) bool { return s != "renew success" })); n != 5 {
			t.Errorf("%d renewals observed, want 5", n)
		}
	})
}

func TestASpanEndsThoughAnObserverEndsTheGoroutine(t *testing.T) {
	var seen spantest.Recorder
	d := newDesk(t, lock.Config{Trace: seen.Trace, Observer: endsAt(lock.OpExtend)})
	l := d.take(t, lock.Key("room"))
	seen.Take()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.Extend(t.Context(), 0)
	}()
	<-done
	if got := seen.Take(); len(got) != 1 || got[0].Ends != 1 {
		t.Errorf("%+v, want one span that ended", got)
	}
}
