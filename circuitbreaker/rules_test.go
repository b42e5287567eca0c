// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// outcomes plays a string: s success, f failure, i ignored, S and F the same
// but slow (one second), C a caller that gave up after a second, - a second
// without a call.
func outcomes(b *Breaker, play string) {
	for _, c := range play {
		if c == '-' {
			time.Sleep(time.Second)
			continue
		}
		p, err := b.Allow()
		if err != nil {
			return
		}
		switch c {
		case 'S', 'F', 'C':
			time.Sleep(time.Second)
		}
		switch c {
		case 's', 'S':
			p.Success()
		case 'i':
			p.Ignore()
		case 'C':
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			p.Done(ctx, errDown)
		default:
			p.Failure()
		}
	}
}

func TestRules(t *testing.T) {
	rate := func(rate float64, min int) Config { return Config{FailureRate: rate, MinCalls: min} }
	slow := func(rate float64, min int) Config {
		return Config{SlowRate: rate, SlowCall: time.Second, MinCalls: min}
	}
	last := func(calls int, rate float64) Config {
		return Config{FailureRate: rate, SlowCall: time.Second, MinCalls: -1, Window: Window{Calls: calls}}
	}
	window := func(d time.Duration, buckets int) Config {
		return Config{FailureRate: 1, MinCalls: 3, Window: Window{Duration: d, Buckets: buckets}}
	}
	for _, tc := range []struct {
		name string
		cfg  Config
		play string
		want Reason
	}{
		{"by default five in a row open it", Config{}, "fffff", TooManyInARow},
		{"by default four do not", Config{}, "ffff", NoReason},
		{"by default half of twenty open it", Config{}, "ssfsfsfsfsfsfsfsfsff", TooManyFailures},
		{"by default half of nineteen do not", Config{}, "sfsfsfsfsfsfsfsfsff", NoReason},
		{"a success ends the streak", Config{ConsecutiveFailures: 3}, "ffsff", NoReason},
		{"an ignored call does not", Config{ConsecutiveFailures: 3}, "ffif", TooManyInARow},
		{"the streak outlives any window", Config{ConsecutiveFailures: 3, FailureRate: 1}, "f-------------------f-------------------f", TooManyInARow},
		{"one rule off, the other still on", Config{ConsecutiveFailures: -1, FailureRate: 1, MinCalls: 6}, "ffffff", TooManyFailures},
		{"every rule off", Config{ConsecutiveFailures: -1}, "ffffffffffffffffffffffffffffff", NoReason},
		{"the first rule met names itself", Config{ConsecutiveFailures: 2, FailureRate: 0.1, MinCalls: -1}, "sssssssssssff", TooManyInARow},
		{"a rate below its threshold", rate(0.5, 4), "ssf", NoReason},
		{"a rate at its threshold", rate(0.5, 4), "ssff", TooManyFailures},
		{"a success never opens, even as the call that reaches MinCalls", rate(0.5, 4), "fffs", NoReason},
		{"but the next failure does", rate(0.5, 4), "fffsf", TooManyFailures},
		{"a slow success that reaches MinCalls may", Config{FailureRate: 0.5, SlowCall: time.Second, MinCalls: 4}, "fffS", TooManyFailures},
		{"ignored calls are not in the rate", rate(0.5, 4), "ssiiiiiiff", TooManyFailures},
		{"ignored calls do not reach MinCalls", rate(0.5, 4), "iiiff", NoReason},
		{"slow calls", slow(0.5, 4), "ssSS", TooManySlow},
		{"slow calls below the rate", slow(0.5, 4), "sssS", NoReason},
		{"a slow failure is slow too", slow(0.5, 4), "ssFF", TooManySlow},
		{"callers that gave up on slow calls", slow(0.5, 4), "ssCC", TooManySlow},
		{"callers that gave up reach MinCalls", slow(1, 4), "CCCC", TooManySlow},
		{"but not that of the failure rate", Config{FailureRate: 0.5, SlowCall: time.Second, MinCalls: 4}, "CCff", NoReason},
		{"callers that gave up do not end a streak", Config{ConsecutiveFailures: 3, SlowCall: time.Second}, "ffCf", TooManyInARow},
		{"nor are they failures", Config{ConsecutiveFailures: 3, SlowCall: time.Second}, "ffCC", NoReason},
		{"callers that gave up among the last", Config{SlowRate: 1, SlowCall: time.Second, Window: Window{Calls: 3}}, "ssCCC", TooManySlow},
		{"failures alone are not slow", slow(0.5, 4), "ffff", NoReason},
		{"a window of one bucket", window(10*time.Second, 1), "ff-f", TooManyFailures},
		{"a window of one bucket forgets", window(2*time.Second, 1), "ff--f", NoReason},
		{"a window of two buckets", window(2*time.Second, 2), "f-ff", TooManyFailures},
		{"a window of two buckets forgets", window(2*time.Second, 2), "f--ff", NoReason},
		{"a window of three buckets", window(3*time.Second, 3), "f-f-f", TooManyFailures},
		{"a window of three buckets forgets", window(3*time.Second, 3), "f-f--f", NoReason},
		{"the last call", last(1, 1), "sf", TooManyFailures},
		{"the last two calls", last(2, 1), "sfsff", TooManyFailures},
		{"the last two calls forget", last(2, 1), "sfsfsfsf", NoReason},
		{"the last three calls", last(3, 0.6), "sssf-----f", TooManyFailures},
		{"the last three calls forget", last(3, 0.6), "ssfssfssf", NoReason},
		{"slow calls among the last", Config{SlowRate: 1, SlowCall: time.Second, Window: Window{Calls: 3}}, "ssSSS", TooManySlow},
		{"by default the last calls must all be there", Config{FailureRate: 0.5, Window: Window{Calls: 3}}, "ff", NoReason},
		{"an own rule", Config{TripWhen: func(c Counts) bool { return c.Failure == 2 && c.Success == 1 && c.Consecutive == 1 }}, "fsf", OwnRule},
		{"an own rule is asked only after a bad outcome", Config{TripWhen: func(c Counts) bool { return c.Success > 0 }}, "sss", NoReason},
		{"an own rule about slowness", Config{SlowCall: time.Second, TripWhen: func(c Counts) bool { return c.Slow == 1 }}, "sS", OwnRule},
		{"an own rule about a streak, when a caller gave up", Config{SlowCall: time.Second, TripWhen: func(c Counts) bool { return c.Slow == 1 && c.Consecutive == 2 }}, "ffC", OwnRule},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := new(events)
				tc.cfg.Name, tc.cfg.Observer = "pms", seen
				b := mustNew(t, tc.cfg)
				outcomes(b, tc.play)
				if got := seen.last().Reason; got != tc.want {
					t.Errorf("after %q: %v, want %v (%+v)", tc.play, got, tc.want, b.Stats())
				}
			})
		})
	}
}

