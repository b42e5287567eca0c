// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestATripMayBeGivenATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.OpenFor.Jitter, cfg.Observer = 0.5, seen
		b := mustNew(t, cfg)
		b.TripFor(10*time.Hour, errDown) // longer than Max
		if e := seen.last(); e.OpenFor != 10*time.Hour || e.Cause != errDown || e.Attempt != 1 {
			t.Errorf("got %+v", e)
		}
		time.Sleep(9 * time.Hour)
		if s := b.Stats(); s.OpenLeft != time.Hour {
			t.Errorf("%v left", s.OpenLeft)
		}
		b.TripFor(2*time.Hour, nil) // from now on, in the same state
		time.Sleep(2*time.Hour - 1)
		synctest.Wait()
		wantState(t, b, Open)
		open, _ := errors.AsType[*OpenError](call(b, nil))
		if open.RetryAfter() != 1 {
			t.Errorf("%v left", open.RetryAfter())
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		wantState(t, b, HalfOpen)
		if got := len(seen.transitions()); got != 2 {
			t.Errorf("%q", seen.transitions())
		}
		call(b, nil)
		b.TripFor(time.Hour, nil)
		b.TripFor(time.Second, nil) // shorter than before
		time.Sleep(time.Second)
		synctest.Wait()
		wantState(t, b, HalfOpen)
		b.TripFor(-1, nil)
		if left := b.Stats().OpenLeft; left < 20*time.Second || left > 60*time.Second {
			t.Errorf("without a time: %v left, want the back-off of the third attempt", left)
		}
	})
}

func TestTheRemainingOpenTimeIsInTheStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		after := func(d, want time.Duration) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := b.Stats().OpenLeft; got != want {
				t.Errorf("%v left in %v, want %v", got, b.State(), want)
			}
		}
		after(time.Second, 0)
		b.Trip(nil)
		after(0, 10*time.Second)
		after(3*time.Second, 7*time.Second)
		after(7*time.Second, 0)
	})
}

func TestABreakerBeginsInTheStateThatIsAskedFor(t *testing.T) {
	for state := range State(numStates) {
		synctest.Test(t, func(t *testing.T) {
			seen := new(events)
			cfg := steady()
			cfg.Start, cfg.Observer = state, seen
			b := mustNew(t, cfg)
			wantState(t, b, state)
			if all := seen.all(); len(all) != 1 || all[0].Op != OpNew || all[0].To != state || all[0].From != state {
				t.Errorf("got %+v", all)
			}
			if e := seen.last(); state == Open && (e.Reason != ByHand || e.Attempt != 1 || e.OpenFor != 10*time.Second) {
				t.Errorf("got %+v, want the reason, the attempt and the open time", e)
			}
			if open, rejected := errors.AsType[*OpenError](call(b, nil)); rejected && (open.State != state || open.Reason != ByHand) {
				t.Errorf("got %v", open)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if want := map[State]State{Open: HalfOpen, HalfOpen: Closed, Closed: Closed, ForcedOpen: ForcedOpen, Disabled: Disabled}[state]; b.State() != want {
				t.Errorf("from %v to %v, want %v", state, b.State(), want)
			}
			b.Reset()
		})
	}
}

func TestATripAndResetLeaveNothingBehind(t *testing.T) {
	for name, openFor := range map[string]func(i int) time.Duration{
		"for one time":        func(int) time.Duration { return 24 * time.Hour },
		"for different times": func(i int) time.Duration { return 24*time.Hour + time.Duration(i*7919%100_000)*time.Millisecond },
	} {
		b := mustNew(t, steady())
		bytes := heap(1, func() any {
			for i := range 200_000 {
				b.TripFor(openFor(i), nil)
				b.Reset()
			}
			return b
		})
		if bytes > 1<<20 || len(b.alarms) > 30 {
			t.Errorf("%s: %d bytes and %d timers", name, bytes, len(b.alarms))
		}
	}
}

func TestAnEarlierDeadlineIsKeptBesideALaterTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		for range 3 {
			b.TripFor(24*time.Hour, nil)
			b.Reset()
			b.TripFor(time.Second, nil)
			time.Sleep(time.Second)
			synctest.Wait()
			wantState(t, b, HalfOpen)
			mustAllow(t, b) // hangs
			time.Sleep(30 * time.Second)
			synctest.Wait()
			wantState(t, b, Open)
			b.Reset()
		}
		b.TripFor(48*time.Hour, nil) // the timers of 24 h come too soon
		time.Sleep(48*time.Hour - 1)
		synctest.Wait()
		wantState(t, b, Open)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		wantState(t, b, HalfOpen)
	})
}

