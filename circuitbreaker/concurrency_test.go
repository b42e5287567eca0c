// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
	"weak"
)

// Outcomes of concurrent calls across rotations, transitions and resets: each
// call is in exactly one total, and totals never fall meanwhile.
func TestNoCallIsLostOrCountedTwice(t *testing.T) {
	const goroutines = 8
	per := long(2000, 625) // 10^7 calls in full
	for name, cfg := range map[string]Config{
		"one bucket":             {FailureRate: 1, MinCalls: 1 << 30, Window: Window{Duration: time.Millisecond, Buckets: 1}},
		"three buckets":          {FailureRate: 1, MinCalls: 1 << 30, Window: Window{Duration: 3 * time.Millisecond, Buckets: 3}},
		"three buckets, opening": {FailureRate: 0.6, MinCalls: -1, Window: Window{Duration: 3 * time.Millisecond, Buckets: 3}},
		"one call, opening":      {FailureRate: 1, MinCalls: -1, Window: Window{Calls: 1}},
		"100 calls":              {FailureRate: 1, Window: Window{Calls: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			seen := new(events)
			cfg.Name, cfg.Observer, cfg.SlowCall = "pms", seen, time.Microsecond
			cfg.OpenFor = Backoff{Base: 50 * time.Microsecond, Max: 100 * time.Microsecond}
			cfg.Probes.Concurrent = 2
			b := mustNew(t, cfg)
			var want [3]atomic.Uint64
			var rejected atomic.Uint64
			var callers, others sync.WaitGroup
			for seed := range uint64(goroutines) {
				callers.Go(func() {
					rng := rand.New(rand.NewPCG(seed, 2))
					for n := 0; n < per; {
						o := Outcome(rng.IntN(3))
						err := b.Do(context.Background(), func(context.Context) error {
							return []error{nil, errDown, Ignore(errDown)}[o]
						})
						if errors.Is(err, ErrOpen) {
							rejected.Add(1)
							runtime.Gosched()
							continue
						}
						want[o].Add(1)
						n++
					}
				})
			}
			done := make(chan struct{})
			others.Go(func() { disturb(b, done) })
			others.Go(func() { checkTotalsNeverFall(t, b, done) })
			callers.Wait()
			close(done)
			others.Wait()
			b.Reset()
			s := b.Stats()
			if s.Total.Success != want[Success].Load() || s.Total.Failure != want[Failure].Load() ||
				s.Total.Ignored != want[Ignored].Load() || s.Rejected != rejected.Load() {
				t.Errorf("got %+v, want %v, %v, %v and %v rejected", s, &want[0], &want[1], &want[2], &rejected)
			}
			checkChain(t, seen.all())
			t.Logf("%d calls and %d rejections, %d stale, %d transitions", goroutines*per, s.Rejected, s.Stale, len(seen.all())-1)
		})
	}
}

func disturb(b *Breaker, done chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		case <-time.After(100 * time.Microsecond):
		}
		[]func(){func() { b.Trip(nil) }, b.Reset, b.Disable, b.Reset, func() { b.ForceOpen(nil) }, b.Reset}[i%6]()
	}
}

func checkTotalsNeverFall(t *testing.T, b *Breaker, done chan struct{}) {
	last := b.Stats()
	for {
		select {
		case <-done:
			return
		case <-time.After(20 * time.Microsecond):
		}
		s := b.Stats()
		if s.Total.Success < last.Total.Success || s.Total.Failure < last.Total.Failure || s.Total.Ignored < last.Total.Ignored ||
			s.Total.Slow < last.Total.Slow || s.Rejected < last.Rejected || s.Stale < last.Stale {
			t.Errorf("a total fell from %+v to %+v", last, s)
			return
		}
		for state := range State(numStates) {
			if s.In(state) < last.In(state) {
				t.Errorf("time in %v fell from %v to %v", state, last.In(state), s.In(state))
				return
			}
		}
		last = s
	}
}

func TestOneTripIsOneTransitionHoweverManyFail(t *testing.T) {
	for range long(200, 50) {
		seen := new(events)
		b := mustNew(t, Config{Name: "pms", ConsecutiveFailures: 4, FailureRate: 0.1, MinCalls: -1, Observer: seen})
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 16 {
			p := mustAllow(t, b)
			wg.Go(func() { <-start; p.Failure() })
		}
		close(start)
		wg.Wait()
		if got := seen.transitions(); len(got) != 1 {
			t.Fatalf("got %q", got)
		}
		b.Reset()
	}
}

