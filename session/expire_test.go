// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

type expired = session.Expired[cart]

func TestOnExpireIsCalledForEachExpiryWithItsData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []expired
		m := newManager(t, memsession.New(), config{OnExpire: func(ctx context.Context, e expired) error {
			got = append(got, e)
			if end, ok := ctx.Deadline(); !ok || time.Until(end) > 30*time.Second {
				t.Errorf("OnExpire may take until %v (%v), want 30 s", end, ok)
			}
			return nil
		}})
		_, _, _ = m.Open(t.Context(), chat, cart{Items: 7})
		time.Sleep(11 * time.Minute)
		again, _, _ := m.Open(t.Context(), chat, cart{Items: 8})
		if r := sweep(t, m); r.Ended[session.ReasonIdle] != 1 || r.CallbackErrors != 0 {
			t.Errorf("reported %+v", r)
		}
		sweep(t, m)
		if len(got) != 1 || got[0].Data.Items != 7 || got[0].Conversation != chat || got[0].Reason != session.ReasonIdle || got[0].Attempt != 1 || got[0].ID == "" {
			t.Fatalf("reported %+v, want the first conversation once", got)
		}
		if got[0].ExpiresAt.Sub(got[0].CreatedAt) != 10*time.Minute {
			t.Errorf("it says it ended %v after its creation", got[0].ExpiresAt.Sub(got[0].CreatedAt))
		}
		if s, err := m.Get(t.Context(), again.ID); err != nil || s.Data.Items != 8 {
			t.Errorf("the new conversation is %+v, %v", s, err)
		}
	})
}

func TestFailingCallbacksAreRetriedUnderTheSameIDAndGivenUp(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":  func() error { return errors.New("no") },
		"panic":  func() error { panic("boom") },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, seen := memsession.New(), &recorder{}
				var ids []string
				var attempts []int
				m := newManager(t, store, config{Observer: seen, OnCorrupt: session.QuarantineCorrupt, OnExpire: func(_ context.Context, e expired) error {
					ids, attempts = append(ids, e.ID), append(attempts, e.Attempt)
					return fail()
				}})
				create(t, m, 1)
				time.Sleep(11 * time.Minute)
				dead, failures := 0, 0
				for range 10 {
					r := sweep(t, m)
					dead, failures = dead+r.Dead, failures+r.CallbackErrors
					time.Sleep(10 * time.Minute)
				}
				if !slices.Equal(attempts, []int{1, 2, 3, 4, 5}) || len(slices.Compact(ids)) != 1 {
					t.Errorf("reported at attempts %v under ids %v, want five times under one", attempts, ids)
				}
				if dead != 1 || failures != 5 || !slices.Equal(seen.reasons(), []session.EndReason{session.ReasonIdle}) {
					t.Errorf("counted %d dead and %d failures and reported %v, want 1, 5, and one end", dead, failures, seen.reasons())
				}
				if c, _ := store.Count(t.Context(), "carts"); c.Quarantined != 1 || c.Backlog != 0 {
					t.Errorf("counted %+v, want it in quarantine", c)
				}
			})
		})
	}
}

func TestOneFailingCallbackKeepsNobodyElseWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int32
		m := newManager(t, memsession.New(), config{OnExpire: func(ctx context.Context, e expired) error {
			if e.Data.Items == 0 {
				<-ctx.Done() // blocks until its time is over
				return ctx.Err()
			}
			done.Add(1)
			return nil
		}})
		for i := range 100 {
			create(t, m, i)
		}
		time.Sleep(11 * time.Minute)
		r := sweep(t, m)
		if done.Load() != 99 || r.Ended[session.ReasonIdle] != 99 || r.CallbackErrors != 1 || r.Backlog != 1 {
			t.Errorf("%d were handled, reported %+v; want 99, and one left for later", done.Load(), r)
		}
		if r.Took > 31*time.Second {
			t.Errorf("the cycle took %v, want as long as the slowest callback", r.Took)
		}
	})
}

