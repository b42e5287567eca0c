// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// waited returns a lease that was granted by the release of another, and that
// the store has not heard of yet.
func waited(t *testing.T, d *desk) *lock.Lease {
	t.Helper()
	first := d.take(t, lock.Key("room"))
	time.AfterFunc(time.Second, func() { _ = first.Release(context.Background()) })
	l, err := d.Acquire(t.Context(), lock.Key("room"), lock.TTL(time.Hour))
	wantErr(t, err)
	return l
}

// The grant itself lasts two seconds unless it is confirmed.
func TestALeaseDetachedRightAfterItsGrantLastsForItsTTL(t *testing.T) {
	for name, resume := range map[string]time.Duration{"at once": 0, "after a while": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, lock.Config{})
				ref := waited(t, d).Detach()
				time.Sleep(resume)
				l, err := newDesk(t, lock.Config{}, d.store).Resume(t.Context(), ref, lock.TTL(time.Hour))
				wantErr(t, err)
				time.Sleep(10 * time.Minute)
				wantErr(t, l.Check(t.Context()))
			})
		})
	}
}

func TestALeaseDetachedRightAfterItsGrantIsConfirmedThroughAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := waited(t, d)
		d.store.lose.Store(true)
		l.Detach()
		time.Sleep(time.Second)
		d.store.lose.Store(false)
		time.Sleep(10 * time.Minute)
		wantList(t, "held", d.held(t), l.ID())
	})
}
