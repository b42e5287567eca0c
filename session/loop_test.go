// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// Catches Stop that does not wait for the loop (loop.go: a default case beside <-r.done).
func TestCleanupTaskStartsAndStopsCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a goroutine that is left behind fails the bubble
		seen := &recorder{}
		m := newManager(t, memsession.New(), config{Observer: seen})
		stop := func() {
			t.Helper()
			if err := m.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if m.Stats().Running {
				t.Fatal("it is running after Stop")
			}
		}
		stop() // before Start
		for range 3 {
			for range 2 { // twice is once
				m.Start()
			}
			if !m.Stats().Running {
				t.Fatal("it is not running after Start")
			}
			synctest.Wait()
			time.Sleep(25 * time.Minute)
			stop()
			stop()
		}
		if n := len(seen.of(session.OpCleanup)); n != 9 {
			t.Errorf("3 × 25 minutes had %d cycles, want 3 × 3", n)
		}
		time.Sleep(time.Hour)
		if n := len(seen.of(session.OpCleanup)); n != 9 {
			t.Errorf("%d cycles after Stop", n-9)
		}
	})
}

func TestStartAndStopAreSafeFromEverywhere(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for range 20 {
				if i%2 == 0 {
					m.Start()
				} else {
					_ = m.Stop(t.Context())
				}
			}
		})
	}
	wg.Wait()
	if err := m.Stop(t.Context()); err != nil || m.Stats().Running {
		t.Errorf("it does not stop: %v", err)
	}
}

func TestStopWaitsForTheCycleAtWorkButNotLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{})
		release := make(chan struct{})
		store.on(func(context.Context, string) error { <-release; return nil }) // ignores its context
		m.Start()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop while a cycle hangs: %v, want the deadline", err)
		}
		restarted := make(chan struct{})
		go func() { m.Start(); close(restarted) }()
		synctest.Wait()
		close(release)
		<-restarted
		if !m.Stats().Running {
			t.Error("a Start during a Stop was lost")
		}
		_ = m.Stop(t.Context())
	})
}

func TestRunEndsWithItsContextOrWithStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		for name, end := range map[string]func(context.CancelFunc){
			"cancel": func(cancel context.CancelFunc) { cancel() },
			"Stop":   func(context.CancelFunc) { _ = m.Stop(t.Context()) },
		} {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- m.Run(ctx) }()
			synctest.Wait()
			if err := m.Run(ctx); !errors.Is(err, session.ErrInvalid) {
				t.Errorf("a second Run: %v, want ErrInvalid", err)
			}
			end(cancel)
			if err := <-done; err != nil {
				t.Errorf("Run ended by %s: %v, want nil", name, err)
			}
			cancel()
		}
	})
}

// starts returns when the cycles of a run began, as offsets from now.
func starts(t *testing.T, store *stage, m *manager, d time.Duration) []time.Duration {
	t.Helper()
	var mu sync.Mutex
	var all []time.Duration
	zero := time.Now()
	before := store.before
	store.on(func(ctx context.Context, call string) error {
		if call == "Claim" {
			mu.Lock()
			all = append(all, time.Since(zero))
			mu.Unlock()
		}
		if before != nil {
			return before(ctx, call)
		}
		return nil
	})
	m.Start()
	time.Sleep(d)
	_ = m.Stop(t.Context())
	return all
}

func TestCyclesAreSpreadByTheJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{CleanupJitter: 0.2})
		all := starts(t, store, m, 24*time.Hour)
		distinct := map[time.Duration]bool{}
		for i := 1; i < len(all); i++ {
			gap := all[i] - all[i-1]
			distinct[gap] = true
			if gap < 8*time.Minute || gap > 12*time.Minute {
				t.Errorf("two cycles are %v apart, want 10m ± 20 %%", gap)
			}
		}
		if len(distinct) < len(all)/2 {
			t.Errorf("%d cycles have only %d different gaps", len(all), len(distinct))
		}
	})
}

func TestFailedCyclesBackOffAndRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{CleanupJitter: -1})
		zero := time.Now()
		store.on(func(context.Context, string) error {
			switch since := time.Since(zero); {
			case since < 5*time.Second:
				panic("a store that panics")
			case since < 20*time.Minute:
				return errDown
			}
			return nil
		})
		var got []int
		for _, at := range starts(t, store, m, time.Hour) {
			got = append(got, int(at/time.Second))
		}
		want := []int{0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1623, 2223, 2823, 3423}
		if !slices.Equal(got, want) {
			t.Errorf("cycles at seconds %v, want 1 s doubling to 10 min: %v", got, want)
		}
	})
}

func TestABacklogBringsTheNextCycleAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{CleanupInterval: time.Minute, CleanupBatch: 1})
		for range 150 {
			create(t, m, 1)
		}
		time.Sleep(11 * time.Minute)
		store.on(func(_ context.Context, call string) error {
			if call == "Claim" {
				time.Sleep(time.Second)
			}
			return nil
		})
		m.Start()
		time.Sleep(155 * time.Second)
		_ = m.Stop(t.Context())
		if c, _ := store.Store.Count(t.Context(), "carts"); c.Backlog != 0 {
			t.Errorf("%d are left after 155 s of one a second", c.Backlog)
		}
	})
}

func TestADayOfCleanup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, seen := memsession.New(), &recorder{}
		var reported atomic.Int64
		m := newManager(t, store, config{Observer: seen, OnExpire: func(context.Context, expired) error { reported.Add(1); return nil }})
		m.Start()
		created := 0
		for range 24 * 60 {
			create(t, m, created)
			created++
			time.Sleep(time.Minute)
		}
		time.Sleep(25 * time.Minute)
		_ = m.Stop(t.Context())
		cycles := seen.of(session.OpCleanup)
		if len(cycles) < 130 || len(cycles) > 165 {
			t.Errorf("%d cycles in a day, want about 147", len(cycles))
		}
		for _, e := range cycles {
			if e.Result != session.ResultOK || !e.Report.Complete || e.Report.Active > 11 {
				t.Fatalf("a cycle reports %+v (%v)", e.Report, e.Err)
			}
		}
		if int(reported.Load()) != created || len(seen.reasons()) != created {
			t.Errorf("%d sessions were created, %d reported to OnExpire and %d to the observer", created, reported.Load(), len(seen.reasons()))
		}
		if c, _ := store.Count(t.Context(), "carts"); c != (session.StoreCount{}) {
			t.Errorf("the store still has %+v", c)
		}
	})
}
