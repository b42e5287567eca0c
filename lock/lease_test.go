// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

func TestTheDeadlineCountsFromBeforeSendingLessDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: 10 * time.Second})
		d.store.delay.Store(int64(time.Second))
		sent := time.Now()
		l := d.take(t, lock.Key("room"))
		want := sent.Add(10*time.Second - 100*time.Millisecond - 2*time.Millisecond)
		if !l.Deadline().Equal(want) {
			t.Errorf("deadline %s after sending, want %s", l.Deadline().Sub(sent), want.Sub(sent))
		}
		brief := d.take(t, lock.Key("brief"), lock.TTL(1100*time.Millisecond))
		d.store.delay.Store(0)
		tiny := d.take(t, lock.Key("tiny"), lock.TTL(time.Millisecond))
		if tiny.Err() != nil || brief.Err() != nil {
			t.Errorf("short leases begin as %v and %v", tiny.Err(), brief.Err())
		}
	})
}

func TestALeaseEndsOnItsDeadlineWhateverTheStoreDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: 10 * time.Second})
		l := d.take(t, lock.Key("room"), lock.AutoRenew())
		ctx := l.Context(t.Context())
		d.store.hang.Store(true)
		time.Sleep(time.Until(l.Deadline()) - 1)
		if l.Err() != nil || ctx.Err() != nil {
			t.Errorf("before the deadline: %v, %v", l.Err(), ctx.Err())
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if ctx.Err() != context.Canceled || context.Cause(ctx) != lock.ErrLost || l.Err() != lock.ErrLost {
			t.Errorf("at the deadline: %v, cause %v, lease %v", ctx.Err(), context.Cause(ctx), l.Err())
		}
		if s := d.Stats(); s.Held != 0 || s.Renewing != 0 {
			t.Errorf("stats: %+v", s)
		}
		if e := d.seen.last(); e.Op != lock.OpLost || e.Result != lock.ResultNotHeld || e.Err != lock.ErrLost {
			t.Errorf("observed %+v", e)
		}
		d.trail.only(t, "lock.lost")
	})
}

func TestTheCauseOfAContextIsWhyItEnded(t *testing.T) {
	guest := errors.New("guest left")
	for _, c := range []struct {
		name string
		cfg  lock.Config
		end  func(t *testing.T, d *desk, l *lock.Lease, cancel context.CancelCauseFunc)
		want error
	}{
		{"released", lock.Config{}, func(t *testing.T, _ *desk, l *lock.Lease, _ context.CancelCauseFunc) { _ = l.Release(t.Context()) }, lock.ErrReleased},
		{"detached", lock.Config{}, func(_ *testing.T, _ *desk, l *lock.Lease, _ context.CancelCauseFunc) { l.Detach() }, lock.ErrReleased},
		{"closed", lock.Config{}, func(t *testing.T, d *desk, _ *lock.Lease, _ context.CancelCauseFunc) { _ = d.Close(t.Context()) }, lock.ErrClosed},
		{"ran out", lock.Config{}, func(*testing.T, *desk, *lock.Lease, context.CancelCauseFunc) { time.Sleep(time.Minute) }, lock.ErrLost},
		{"MaxHold", lock.Config{MaxHold: 30 * time.Second}, func(*testing.T, *desk, *lock.Lease, context.CancelCauseFunc) { time.Sleep(time.Minute) }, lock.ErrMaxReached},
		{"MaxExtensions", lock.Config{MaxExtensions: 1}, func(t *testing.T, _ *desk, l *lock.Lease, _ context.CancelCauseFunc) {
			wantErr(t, l.Extend(t.Context(), 0))
			wantErr(t, l.Extend(t.Context(), 0), lock.ErrMaxReached)
			time.Sleep(time.Minute)
		}, lock.ErrMaxReached},
		{"forced", lock.Config{}, func(t *testing.T, d *desk, l *lock.Lease, _ context.CancelCauseFunc) {
			wantErr(t, d.ForceRelease(t.Context(), lock.Hold{ID: l.ID(), Resource: l.Resource()}))
		}, lock.ErrLost},
		{"parent", lock.Config{}, func(_ *testing.T, _ *desk, _ *lock.Lease, cancel context.CancelCauseFunc) { cancel(guest) }, guest},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, c.cfg)
				l := d.take(t, lock.Key("room"))
				parent, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				ctx := l.Context(parent)
				child, stop := context.WithTimeout(ctx, time.Hour)
				defer stop()
				c.end(t, d, l, cancel)
				if ctx.Err() != context.Canceled { // at once, before any goroutine has run
					t.Errorf("ctx.Err() = %v, want Canceled", ctx.Err())
				}
				<-ctx.Done()
				<-child.Done()
				if !errors.Is(context.Cause(ctx), c.want) || child.Err() != context.Canceled || context.Cause(child) != context.Cause(ctx) {
					t.Errorf("cause %v, want %v; a descendant has %v, %v", context.Cause(ctx), c.want, child.Err(), context.Cause(child))
				}
			})
		})
	}
}