// One that returns while it is being given up is not counted as left behind.
func TestCallbacksThatReturnAtTheLastMomentKeepTheCleanupGoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{OnExpire: func(ctx context.Context, e expired) error {
			if e.Attempt == 1 {
				<-ctx.Done()
				time.Sleep(5 * time.Second)
			}
			return nil
		}})
		for range 20 {
			for range 7 { // one less than may be left behind
				create(t, m, 1)
			}
			time.Sleep(11 * time.Minute)
			sweep(t, m)
		}
	})
}

func TestCallbacksThatNeverReturnStopNeitherCleanupNorStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var done, left atomic.Int32
		m := newManager(t, memsession.New(), config{OnExpire: func(_ context.Context, e expired) error {
			if e.Data.Items < 0 {
				left.Add(1)
				<-release // whatever its context says
			}
			done.Add(1)
			return nil
		}})
		for i := range 100 {
			create(t, m, i)
		}
		create(t, m, -1)
		time.Sleep(11 * time.Minute)
		if r := sweep(t, m); r.Ended[session.ReasonIdle] != 100 || r.CallbackErrors != 1 || r.Took > 36*time.Second {
			t.Errorf("beside a callback that never returns: %+v", r)
		}
		for range 20 {
			create(t, m, -1)
		}
		time.Sleep(11 * time.Minute)
		sweep(t, m)
		if n := left.Load(); n > 15 {
			t.Errorf("%d callbacks were left behind, want less than twice the 8 that run at once", n)
		}
		time.Sleep(11 * time.Minute)
		create(t, m, 1)
		if _, err := m.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "OnExpire") {
			t.Errorf("with callbacks left behind Sweep says %v", err)
		}
		m.Start()
		synctest.Wait()
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		close(release)
		synctest.Wait()
		time.Sleep(11 * time.Minute)
		if r := sweep(t, m); r.Ended[session.ReasonIdle] != 22 || !r.Complete {
			t.Errorf("after they returned: %+v, want all of them reported again, and done", r)
		}
	})
}

func TestAnAvalancheOfExpiriesIsWorkedOffAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var atWork, most, done atomic.Int32
		m := newManager(t, memsession.New(), config{OnExpire: func(context.Context, expired) error {
			most.Store(max(most.Load(), atWork.Add(1)))
			time.Sleep(time.Second)
			atWork.Add(-1)
			done.Add(1)
			return nil
		}})
		for range 500 {
			create(t, m, 1)
		}
		time.Sleep(11 * time.Minute)
		sweep(t, m)
		if most.Load() > 8 || done.Load() != 500 {
			t.Errorf("%d of 500 were reported, up to %d at once; want all, 8 at once", done.Load(), most.Load())
		}
	})
}

func TestManyCleanersTellEachExpiryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		var mu sync.Mutex
		reported := map[string]int{}
		onExpire := func(_ context.Context, e expired) error {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			reported[e.ID]++
			return nil
		}
		var managers []*manager
		for range 8 {
			managers = append(managers, newManager(t, store, config{OnExpire: onExpire}))
		}
		for range 1000 {
			create(t, managers[0], 1)
		}
		time.Sleep(11 * time.Minute)
		var wg sync.WaitGroup
		for _, m := range managers {
			wg.Go(func() { sweep(t, m) })
		}
		wg.Wait()
		for id, n := range reported {
			if n != 1 {
				t.Errorf("%s was reported %d times", id, n)
			}
		}
		if len(reported) != 1000 {
			t.Errorf("%d of 1000 expiries were reported", len(reported))
		}
	})
}

func TestAClaimOutlastsItsSlowestCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		var mu sync.Mutex
		reported := map[string]int{}
		cfg := config{OnExpire: func(ctx context.Context, e expired) error {
			mu.Lock()
			reported[e.ID]++
			mu.Unlock()
			time.Sleep(29 * time.Second)
			return ctx.Err()
		}}
		first, second := newManager(t, store, cfg), newManager(t, store, cfg)
		for range 120 {
			create(t, first, 1)
		}
		time.Sleep(11 * time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() { sweep(t, first) })
		synctest.Wait() // it has its claims
		wg.Go(func() {
			for range 20 {
				sweep(t, second)
				time.Sleep(time.Minute)
			}
		})
		wg.Wait()
		for _, n := range reported {
			if n != 1 {
				t.Fatalf("an expiry was reported %d times although each call ended in time", n)
			}
		}
		if len(reported) != 120 {
			t.Errorf("%d of 120 were reported", len(reported))
		}
	})
}

