// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

func TestWaitLimitsTheWaitingAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		held := d.take(t, lock.Key("room"))
		start := time.Now()
		err := d.Do(t.Context(), lock.Key("room"), func(context.Context, *lock.Lease) error { return nil }, lock.Wait(2*time.Second))
		wantErr(t, err, lock.ErrConflict)
		if took := time.Since(start); took != 2*time.Second || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %s: %v, want after 2s and without the context's error", took, err)
		}
		wantErr(t, held.Release(t.Context()))
		wantErr(t, d.Do(t.Context(), lock.Key("room"), func(ctx context.Context, _ *lock.Lease) error {
			time.Sleep(10 * time.Minute)
			return ctx.Err()
		}, lock.Wait(2*time.Second)))
	})
}

func TestTryDoDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"))
		ran := 0
		run := func(context.Context, *lock.Lease) error { ran++; return nil }
		start := time.Now()
		wantErr(t, d.TryDo(t.Context(), lock.Key("room"), run), lock.ErrConflict)
		wantErr(t, l.Release(t.Context()))
		wantErr(t, d.TryDo(t.Context(), lock.Key("room"), run))
		if ran != 1 || time.Since(start) != 0 {
			t.Errorf("ran %d times in %s, want once, at once", ran, time.Since(start))
		}
		wantErr(t, d.TryDo(t.Context(), lock.Key("room"), nil), lock.ErrInvalid)
	})
}

func TestWaitingForItselfIsInvalidAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		held, wanted lock.Resource
		invalid      bool
	}{
		"the same key":               {lock.Key("room"), lock.Key("room"), true},
		"a night of the room":        {lock.Key("room"), nights("room", 12, 13), true},
		"other nights":               {nights("room", 12, 13), nights("room", 13, 14), false},
		"one of several parts":       {lock.Key("room"), lock.All(lock.Key("hall"), lock.Key("room")), true},
		"capacity left for both":     {lock.Key("pool").Units(2), lock.Key("pool").Units(3), false},
		"no capacity left for both":  {lock.Key("pool").Units(3), lock.Key("pool").Units(3), true},
		"room beside each part":      {lock.All(lock.Span("pool", 0, 5).Units(3), lock.Span("pool", 5, 9).Units(3)), lock.Span("pool", 0, 9).Units(2), false},
		"room beside one part":       {lock.All(lock.Span("pool", 0, 5).Units(3), lock.Span("pool", 5, 9).Units(4)), lock.Span("pool", 0, 9).Units(2), true},
		"before and within the part": {lock.Span("pool", 0, 9).Units(3), lock.Span("pool", 5, 20).Units(3), true},
		"another kind":               {lock.Span("pool", 50, 60).Units(4), nights("pool", 12, 13).Units(2), true},
		"both shared":                {lock.Key("room").Shared(), lock.Key("room").Shared(), false},
		"a writer behind its reader": {lock.Key("room").Shared(), lock.Key("room"), true},
		"a reader behind its writer": {lock.Key("room"), lock.Key("room").Shared(), true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, lock.Config{Capacity: func(name string) int {
					if name == "pool" {
						return 5
					}
					return 1
				}})
				outer := d.take(t, c.held)
				ctx, cancel := context.WithTimeout(outer.Context(t.Context()), time.Second)
				defer cancel()
				l, err := d.Acquire(ctx, c.wanted)
				if got := errors.Is(err, lock.ErrInvalid); got != c.invalid || !c.invalid && l == nil {
					t.Errorf("%v, %v", l, err)
				}
				if c.invalid && !strings.Contains(err.Error(), "in a context of the lease that holds") {
					t.Error(err)
				}
				wantErr(t, outer.Release(t.Context()))
				if _, err := d.Acquire(ctx, c.wanted); c.invalid && err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("after the outer lease ended: %v", err)
				}
			})
		})
	}
}

