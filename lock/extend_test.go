// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

func TestExtendMovesTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: 10 * time.Second})
		l := d.take(t, lock.Key("room"))
		ctx := l.Context(t.Context())
		for range 5 {
			time.Sleep(8 * time.Second)
			wantErr(t, l.Extend(t.Context(), 0))
		}
		if left := time.Until(l.Deadline()); left != 9898*time.Millisecond || ctx.Err() != nil {
			t.Errorf("%s left, %v", left, ctx.Err())
		}
		wantErr(t, l.Extend(t.Context(), time.Hour))
		time.Sleep(time.Minute)
		wantErr(t, l.Err())
	})
}

func TestExtendNeverShortensALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: time.Hour})
		l := d.take(t, lock.Key("room"))
		before := l.Deadline()
		wantErr(t, l.Extend(t.Context(), time.Second))
		if !l.Deadline().Equal(before) {
			t.Errorf("the deadline moved by %s", l.Deadline().Sub(before))
		}
	})
}

func TestExtendEndsAtMaxExtensions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{MaxExtensions: 2})
		l := d.take(t, lock.Key("room"))
		wantErr(t, l.Extend(t.Context(), 0))
		wantErr(t, l.Extend(t.Context(), 0))
		wantErr(t, l.Extend(t.Context(), 0), lock.ErrMaxReached)
		wantErr(t, l.Err()) // it goes on until its deadline
		wantList(t, "observed", d.seen.seen()[1:], "extend success", "extend success", "extend max_reached")
		wantList(t, "recorded", d.trail.types()[1:], "lock.extended", "lock.extended", "lock.max_reached")
	})
}

func TestALeaseThatUsedUpItsExtensionsEndsForThatWhateverIsAskedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{MaxExtensions: 1})
		l := d.take(t, lock.Key("room"))
		wantErr(t, l.Extend(t.Context(), 0))
		wantErr(t, l.Extend(t.Context(), 0), lock.ErrMaxReached)
		wantErr(t, l.Check(t.Context()))
		time.Sleep(time.Minute)
		wantErr(t, l.Err(), lock.ErrMaxReached)
		wantList(t, "recorded", d.trail.types()[2:], "lock.max_reached", "lock.max_reached")
		if e := d.trail.events[3]; e.Reason != "max_reached" {
			t.Errorf("recorded %+v, want max_reached: there is no MaxHold", e)
		}
	})
}

func TestMaxHoldEndsALeaseHoweverItIsProlonged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: 10 * time.Second, MaxHold: time.Minute})
		start := time.Now()
		l := d.take(t, lock.Key("room"), lock.AutoRenew())
		other := d.take(t, lock.Key("other"))
		wantErr(t, other.Extend(t.Context(), time.Hour))
		wantErr(t, other.Extend(t.Context(), time.Hour), lock.ErrMaxReached)
		<-l.Context(t.Context()).Done()
		<-other.Context(t.Context()).Done()
		if l.Err() != lock.ErrMaxReached || other.Err() != lock.ErrMaxReached {
			t.Errorf("they ended as %v and %v", l.Err(), other.Err())
		}
		if held := time.Since(start); held > time.Minute || held < 59*time.Second {
			t.Errorf("held for %s, want just under a minute", held)
		}
		wantErr(t, l.Extend(t.Context(), 0), lock.ErrMaxReached, lock.ErrNotHeld)
	})
}

func TestExtendingALostLeaseSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		thief := newDesk(t, lock.Config{}, d.store)
		l := d.take(t, lock.Key("room"))
		wantErr(t, thief.ForceRelease(t.Context(), lock.Hold{ID: l.ID(), Resource: l.Resource()}))
		wantErr(t, l.Err()) // no answer has reached it
		wantErr(t, l.Extend(t.Context(), 0), lock.ErrNotHeld, lock.ErrLost)
		wantErr(t, l.Err(), lock.ErrLost)
		calls := d.store.calls.Load()
		wantErr(t, l.Extend(t.Context(), 0), lock.ErrNotHeld, lock.ErrLost)
		if d.store.calls.Load() != calls {
			t.Error("an ended lease asked the store")
		}
		synctest.Wait()
		wantList(t, "observed", d.seen.seen()[1:], "lost not_held", "extend not_held", "extend not_held")
		if e := d.trail.only(t, "lock.lost"); e.Reason != "missing" {
			t.Errorf("recorded %+v", e)
		}
	})
}

func TestAnExtensionWithoutAnAnswerMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"))
		before := l.Deadline()
		d.store.lose.Store(true)
		wantErr(t, l.Extend(t.Context(), time.Hour), lock.ErrUnavailable)
		if !l.Deadline().Equal(before) {
			t.Errorf("the deadline moved by %s", l.Deadline().Sub(before))
		}
	})
}

func TestAnExtensionThatComesTooLateRevivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: 10 * time.Second})
		l := d.take(t, lock.Key("room"))
		time.Sleep(9 * time.Second)
		d.store.delay.Store(int64(time.Second))
		wantErr(t, l.Extend(t.Context(), time.Hour), lock.ErrNotHeld, lock.ErrLost)
		wantErr(t, l.Err(), lock.ErrLost)
		d.store.delay.Store(0)
		time.Sleep(3 * time.Second)
		wantList(t, "held", d.held(t)) // no hold was given back
	})
}

func TestExtendRefusesNonsenseBeforeAnythingIsSent(t *testing.T) {
	d := newDesk(t, lock.Config{})
	l := d.take(t, lock.Key("room"))
	calls := d.store.calls.Load()
	wantErr(t, l.Extend(t.Context(), -time.Second), lock.ErrInvalid)
	wantErr(t, l.Extend(t.Context(), time.Microsecond), lock.ErrInvalid)
	wantErr(t, l.Extend(t.Context(), 1<<62), lock.ErrInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, l.Extend(ctx, 0), context.Canceled)
	ctx, cancel = context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	err := l.Extend(ctx, 0)
	wantErr(t, err, context.DeadlineExceeded)
	if errors.Is(err, lock.ErrUnavailable) {
		t.Error(err)
	}
	if d.store.calls.Load() != calls {
		t.Error("the store was asked")
	}
}

func TestAnswersThatOvertakeEachOtherMoveNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"))
		d.store.delay.Store(int64(time.Second))
		slow := make(chan error)
		go func() { slow <- l.Extend(t.Context(), time.Minute) }()
		synctest.Wait()
		d.store.delay.Store(0)
		wantErr(t, l.Extend(t.Context(), time.Hour))
		far := l.Deadline()
		wantErr(t, <-slow)
		if !l.Deadline().Equal(far) {
			t.Errorf("the deadline moved by %s", l.Deadline().Sub(far))
		}
	})
}

func TestAnExtensionGrantedBeforeASuspensionRevivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"))
		d.store.delay.Store(int64(time.Second))
		got := make(chan error)
		go func() { got <- l.Extend(t.Context(), 0) }()
		synctest.Wait()
		l.WakeLater(time.Hour)
		wantErr(t, <-got, lock.ErrNotHeld, lock.ErrLost)
		wantErr(t, l.Err(), lock.ErrLost)
	})
}
