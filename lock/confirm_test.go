// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// Check only looks.
func TestALeaseThatIsCheckedRightAfterItsGrantIsConfirmedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := waited(t, d)
		wantErr(t, l.Check(t.Context()))
		time.Sleep(10 * time.Minute)
		wantErr(t, l.Check(t.Context()))
		for _, e := range d.seen.seen() {
			if e == "renew success" {
				t.Error("a confirmation is observed as a renewal")
			}
		}
	})
}

// stuck answers no renewal that is not a confirmation.
type stuck struct{ lock.Store }

func (s stuck) Extend(ctx context.Context, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
	if slices.ContainsFunc(rs, func(r lock.StoreRenewal) bool { return !r.Confirm }) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Store.Extend(ctx, rs)
}

func TestAConfirmationDoesNotWaitForTheRenewalsOfItsGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.Store = stuck{d.store.Store}
		renewed := d.take(t, lock.Key("hall"), lock.AutoRenew(), lock.TTL(30*time.Second))
		due := time.Until(renewed.Deadline()) / 3
		time.Sleep(due - time.Second)
		l := waited(t, d) // just when the renewal is sent
		time.Sleep(lock.StoreTrialTime)
		wantErr(t, l.Err())
	})
}

// restless has claims asked again at once, and loses the answer to the second
// try of each.
type restless struct {
	lock.Store
	tries, waits int // no two at once
}

func (s *restless) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	g, err := s.Store.Acquire(ctx, c)
	if s.tries++; c.Queue && s.tries == 3 { // the first is the holder's
		<-ctx.Done()
		return lock.StoreGrant{}, ctx.Err()
	}
	return g, err
}

func (s *restless) Wait(ctx context.Context, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
	if s.waits++; s.waits == 1 {
		return lock.StoreGrant{Status: lock.StatusBlocked}, nil
	}
	return s.Store.Wait(ctx, c, g)
}

func TestAGrantOutlivesALostAnswerToATry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.Store = &restless{Store: d.store.Store}
		first := d.take(t, lock.Key("room"))
		time.AfterFunc(time.Millisecond, func() { _ = first.Release(context.Background()) })
		start := time.Now()
		l, err := d.Acquire(t.Context(), lock.Key("room"))
		wantErr(t, err)
		if took := time.Since(start); took > lock.StoreTrialTime || l.Fence() != first.Fence()+1000 {
			t.Errorf("granted after %s with fence %d after %d, want the grant of the release", took, l.Fence(), first.Fence())
		}
	})
}
