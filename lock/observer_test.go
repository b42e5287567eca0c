// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

type observerFunc func(context.Context, lock.Event)

func (f observerFunc) ObserveLock(ctx context.Context, e lock.Event) { f(ctx, e) }

func TestEachOperationIsObservedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{MaxExtensions: 1, Holder: "ada"})
		l := d.take(t, lock.Key("a"))
		_, _ = d.TryAcquire(t.Context(), lock.Key("a"))
		wantErr(t, l.Extend(t.Context(), 0))
		time.Sleep(time.Second)
		wantErr(t, l.Release(t.Context()))
		if e := d.seen.last(); e.Held != time.Second || e.ID != l.ID() || e.Fence != l.Fence() || e.Holder != "ada" || e.Source.Name() != "rooms" {
			t.Errorf("observed %+v", e)
		}
		resumed, err := d.Resume(t.Context(), d.take(t, lock.Key("b")).Detach())
		wantErr(t, err)
		wantErr(t, d.ForceRelease(t.Context(), lock.Hold{ID: resumed.ID(), Resource: resumed.Resource()}))
		synctest.Wait()
		d.take(t, lock.Key("c"), lock.AutoRenew())
		time.Sleep(15 * time.Second)
		wantErr(t, d.Close(t.Context()))
		wantList(t, "observed", slices.Sorted(slices.Values(d.seen.seen())), "acquire conflict", "acquire success", "acquire success", "acquire success",
			"closed success", "extend success", "force_release success", "lost not_held", "release success", "release success", "renew success", "resume success")
	})
}

func TestEventsOfALeaseAreInOrder(t *testing.T) {
	var (
		mu    sync.Mutex
		order = make(map[string][]lock.Op)
	)
	d := newDesk(t, lock.Config{TTL: 30 * time.Millisecond, Observer: observerFunc(func(_ context.Context, e lock.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Op != lock.OpExpired { // the sweeper's, who knows nothing of leases
			order[e.ID] = append(order[e.ID], e.Op)
		}
	})})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				if l, err := d.TryAcquire(t.Context(), lock.Key(fmt.Sprint("room", i)), lock.AutoRenew()); err == nil {
					_ = l.Extend(t.Context(), 0)
					_ = l.Release(t.Context())
				}
			}
		})
	}
	all.Wait()
	mu.Lock()
	defer mu.Unlock()
	for id, ops := range order {
		if id != "" && ops[0] != lock.OpAcquire {
			t.Errorf("lease %s: %v", id, ops)
		}
	}
}

func TestAPanickingObserverIsContainedCountedAndAlone(t *testing.T) {
	var seen []string
	d := newDesk(t, lock.Config{Observer: lock.Observers(
		observerFunc(func(context.Context, lock.Event) { panic("observer") }),
		nil,
		observerFunc(func(_ context.Context, e lock.Event) { seen = append(seen, e.Op.String()) }),
	)})
	wantErr(t, d.take(t, lock.Key("room")).Release(t.Context()))
	wantList(t, "observed beside a panicking one", seen, "created", "acquire", "release")
	if n := d.Stats().ObserverPanics; n != 3 {
		t.Errorf("%d panics counted, want 3", n)
	}
}

func TestAnObserverMayCallBack(t *testing.T) {
	var d *desk
	var again *lock.Lease
	d = newDesk(t, lock.Config{Observer: observerFunc(func(ctx context.Context, e lock.Event) {
		if e.Op == lock.OpRelease && again == nil {
			d.Stats()
			again, _ = d.TryAcquire(ctx, lock.Key("room"))
		}
	})})
	wantErr(t, d.take(t, lock.Key("room")).Release(t.Context()))
	if again == nil || again.Err() != nil {
		t.Error("the observer could not acquire what was released")
	}
}

func TestNoObserverIsFine(t *testing.T) {
	lock.Observers().ObserveLock(t.Context(), lock.Event{})
	m, err := lock.New(newFaulty(), lock.Config{Name: "rooms"})
	wantErr(t, err)
	l, err := m.TryAcquire(t.Context(), lock.Key("room"))
	wantErr(t, err)
	wantErr(t, l.Extend(t.Context(), 0))
	wantErr(t, m.Close(t.Context()))
}

func TestOperationsAndResultsHaveNames(t *testing.T) {
	for op := lock.OpNew; op <= lock.OpClosed; op++ {
		if op.String() == "unknown" {
			t.Errorf("operation %d has no name", op)
		}
	}
	for r := lock.ResultOK; r <= lock.ResultFailed; r++ {
		if r.String() == "unknown" {
			t.Errorf("result %d has no name", r)
		}
	}
	if (lock.OpClosed+1).String() != "unknown" || (lock.ResultFailed+1).String() != "unknown" {
		t.Error("there are more names than values")
	}
}
