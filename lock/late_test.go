// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// lateGrants delivers the first grants to those who wait only after they have
// lapsed, as to a process that was stopped.
type lateGrants struct {
	lock.Store
	late int
}

func (s *lateGrants) Wait(ctx context.Context, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
	g, err := s.Store.Wait(ctx, c, g)
	if err == nil && g.Status == lock.StatusGranted && s.late > 0 {
		s.late--
		time.Sleep(lock.StoreTrialTime + time.Second)
	}
	return g, err
}

func TestAGrantThatComesTooLateIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.Store = &lateGrants{d.store.Store, 2}
		first := d.take(t, lock.Key("room"))
		other := d.take(t, lock.Key("hall"))
		time.AfterFunc(time.Second, func() { _ = first.Release(context.Background()) })
		time.AfterFunc(10*time.Second, func() { _ = other.Release(context.Background()) })
		for _, name := range []string{"room", "hall"} {
			l, err := d.Acquire(t.Context(), lock.Key(name))
			wantErr(t, err)
			wantErr(t, l.Check(t.Context()))
		}
		if d.store.Store.(*lateGrants).late != 0 {
			t.Error("no grant came late")
		}
	})
}

func TestAConfirmationRenewsNoOtherLeaseBeforeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, lock.Key("other"), lock.TTL(30*time.Second), lock.AutoRenew())
		waited(t, d) // for an hour, of which a thirtieth is more than 30 s
		time.Sleep(5 * time.Second)
		for _, e := range d.seen.seen() {
			if e == "renew success" {
				t.Error("the other was renewed before a third of its TTL had passed")
			}
		}
	})
}