// The claim counts from when the store made it, not from when that was known.
func TestAClaimThatWasAnsweredSlowlyOutlastsItsCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		var handled sync.Map
		cfg := config{Timeout: 5 * time.Second, OnExpire: func(ctx context.Context, e expired) error {
			if _, twice := handled.LoadOrStore(e.ID, true); twice {
				t.Error("two processes handle one expiry")
			}
			defer handled.Delete(e.ID)
			select {
			case <-time.After(29 * time.Second):
			case <-ctx.Done():
			}
			return ctx.Err()
		}}
		first := newManager(t, belated{Store: store, claim: func() time.Duration { return 40 * time.Second }}, cfg)
		second := newManager(t, store, cfg)
		for range 32 {
			create(t, first, 1)
		}
		time.Sleep(11 * time.Minute)
		go first.Sweep(t.Context())
		for range 20 {
			time.Sleep(30 * time.Second)
			sweep(t, second)
		}
		if n, err := first.Count(t.Context()); n != 0 || err != nil {
			t.Errorf("%d sessions, %v", n, err)
		}
	})
}

func TestAnExpiryIsReportedAgainWhenItsHandlerDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		var ids []string
		m := newManager(t, store, config{OnExpire: func(_ context.Context, e expired) error { ids = append(ids, e.ID); return nil }})
		create(t, m, 1)
		time.Sleep(11 * time.Minute)
		store.on(func(_ context.Context, call string) error {
			if call == "Settle" {
				return errDown // as if the process had ended here
			}
			return nil
		})
		if r, err := m.Sweep(t.Context()); !errors.Is(err, session.ErrUnavailable) || r.Ended[session.ReasonIdle] != 0 {
			t.Errorf("an expiry that the store does not know of is counted as done: %+v, %v", r, err)
		}
		store.on(nil)
		time.Sleep(3 * time.Minute)
		if r := sweep(t, m); r.Ended[session.ReasonIdle] != 1 || len(ids) != 2 || ids[0] != ids[1] {
			t.Errorf("handled %v, reported %+v; want the same expiry again", ids, r)
		}
	})
}

func TestStoppingDoesNotCountAgainstAnExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		interrupted, calls := true, 0
		m := newManager(t, memsession.New(), config{OnExpire: func(ctx context.Context, e expired) error {
			calls++
			if interrupted {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}})
		create(t, m, 1)
		time.Sleep(11 * time.Minute)
		for range 7 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			r, _ := m.Sweep(ctx)
			cancel()
			if r.CallbackErrors != 0 || r.Dead != 0 {
				t.Fatalf("an interrupted call counts as failed: %+v", r)
			}
			time.Sleep(10 * time.Minute)
		}
		interrupted = false
		if r := sweep(t, m); r.Ended[session.ReasonIdle] != 1 || calls != 8 {
			t.Errorf("after %d calls reported %+v, want it done at last", calls, r)
		}
	})
}

func TestATouchAndACleanupNeverBothWin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reported := 0
		m := newManager(t, memsession.New(), config{OnExpire: func(context.Context, expired) error { reported++; return nil }})
		for range 200 {
			s := create(t, m, 1)
			time.Sleep(10*time.Minute - time.Nanosecond)
			before := reported
			var touched error
			var wg sync.WaitGroup
			wg.Go(func() { time.Sleep(time.Nanosecond); sweep(t, m) })
			wg.Go(func() { time.Sleep(time.Nanosecond); _, touched = m.Touch(t.Context(), s.ID) })
			wg.Wait()
			if alive := touched == nil; alive == (reported > before) {
				t.Fatalf("touched: %v, its end reported: %v", touched, reported > before)
			}
		}
	})
}
