// SPDX-License-Identifier: MIT

package breakerfaults

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// sixtyPercent opens at three fifths of the failures of thirty seconds.
func sixtyPercent(t *trial) *circuitbreaker.Breaker {
	t.Helper()
	return t.breaker(circuitbreaker.Config{
		FailureRate: 0.6, MinCalls: 3,
		Window: circuitbreaker.Window{Duration: 30 * time.Second},
		Probes: circuitbreaker.Probes{Concurrent: 3, Successes: 3},
	})
}

var gobreakerCases = []peerCase{
	{"more than five failures in a row open it, and a success between them does not count as one of them", "", func(t *trial) {
		b := t.inARow(6, 1)
		t.play(b, "fffff s fffff", closed)
		t.play(b, "f rrr", opened)
	}},
	{"it is open for as long as it was set to, and half-open after that", "", func(t *trial) {
		b := t.inARow(1, 1)
		t.play(b, "f", opened)
		t.pass(openFor - time.Millisecond)
		t.play(b, "r", opened)
		t.pass(time.Millisecond)
		t.is(b, halfOpen)
	}},
	{"half-open, a failure opens it again and a success closes it", "", func(t *trial) {
		b := t.inARow(6, 1)
		t.play(b, "ffffff r", opened)
		t.pass(openFor)
		t.play(b, "f r", opened)
		t.pass(openFor)
		t.play(b, "s s", closed)
		t.changes(opened, halfOpen, opened, halfOpen, closed)
	}},
	{"a change of state empties the counts", "those of the window; the totals never fall, for metrics", func(t *trial) {
		b := sixtyPercent(t)
		t.play(b, "sff", opened)
		t.window(b, 0, 0)
		t.total(b, 1, 2, 0)
	}},
	{"a share of failures opens it, once there are enough calls", "", func(t *trial) {
		t.play(sixtyPercent(t), "ff", closed)
		b := sixtyPercent(t)
		t.play(b, strings.Repeat("sfi", 5), closed)
		t.window(b, 5, 5)
		t.play(sixtyPercent(t), "fsf", opened)
	}},
	{"when its interval is over, all counts begin anew", "the window rolls: calls leave it one bucket at a time, and no instant forgets the last second", func(t *trial) {
		b := sixtyPercent(t)
		t.play(b, "sfsfsf", closed)
		t.pass(28 * time.Second)
		t.play(b, "s", closed)
		t.pass(4 * time.Second)
		t.window(b, 1, 0)
	}},
	{"a rolling window drops what is older, bucket by bucket", "", func(t *trial) {
		b := sixtyPercent(t)
		t.play(b, strings.Repeat("sfi", 5), closed)
		for _, step := range []struct {
			after            time.Duration
			calls            string
			success, failure uint64
		}{
			{3 * time.Second, "s", 6, 5}, {2 * time.Second, "si", 7, 5}, {2 * time.Second, "is", 8, 5}, {2 * time.Second, "f", 8, 6},
			{3 * time.Second, "sf", 9, 7}, {3 * time.Second, "sf", 10, 8}, {3 * time.Second, "sf", 11, 9},
			{3 * time.Second, "sf", 12, 10}, {3 * time.Second, "sf", 13, 11}, {3 * time.Second, "sf", 14, 12},
			{3 * time.Second, "f", 9, 8}, {0, "fffff", 9, 13},
		} {
			t.pass(step.after)
			t.play(b, step.calls, closed)
			t.window(b, step.success, step.failure)
		}
		t.play(b, "f", opened)
	}},
	{"what is excluded is neutral, half-open, too", "", func(t *trial) {
		b := t.inARow(1, 1)
		t.play(b, "iiiiii f", opened)
		t.pass(openFor)
		t.play(b, "iiii", halfOpen)
		t.play(b, "s", closed)
	}},
	{"half-open, no more calls are let through than successes are needed", "how many at a time and how many successes are two settings: a probe that has ended makes room", func(t *trial) {
		b := sixtyPercent(t)
		b.Trip(nil)
		t.pass(openFor)
		t.play(b, "ss", halfOpen)
		first, second, third := t.begin(b), t.begin(b), t.begin(b)
		t.play(b, "r", halfOpen)
		first(nil)
		t.is(b, closed)
		second(nil)
		third(nil)
	}},
	{"a panic is a failure and is passed on", "", func(t *trial) {
		b := t.inARow(1, 1)
		if !contained(func() { _ = b.Do(t.Context(), func(context.Context) error { panic("oops") }) }) {
			t.Error("the panic was swallowed")
		}
		t.total(b, 0, 1, 0)
		t.is(b, opened)
	}},
	{"a call that began in an earlier interval is not counted", "one that ends within the window is in it: there are no intervals, only states", func(t *trial) {
		b := sixtyPercent(t)
		t.pass(29 * time.Second)
		end := t.begin(b)
		t.pass(2 * time.Second)
		end(nil)
		t.window(b, 1, 0)
	}},
	{"a call that began in an earlier state is not counted", "in the totals it is", func(t *trial) {
		b := t.inARow(1, 1)
		end := t.begin(b)
		t.play(b, "f", opened)
		t.pass(openFor)
		end(nil)
		t.is(b, halfOpen)
		t.total(b, 1, 1, 0)
	}},
	{"an own function says which errors are successes", "", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{
			ConsecutiveFailures: 1,
			Classify:            func(context.Context, error) circuitbreaker.Outcome { return circuitbreaker.Success },
		})
		t.play(b, "fffff", closed)
		t.total(b, 5, 0, 0)
	}},
	{"what is excluded is never passed to that function", "", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{ConsecutiveFailures: 9, Classify: func(_ context.Context, err error) circuitbreaker.Outcome {
			if errors.Is(err, errOther) {
				t.Error("it was")
			}
			if err == nil {
				return circuitbreaker.Success
			}
			return circuitbreaker.Failure
		}})
		t.play(b, "iii sss ff", closed)
		t.total(b, 3, 2, 3)
	}},
	{"no call is lost in parallel", "", func(t *trial) {
		b := sixtyPercent(t)
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() { t.play(b, strings.Repeat("ssi", 300), closed) })
		}
		all.Wait()
		t.total(b, 7200, 0, 3600)
		t.window(b, 7200, 0)
	}},
	{"in two steps it does the same", "", func(t *trial) {
		b := t.inARow(6, 1)
		two := func(errs ...error) {
			for _, err := range errs {
				t.begin(b)(err)
			}
		}
		two(errDown, errDown, errDown, errDown, errDown, nil, errDown)
		t.is(b, closed)
		two(errDown, errDown, errDown, errDown, errDown)
		t.play(b, "r", opened)
		t.pass(openFor)
		two(errDown)
		t.play(b, "r", opened)
		t.pass(openFor)
		two(nil)
		t.is(b, closed)
	}},
	{"half-open, calls in flight that turn out to be excluded make room", "", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{ConsecutiveFailures: 1, Probes: circuitbreaker.Probes{Concurrent: 2, Successes: 2}})
		t.play(b, "f", opened)
		t.pass(openFor)
		first, second := t.begin(b), t.begin(b)
		t.play(b, "rr", halfOpen)
		first(circuitbreaker.Ignore(errOther))
		second(circuitbreaker.Ignore(errOther))
		t.play(b, "ss", closed)
	}},
	{"states have names", "half_open has no hyphen: the names are values of metrics' labels", func(t *trial) {
		if got := closed.String() + " " + halfOpen.String() + " " + opened.String() + " " + circuitbreaker.State(100).String(); got != "closed half_open open unknown" {
			t.Error(got)
		}
	}},
	{"negative times are replaced by the defaults", "they are errors: a negative time has no meaning", func(t *trial) {
		_, err := circuitbreaker.New(circuitbreaker.Config{
			Name: "peers", OpenFor: circuitbreaker.Backoff{Base: -90 * time.Second}, Window: circuitbreaker.Window{Duration: -30 * time.Second},
		})
		t.error(err, circuitbreaker.ErrInvalid)
	}},
}

