// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type observerFunc func(context.Context, Event)

func (f observerFunc) ObserveBreaker(ctx context.Context, e Event) { f(ctx, e) }

func TestTheFirstEventIsCreated(t *testing.T) {
	seen := new(events)
	cfg := steady()
	cfg.Observer = seen
	b := mustNew(t, cfg)
	if all := seen.all(); len(all) != 1 || all[0].Op != OpNew || all[0].Source != Source(b) || all[0].Source.Name() != "pms" {
		t.Errorf("got %+v", all)
	}
}

func TestARoundTripIsReportedInOrderWithReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.Observer, cfg.FailureRate = seen, 1
		b := mustNew(t, cfg)
		call(b, nil)
		times(3, func() { call(b, errDown) })
		opened := seen.last()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		call(b, errDown)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		call(b, nil)
		want := []string{
			"closed>open too_many_in_a_row", "open>half_open waited_long_enough", "half_open>open probe_failed",
			"open>half_open waited_long_enough", "half_open>closed probes_passed",
		}
		if got := seen.transitions(); !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		checkChain(t, seen.all())
		before := opened.Before
		if opened.Cause != errDown || opened.Attempt != 1 || opened.OpenFor != 10*time.Second || opened.Time != before.Since ||
			before.State != Closed || before.Window != (Counts{Success: 1, Failure: 3, Consecutive: 3}) {
			t.Errorf("got %+v", opened)
		}
	})
}

func TestAnObserverMayCallEveryMethod(t *testing.T) {
	var b *Breaker
	depth := 0
	cfg := steady()
	cfg.Observer = observerFunc(func(_ context.Context, e Event) {
		if e.Op == OpNew || depth > 0 {
			return
		}
		depth++
		b.State()
		b.Stats()
		b.Trip(nil)
		b.ForceOpen(nil)
		b.Disable()
		b.Reset()
		call(b, nil)
	})
	b = mustNew(t, cfg)
	b.Trip(nil)
	wantState(t, b, Closed)
}

func TestAPanickingObserverIsContainedAndCounted(t *testing.T) {
	seen := new(events)
	cfg := steady()
	cfg.Observer = Observers(nil, observerFunc(func(context.Context, Event) { panic("observer") }), Observers(seen))
	b := mustNew(t, cfg)
	b.Trip(nil)
	b.Reset()
	if got, want := seen.transitions(), []string{"closed>open by_hand", "open>closed by_hand"}; !slices.Equal(got, want) {
		t.Errorf("the observer beside it got %q, want %q", got, want)
	}
	if got := b.Stats().ObserverPanics; got != 3 {
		t.Errorf("counted %d panics, want 3", got)
	}
}

func TestAnObserverThatEndsItsGoroutineHidesNothing(t *testing.T) {
	var b *Breaker
	seen := new(events)
	cfg := steady()
	cfg.Observer = Observers(observerFunc(func(_ context.Context, e Event) {
		if e.To == Open {
			b.Reset() // an event that waits behind this one
			runtime.Goexit()
		}
	}), seen)
	b = mustNew(t, cfg)
	var wg sync.WaitGroup
	wg.Go(func() { b.Trip(nil) })
	wg.Wait()
	if got, want := seen.transitions(), []string{"closed>open by_hand", "open>closed by_hand"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestABlockingObserverDelaysOnlyItsOwnCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		seen := new(events)
		cfg := steady()
		cfg.Observer = Observers(seen, observerFunc(func(_ context.Context, e Event) {
			if e.To == Open {
				<-release
			}
		}))
		b := mustNew(t, cfg)
		go b.Trip(nil)
		synctest.Wait()
		wantState(t, b, Open)
		if err := call(b, nil); !errors.Is(err, ErrOpen) {
			t.Errorf("got %v", err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		call(b, nil)
		wantState(t, b, Closed)
		close(release)
		synctest.Wait()
		checkChain(t, seen.all())
		if got := len(seen.all()); got != 4 {
			t.Errorf("%d events, want 4", got)
		}
	})
}

func TestObserversPassEachEventToEachThatIsNotNil(t *testing.T) {
	a, b := new(events), new(events)
	Observers(a, nil, (*events)(nil), b).ObserveBreaker(context.Background(), Event{})
	if len(a.all()) != 1 || len(b.all()) != 1 {
		t.Errorf("%d and %d events, want 1 each", len(a.all()), len(b.all()))
	}
	Observers().ObserveBreaker(context.Background(), Event{})
}

func TestANilObserverIsNone(t *testing.T) {
	for _, none := range []Observer{nil, (*events)(nil), observerFunc(nil)} {
		cfg := steady()
		cfg.Observer = none
		b := mustNew(t, cfg)
		b.Trip(nil)
		if n := b.Stats().ObserverPanics; n != 0 {
			t.Errorf("%T: called, and %d panics counted", none, n)
		}
	}
}

func TestObserversGetTheContextOfTheCall(t *testing.T) {
	type key struct{}
	var got any
	cfg := steady()
	cfg.ConsecutiveFailures = 1
	cfg.Observer = observerFunc(func(ctx context.Context, e Event) { got = ctx.Value(key{}) })
	b := mustNew(t, cfg)
	b.Do(context.WithValue(context.Background(), key{}, "request 7"), func(context.Context) error { return errDown })
	if got != "request 7" {
		t.Errorf("got %v", got)
	}
}

func TestAShadowDecidesAndReportsButRejectsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.Shadow, cfg.Observer, cfg.SlowCall = true, seen, time.Second
		b := mustNew(t, cfg)
		times(10, func() {
			if err := call(b, errDown); err != errDown {
				t.Errorf("got %v, want the call's own error", err)
			}
		})
		wantState(t, b, Open)
		if s := b.Stats(); s.ShadowRejected != 7 || s.Rejected != 0 || s.Total.Failure != 10 {
			t.Errorf("got %+v", s)
		}
		if e := seen.last(); !e.Shadow || e.To != Open {
			t.Errorf("got %+v", e)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		probe := mustAllow(t, b)
		extra := mustAllow(t, b)
		extra.Failure()
		wantState(t, b, HalfOpen) // only the probe decides
		probe.Success()
		wantState(t, b, Closed)
	})
}
