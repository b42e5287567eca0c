// SPDX-License-Identifier: MIT

package breakerfaults

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

var errBad = errors.New("the fallback failed")

// withFallback makes calls that end with err, and returns how often the fallback
// ran, and what the caller gets from the last one.
func (t *trial) withFallback(b *circuitbreaker.Breaker, calls int, err, fallback error) (ran int, got error) {
	for range calls {
		_, got = circuitbreaker.DoOr(t.Context(), b,
			func(context.Context) (int, error) { return 0, err },
			func(context.Context, error) (int, error) { ran++; return 0, fallback })
	}
	return ran, got
}

// hang makes calls that last until their context ends, which end decides.
func (t *trial) hang(b *circuitbreaker.Breaker, calls int, end func(context.Context) (context.Context, context.CancelFunc)) {
	for range calls {
		ctx, cancel := end(t.Context())
		_ = b.Do(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		cancel()
	}
}

func givingUp(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	time.AfterFunc(3*time.Millisecond, cancel)
	return ctx, cancel
}

func withinASecond(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Second)
}

var cep21Cases = []peerCase{
	{"what always works never opens it, and needs no fallback", "", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{})
		ran, err := t.withFallback(b, 100, nil, errBad)
		if t.error(err, nil); ran != 0 {
			t.Errorf("the fallback ran %d times", ran)
		}
		t.is(b, closed)
	}},
	{"a nil or empty one guards nothing and lets all calls through", "its calls are ErrInvalid: a breaker forgotten in a constructor is found at the first call", func(t *trial) {
		for _, b := range []*circuitbreaker.Breaker{nil, new(circuitbreaker.Breaker)} {
			t.error(b.Do(t.Context(), func(context.Context) error { t.Error("ran"); return nil }), circuitbreaker.ErrInvalid)
		}
	}},
	{"a nil function is a success", "it is ErrInvalid", func(t *trial) {
		b := t.inARow(1, 1)
		t.error(b.Do(t.Context(), nil), circuitbreaker.ErrInvalid)
		t.total(b, 0, 0, 0)
	}},
	{"bad requests do not open it", "", func(t *trial) {
		t.play(t.inARow(1, 1), strings.Repeat("i", 100), closed)
	}},
	{"bad requests do not run the fallback", "", func(t *trial) {
		b := t.inARow(1, 1)
		ran, err := t.withFallback(b, 100, circuitbreaker.Ignore(errOther), nil)
		if t.error(err, errOther); ran != 0 {
			t.Errorf("the fallback ran %d times", ran)
		}
	}},
	{"errors.Is sees through a bad request", "", func(t *trial) {
		t.error(circuitbreaker.Ignore(errOther), errOther)
	}},
	{"joined with another error, a bad request is one still", "the other error is a failure: the mark is for one error", func(t *trial) {
		b := t.inARow(1, 1)
		_ = b.Do(t.Context(), func(context.Context) error { return errors.Join(errDown, circuitbreaker.Ignore(errOther)) })
		t.is(b, opened)
	}},
	{"a call lasts as long as its function", "", func(t *trial) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		start := time.Now()
		// every trial runs in a bubble of testing/synctest
		err := t.inARow(1, 1).Do(ctx, func(context.Context) error { time.Sleep(25 * time.Millisecond); return nil })
		if t.error(err, nil); time.Since(start) != 25*time.Millisecond {
			t.Errorf("it lasted %v", time.Since(start))
		}
	}},
	{"panics go on to the caller", "", func(t *trial) {
		if !contained(func() { _ = t.inARow(1, 1).Do(t.Context(), func(context.Context) error { panic(1) }) }) {
			t.Error("it was swallowed")
		}
	}},
	{"opened by hand it rejects, closed by hand it lets through", "", func(t *trial) {
		b := t.inARow(2, 1)
		b.Trip(nil)
		t.play(b, "r", opened)
		b.Reset()
		t.play(b, "f", closed)
	}},
	{"the error of the function is the caller's", "", func(t *trial) {
		if err := t.inARow(2, 1).Do(t.Context(), func(context.Context) error { return errDown }); err != errDown {
			t.Errorf("got %v", err)
		}
	}},
	{"a fallback answers for every failure, and by default none opens it", "five in a row do by default, and then the fallback answers for the rejections", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{})
		ran, err := t.withFallback(b, 100, errDown, nil)
		if t.error(err, nil); ran != 100 {
			t.Errorf("the fallback ran %d times", ran)
		}
		t.total(b, 0, 5, 0)
	}},
	{"the error of a fallback is the caller's", "", func(t *trial) {
		_, err := t.withFallback(t.inARow(1, 1), 1, errDown, errBad)
		t.error(err, errBad)
	}},
	{"the context of a fallback has not ended when that of the function has", "", func(t *trial) {
		_, err := circuitbreaker.DoOr(t.Context(), t.inARow(1, 1), func(ctx context.Context) (int, error) {
			ctx, cancel := withinASecond(ctx)
			defer cancel()
			<-ctx.Done()
			return 0, ctx.Err()
		}, func(ctx context.Context, _ error) (int, error) { return 0, ctx.Err() })
		t.error(err, nil)
	}},
	{"callers who give up do not open it", "", func(t *trial) {
		b := t.inARow(1, 1)
		t.hang(b, 100, givingUp)
		t.total(b, 0, 0, 100)
		t.is(b, closed)
	}},
	{"callers whose deadline passes do not open it", "they do: deadlines are how a dependency that hangs is noticed", func(t *trial) {
		b := t.inARow(5, 1)
		t.hang(b, 5, withinASecond)
		t.is(b, opened)
	}},
	{"with IgnoreInterrupts both open it", "a caller who gives up never does, whatever Classify says; one who waited for SlowCall is a slow call", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{
			ConsecutiveFailures: 1, SlowRate: 0.5, SlowCall: time.Millisecond, MinCalls: 20,
			Classify: func(context.Context, error) circuitbreaker.Outcome { return circuitbreaker.Failure },
		})
		t.hang(b, 19, givingUp)
		t.is(b, closed)
		t.hang(b, 1, givingUp)
		t.is(b, opened)
	}},
	{"opened or closed by a hundred at once, it says so once", "", func(t *trial) {
		b := t.inARow(1, 1)
		for _, set := range []func(){func() { b.Trip(nil) }, b.Reset} {
			var all sync.WaitGroup
			for range 100 {
				all.Go(set)
			}
			all.Wait()
		}
		t.changes(opened, closed)
	}},
	{"ForcedClosed, it never opens, and is closed when that is cleared", "", func(t *trial) {
		b := t.inARow(1, 1)
		b.Disable()
		t.play(b, "fffff", circuitbreaker.Disabled)
		b.Reset()
		t.is(b, closed)
		t.play(b, "f", opened)
	}},
	{"ForceOpen, it never runs the function", "", func(t *trial) {
		b := t.inARow(1, 1)
		b.ForceOpen(errDown)
		for range 10 {
			t.pass(1000 * time.Hour)
			t.play(b, "r", forced)
		}
	}},
	{"opened or closed by hand while forced, it is so when the force is cleared", "forced is a state of its own: Reset alone ends it, and then it is closed", func(t *trial) {
		b := t.inARow(1, 1)
		b.ForceOpen(nil)
		b.Trip(nil)
		t.is(b, forced)
		b.Reset()
		b.Disable()
		b.Trip(nil)
		t.is(b, circuitbreaker.Disabled)
		b.Reset()
		t.is(b, closed)
	}},
	{"changes of many goroutines are reported in their order", "", func(t *trial) {
		b := t.inARow(1, 1)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 100 {
					if i%2 == 0 {
						b.Trip(nil)
					} else {
						b.Reset()
					}
				}
			})
		}
		all.Wait()
		last := closed
		for i, e := range t.events {
			if e.From != last || e.To == last {
				t.Fatalf("event %d leads from %v to %v, after %v", i, e.From, e.To, last)
			}
			last = e.To
		}
		t.is(b, last)
	}},
	{"a listener may change the breaker, and the events keep their order", "", func(t *trial) {
		var b *circuitbreaker.Breaker
		b = t.breaker(circuitbreaker.Config{Observer: observer(func(_ context.Context, e circuitbreaker.Event) {
			if e.To == opened {
				b.Reset()
			}
		})})
		b.Trip(nil)
		t.is(b, closed)
		t.changes(opened, closed)
	}},
	{"a listener that panics does so at the caller, and later events arrive", "the panic is contained and counted: it is not the caller's", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{Observer: observer(func(context.Context, circuitbreaker.Event) { panic("listener") })})
		b.Trip(nil)
		b.Reset()
		if t.changes(opened, closed); b.Stats().ObserverPanics != 2 {
			t.Errorf("%d panics", b.Stats().ObserverPanics)
		}
	}},
	{"a listener that ends its goroutine keeps no later event back", "", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{Observer: observer(func(_ context.Context, e circuitbreaker.Event) {
			if e.To == opened {
				runtime.Goexit()
			}
		})})
		contained(func() { b.Trip(nil) })
		contained(b.Reset)
		t.changes(opened, closed)
	}},
	{"a slow listener delays no change, only later events", "", func(t *trial) {
		release := make(chan struct{})
		b := t.breaker(circuitbreaker.Config{Observer: observer(func(context.Context, circuitbreaker.Event) { <-release })})
		go b.Trip(nil)
		t.pass(time.Second)
		b.Reset()
		t.is(b, closed)
		t.changes(opened)
		close(release)
		t.pass(0)
		t.changes(opened, closed)
	}},
	{"a manager has one circuit for a name, and making it twice is an error", "Get makes it where it is missing", func(t *trial) {
		g, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{Breaker: circuitbreaker.Config{Name: "hosts"}})
		t.error(err, nil)
		if a := g.Get("a"); a != g.Get("a") || a == g.Get("b") {
			t.Error("their keys do not distinguish them")
		}
	}},
	{"its settings change while calls run", "", func(t *trial) {
		b := t.inARow(2, 1)
		end := t.begin(b)
		t.error(b.Update(circuitbreaker.Config{ConsecutiveFailures: 1, Probes: circuitbreaker.Probes{Successes: 1}}), nil)
		end(errDown)
		t.is(b, opened)
	}},
	{"reconfigured while it is open, it recovers all the same", "", func(t *trial) {
		b := t.inARow(1, 1)
		t.play(b, "f", opened)
		t.error(b.Update(circuitbreaker.Config{ConsecutiveFailures: 7, Probes: circuitbreaker.Probes{Successes: 1}}), nil)
		t.pass(openFor)
		t.play(b, "s", closed)
	}},
}
