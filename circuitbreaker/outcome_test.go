// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// during calls the breaker with ctx, and returns the result after d; sooner if
// ctx ends.
func during(b *Breaker, ctx context.Context, d time.Duration, result error) error {
	return b.Do(ctx, func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return result
		case <-ctx.Done():
			return errors.New("driver: query cancelled") // which wraps nothing
		}
	})
}

func TestWhichErrorsAreFailures(t *testing.T) {
	open := &OpenError{Name: "inner"}
	for name, tc := range map[string]struct {
		err  error
		want Outcome
	}{
		"nil":                              {nil, Success},
		"an error":                         {errDown, Failure},
		"a marked error":                   {Ignore(errDown), Ignored},
		"a wrapped mark":                   {fmt.Errorf("find: %w", Ignore(errDown)), Ignored},
		"a mark joined with a failure":     {errors.Join(Ignore(errDown), errDown), Failure},
		"a failure joined with a mark":     {fmt.Errorf("%w, then %w", errDown, Ignore(errDown)), Failure},
		"marks joined":                     {errors.Join(Ignore(errDown), nil, fmt.Errorf("%w", Ignore(errDown))), Ignored},
		"a rejection by another breaker":   {fmt.Errorf("rooms: %w", open), Ignored},
		"a rejection without details":      {fmt.Errorf("rooms: %w", ErrOpen), Ignored},
		"a rejection joined with a mark":   {errors.Join(open, Ignore(errDown)), Ignored},
		"a rejection beside a failure":     {errors.Join(open, errDown), Failure},
		"a cancellation in the dependency": {context.Canceled, Failure},
		"a deadline in the dependency":     {context.DeadlineExceeded, Failure},
	} {
		b := mustNew(t, steady())
		err := call(b, tc.err)
		if got := b.Stats().Total; got.Success+got.Failure+got.Ignored != 1 || map[Outcome]uint64{Success: got.Success, Failure: got.Failure, Ignored: got.Ignored}[tc.want] != 1 {
			t.Errorf("%s: counted %+v, want %v", name, got, tc.want)
		}
		if tc.err != nil && (err == nil || errors.Is(tc.err, errDown) != errors.Is(err, errDown) || errors.Is(tc.err, ErrOpen) != errors.Is(err, ErrOpen)) {
			t.Errorf("%s: the caller got %v", name, err)
		}
	}
	if Ignore(nil) != nil {
		t.Error("Ignore(nil) is an error")
	}
}

func TestAMarkIsForOneBreakerOnly(t *testing.T) {
	for name, marked := range map[string]error{
		"a mark": Ignore(errDown), "two marks": Ignore(Ignore(errDown)),
		"a mark inside": fmt.Errorf("find: %w", Ignore(errDown)), "marks around marks": Ignore(fmt.Errorf("find: %w", Ignore(errDown))),
		"marks joined": errors.Join(Ignore(errDown), Ignore(errDown)),
	} {
		inner, outer := mustNew(t, steady()), mustNew(t, steady())
		err := outer.Do(context.Background(), func(context.Context) error { return call(inner, marked) })
		if inner.Stats().Total.Ignored != 1 || outer.Stats().Total.Failure != 1 || !errors.Is(err, errDown) {
			t.Errorf("%s: inner %+v, outer %+v, %v", name, inner.Stats().Total, outer.Stats().Total, err)
		}
	}
	inner, outer := mustNew(t, steady()), mustNew(t, steady())
	outer.Do(context.Background(), func(context.Context) error { return call(inner, errors.Join(Ignore(errDown), &OpenError{})) })
	if inner.Stats().Total.Ignored != 1 || outer.Stats().Total.Failure != 1 {
		t.Errorf("a mark beside a rejection: inner %+v, outer %+v", inner.Stats().Total, outer.Stats().Total)
	}
	b := mustNew(t, steady())
	if err := call(b, Ignore(sql.ErrNoRows)); err != sql.ErrNoRows {
		t.Errorf("the caller got %#v, want the error itself", err)
	}
}

func TestAnInnerRejectionIsNeutralForEveryBreakerAround(t *testing.T) {
	inner, middle, outer := mustNew(t, steady()), mustNew(t, steady()), mustNew(t, steady())
	inner.ForceOpen(nil)
	for range 10 {
		err := outer.Do(context.Background(), func(ctx context.Context) error {
			return fmt.Errorf("rooms: %w", middle.Do(ctx, func(context.Context) error { return call(inner, nil) }))
		})
		if open, ok := errors.AsType[*OpenError](err); !ok || open.State != ForcedOpen {
			t.Fatalf("got %v", err)
		}
	}
	if got := outer.Stats().Total.Ignored + middle.Stats().Total.Ignored; got != 20 {
		t.Errorf("%d ignored, want 20", got)
	}
}

func TestACancelledCallIsNeutralHoweverTheDriverWordsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tc := range map[string]struct {
			cause error
			want  Outcome
		}{
			"the caller gave up":              {nil, Ignored},
			"for a reason":                    {errors.New("the guest left"), Ignored},
			"because a deadline had passed":   {context.DeadlineExceeded, Failure},
			"for a reason that is a deadline": {fmt.Errorf("lease: %w", context.DeadlineExceeded), Failure},
		} {
			b := mustNew(t, steady())
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(time.Second, func() { cancel(tc.cause) })
			during(b, ctx, time.Minute, nil)
			if got := b.Stats().Total; got.Ignored != uint64(tc.want)/2 || got.Failure != 1-got.Ignored {
				t.Errorf("%s: counted %+v, want %v", name, got, tc.want)
			}
		}
	})
}

