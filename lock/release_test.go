// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/lock"
)

func TestReleaseFreesAndIsIdempotent(t *testing.T) {
	d := newDesk(t, lock.Config{})
	l := d.take(t, lock.Key("room"))
	for range 3 {
		wantErr(t, l.Release(t.Context()))
	}
	wantErr(t, l.Err(), lock.ErrReleased)
	wantErr(t, l.Extend(t.Context(), 0), lock.ErrNotHeld, lock.ErrReleased)
	d.take(t, lock.Key("room"))
	wantList(t, "observed", d.seen.seen(), "acquire success", "release success", "extend not_held", "acquire success")
}

func TestReleasingNoLeaseIsFine(t *testing.T) {
	var l *lock.Lease
	wantErr(t, l.Release(t.Context()))
	if !l.Detach().IsZero() {
		t.Error("no lease detaches to something")
	}
}

func TestReleaseWorksUnderAnEndedContextWithItsOwnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		l, other := d.take(t, lock.Key("room")), d.take(t, lock.Key("other"))
		cancel()
		wantErr(t, l.Release(ctx))
		wantList(t, "held", d.held(t), other.ID())

		d.store.hang.Store(true)
		start := time.Now()
		wantErr(t, other.Release(ctx), lock.ErrUnavailable)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it took %s, want 5s", took)
		}
	})
}

func TestALeaseEndsBeforeItsReleaseIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"))
		ctx := l.Context(t.Context())
		d.store.hang.Store(true)
		go func() { _ = l.Release(t.Context()) }()
		synctest.Wait()
		if l.Err() != lock.ErrReleased || ctx.Err() == nil {
			t.Errorf("while the release is on its way: %v, %v", l.Err(), ctx.Err())
		}
	})
}

func TestAReleaseWithoutAnAnswerCanBeTriedAgain(t *testing.T) {
	d := newDesk(t, lock.Config{})
	l := d.take(t, lock.Key("room"))
	d.store.down.Store(true)
	wantErr(t, l.Release(t.Context()), lock.ErrUnavailable, errDown)
	wantErr(t, l.Err(), lock.ErrReleased)
	d.store.down.Store(false)
	wantErr(t, l.Release(t.Context()))
	wantList(t, "held", d.held(t))
	wantList(t, "observed", d.seen.seen(), "acquire success", "release unavailable", "release success")
}

// counting is a store that reports whether it was asked once, and keeps the tickets
// of releases.
type counting struct {
	*faulty
	often   bool
	tickets []lock.StoreTicket
}

func (c *counting) Acquire(ctx context.Context, claim lock.StoreClaim) (lock.StoreGrant, error) {
	g, err := c.faulty.Acquire(ctx, claim)
	g.Once = !c.often
	return g, err
}

func (c *counting) Release(ctx context.Context, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	c.tickets = append(c.tickets, ts...)
	return c.faulty.Release(ctx, ts)
}

func TestAReleaseHasToBeRememberedUnlessEachTryWasAnsweredAndSentOnce(t *testing.T) {
	room, ctx := lock.Key("room"), context.Background()
	for name, c := range map[string]struct {
		remembered bool
		until      time.Duration
		take       func(*counting, *lock.Manager) (*lock.Lease, error)
	}{
		"answered": {false, 30 * time.Second, func(_ *counting, m *lock.Manager) (*lock.Lease, error) {
			return m.TryAcquire(ctx, room)
		}},
		"extended": {false, 90 * time.Second, func(_ *counting, m *lock.Manager) (*lock.Lease, error) {
			l, err := m.TryAcquire(ctx, room)
			return l, errors.Join(err, l.Extend(ctx, 90*time.Second))
		}},
		"after a wait": {false, 31 * time.Second, func(_ *counting, m *lock.Manager) (*lock.Lease, error) {
			first, err := m.TryAcquire(ctx, room, lock.KeepAtLeast(time.Second))
			if err := errors.Join(err, first.Release(ctx)); err != nil {
				return nil, err
			}
			l, err := m.Acquire(ctx, room)
			time.Sleep(10 * time.Millisecond) // until it is confirmed
			return l, err
		}},
		"sent twice by the client": {true, 0, func(c *counting, m *lock.Manager) (*lock.Lease, error) {
			c.often = true
			return m.TryAcquire(ctx, room)
		}},
		"a try without an answer": {true, 0, func(c *counting, m *lock.Manager) (*lock.Lease, error) {
			c.down.Store(true)
			time.AfterFunc(time.Second, func() { c.down.Store(false) })
			return m.Acquire(ctx, room)
		}},
		"resumed": {true, 0, func(_ *counting, m *lock.Manager) (*lock.Lease, error) {
			l, err := m.TryAcquire(ctx, room)
			if err != nil {
				return nil, err
			}
			return m.Resume(ctx, l.Detach())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &counting{faulty: newFaulty()}
				m, err := lock.New(store, lock.Config{Name: "rooms"})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close(ctx)
				began := time.Now()
				l, err := c.take(store, m)
				wantErr(t, err)
				store.tickets = nil
				store.lose.Store(true)
				wantErr(t, l.Release(ctx), lock.ErrUnavailable)
				store.lose.Store(false)
				wantErr(t, l.Release(ctx))
				for i, ticket := range store.tickets {
					if ticket.Until.IsZero() != c.remembered || !c.remembered && ticket.Until.Sub(began).Round(time.Second) != c.until || ticket.Again != (i > 0) {
						t.Errorf("release %d: until %s, again %t", i+1, ticket.Until.Sub(began), ticket.Again)
					}
				}
				if len(store.tickets) != 2 {
					t.Errorf("%d tickets, want 2", len(store.tickets))
				}
			})
		})
	}
}

func TestReleasingALostLeaseSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		thief := newDesk(t, lock.Config{}, d.store)
		l := d.take(t, lock.Key("room"))
		wantErr(t, thief.ForceRelease(t.Context(), lock.Hold{ID: l.ID(), Resource: l.Resource()}))
		wantErr(t, l.Release(t.Context()), lock.ErrNotHeld, lock.ErrLost)
		wantErr(t, l.Release(t.Context()))
		wantList(t, "observed", d.seen.seen(), "acquire success", "release not_held", "lost not_held")
		wantList(t, "recorded", d.trail.types(), "lock.acquired", "lock.lost")

		late := d.take(t, lock.Key("room"))
		time.Sleep(time.Minute)
		wantErr(t, late.Release(t.Context()), lock.ErrNotHeld, lock.ErrLost)
	})
}

func TestReleasingFromManyGoroutinesReleasesOnce(t *testing.T) {
	d := newDesk(t, lock.Config{})
	l := d.take(t, lock.Key("room"))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { wantErr(t, l.Release(t.Context())) })
	}
	all.Wait()
	wantList(t, "observed", d.seen.seen(), "acquire success", "release success")
}

func TestCloseReleasesWhatIsHeldHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		var leases []*lock.Lease
		for i := range 40 {
			leases = append(leases, d.take(t, lock.Span("room", int64(i), int64(i+1)), lock.AutoRenew()))
		}
		detached := d.take(t, lock.Key("detached"))
		detached.Detach()
		waiter := make(chan error)
		go func() {
			_, err := d.Acquire(t.Context(), lock.Key("room"))
			waiter <- err
		}()
		synctest.Wait()
		wantErr(t, d.Close(t.Context()))
		wantErr(t, <-waiter, lock.ErrClosed)
		for _, l := range leases {
			wantErr(t, l.Err(), lock.ErrReleased)
			wantErr(t, l.Release(t.Context()))
		}
		other := newDesk(t, lock.Config{}, d.store)
		wantList(t, "held", other.held(t), detached.ID())
		if s := d.Stats(); s != (lock.Stats{}) {
			t.Errorf("stats: %+v", s)
		}
		if seen := d.seen.seen(); !slices.Contains(seen, "closed success") {
			t.Errorf("observed %v, want the close", seen)
		}
	})
}

func TestAfterCloseEverythingAnswersErrClosed(t *testing.T) {
	d := newDesk(t, lock.Config{})
	ref := d.take(t, lock.Key("a")).Detach()
	l := d.take(t, lock.Key("b"))
	wantErr(t, d.Close(t.Context()))
	wantErr(t, d.Close(t.Context()))
	calls := d.store.calls.Load()
	_, err := d.TryAcquire(t.Context(), lock.Key("room"))
	wantErr(t, err, lock.ErrClosed)
	_, err = d.Acquire(t.Context(), lock.Key("room"))
	wantErr(t, err, lock.ErrClosed)
	_, err = d.Resume(t.Context(), ref)
	wantErr(t, err, lock.ErrClosed)
	_, err = d.Sweep(t.Context())
	wantErr(t, err, lock.ErrClosed)
	wantErr(t, l.Extend(t.Context(), 0), lock.ErrClosed)
	wantErr(t, d.ForceRelease(t.Context(), lock.Hold{ID: "x", Resource: lock.Key("a")}), lock.ErrClosed)
	for _, err := range d.Holds(t.Context(), lock.Key("a")) {
		wantErr(t, err, lock.ErrClosed)
	}
	if d.store.calls.Load() != calls {
		t.Error("the store was asked")
	}
}

