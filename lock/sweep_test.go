// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/lock"
)

func TestAnExpiryIsReportedByTheNextCallThatMeetsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crashed := newDesk(t, lock.Config{})
		l := crashed.take(t, nights("room", 12, 15), lock.Holder("ada"), lock.Reason("booking"))
		l.Detach()
		time.Sleep(time.Minute)
		d := newDesk(t, lock.Config{}, crashed.store)
		d.take(t, nights("other", 1, 2))
		synctest.Wait()
		e := d.trail.only(t, "lock.expired")
		if e.Actor.ID != "ada" || e.Resource.ID != "room" || e.Reason != "booking" || e.ID.IsZero() || !e.Time.Equal(time.Now().Add(-30*time.Second)) {
			t.Errorf("recorded %+v", e)
		}
		wantDetail(t, e, "fence", l.Fence())
		wantDetail(t, e, "check_in", "2026-12-12")
		wantList(t, "observed", slices.Sorted(slices.Values(d.seen.seen())), "acquire success", "expired success")
		if n, err := d.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("a second sweep reports %d, %v", n, err)
		}
	})
}

func TestAGrantThatLapsesIsReportedAsUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		held := d.take(t, lock.Key("room"))
		_, err := d.store.Acquire(t.Context(), lock.StoreClaim{
			StoreTicket: lock.StoreTicket{Space: "rooms", Group: "all", Name: "room", ID: "forgetful", Token: "secret"},
			Resource:    lock.Key("room"), Capacity: []int{1}, TTL: time.Hour, Holder: "ada", Reason: "booking", Queue: true, Limit: 1,
		})
		wantErr(t, err)
		wantErr(t, held.Release(t.Context()))
		time.Sleep(lock.StoreTrialTime)
		if n, err := d.Sweep(t.Context()); n != 1 || err != nil {
			t.Fatalf("%d expired, %v, want 1", n, err)
		}
		if e := d.trail.only(t, "lock.expired"); e.Reason != "unconfirmed" || e.Actor.ID != "ada" {
			t.Errorf("recorded %+v, want the grant to ada as unconfirmed", e)
		}
	})
}

func TestAnExpiryIsRedeliveredUntilItWasRecordedUnderOneID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, lock.Key("room")).Detach()
		time.Sleep(time.Minute)
		var tried []audit.ID
		d.trail.breakWith(func(_ context.Context, e audit.Event) error {
			if e.Type == "lock.expired" {
				tried = append(tried, e.ID)
				return errors.New("disk full")
			}
			return nil
		})
		for range 2 {
			n, err := d.Sweep(t.Context())
			if n != 0 || !errors.Is(err, lock.ErrAudit) {
				t.Errorf("swept %d, %v; want 0 and ErrAudit", n, err)
			}
		}
		d.trail.breakWith(nil)
		n, err := d.Sweep(t.Context())
		wantErr(t, err)
		if n != 1 || len(tried) != 2 || tried[0] != tried[1] || d.trail.only(t, "lock.expired").ID != tried[0] {
			t.Errorf("swept %d; tried as %v, recorded as %v", n, tried, d.trail.only(t, "lock.expired").ID)
		}
	})
}

func TestOneExpiryThatCannotBeRecordedHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		for i := range 200 {
			d.take(t, lock.Key(fmt.Sprint("room", i)), lock.TTL(time.Second)).Detach()
		}
		time.Sleep(time.Minute)
		d.trail.breakWith(func(_ context.Context, e audit.Event) error {
			if e.Resource.ID == "room7" {
				return errors.New("unreadable")
			}
			return nil
		})
		n, err := d.Sweep(t.Context())
		if n != 199 || !errors.Is(err, lock.ErrAudit) {
			t.Errorf("swept %d, %v; want 199 and ErrAudit for one", n, err)
		}
	})
}

func TestAFailingTrailIsLeftAloneForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, lock.Key("room")).Detach()
		time.Sleep(time.Minute)
		tries := 0
		d.trail.breakWith(func(_ context.Context, e audit.Event) error {
			if e.Type == "lock.expired" {
				tries++
			}
			return errors.New("disk full")
		})
		for range 20 {
			wantErr(t, d.take(t, lock.Key("busy")).Release(t.Context()))
			synctest.Wait()
		}
		if tries != 1 {
			t.Errorf("tried %d times within a second, want once", tries)
		}
		time.Sleep(5 * time.Second)
		d.trail.breakWith(nil)
		d.take(t, lock.Key("busy"))
		synctest.Wait()
		d.trail.only(t, "lock.expired")
	})
}

func TestSweepLooksAtEveryGroupUsedHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{GroupBy: func(name string) string { return name }})
		for i := range 5 {
			d.take(t, lock.Key(fmt.Sprint("hotel", i))).Detach()
		}
		time.Sleep(time.Minute)
		n, err := d.Sweep(t.Context())
		wantErr(t, err)
		if n != 5 {
			t.Errorf("%d expired, want 5", n)
		}
	})
}

func TestSweepLooksAtTheLast1024GroupsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{GroupBy: func(name string) string { return name }})
		for i := range 1100 {
			d.take(t, lock.Key(fmt.Sprint("more", i)), lock.TTL(time.Second)).Detach()
		}
		time.Sleep(time.Minute)
		if n, err := d.Sweep(t.Context()); n != 1024 || err != nil {
			t.Errorf("%d expired, %v; want those of 1024 groups", n, err)
		}
	})
}

func TestSweepingAStoreThatDoesNotAnswerIsUnavailable(t *testing.T) {
	d := newDesk(t, lock.Config{})
	d.store.down.Store(true)
	_, err := d.Sweep(t.Context())
	wantErr(t, err, lock.ErrUnavailable, errDown)
}

func TestASlowRecorderIsSweptForAsLongAsItTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{AuditTimeout: time.Second})
		const n = 200
		for i := range n {
			d.take(t, lock.Key(fmt.Sprint("room", i)), lock.TTL(time.Second)).Detach()
		}
		time.Sleep(time.Minute)
		recorded := 0
		d.trail.breakWith(func(_ context.Context, e audit.Event) error {
			if e.Type == "lock.expired" {
				time.Sleep(500 * time.Millisecond)
				recorded++
			}
			return nil
		})
		d.take(t, lock.Key("other"), lock.TTL(time.Hour))
		time.Sleep(5 * time.Minute)
		if left, err := d.Sweep(t.Context()); recorded != n || left != 0 || err != nil {
			t.Errorf("%d reports of %d holds, and %d are left, %v", recorded, n, left, err)
		}
	})
}

func TestASweepThatIsCutOffReportsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{AuditTimeout: time.Second})
		for i := range 20 {
			d.take(t, lock.Key(fmt.Sprint("room", i)), lock.TTL(time.Second)).Detach()
		}
		time.Sleep(time.Minute)
		recorded := 0
		d.trail.breakWith(func(context.Context, audit.Event) error {
			time.Sleep(500 * time.Millisecond)
			recorded++
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 1100*time.Millisecond)
		defer cancel()
		n, err := d.Sweep(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		more, err := d.Sweep(t.Context())
		wantErr(t, err)
		if n == 0 || n+more != 20 || recorded != 20 {
			t.Errorf("reported %d and %d, in %d reports; want 20 in all", n, more, recorded)
		}
	})
}
