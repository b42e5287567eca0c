// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// What happens to a breaker with one rule (one failure) and one probe.
var inputs = []struct {
	name string
	do   func(b *Breaker)
	next map[State]State // where the state changes
}{
	{"a success", func(b *Breaker) { call(b, nil) }, map[State]State{HalfOpen: Closed}},
	{"a failure", func(b *Breaker) { call(b, errDown) }, map[State]State{Closed: Open, HalfOpen: Open}},
	{"an ignored error", func(b *Breaker) { call(b, Ignore(errDown)) }, nil},
	{"a panic", func(b *Breaker) {
		defer func() { recover() }()
		b.Do(context.Background(), func(context.Context) error { panic("boom") })
	}, map[State]State{Closed: Open, HalfOpen: Open}},
	{"panic(nil)", func(b *Breaker) {
		defer func() { recover() }()
		b.Do(context.Background(), func(context.Context) error { panic(nil) })
	}, map[State]State{Closed: Open, HalfOpen: Open}},
	{"Goexit", func(b *Breaker) {
		go b.Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil })
		synctest.Wait()
	}, map[State]State{Closed: Open, HalfOpen: Open}},
	{"the caller's cancellation", func(b *Breaker) {
		ctx, cancel := context.WithCancel(context.Background())
		b.Do(ctx, func(ctx context.Context) error { cancel(); return ctx.Err() })
	}, nil},
	{"a deadline", func(b *Breaker) { call(b, context.DeadlineExceeded) }, map[State]State{Closed: Open, HalfOpen: Open}},
	{"the open time", func(b *Breaker) { time.Sleep(10 * time.Second); synctest.Wait() }, map[State]State{Open: HalfOpen}},
	{"Trip", func(b *Breaker) { b.Trip(errDown) }, map[State]State{Closed: Open, HalfOpen: Open}},
	{"ForceOpen", func(b *Breaker) { b.ForceOpen(errDown) },
		map[State]State{Closed: ForcedOpen, HalfOpen: ForcedOpen, Open: ForcedOpen, Disabled: ForcedOpen}},
	{"Disable", func(b *Breaker) { b.Disable() },
		map[State]State{Closed: Disabled, HalfOpen: Disabled, Open: Disabled, ForcedOpen: Disabled}},
	{"TripFor", func(b *Breaker) { b.TripFor(time.Hour, errDown) }, map[State]State{Closed: Open, HalfOpen: Open}},
	{"Probe", func(b *Breaker) { b.Probe() },
		map[State]State{Closed: HalfOpen, Open: HalfOpen, ForcedOpen: HalfOpen, Disabled: HalfOpen}},
	{"Reset", func(b *Breaker) { b.Reset() },
		map[State]State{HalfOpen: Closed, Open: Closed, ForcedOpen: Closed, Disabled: Closed}},
}

func TestEveryStateAnswersEveryInput(t *testing.T) {
	for _, in := range inputs {
		for from := range State(numStates) {
			t.Run(from.String()+"/"+in.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					seen := new(events)
					cfg := steady()
					cfg.ConsecutiveFailures, cfg.Observer = 1, seen
					b := mustNew(t, cfg)
					bring(b, from)
					before := len(seen.transitions())
					in.do(b)

					want, changes := in.next[from], 1
					if _, moves := in.next[from]; !moves {
						want, changes = from, 0
					}
					wantState(t, b, want)
					if got := seen.transitions()[before:]; len(got) != changes {
						t.Errorf("observers saw %v, want %d transitions", got, changes)
					}
					if s := b.Stats(); s.Probing != 0 {
						t.Errorf("%d probes in flight after the call", s.Probing)
					}
				})
			})
		}
	}
}

func TestWhichStatesLetCallsThrough(t *testing.T) {
	for s, passes := range map[State]bool{Closed: true, HalfOpen: true, Open: false, ForcedOpen: false, Disabled: true} {
		t.Run(s.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mustNew(t, steady())
				bring(b, s)
				ran := false
				err := b.Do(context.Background(), func(context.Context) error { ran = true; return nil })
				if ran != passes || errors.Is(err, ErrOpen) == passes {
					t.Errorf("ran %v with error %v, want passes %v", ran, err, passes)
				}
			})
		})
	}
}

func TestARejectionSaysWhoWhyAndHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		times(3, func() { call(b, errDown) })
		time.Sleep(4 * time.Second)
		err := call(b, nil)
		open, ok := errors.AsType[*OpenError](err)
		if !ok || !errors.Is(err, ErrOpen) {
			t.Fatalf("got %v, want an OpenError", err)
		}
		if open.Name != "pms" || open.State != Open || open.Reason != TooManyInARow || open.Cause != errDown || open.RetryAfter() != 6*time.Second {
			t.Errorf("got %+v with RetryAfter %v", open, open.RetryAfter())
		}
		if errors.Is(err, errDown) {
			t.Error("the cause of the opening is in the chain: this call never met it")
		}
		if want := "circuitbreaker: pms is open (too_many_in_a_row): down"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		time.Sleep(time.Hour)
		if got := open.RetryAfter(); got != 0 {
			t.Errorf("RetryAfter of a rejection long ago is %v, want 0", got)
		}
	})
}

// A caller that does what the documentation says: it waits for RetryAfter, and
// tries again.
func TestWaitingAsDocumentedIsAFewTriesASecondInEveryState(t *testing.T) {
	for state := range State(numStates) {
		t.Run(state.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mustNew(t, steady())
				bring(b, state)
				if state == HalfOpen {
					go b.Do(context.Background(), func(context.Context) error { time.Sleep(20 * time.Second); return nil })
					synctest.Wait()
				}
				tries := 0
				for start := time.Now(); time.Since(start) < 10*time.Second; tries++ {
					err := call(b, nil)
					open, rejected := errors.AsType[*OpenError](err)
					if !rejected {
						break
					}
					time.Sleep(open.RetryAfter())
					synctest.Wait() // the timer of the open time is due at the same instant
				}
				if tries > 20 {
					t.Errorf("%d tries in ten seconds", tries)
				}
				b.Reset()
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestAHalfOpenRejectionStillSaysWhyItOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		bring(b, HalfOpen)
		p, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}
		open, ok := errors.AsType[*OpenError](call(b, nil))
		if !ok || open.State != HalfOpen || open.Reason != ByHand || open.Cause != errDown || open.RetryAfter() != time.Second {
			t.Errorf("got %+v", open)
		}
		p.Success()
	})
}

func TestForcedOpenStaysUntilReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		b.ForceOpen(nil)
		time.Sleep(1000 * time.Hour)
		synctest.Wait()
		wantState(t, b, ForcedOpen)
		open, _ := errors.AsType[*OpenError](call(b, nil))
		if want := "circuitbreaker: pms is forced_open (by_hand)"; open == nil || open.Error() != want || open.RetryAfter() != time.Second {
			t.Errorf("got %v, want %q", open, want)
		}
		b.Reset()
		wantState(t, b, Closed)
	})
}

func TestADisabledBreakerCountsButNeverTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		b.Disable()
		times(100, func() { call(b, errDown) })
		wantState(t, b, Disabled)
		if s := b.Stats(); s.Total.Failure != 100 || s.Total.Consecutive != 100 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestResetEmptiesTheWindowAndTheStreakButNoTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		cfg.FailureRate = 1
		b := mustNew(t, cfg)
		times(2, func() { call(b, errDown) })
		b.Reset()
		if s := b.Stats(); s.Window != (Counts{}) || s.Total.Failure != 2 {
			t.Errorf("got %+v", s)
		}
		times(2, func() { call(b, errDown) })
		wantState(t, b, Closed)
	})
}

func TestStaleResultsMoveNothing(t *testing.T) {
	old := func(b *Breaker) Permit {
		p, err := b.Allow()
		if err != nil {
			panic(err)
		}
		return p
	}
	for from := range State(numStates) {
		t.Run("into "+from.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mustNew(t, steady())
				var late []Permit
				times(20, func() { late = append(late, old(b)) })
				b.Reset()
				bring(b, from)
				for i, p := range late {
					switch i % 4 {
					case 0:
						p.Success()
					case 2:
						p.Done(context.Background(), nil)
					default:
						p.Done(context.Background(), errDown)
					}
				}
				wantState(t, b, from)
				s := b.Stats()
				if s.Stale != 20 || s.Total.Success != 10 || s.Total.Failure != 10 || s.Window.Consecutive != 0 {
					t.Errorf("got %+v", s)
				}
			})
		})
	}
}

func TestSecondsInEachStateAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		start := time.Now()
		time.Sleep(3 * time.Second)
		b.Trip(nil)
		time.Sleep(17 * time.Second) // 10 open, 7 half-open
		call(b, nil)
		closedAt := time.Now()
		time.Sleep(time.Second)
		b.Disable()
		time.Sleep(2 * time.Second)
		s := b.Stats()
		if s.In(Closed) != 4*time.Second || s.In(Open) != 10*time.Second || s.In(HalfOpen) != 7*time.Second || s.In(Disabled) != 2*time.Second {
			t.Errorf("got %+v", s)
		}
		if s.In(State(numStates)) != 0 || s.In(State(99)) != 0 {
			t.Error("an unknown state has time")
		}
		if !s.Since.Equal(closedAt.Add(time.Second)) || time.Since(start) != 23*time.Second {
			t.Errorf("since %v", s.Since)
		}
	})
}

func TestABreakerThatWasNotMadeSaysSo(t *testing.T) {
	for name, b := range map[string]*Breaker{"nil": nil, "zero": new(Breaker)} {
		for what, f := range map[string]func(){
			"Name": func() { b.Name() }, "State": func() { b.State() }, "Stats": func() { b.Stats() }, "Trip": func() { b.Trip(nil) },
			"TripFor": func() { b.TripFor(1, nil) }, "ForceOpen": func() { b.ForceOpen(nil) }, "Disable": b.Disable, "Probe": b.Probe, "Reset": b.Reset,
		} {
			if got := panicOf(f); got != errNotMade {
				t.Errorf("%s of a %s breaker: %v", what, name, got)
			}
		}
		if err := b.Update(steady()); err != errNotMade {
			t.Errorf("Update of a %s breaker: %v", name, err)
		}
	}
}

func TestABreakerThatWasNotMadeFailsEveryCall(t *testing.T) {
	var noGroup *Group
	ctx := context.Background()
	fn := func(context.Context) (int, error) { t.Error("called"); return 0, nil }
	fallback := func(context.Context, error) (int, error) { t.Error("the fallback ran"); return 0, nil }
	for name, b := range map[string]*Breaker{
		"nil": nil, "zero": new(Breaker), "of a nil group": noGroup.Get("a"), "of a zero group": new(Group).Get("a"),
	} {
		_, allow := b.Allow()
		_, do := Do(ctx, b, fn)
		_, doOr := DoOr(ctx, b, fn, fallback)
		method := b.Do(ctx, func(context.Context) error { t.Error("called"); return nil })
		for call, err := range map[string]error{"Allow": allow, "Do": do, "DoOr": doOr, "the method Do": method} {
			const want = "circuitbreaker: invalid: the breaker is nil, or not made with New or NewGroup"
			if !errors.Is(err, ErrInvalid) || err.Error() != want {
				t.Errorf("%s of a %s breaker: %v, want %s", call, name, err, want)
			}
		}
	}
}

func TestNilFunctionsAreRefusedBeforeAnythingIsCounted(t *testing.T) {
	b := mustNew(t, steady())
	ctx := context.Background()
	_, err1 := Do[int](ctx, b, nil)
	_, err2 := DoOr(ctx, b, func(context.Context) (int, error) { t.Error("ran"); return 1, nil }, nil)
	_, err3 := DoOr(ctx, b, nil, func(context.Context, error) (int, error) { t.Error("ran"); return 1, nil })
	for _, err := range []error{err1, err2, err3, b.Do(ctx, nil)} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v, want ErrInvalid", err)
		}
	}
	if s := b.Stats(); s.Total != (Counts{}) {
		t.Errorf("counted %+v", s.Total)
	}
}

func TestTheZeroPermitBelongsToNoCall(t *testing.T) {
	var p Permit
	p.Done(context.Background(), errDown)
	p.Success()
	p.Failure()
	p.Ignore()
}

func TestValuesHaveNamesAndOthersAreUnknown(t *testing.T) {
	got := fmt.Sprint(Success, Failure, Ignored, Outcome(99), OpNew, OpChanged, OpRetired, Op(99), State(99), Reason(99))
	if got != "success failure ignored unknown created changed retired unknown unknown unknown" {
		t.Error(got)
	}
}