func TestRatesAreExactAtEveryThreshold(t *testing.T) {
	for total := uint64(1); total <= uint64(long(400, 5)); total++ {
		for part := uint64(1); part <= total; part++ {
			if rate := float64(part) / float64(total); !reached(rate, part, total) || reached(rate, part-1, total) {
				t.Fatalf("%d of %d is not exact", part, total)
			}
		}
	}
}

func TestDecimalRatesAreWhatTheySay(t *testing.T) {
	for percent := uint64(1); percent <= 100; percent++ {
		rate := float64(percent) / 100
		for _, calls := range []uint64{100, 1000, 1e6, 1e8} {
			if need := calls / 100 * percent; !reached(rate, need, calls) || reached(rate, need-1, calls) {
				t.Errorf("%d%% of %d is not exact", percent, calls)
			}
		}
	}
}

func TestATinyRateNeedsAFailureAndARuleThatIsOffNeverHolds(t *testing.T) {
	if !reached(1e-12, 1, 1<<20) || reached(1e-12, 0, 1<<20) {
		t.Error("a tiny rate is not reached by the first failure")
	}
	if reached(0, 1, 1) {
		t.Error("a rule that is off was met")
	}
}

func TestAPanickingOwnRuleGoesToTheCallerAndTheBreakerStands(t *testing.T) {
	b := mustNew(t, Config{Name: "pms", ConsecutiveFailures: 3, TripWhen: func(c Counts) bool { panic("rule") }})
	for range 2 {
		func() {
			defer func() {
				if recover() != "rule" {
					t.Error("the panic was swallowed")
				}
			}()
			call(b, errDown)
		}()
	}
	if s := b.Stats(); s.Total.Failure != 2 {
		t.Errorf("counted %d failures, want 2", s.Total.Failure)
	}
	call(b, errDown)
	wantState(t, b, Open)
}

func TestAnOwnRuleMayCallTheBreaker(t *testing.T) {
	var b *Breaker
	b = mustNew(t, Config{Name: "pms", TripWhen: func(Counts) bool {
		b.Trip(errDown)
		b.Reset()
		return b.Stats().Total.Failure == 1
	}})
	call(b, errDown)
	wantState(t, b, Closed) // its verdict was about a stay that it ended itself
}