var eapacheCases = []peerCase{
	{"errors that are further apart than the timeout do not add up", "ConsecutiveFailures counts them however far apart; a rule over a window does not", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{
			TripWhen: func(c circuitbreaker.Counts) bool { return c.Failure >= 2 },
			Window:   circuitbreaker.Window{Duration: openFor},
		})
		for range 3 {
			t.play(b, "f", closed)
			t.pass(openFor)
		}
		t.play(b, "ff", opened)
	}},
	{"panics are failures", "", func(t *trial) {
		t.play(t.inARow(3, 2), "ppp rrrrr", opened)
	}},
	{"three errors open it, an error half-open opens it again, two successes close it", "", func(t *trial) {
		b := t.inARow(3, 2)
		t.play(b, "fff rrrrr", opened)
		t.pass(openFor)
		t.play(b, "s", halfOpen)
		t.play(b, "f r", opened)
		t.pass(openFor)
		t.play(b, "ss f s", closed)
	}},
	{"a call can run in the background", "by Allow where it begins and Done where it ends: the breaker starts no goroutine", func(t *trial) {
		b := t.inARow(3, 2)
		var all sync.WaitGroup
		for range 3 {
			end := t.begin(b)
			all.Go(func() { end(errDown) })
		}
		all.Wait()
		t.play(b, "rrrrr", opened)
	}},
}
