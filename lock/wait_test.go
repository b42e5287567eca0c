// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

func TestAcquireWaitsUntilTheHolderReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		first := d.take(t, nights("room", 12, 15))
		time.AfterFunc(3*time.Second, func() { _ = first.Release(context.Background()) })
		l, err := d.Acquire(t.Context(), nights("room", 14, 16), lock.TTL(time.Hour))
		wantErr(t, err)
		if l.Waited() != 3*time.Second || l.Fence() <= first.Fence() {
			t.Errorf("waited %s for fence %d after %d", l.Waited(), l.Fence(), first.Fence())
		}
		e, ok := d.seen.of(l.ID())
		if !ok || e.Op != lock.OpAcquire || !e.Blocked || e.Attempts != 1 || e.Waited != 3*time.Second || e.Took != 3*time.Second || e.TTL != time.Hour {
			t.Errorf("observed %+v", e)
		}
	})
}

func TestAcquireOutlastsACrashedHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, lock.Key("room"), lock.TTL(5*time.Second)).Detach()
		l, err := d.Acquire(t.Context(), lock.Key("room"))
		wantErr(t, err)
		if l.Waited() != 5*time.Second {
			t.Errorf("waited %s, want the other's TTL", l.Waited())
		}
	})
}

func TestWaitingInVainNamesWhoWasInTheWay(t *testing.T) {
	why := errors.New("guest left")
	for _, c := range []struct {
		name, result string
		end          func(context.Context) (context.Context, context.CancelFunc)
		want         []error
	}{
		{"deadline", "acquire timeout", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, []error{context.DeadlineExceeded}},
		{"cancelled", "acquire canceled", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(why) })
			return ctx, func() { cancel(nil) }
		}, []error{context.Canceled, why}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, lock.Config{})
				d.take(t, lock.Key("room"), lock.Holder("ada"))
				ctx, cancel := c.end(t.Context())
				defer cancel()
				start := time.Now()
				_, err := d.Acquire(ctx, lock.Key("room"))
				wantErr(t, err, append(c.want, lock.ErrConflict)...)
				conflict, ok := errors.AsType[*lock.ConflictError](err)
				if !ok {
					t.Fatal("no ConflictError")
				}
				if first, _ := conflict.First(); first.Hold.Holder != "ada" || time.Since(start) != time.Second {
					t.Errorf("after %s: %v", time.Since(start), err)
				}
				wantList(t, "observed", d.seen.seen()[1:], c.result)
				if d.Stats().Waiting != 0 {
					t.Errorf("stats: %+v", d.Stats())
				}
			})
		})
	}
}

// A claim keeps its place for some seconds, though nothing that it waits for
// there is held.
func TestWaitingOnlyForItsTurnNamesNoConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, lock.Key("hall"))
		_, err := d.store.Acquire(t.Context(), lock.StoreClaim{
			StoreTicket: lock.StoreTicket{Space: "rooms", Group: "all", Name: "hall", ID: "first", Token: "secret"},
			Resource:    lock.All(lock.Key("hall"), lock.Key("room")), Capacity: []int{1, 1}, TTL: time.Second, Queue: true,
		})
		wantErr(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = d.Acquire(ctx, lock.Key("room"))
		conflict, ok := errors.AsType[*lock.ConflictError](err)
		if !ok {
			t.Fatalf("error is %v, want a ConflictError", err)
		}
		if first, ok := conflict.First(); ok || first.Hold.ID != "" {
			t.Errorf("first in the way is %+v, want none", first)
		}
		if !strings.Contains(err.Error(), "lock: room: others are first in the queue") {
			t.Error(err)
		}
	})
}

func TestAStoreThatFailsAfterAConflictIsWaitedOutAndReportedWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, lock.Key("room"))
		d.store.Store = noWait{d.store.Store}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, err := d.Acquire(ctx, lock.Key("room"))
		wantErr(t, err, lock.ErrUnavailable, errDown, lock.ErrConflict, context.DeadlineExceeded)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("waited for %s, want all of 5s", took)
		}
		if asked := d.store.calls.Load(); asked > 30 {
			t.Errorf("%d calls, want pauses that double up to a second", asked)
		}
	})
}