func TestAnUpdateChangesTheRulesAndKeepsWhatWasCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Name: "pms", FailureRate: 0.9, MinCalls: 4}
		b := mustNew(t, cfg)
		outcomes(b, "sff")
		late := mustAllow(t, b)
		cfg.FailureRate, cfg.OpenFor.Base, cfg.OpenFor.Jitter = 0.5, time.Minute, -1
		if err := b.Update(cfg); err != nil {
			t.Fatal(err)
		}
		if s := b.Stats(); s.Window.Failure != 2 || s.Window.Consecutive != 2 || s.Stale != 0 {
			t.Errorf("got %+v", s)
		}
		late.Failure()
		wantState(t, b, Open)
		if s := b.Stats(); s.OpenLeft != time.Minute {
			t.Errorf("open for %v", s.OpenLeft)
		}
		b.Reset()
	})
}

func TestAnUpdateOfTheWindowBeginsItEmpty(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"another length": func(c *Config) { c.Window.Duration = time.Minute },
		"calls":          func(c *Config) { c.Window.Calls = 10 },
		"no rule":        func(c *Config) { c.FailureRate = -1 },
	} {
		b := mustNew(t, Config{Name: "pms", FailureRate: 1, ConsecutiveFailures: 5})
		outcomes(b, "ff")
		late := mustAllow(t, b)
		since := b.Stats().Since
		cfg := Config{Name: "pms", FailureRate: 1, ConsecutiveFailures: 5}
		change(&cfg)
		if err := b.Update(cfg); err != nil {
			t.Fatal(err)
		}
		late.Failure()
		s := b.Stats()
		if s.Window != (Counts{Consecutive: 2}) || s.Total.Failure != 3 || s.Stale != 1 || s.Since.Sub(since).Abs() > time.Second {
			t.Errorf("%s: got %+v", name, s)
		}
		outcomes(b, "fff")
		wantState(t, b, Open)
		b.Reset()
	}
}

func TestAnUpdateChangesShadow(t *testing.T) {
	seen := new(events)
	b := mustNew(t, Config{Name: "pms", ConsecutiveFailures: 1, Observer: seen})
	call(b, errDown)
	for _, shadow := range []bool{true, false} {
		if err := b.Update(Config{ConsecutiveFailures: 1, Shadow: shadow}); err != nil {
			t.Fatal(err)
		}
		if err := call(b, nil); errors.Is(err, ErrOpen) == shadow || b.Stats().Shadow != shadow {
			t.Errorf("shadow %v: %v", shadow, err)
		}
	}
	b.Reset()
	if len(seen.transitions()) != 2 {
		t.Errorf("the observer saw %q", seen.transitions())
	}
}

func TestAnUpdateThatContradictsItselfChangesNothing(t *testing.T) {
	b := mustNew(t, steady())
	before, config := b.Stats(), b.config.Load()
	err := b.Update(Config{Name: "other", FailureRate: 2, MinCalls: 20, Window: Window{Calls: 10}})
	var fields []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				fields = append(fields, e.(*ConfigError).Field)
			}
			continue
		}
		fields = append(fields, e.(*ConfigError).Field)
	}
	if want := []string{"Name", "FailureRate", "MinCalls"}; !slices.Equal(fields, want) || !errors.Is(err, ErrInvalid) {
		t.Errorf("got %q, want %q", fields, want)
	}
	if !strings.Contains(err.Error(), `circuitbreaker: Config.Name is "other", want "pms": a name cannot change`) {
		t.Error(err)
	}
	if after := b.Stats(); after.State != before.State || b.config.Load() != config {
		t.Errorf("changed to %+v", b.config.Load())
	}
}

func TestAHalfOpenStayEndsByTheConfigurationThatItBeganWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		cfg.Probes.Concurrent, cfg.Probes.Successes = 2, 2
		b := mustNew(t, cfg)
		b.Probe()
		first := mustAllow(t, b)
		cfg.Probes = Probes{Concurrent: 1, Successes: 1, Timeout: time.Second}
		if err := b.Update(cfg); err != nil {
			t.Fatal(err)
		}
		second := mustAllow(t, b)
		first.Success()
		wantState(t, b, HalfOpen)
		second.Success()
		wantState(t, b, Closed)
		b.Probe()
		call(b, nil)
		wantState(t, b, Closed)
	})
}

func TestUpdatesBesideCallsLoseNoCallAndNoChange(t *testing.T) {
	seen := new(events)
	cfg := steady()
	cfg.Observer = seen
	b := mustNew(t, cfg)
	const callers = 4
	calls := long(500, 20)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				call(b, errDown)
				if b.State() == Open {
					b.Reset()
				}
			}
		})
	}
	wg.Go(func() {
		for i := range calls {
			cfg.FailureRate, cfg.ConsecutiveFailures = float64(i%2), 1+i%3
			if err := b.Update(cfg); err != nil {
				t.Error(err)
			}
			runtime.Gosched()
		}
	})
	wg.Wait()
	if s := b.Stats(); s.Total.Failure+s.Rejected != uint64(callers*calls) {
		t.Errorf("%d calls, counted %+v", callers*calls, s)
	}
	checkChain(t, seen.all())
}