func TestAParentsDeadlineIsSeenAndEndsAsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"))
		parent, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "guest"), time.Second)
		defer cancel()
		ctx := l.Context(parent)
		deadline, ok := ctx.Deadline()
		if want, _ := parent.Deadline(); !ok || !deadline.Equal(want) || ctx.Value(key{}) != "guest" {
			t.Errorf("deadline %v, value %v", deadline, ctx.Value(key{}))
		}
		<-ctx.Done()
		if ctx.Err() != context.Canceled || context.Cause(ctx) != context.DeadlineExceeded || l.Err() != nil {
			t.Errorf("%v, cause %v, lease %v", ctx.Err(), context.Cause(ctx), l.Err())
		}
		late := l.Context(parent)
		if late.Err() != context.Canceled || context.Cause(late) != context.DeadlineExceeded {
			t.Errorf("under an ended parent: %v, cause %v", late.Err(), context.Cause(late))
		}
		forever := l.Context(context.Background())
		if _, ok := forever.Deadline(); ok || forever.Err() != nil {
			t.Errorf("under the background: %v", forever.Err())
		}
	})
}

func TestAnEndedLeaseGivesEndedContexts(t *testing.T) {
	d := newDesk(t, lock.Config{})
	l := d.take(t, lock.Key("room"))
	wantErr(t, l.Release(t.Context()))
	if ctx := l.Context(t.Context()); ctx.Err() != context.Canceled || context.Cause(ctx) != lock.ErrReleased {
		t.Errorf("%v, cause %v", ctx.Err(), context.Cause(ctx))
	}
}

func TestASuspendedMachineLosesItsLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"))
		ctx := l.Context(t.Context())
		l.WakeLater(29 * time.Second)
		wantErr(t, l.Err())
		l.WakeLater(2 * time.Second)
		if l.Err() != lock.ErrLost || ctx.Err() != context.Canceled {
			t.Errorf("after waking: %v, %v", l.Err(), ctx.Err())
		}
	})
}

func TestPrintingALeaseOrARefShowsNoSecret(t *testing.T) {
	d := newDesk(t, lock.Config{})
	l := d.take(t, lock.Key("room"))
	text := fmt.Sprintf("%v %+v %#v %s %q %x %d", l, l, l, l, l, l, l)
	ref := l.Detach()
	wrapped := struct{ ref lock.Ref }{ref}
	text += fmt.Sprintf("%v %+v %#v %s %q %x %d", ref, ref, ref, ref, ref, ref, ref) + fmt.Sprintf("%v %+v %#v", wrapped, wrapped, &wrapped)
	if token := tokenOf(t, ref); strings.Contains(text, token) {
		t.Errorf("the token %s is in %s", token, text)
	}
	var none *lock.Lease
	if none.String() != "no lease" || (lock.Ref{}).String() != "no lease" {
		t.Errorf("no lease prints as %q and %q", none, lock.Ref{})
	}
}

func TestATicketPrintsAsTheHoldThatItIsOf(t *testing.T) {
	ticket := lock.StoreTicket{Space: "rooms", Group: "all", ID: "id", Token: "secret"}
	for _, v := range []any{ticket, lock.StoreClaim{StoreTicket: ticket, Holder: "ada"}, lock.StoreRenewal{StoreTicket: ticket, Nonce: "n"}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
			if got, want := fmt.Sprintf(verb, v), "hold id in rooms, group all"; got != want {
				t.Errorf("%T with %s is %q, want %q", v, verb, got, want)
			}
		}
	}
}

// longLived never ends and counts who waits for that.
type longLived struct {
	context.Context
	done    chan struct{}
	waiting atomic.Int64
}

func (c *longLived) Done() <-chan struct{} { return c.done }

func (c *longLived) AfterFunc(func()) (stop func() bool) {
	c.waiting.Add(1)
	return func() bool { c.waiting.Add(-1); return true }
}

func TestAnEndedLeaseLeavesNothingWithALongLivedParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		parent := &longLived{Context: context.Background(), done: make(chan struct{})}
		l := d.take(t, lock.Key("room"))
		for range 10 {
			l.Context(parent)
		}
		if n := parent.waiting.Load(); n != 10 {
			t.Errorf("%d follow the parent, want 10", n)
		}
		wantErr(t, l.Release(t.Context()))
		synctest.Wait()
		if n := parent.waiting.Load(); n != 0 {
			t.Errorf("%d follow the parent after the release", n)
		}
	})
}

// Its Done is the lease's own, so nothing is kept for a context that is dropped.
func TestAContextWhoseParentNeverEndsCostsTheLeaseNothing(t *testing.T) {
	d := newDesk(t, lock.Config{})
	l := d.take(t, lock.Key("room"))
	one, other := l.Context(context.Background()), l.Context(context.Background())
	if one.Done() != other.Done() {
		t.Error("the lease keeps something for each context until it ends")
	}
	wantErr(t, l.Release(t.Context()))
	wantErr(t, context.Cause(one), lock.ErrReleased)
	wantErr(t, one.Err(), context.Canceled)
}