func TestWaitingForItselfThroughAnotherManagerIsInvalidAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		twin, other := newDesk(t, lock.Config{}, d.store), newDesk(t, lock.Config{Name: "others"}, d.store)
		ctx := d.take(t, lock.Key("room")).Context(t.Context())
		_, err := twin.Acquire(ctx, lock.Key("room"))
		wantErr(t, err, lock.ErrInvalid)
		_, err = other.Acquire(ctx, lock.Key("room"))
		wantErr(t, err)
	})
}

func TestAKeptHoldOutlivesItsRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: time.Second})
		l := d.take(t, lock.Key("report"), lock.KeepAtLeast(time.Minute))
		time.Sleep(10 * time.Second) // longer than the TTL
		wantErr(t, l.Err())
		wantErr(t, l.Release(t.Context()))
		wantErr(t, l.Release(t.Context()))
		_, err := d.TryAcquire(t.Context(), lock.Key("report"))
		wantErr(t, err, lock.ErrConflict)
		time.Sleep(50 * time.Second)
		d.take(t, lock.Key("report"))
		if n, err := d.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("%d reported as expired, %v, want none", n, err)
		}
	})
}

func TestALeaseThatIsReleasedAfterItsKeepEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("report"), lock.KeepAtLeast(time.Second))
		time.Sleep(2 * time.Second)
		wantErr(t, l.Release(t.Context()))
		d.take(t, lock.Key("report"))
	})
}

func TestALeaseSaysHowItWasAskedFor(t *testing.T) {
	d := newDesk(t, lock.Config{TTL: time.Minute})
	l := d.take(t, lock.Key("room"), lock.Holder("ada"), lock.Detail("channel", "web"))
	if l.Holder() != "ada" || l.TTL() != time.Minute || fmt.Sprint(l.Details()) != "map[channel:web]" {
		t.Errorf("%q, %s, %v", l.Holder(), l.TTL(), l.Details())
	}
	l.Details()["channel"] = "changed"
	if l.Details()["channel"] != "web" {
		t.Error("the details were changed from outside")
	}
}

func TestCheckAsksTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"))
		before := l.Deadline()
		time.Sleep(time.Second)
		wantErr(t, l.Check(t.Context()))
		if l.Deadline().Before(before) {
			t.Errorf("the deadline moved back from %s to %s", before, l.Deadline())
		}
		d.store.hang.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantErr(t, l.Check(ctx), lock.ErrUnavailable)
		wantErr(t, l.Err())
		d.store.hang.Store(false)
		if _, err := d.store.Store.Release(t.Context(), []lock.StoreTicket{{Space: "rooms", Group: "all", ID: l.ID(), Force: true}}); err != nil {
			t.Fatal(err)
		}
		wantErr(t, l.Check(t.Context()), lock.ErrNotHeld)
		wantErr(t, l.Err(), lock.ErrLost)
		wantErr(t, l.Check(t.Context()), lock.ErrNotHeld)
	})
}

// The watchdog's first renewal makes the lease known to the store's inbox.
func TestAHolderLearnsThatItsHoldWasTaken(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *desk, *lock.Lease){
		"resumed elsewhere": func(t *testing.T, d *desk, l *lock.Lease) {
			_, err := newDesk(t, lock.Config{}, d.store).Resume(t.Context(), l.Ref())
			wantErr(t, err)
		},
		"released by force": func(t *testing.T, d *desk, l *lock.Lease) {
			other := newDesk(t, lock.Config{}, d.store)
			wantErr(t, other.ForceRelease(t.Context(), lock.Hold{ID: l.ID(), Resource: l.Resource()}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, lock.Config{})
				l := d.take(t, lock.Key("room"), lock.AutoRenew())
				time.Sleep(11 * time.Second)
				ctx := l.Context(t.Context())
				end(t, d, l)
				synctest.Wait()
				wantErr(t, l.Err(), lock.ErrLost)
				wantErr(t, context.Cause(ctx), lock.ErrLost)
			})
		})
	}
}