func TestClosingOrCancellingAWaitForAStoreThatIsDownSaysSo(t *testing.T) {
	why := errors.New("guest left")
	for _, c := range []struct {
		name string
		end  func(d *desk, cancel context.CancelCauseFunc)
		want []error
		not  error
	}{
		{"closed", func(d *desk, _ context.CancelCauseFunc) { _ = d.Close(context.Background()) }, []error{lock.ErrClosed}, context.Canceled},
		{"cancelled", func(_ *desk, cancel context.CancelCauseFunc) { cancel(why) }, []error{errDown, context.Canceled, why}, lock.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, lock.Config{})
				d.store.down.Store(true)
				ctx, cancel := context.WithCancelCause(t.Context())
				got := make(chan error)
				go func() {
					_, err := d.Acquire(ctx, lock.Key("room"))
					got <- err
				}()
				time.Sleep(5 * time.Second)
				c.end(d, cancel)
				err := <-got
				wantErr(t, err, c.want...)
				if errors.Is(err, c.not) {
					t.Errorf("error is %v, want none that wraps %v", err, c.not)
				}
			})
		})
	}
}

// An errgroup cancels with the error of a neighbour, which may be any of ours.
func TestAWaitIsGivenUpWhateverTheCauseOfItsEnd(t *testing.T) {
	for _, cause := range []error{lock.ErrInvalid, lock.ErrPermanent, lock.ErrNotHeld, lock.ErrClosed} {
		t.Run(cause.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, lock.Config{})
				held := d.take(t, lock.Key("room"))
				ctx, cancel := context.WithCancelCause(t.Context())
				got := make(chan error)
				go func() {
					_, err := d.Acquire(ctx, lock.Key("room"))
					got <- err
				}()
				synctest.Wait()
				cancel(cause)
				wantErr(t, <-got, context.Canceled, cause)
				synctest.Wait()
				if e := d.seen.last(); e.Op != lock.OpAcquire || e.Result != lock.ResultCanceled {
					t.Errorf("observed %s %s, want it canceled", e.Op, e.Result)
				}
				wantErr(t, held.Release(t.Context()))
				wantList(t, "held", d.held(t))
			})
		})
	}
}

func TestAClaimIsGivenUpThoughTheStoreRefusesItAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.Store = &fickle{Store: d.store.Store}
		_, err := d.Acquire(t.Context(), lock.Key("room"))
		wantErr(t, err, lock.ErrInvalid)
		synctest.Wait()
		wantList(t, "held", d.held(t))
	})
}

// fickle grants the first claim, loses the answer, and refuses the others.
type fickle struct {
	lock.Store
	asked bool
}

func (f *fickle) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	if f.asked {
		return lock.StoreGrant{}, lock.ErrInvalid
	}
	f.asked = true
	_, err := f.Store.Acquire(ctx, c)
	return lock.StoreGrant{}, errors.Join(errDown, err)
}

type noWait struct{ lock.Store }

func (noWait) Wait(context.Context, lock.StoreClaim, lock.StoreGrant) (lock.StoreGrant, error) {
	return lock.StoreGrant{}, errDown
}

func TestWaitersAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, lock.Key("room"))
		for range 3 {
			go func() {
				if l, err := d.Acquire(t.Context(), lock.Key("room")); err == nil {
					_ = l.Release(t.Context())
				}
			}()
		}
		synctest.Wait()
		if s := d.Stats(); s.Waiting != 3 || s.Held != 1 {
			t.Errorf("stats: %+v, want 3 waiting", s)
		}
		wantErr(t, l.Release(t.Context()))
		synctest.Wait()
		if s := d.Stats(); s.Waiting != 0 || s.Held != 0 {
			t.Errorf("stats: %+v, want none", s)
		}
	})
}
