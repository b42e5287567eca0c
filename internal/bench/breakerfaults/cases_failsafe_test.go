// SPDX-License-Identifier: MIT

package breakerfaults

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// judged makes a half-open breaker, which judges so many probes by the rate of
// failures that opens it, and lets it get there by the first probes but only by
// the last one.
func (t *trial) judged(of int, rate float64, first, last string, want circuitbreaker.State) {
	t.Helper()
	b := t.breaker(circuitbreaker.Config{FailureRate: rate, Probes: circuitbreaker.Probes{Of: of}})
	b.Probe()
	t.play(b, first, halfOpen)
	t.play(b, last, want)
}

var failsafeCases = []peerCase{
	{"by default, one failure opens it", "five in a row do, or half of twenty: one error is no outage; ConsecutiveFailures: 1 does", func(t *trial) {
		t.play(t.breaker(circuitbreaker.Config{}), "ffff", closed)
		t.play(t.breaker(circuitbreaker.Config{}), "fffff", opened)
		t.play(t.inARow(1, 1), "s f", opened)
	}},
	{"three failures in a row open it", "", func(t *trial) {
		b := t.inARow(3, 1)
		t.play(b, "fsff", closed)
		t.play(b, "f", opened)
	}},
	{"two failures of three calls open it", "", func(t *trial) {
		b := t.lastCalls(3, 2.0/3)
		t.play(b, "fs", closed)
		t.play(b, "f", opened)
	}},
	{"three of four do not come about when every second call fails", "", func(t *trial) {
		t.play(t.lastCalls(4, 0.75), strings.Repeat("sf", 20), closed)
	}},
	{"two in a row do not come about when every second call fails", "", func(t *trial) {
		t.play(t.inARow(2, 1), strings.Repeat("sf", 20), closed)
	}},
	{"it counts the last so many calls", "", func(t *trial) {
		b := t.lastCalls(10, 0.5)
		t.play(b, "sfsfsfs", closed)
		t.window(b, 4, 3)
		t.play(b, "fsss fsss fsss fss", closed)
		t.window(b, 8, 2)
	}},
	{"two failures within a time open it, and older ones do not", "by an own rule", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{
			TripWhen: func(c circuitbreaker.Counts) bool { return c.Failure >= 2 },
			Window:   circuitbreaker.Window{Duration: 200 * time.Millisecond},
			Probes:   circuitbreaker.Probes{Successes: 1},
		})
		t.play(b, "fs", closed)
		t.pass(210 * time.Millisecond)
		t.play(b, "fs", closed)
		t.pass(50 * time.Millisecond)
		t.play(b, "f", opened)
		t.pass(openFor)
		t.play(b, "f", opened)
		t.pass(openFor)
		t.play(b, "s", closed)
	}},
	{"half of at least three calls within a time open it", "", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{FailureRate: 0.5, MinCalls: 3, Window: circuitbreaker.Window{Duration: 200 * time.Millisecond}})
		t.play(b, "fs", closed)
		t.pass(210 * time.Millisecond)
		t.play(b, "fs", closed)
		t.pass(50 * time.Millisecond)
		t.play(b, "s", closed)
		t.play(b, "f", opened)
	}},
	{"a delay of zero opens it for no time at all", "0 is the default: a breaker that does not stay open keeps nothing away", func(t *trial) {
		b, err := circuitbreaker.New(circuitbreaker.Config{Name: "peers", ConsecutiveFailures: 1})
		t.error(err, nil)
		t.play(b, "f r", opened)
	}},
	{"half-open, one failure opens it and one success closes it", "", func(t *trial) {
		for call, want := range map[string]circuitbreaker.State{"f": opened, "s": closed} {
			b := t.inARow(3, 1)
			b.Trip(nil)
			t.pass(openFor)
			t.play(b, call, want)
		}
	}},
	{"half-open, so many successes in a row close it", "", func(t *trial) {
		b := t.inARow(3, 3)
		b.Trip(nil)
		t.pass(openFor)
		t.play(b, "ss", halfOpen)
		t.play(b, "f", opened)
		t.pass(openFor)
		t.play(b, "sss", closed)
	}},
	{"half-open, two failures of three open it, and two successes of three close it", "", func(t *trial) {
		t.judged(3, 2.0/3, "fs", "f", opened)
		t.judged(3, 2.0/3, "fs", "s", closed)
	}},
	{"half-open, three successes of four close it, and two failures open it", "", func(t *trial) {
		t.judged(4, 0.5, "sfs", "f", opened)
		t.judged(4, 0.5, "sfs", "s", closed)
		t.judged(4, 0.5, "ssf", "s", closed)
	}},
	{"half-open, two successes of four do not come about after three failures", "", func(t *trial) {
		t.judged(4, 0.75, "sff", "f", opened)
		t.judged(4, 0.75, "sff", "s", closed)
	}},
	{"half-open, three failures in a row open it, and one success after a failure closes it", "two failures without a success open it: a dead dependency gets no third probe", func(t *trial) {
		t.judged(3, 1, "f", "f", opened)
	}},
	{"half-open, three successes of five close it, also after two failures", "two failures without a success open it", func(t *trial) {
		t.judged(5, 0.6, "f", "f", opened)
		t.judged(5, 0.6, "sfs", "s", closed)
	}},
	{"it is half-open by hand, whatever its state, and a remaining delay is over", "", func(t *trial) {
		b := t.inARow(1, 1)
		b.Probe()
		t.play(b, "f", opened)
		b.Probe()
		if left := b.Stats().OpenLeft; left != 0 {
			t.Errorf("%v remain", left)
		}
		t.play(b, "s", closed)
	}},
	{"it is opened by hand, and rejects", "", func(t *trial) {
		b := t.inARow(1, 1)
		b.Trip(errDown)
		err := b.Do(t.Context(), func(context.Context) error { return nil })
		t.error(err, circuitbreaker.ErrOpen)
		t.is(b, opened)
	}},
	{"it is closed by hand", "", func(t *trial) {
		b := t.inARow(1, 1)
		t.play(b, "f", opened)
		b.Reset()
		t.play(b, "s", closed)
	}},
	{"the remaining delay is known, and is zero when it has passed", "", func(t *trial) {
		b := t.inARow(1, 1)
		left := func(want time.Duration) {
			if got := b.Stats().OpenLeft; got != want {
				t.Errorf("%v remain, want %v", got, want)
			}
		}
		left(0)
		b.Trip(nil)
		for past := time.Duration(0); past < openFor; past += time.Second {
			left(openFor - past)
			t.pass(time.Second)
		}
		t.is(b, halfOpen)
		left(0)
	}},
	{"after the delay, a permit can be had", "", func(t *trial) {
		b := t.inARow(1, 1)
		b.Trip(nil)
		_, err := b.Allow()
		t.error(err, circuitbreaker.ErrOpen)
		t.pass(openFor)
		t.begin(b)(nil)
		t.is(b, closed)
	}},
	{"half-open, the calls that are too many are rejected", "", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{ConsecutiveFailures: 1, Probes: circuitbreaker.Probes{Concurrent: 3, Successes: 3, Timeout: time.Hour}})
		b.Trip(nil)
		t.pass(openFor)
		for range 3 {
			end := t.begin(b)
			time.AfterFunc(time.Minute, func() { end(nil) })
		}
		t.play(b, "rrrrr", halfOpen)
		t.pass(time.Minute)
		t.is(b, closed)
	}},
	{"a result can be a failure without an error", "the guarded function returns an error of its own for it, which is then the cause, too", func(t *trial) {
		b := t.inARow(2, 1)
		errFull := errors.New("no room is free")
		find := func(context.Context) (rooms int, err error) { return 0, errFull }
		for range 2 {
			_, err := circuitbreaker.Do(t.Context(), b, find)
			t.error(err, errFull)
		}
		_, err := circuitbreaker.Do(t.Context(), b, find)
		if rejected, ok := errors.AsType[*circuitbreaker.OpenError](err); !ok || rejected.Cause != errFull {
			t.Errorf("got %v", err)
		}
	}},
	{"retries around it are rejected when it has opened", "", func(t *trial) {
		b := t.inARow(3, 1)
		ran, err := 0, error(nil)
		for range 7 {
			err = b.Do(t.Context(), func(context.Context) error { ran++; return errDown })
		}
		if t.error(err, circuitbreaker.ErrOpen); ran != 3 {
			t.Errorf("ran %d times", ran)
		}
		t.window(b, 0, 0)
		t.total(b, 0, 3, 0)
	}},
	{"retries inside it are one call", "", func(t *trial) {
		b := t.inARow(3, 1)
		ran := 0
		try := func() error { ran++; return errDown }
		t.error(b.Do(t.Context(), func(context.Context) error { return cmp.Or(try(), try(), try()) }), errDown)
		if t.total(b, 0, 1, 0); ran != 3 {
			t.Errorf("ran %d times", ran)
		}
		t.is(b, closed)
	}},
	{"a time limit inside it that is exceeded is a failure", "", func(t *trial) {
		b := t.inARow(1, 1)
		err := b.Do(t.Context(), func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			<-ctx.Done()
			return ctx.Err()
		})
		t.error(err, context.DeadlineExceeded)
		t.is(b, opened)
	}},
	{"the listener gets the counts and the context of the call that opened it", "", func(t *trial) {
		type key struct{}
		ctx := context.WithValue(t.Context(), key{}, "guest")
		seen := false
		b := t.breaker(circuitbreaker.Config{
			FailureRate: 0.5, MinCalls: 2, Window: circuitbreaker.Window{Calls: 2},
			Observer: observer(func(got context.Context, e circuitbreaker.Event) {
				if e.To == opened {
					seen = got.Value(key{}) == "guest" && e.Before.Window.Success == 1 && e.Before.Window.Failure == 1
				}
			}),
		})
		t.play(b, "s", closed)
		_ = b.Do(ctx, func(context.Context) error { return errDown })
		if !seen {
			t.Error("it did not")
		}
	}},
	{"of nested breakers each counts what it is set for, in either order", "", func(t *trial) {
		only := func(wanted error) *circuitbreaker.Breaker {
			return t.breaker(circuitbreaker.Config{ConsecutiveFailures: 1, Classify: func(_ context.Context, err error) circuitbreaker.Outcome {
				if errors.Is(err, wanted) {
					return circuitbreaker.Failure
				}
				return circuitbreaker.Success
			}})
		}
		for _, swap := range []bool{false, true} {
			down, other := only(errDown), only(errOther)
			outer, inner := down, other
			if swap {
				outer, inner = other, down
			}
			err := outer.Do(t.Context(), func(ctx context.Context) error {
				return inner.Do(ctx, func(context.Context) error { return errDown })
			})
			t.error(err, errDown)
			t.is(down, opened)
			t.is(other, closed)
		}
	}},
	{"a fallback gets the error of the call, and that of a rejection", "", func(t *trial) {
		b := t.inARow(1, 1)
		for _, want := range []error{errDown, circuitbreaker.ErrOpen} {
			got, err := circuitbreaker.DoOr(t.Context(), b,
				func(context.Context) (string, error) { return "", errDown },
				func(_ context.Context, err error) (string, error) { t.error(err, want); return "cached", nil })
			if t.error(err, nil); got != "cached" {
				t.Errorf("got %q", got)
			}
		}
	}},
	{"one breaker guards calls with results of any type", "", func(t *trial) {
		b := t.inARow(1, 1)
		text, err := circuitbreaker.Do(t.Context(), b, func(context.Context) (string, error) { return "test", nil })
		t.error(err, nil)
		truth, err := circuitbreaker.Do(t.Context(), b, func(context.Context) (bool, error) { return true, nil })
		if t.error(err, nil); text != "test" || !truth {
			t.Errorf("got %q and %v", text, truth)
		}
	}},
	{"concurrent calls have each its own context", "", func(t *trial) {
		b := t.inARow(1, 1)
		type key struct{}
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_ = b.Do(context.WithValue(t.Context(), key{}, i), func(ctx context.Context) error {
					if ctx.Value(key{}) != i {
						t.Errorf("%d got that of %v", i, ctx.Value(key{}))
					}
					return nil
				})
			})
		}
		all.Wait()
	}},
}