func TestCloseReleasesEachOnItsOwnAndReportsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, lock.Key("a"))
		d.take(t, lock.Key("b"))
		d.store.down.Store(true)
		wantErr(t, d.Close(t.Context()), lock.ErrUnavailable, errDown)
		if e := d.seen.last(); e.Op != lock.OpClosed || e.Result != lock.ResultUnavailable {
			t.Errorf("observed at last %s %s", e.Op, e.Result)
		}
	})
}

func TestCloseWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, lock.Key("a"))
		d.store.hang.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		wantErr(t, d.Close(ctx), context.DeadlineExceeded)
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %s, want 1s", took)
		}
	})
}

func TestALeaseGrantedWhileClosingIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.delay.Store(int64(time.Second))
		got := make(chan error, 1)
		go func() {
			_, err := d.TryAcquire(t.Context(), lock.Key("room"))
			got <- err
		}()
		synctest.Wait()
		wantErr(t, d.Close(t.Context()))
		wantErr(t, <-got, lock.ErrClosed)
		wantList(t, "held", newDesk(t, lock.Config{}, d.store).held(t))
	})
}

func TestCloseWaitsForTheCallsThatAreUnderWay(t *testing.T) {
	const inTheStore, recorded = 500 * time.Millisecond, 1020 * time.Millisecond
	for name, c := range map[string]struct {
		call func(context.Context, *desk, *lock.Lease) error
		at   time.Duration
	}{
		"Release": {func(ctx context.Context, _ *desk, l *lock.Lease) error { return l.Release(ctx) }, recorded},
		"Extend":  {func(ctx context.Context, _ *desk, l *lock.Lease) error { return l.Extend(ctx, time.Minute) }, recorded},
		"Check":   {func(ctx context.Context, _ *desk, l *lock.Lease) error { return l.Check(ctx) }, inTheStore},
		"ForceRelease": {func(ctx context.Context, d *desk, l *lock.Lease) error {
			return d.ForceRelease(ctx, lock.Hold{ID: l.ID(), Resource: l.Resource()})
		}, recorded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, lock.Config{})
				l := d.take(t, lock.Key("room"))
				d.store.delay.Store(int64(time.Second))
				d.trail.breakWith(func(context.Context, audit.Event) error {
					time.Sleep(50 * time.Millisecond)
					return nil
				})
				done := false
				go func() { _ = c.call(t.Context(), d, l); done = true }()
				time.Sleep(c.at)
				l.Detach() // so that nothing but the call is left
				_ = d.Close(t.Context())
				synctest.Wait()
				if !done {
					t.Error("Close returned before the call")
					time.Sleep(time.Second)
				}
			})
		})
	}
}

func TestALaterCloseWaitsForTheFirst(t *testing.T) {
	d := newDesk(t, lock.Config{})
	d.take(t, lock.Key("room"))
	goOn := d.HoldUp()
	first := make(chan error)
	go func() { first <- d.Close(context.Background()) }()
	for {
		if _, err := d.Sweep(t.Context()); err != nil {
			wantErr(t, err, lock.ErrClosed)
			break
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, d.Close(ended), context.Canceled)
	goOn()
	wantErr(t, <-first)
	wantErr(t, d.Close(ended))
}

func TestWhatCloseLeavesBehindEndsWithinSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: time.Hour})
		for i := range 500 {
			d.take(t, lock.Span("room", int64(i), int64(i+1)))
		}
		d.store.hang.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantErr(t, d.Close(ctx), context.DeadlineExceeded)
		start := time.Now()
		wantErr(t, d.Close(context.Background()))
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("it took %s more, want no more than one try of 5 s", took)
		}
		if n := d.Stats().Held; n != 0 {
			t.Errorf("%d leases go on", n)
		}
	})
}