func TestCallersThatHangUpBecauseTheDependencyHangsOpenIt(t *testing.T) {
	for name, tc := range map[string]struct {
		slowCall time.Duration
		want     State
	}{"after SlowCall": {5 * time.Second, Open}, "before SlowCall": {10*time.Second + 1, Closed}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mustNew(t, Config{Name: "pms", SlowRate: 0.5, SlowCall: tc.slowCall})
				for range 50 {
					go func() {
						ctx, cancel := context.WithCancel(context.Background())
						time.AfterFunc(10*time.Second, cancel)
						during(b, ctx, time.Hour, nil)
					}()
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				wantState(t, b, tc.want)
				if s := b.Stats(); s.Total.Ignored != 50 || s.Total.Failure != 0 {
					t.Errorf("got %+v", s)
				}
				time.Sleep(2 * time.Hour) // the timers in during
			})
		})
	}
}

func TestASlowProbeThatItsCallerGaveUpFailsWhereSlownessOpens(t *testing.T) {
	for rate, want := range map[float64]State{0: HalfOpen, 0.5: Open} {
		synctest.Test(t, func(t *testing.T) {
			cfg := steady()
			cfg.SlowCall, cfg.SlowRate = time.Second, rate
			b := mustNew(t, cfg)
			b.Probe()
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(2*time.Second, cancel)
			during(b, ctx, time.Minute, nil)
			wantState(t, b, want)
		})
	}
}

func TestAbsurdDeadlinesDoNotOpenAHealthyDependency(t *testing.T) {
	const healthy, hanging = 20 * time.Millisecond, time.Hour
	for name, tc := range map[string]struct {
		slowCall, deadline, takes time.Duration
		want                      State
	}{
		"1 ms for one that is healthy": {0, time.Millisecond, healthy, Closed},
		"1 s for one that hangs":       {0, time.Second, hanging, Open},
		"10 ms for one that hangs":     {0, 10 * time.Millisecond, hanging, Open},
		"5 ms where 2 ms are slow":     {2 * time.Millisecond, 5 * time.Millisecond, hanging, Open},
		"1 ms where 2 ms are slow":     {2 * time.Millisecond, time.Millisecond, hanging, Closed},
		"1 s where a minute is slow":   {time.Minute, time.Second, hanging, Open},
		"1 ms where a minute is slow":  {time.Minute, time.Millisecond, healthy, Closed},
	} {
		for _, form := range []string{"Do", "Allow"} {
			t.Run(name+"/"+form, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := mustNew(t, Config{Name: "pms", SlowCall: tc.slowCall})
					time.Sleep(time.Minute)
					for range 5 {
						ctx, cancel := context.WithTimeout(context.Background(), tc.deadline)
						if form == "Do" {
							during(b, ctx, tc.takes, nil)
						} else if permit, err := b.Allow(); err == nil {
							<-ctx.Done()
							permit.Done(ctx, ctx.Err())
						}
						cancel()
					}
					wantState(t, b, tc.want)
				})
			})
		}
	}
}

func TestClassifyIsAskedOnlyAboutErrorsThatMaySaySomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, Config{Name: "db", Classify: func(_ context.Context, err error) Outcome {
			switch {
			case errors.Is(err, sql.ErrNoRows):
				return Ignored
			case err == errDown:
				return Outcome(99)
			case err == nil || errors.Is(err, ErrOpen) || errors.Is(err, context.Canceled):
				t.Errorf("asked about %v", err)
			}
			return Failure
		}})
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		call(b, nil)
		call(b, Ignore(errors.New("a bad request")))
		call(b, &OpenError{})
		b.Do(cancelled, func(context.Context) error { return context.Canceled })
		call(b, sql.ErrNoRows)
		call(b, errDown)
		call(b, context.DeadlineExceeded)
		if got, want := b.Stats().Total, (Counts{Success: 1, Ignored: 4, Failure: 2, Consecutive: 2}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestTheFallbackIsForCallsThatDidNotWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejected := mustNew(t, steady())
		rejected.ForceOpen(nil)
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		late, cancelLate := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancelLate()
		time.Sleep(time.Second)
		overdue, cancelOverdue := context.WithTimeout(context.Background(), time.Second)
		defer cancelOverdue()
		success := steady()
		success.Classify = func(context.Context, error) Outcome { return Success }
		for name, tc := range map[string]struct {
			b    *Breaker
			ctx  context.Context
			err  error
			want string
		}{
			"a success":                  {mustNew(t, steady()), context.Background(), nil, "result"},
			"a failure":                  {mustNew(t, steady()), context.Background(), errDown, "fallback for down"},
			"a rejection":                {rejected, context.Background(), nil, "fallback for circuitbreaker: pms is forced_open (by_hand)"},
			"a rejection inside":         {mustNew(t, steady()), context.Background(), &OpenError{Name: "db"}, "fallback for circuitbreaker: db is closed (none)"},
			"a deadline, however short":  {mustNew(t, steady()), late, context.DeadlineExceeded, "fallback for context deadline exceeded"},
			"an ignored error":           {mustNew(t, steady()), context.Background(), Ignore(errDown), "result"},
			"a cancellation":             {mustNew(t, steady()), cancelled, context.Canceled, "result"},
			"an error that is a success": {mustNew(t, success), context.Background(), errDown, "result"},
			"the same, and a deadline":   {mustNew(t, success), overdue, errDown, "result"},
		} {
			got, err := DoOr(tc.ctx, tc.b, func(ctx context.Context) (string, error) {
				if ctx == overdue {
					<-ctx.Done()
				}
				return "result", tc.err
			},
				func(_ context.Context, err error) (string, error) { return "fallback for " + err.Error(), nil })
			if got != tc.want || (err == nil) != (tc.err == nil || tc.want != "result") {
				t.Errorf("%s: %q, %v, want %q", name, got, err, tc.want)
			}
		}
	})
}