func TestNobodySeesAnOpenBreakerWithoutItsDeadline(t *testing.T) {
	b := mustNew(t, steady())
	done := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for range long(2000, 50) {
			b.Trip(nil)
			b.Reset()
		}
		close(done)
	})
	for {
		select {
		case <-done:
			others.Wait()
			return
		default:
		}
		if open, ok := errors.AsType[*OpenError](call(b, nil)); ok && open.RetryAfter() < 5*time.Second {
			t.Fatalf("rejected with %v left of 10s", open.RetryAfter())
		}
	}
}

func TestATimerThatComesLateLoses(t *testing.T) {
	for name, act := range map[string]func(*Breaker){
		"Reset": (*Breaker).Reset, "Disable": (*Breaker).Disable, "ForceOpen": func(b *Breaker) { b.ForceOpen(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				early, late := mustNew(t, steady()), mustNew(t, steady())
				early.Trip(nil)
				go func() { time.Sleep(10 * time.Second); act(early); act(late) }() // at the instant of both timers
				synctest.Wait()
				late.Trip(nil)
				time.Sleep(time.Hour)
				synctest.Wait()
				if early.State() != late.State() || early.State() == Open || early.State() == HalfOpen {
					t.Errorf("early %v, late %v", early.State(), late.State())
				}
			})
		})
	}
}

// A timer of a bubble must not be stopped from outside of it: ours never is.
func TestABreakerOutlivesABubble(t *testing.T) {
	var b *Breaker
	synctest.Test(t, func(t *testing.T) {
		b = mustNew(t, steady())
		b.Trip(nil)
	})
	b.Reset()
	b.Trip(nil)
	b.Reset()
	wantState(t, b, Closed)
}

func wall(at time.Time) time.Duration { return time.Since(at.Round(0)).Abs() }

// setBack makes a breaker one that was made before the wall clock was set back by an
// hour. A time.Time holds the seconds of the wall clock from bit 30 of its first word
// on, beside its monotonic reading.
func setBack(t *testing.T, b *Breaker) {
	*(*uint64)(unsafe.Pointer(&b.born)) += 3600 << 30
	if wall(b.born) < 50*time.Minute || b.elapsed() > time.Minute {
		t.Fatal("a time.Time is made in another way: set the clock of this test in another way")
	}
}

// overdueContext has reached a deadline that has no monotonic reading, such as one
// that came in a message.
type overdueContext struct {
	context.Context
	deadline time.Time
}

func (c overdueContext) Deadline() (time.Time, bool) { return c.deadline.Round(0), true }
func (c overdueContext) Err() error                  { return context.DeadlineExceeded }

func TestADeadlineByTheWallClockIsAFailureAfterTheClockWasSetBack(t *testing.T) {
	b := mustNew(t, steady())
	setBack(t, b)
	permit := mustAllow(t, b)
	permit.Done(overdueContext{t.Context(), time.Now().Add(time.Minute)}, context.DeadlineExceeded)
	if s := b.Stats(); s.Total.Failure != 1 {
		t.Errorf("a call that had a minute was counted as %+v", s.Total)
	}
}

func TestTimesAreThoseOfTheWallClockAfterItWasSet(t *testing.T) {
	seen := new(events)
	cfg := steady()
	cfg.Observer = seen
	b := mustNew(t, cfg)
	setBack(t, b)
	b.Trip(nil)
	for what, at := range map[string]time.Time{"the event's time": seen.last().Time, "Since before": seen.last().Before.Since, "Since": b.Stats().Since} {
		if wall(at) > time.Minute {
			t.Errorf("%s is %v off", what, wall(at))
		}
	}
	open, _ := errors.AsType[*OpenError](call(b, nil))
	if left := b.Stats().OpenLeft; left < 5*time.Second || open.RetryAfter() < 5*time.Second {
		t.Errorf("%v and %v are left of 10 s", left, open.RetryAfter())
	}
	b.Reset()
}

func TestADroppedBreakerIsCollectedAndLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	var dropped []weak.Pointer[Breaker]
	for range 10 {
		b := mustNew(t, Config{Name: "pms", Observer: new(events), OpenFor: Backoff{Base: time.Millisecond, Max: time.Millisecond}})
		times(30, func() { call(b, nil) })
		b.Trip(nil)
		dropped = append(dropped, weak.Make(b))
	}
	gone := func() bool {
		runtime.GC()
		return !slices.ContainsFunc(dropped, func(p weak.Pointer[Breaker]) bool { return p.Value() != nil }) && runtime.NumGoroutine() <= before
	}
	for deadline := time.Now().Add(10 * time.Second); !gone(); time.Sleep(time.Millisecond) { // real: the collector and the timers work in real time
		if time.Now().After(deadline) {
			t.Fatalf("still reachable, or more goroutines than before: %d, %d", runtime.NumGoroutine(), before)
		}
	}
}