func TestARefIsGoodUntilTheNextLeaseIsDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		ref := d.take(t, lock.Key("room")).Detach()
		first, err := d.Resume(t.Context(), ref)
		wantErr(t, err)
		second, err := d.Resume(t.Context(), ref)
		wantErr(t, err)
		if second.Fence() <= first.Fence() {
			t.Errorf("fence %d after %d", second.Fence(), first.Fence())
		}
		wantErr(t, first.Extend(t.Context(), 0), lock.ErrNotHeld)
		wantErr(t, second.Extend(t.Context(), 0))
		next := second.Detach()
		third, err := d.Resume(t.Context(), next)
		wantErr(t, err)
		_, err = d.Resume(t.Context(), ref)
		wantErr(t, err, lock.ErrNotHeld)
		wantErr(t, third.Release(t.Context()))
	})
}

func TestAnErrorThatWaitingCannotMendEndsAcquireAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.Store = denied{d.store.Store}
		start := time.Now()
		_, err := d.Acquire(t.Context(), lock.Key("room"))
		wantErr(t, err, lock.ErrUnavailable, lock.ErrPermanent)
		if time.Since(start) != 0 {
			t.Errorf("waited for %s", time.Since(start))
		}
	})
}

type denied struct{ lock.Store }

func (denied) Acquire(context.Context, lock.StoreClaim) (lock.StoreGrant, error) {
	return lock.StoreGrant{}, fmt.Errorf("NOPERM: %w", lock.ErrPermanent)
}

func TestAcquireOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.down.Store(true)
		time.AfterFunc(20*time.Second, func() { d.store.down.Store(false) })
		start := time.Now()
		l, err := d.Acquire(t.Context(), lock.Key("room"))
		wantErr(t, err)
		if took := time.Since(start); took < 20*time.Second || took > 22*time.Second {
			t.Errorf("granted after %s, want a second after the outage of 20s at most", took)
		}
		wantErr(t, l.Release(t.Context()))
	})
}

func TestClosingGivesEveryPlaceUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		held := newDesk(t, lock.Config{}, d.store).take(t, lock.Key("room"))
		errs := make(chan error)
		for range 100 {
			go func() {
				_, err := d.Acquire(context.Background(), lock.Key("room"))
				errs <- err
			}()
		}
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- d.Close(t.Context()) }()
		for range 100 {
			wantErr(t, <-errs, lock.ErrClosed)
		}
		wantErr(t, <-closed)
		next := newDesk(t, lock.Config{}, d.store)
		time.AfterFunc(time.Second, func() { _ = held.Release(context.Background()) })
		start := time.Now()
		_, err := next.Acquire(t.Context(), lock.Key("room"))
		wantErr(t, err)
		if took := time.Since(start); took != time.Second {
			t.Errorf("granted after %s, want with the release, after 1s", took)
		}
	})
}

func TestAClaimThatIsGivenUpIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.lose.Store(true)
		_, err := d.TryAcquire(t.Context(), lock.Key("report"), lock.KeepAtLeast(time.Hour))
		wantErr(t, err, lock.ErrUnavailable)
		d.store.lose.Store(false)
		time.Sleep(time.Second)
		d.take(t, lock.Key("report"))
	})
}

// refuses answers that a claim was given up, when its ctx ends.
type refuses struct{ lock.Store }

func (refuses) Acquire(ctx context.Context, _ lock.StoreClaim) (lock.StoreGrant, error) {
	<-ctx.Done()
	return lock.StoreGrant{Status: lock.StatusMissing}, nil
}

func TestAWaitThatMetNoConflictEndsWithoutOne(t *testing.T) {
	for name, opts := range map[string][]lock.Option{"ctx": nil, "Wait": {lock.Wait(time.Second)}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, lock.Config{})
				d.store.Store = refuses{d.store.Store}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				_, err := d.Acquire(ctx, lock.Key("room"), opts...)
				wantErr(t, err, lock.ErrUnavailable)
				if errors.Is(err, lock.ErrConflict) {
					t.Errorf("%v names a conflict that there was not", err)
				}
				if errors.Is(err, context.DeadlineExceeded) != (ctx.Err() != nil) {
					t.Errorf("%v, and the caller's context: %v", err, ctx.Err())
				}
			})
		})
	}
}
