// SPDX-License-Identifier: MIT

package breakerfaults

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// hystrixCases are those of the rules that come with cep21/circuit: the
// packages closers/hystrix and closers/simplelogic.
var hystrixCases = []peerCase{
	{"it opens at a share of errors once there are enough requests; bad ones are none", "", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{FailureRate: 0.5, MinCalls: 3})
		t.play(b, "ff iii", closed)
		t.play(b, "f", opened)
	}},
	{"the share is exact at every threshold", "", func(t *trial) {
		for percent := 1; percent <= 100; percent++ {
			open := func(failures int) circuitbreaker.State {
				b := t.lastCalls(100, float64(percent)/100)
				for range 100 - failures {
					t.begin(b)(nil)
				}
				for range failures {
					t.begin(b)(errDown)
				}
				return b.State()
			}
			if open(percent) != opened || percent > 1 && open(percent-1) != closed {
				t.Errorf("at %d %%: %v, below it %v", percent, open(percent), open(percent-1))
			}
		}
	}},
	{"errors in a row open it; a success, opening and closing begin anew; bad requests do not count", "", func(t *trial) {
		b := t.inARow(3, 1)
		t.play(b, "ff s ffiii", closed)
		b.Trip(nil)
		b.Reset()
		t.play(b, "ff", closed)
		t.play(b, "f", opened)
		t.pass(openFor)
		t.play(b, "s ff", closed)
	}},
	{"so many successes close it; bad requests and results from before do not matter", "", func(t *trial) {
		b := t.inARow(1, 3)
		late := t.begin(b)
		t.play(b, "f", opened)
		t.pass(openFor)
		t.play(b, "ssii", halfOpen)
		late(errDown)
		t.play(b, "s", closed)
	}},
	{"when the sleep window is over, one request is let through; one that fails begins it again", "", func(t *trial) {
		b := t.inARow(1, 1)
		t.play(b, "fr", opened)
		t.pass(openFor)
		t.play(b, "frr", opened)
		t.pass(openFor)
		t.play(b, "ss", closed)
	}},
	{"a long sleep window lets nothing through", "", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{ConsecutiveFailures: 1, OpenFor: circuitbreaker.Backoff{Base: time.Hour, Jitter: -1}})
		t.play(b, "f", opened)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 40 {
					t.play(b, "r", opened)
					time.Sleep(time.Minute) // in the bubble of the case
				}
			})
		}
		all.Wait()
	}},
	{"while it fails, one request a sleep window is let through", "", func(t *trial) {
		b := t.inARow(1, 1)
		b.Trip(nil)
		var ran atomic.Int64
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 45 { // seconds
					_ = b.Do(t.Context(), func(context.Context) error { ran.Add(1); return errDown })
					time.Sleep(time.Second) // in the bubble of the case
				}
			})
		}
		if all.Wait(); ran.Load() > 4 {
			t.Errorf("%d requests in 45 s", ran.Load())
		}
	}},
	{"a success of a request from before does not close it", "", func(t *trial) {
		b := t.inARow(1, 1)
		early := t.begin(b)
		t.play(b, "f", opened)
		early(nil)
		t.play(b, "r", opened)
		t.pass(openFor)
		t.play(b, "s", closed)
	}},
	{"a failure of a request from before does not waste a healthy probe", "", func(t *trial) {
		b := t.inARow(1, 1)
		early := t.begin(b)
		t.play(b, "f", opened)
		t.pass(openFor)
		probe := t.begin(b)
		early(errDown)
		probe(nil)
		t.is(b, closed)
	}},
	{"when it opens, no request slips through as a probe", "", func(t *trial) {
		b := t.inARow(1, 1)
		var after atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 200 {
					if b.State() == opened {
						_ = b.Do(t.Context(), func(context.Context) error { after.Add(1); return nil })
						continue
					}
					_ = b.Do(t.Context(), func(context.Context) error { return errDown })
				}
			})
		}
		if all.Wait(); after.Load() > 0 {
			t.Errorf("%d did", after.Load())
		}
	}},
	{"a request that a listener makes while it opens is rejected", "", func(t *trial) {
		var b *circuitbreaker.Breaker
		b = t.breaker(circuitbreaker.Config{ConsecutiveFailures: 1, Observer: observer(func(_ context.Context, e circuitbreaker.Event) {
			if e.To == opened {
				t.play(b, "r", opened)
			}
		})})
		t.play(b, "f", opened)
	}},
	{"each call is counted exactly once", "", func(t *trial) {
		b := t.breaker(circuitbreaker.Config{ConsecutiveFailures: 1 << 20})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { t.play(b, strings.Repeat("sfip", 50), closed) })
		}
		all.Wait()
		t.total(b, 400, 800, 400)
	}},
}
