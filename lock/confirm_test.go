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

func (s stuck) Extend(ctx context.Context, rs []lock.Renewal) ([]lock.Grant, error) {
	if slices.ContainsFunc(rs, func(r lock.Renewal) bool { return !r.Confirm }) {
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
		due := renewed.Deadline().Sub(time.Now()) / 3
		time.Sleep(due - time.Second)
		l := waited(t, d) // just when the renewal is sent
		time.Sleep(lock.TrialTime)
		wantErr(t, l.Err())
	})
}
