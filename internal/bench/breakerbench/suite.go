// SPDX-License-Identifier: MIT

// Package breakerbench compares circuit breakers.
package breakerbench

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go"
	fscb "github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/internal/bench"
)

// many is how many goroutines the contended cases have.
const many = 16

// Suite is the comparison. All breakers that count in a window have one of 10 s
// in 10 buckets.
func Suite(testing.TB) bench.Suite {
	return bench.Suite{
		Name:  "circuitbreaker",
		Peers: []string{"github.com/sony/gobreaker/v2", "github.com/failsafe-go/failsafe-go"},
		Cases: []bench.Case{
			{Name: "floor: one time.Since, two CAS", Make: floor},
			{Name: "holdfast, in a row", Make: ours(inARow), NoAllocs: true},
			{Name: "holdfast, rolling", Make: ours(rolling), NoAllocs: true},
			{Name: "holdfast, default rules", Make: ours(circuitbreaker.Config{}), NoAllocs: true},
			{Name: "holdfast, rolling, Allow and Done", Make: oursTwoStep(rolling), NoAllocs: true},
			{Name: "gobreaker, in a row", Make: gobreakers(gobreaker.Settings{})},
			{Name: "gobreaker, rolling", Make: gobreakers(gobreakerRolling)},
			{Name: "gobreaker, rolling, two steps", Make: gobreakerTwoStep},
			{Name: "failsafe-go executor, in a row", Make: executors(failsafeInARow)},
			{Name: "failsafe-go executor, rolling", Make: executors(failsafeRolling)},
			{Name: "failsafe-go standalone, rolling", Make: failsafeStandalone},
			{Name: "holdfast, rejection", Make: oursRejecting, NoAllocs: true},
			{Name: "gobreaker, rejection", Make: gobreakerRejecting},
			{Name: "failsafe-go executor, rejection", Make: failsafeRejecting},
			{Name: "holdfast, rolling, 16 goroutines", Make: ours(rolling), Goroutines: many, NoAllocs: true},
			{Name: "gobreaker, rolling, 16 goroutines", Make: gobreakers(gobreakerRolling), Goroutines: many},
			{Name: "holdfast, failure, 10 buckets", Make: oursFailing(circuitbreaker.Window{}), NoAllocs: true},
			{Name: "holdfast, failure, 4096 buckets", Make: oursFailing(circuitbreaker.Window{Buckets: 4096}), NoAllocs: true},
			{Name: "holdfast, failure, last 65536 calls", Make: oursFailing(circuitbreaker.Window{Calls: 1 << 16}), NoAllocs: true},
			{Name: "holdfast, half-open rejection", Make: oursHalfOpen(1), NoAllocs: true},
			{Name: "holdfast, half-open rejection, 1024 probes", Make: oursHalfOpen(1024), NoAllocs: true},
			{Name: "holdfast, Get, 16 goroutines", Make: oursGet("a"), Goroutines: many, NoAllocs: true},
			{Name: "holdfast, Get in a full group, 16 goroutines", Make: oursGet("surplus"), Goroutines: many, NoAllocs: true},
		},
		Bars: []bench.Bar{
			{Slow: "gobreaker, in a row", Fast: "holdfast, in a row", AtLeast: 7.5}, // 8.5 would take copies of Do and Allow that are inlined
			{Slow: "holdfast, rolling", Fast: "floor: one time.Since, two CAS", AtMost: 1.6},
			{Slow: "gobreaker, rolling", Fast: "holdfast, rolling", AtLeast: 2.8},
			{Slow: "gobreaker, rolling, 16 goroutines", Fast: "holdfast, rolling, 16 goroutines", AtLeast: 9},
			{Slow: "failsafe-go executor, in a row", Fast: "holdfast, in a row", AtLeast: 8},
			{Slow: "failsafe-go executor, rolling", Fast: "holdfast, rolling", AtLeast: 8},
			{Slow: "gobreaker, rejection", Fast: "holdfast, rejection", AtLeast: 8.1}, // 9 would need a rejection of 6.6 ns: an atomic addition and four calls take 7.5
			{Slow: "holdfast, failure, 4096 buckets", Fast: "holdfast, failure, 10 buckets", AtMost: 2},
			{Slow: "holdfast, failure, last 65536 calls", Fast: "holdfast, failure, 10 buckets", AtMost: 2},
			{Slow: "holdfast, half-open rejection, 1024 probes", Fast: "holdfast, half-open rejection", AtMost: 2},
			{Slow: "holdfast, Get in a full group, 16 goroutines", Fast: "holdfast, Get, 16 goroutines", AtMost: 2},
		},
	}
}

var (
	inARow  = circuitbreaker.Config{ConsecutiveFailures: 5}
	rolling = circuitbreaker.Config{FailureRate: 0.5}

	gobreakerRolling = gobreaker.Settings{
		Interval: 10 * time.Second, BucketPeriod: time.Second,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.Requests >= 20 && 2*c.TotalFailures >= c.Requests },
	}
	failsafeInARow  = func() fscb.CircuitBreaker[int] { return fscb.NewBuilder[int]().WithFailureThreshold(5).Build() }
	failsafeRolling = func() fscb.CircuitBreaker[int] {
		return fscb.NewBuilder[int]().WithFailureRateThreshold(0.5, 20, 10*time.Second).Build()
	}

	ctx     = context.Background()
	errDown = errors.New("down")
)

// The guarded call is the same for all: it does nothing.
func call(context.Context) (int, error) { return 1, nil }
func callWithoutContext() (int, error)  { return 1, nil }

// floor is what a breaker that counts calls in a window of time cannot do
// without.
func floor() func(int) {
	start, words := time.Now(), new([2]atomic.Uint64)
	return func(n int) {
		for range n {
			d := uint64(time.Since(start))
			for i := range words {
				if old := words[i].Load(); !words[i].CompareAndSwap(old, old+1+d>>60) {
					panic("contended")
				}
			}
		}
	}
}

func breaker(cfg circuitbreaker.Config) *circuitbreaker.Breaker {
	cfg.Name = "bench"
	b, err := circuitbreaker.New(cfg)
	if err != nil {
		panic(err)
	}
	return b
}

func ours(cfg circuitbreaker.Config) func() func(int) {
	return func() func(int) { return calls(breaker(cfg)) }
}

func calls(b *circuitbreaker.Breaker) func(int) {
	return func(n int) {
		for range n {
			circuitbreaker.Do(ctx, b, call)
		}
	}
}

func oursTwoStep(cfg circuitbreaker.Config) func() func(int) {
	return func() func(int) {
		b := breaker(cfg)
		return func(n int) {
			for range n {
				p, err := b.Allow()
				if err != nil {
					panic(err)
				}
				p.Done(ctx, nil)
			}
		}
	}
}

func oursRejecting() func(int) {
	b := breaker(inARow)
	b.ForceOpen(errDown)
	return calls(b)
}

// oursFailing has some successes among the failures, which never open it.
func oursFailing(w circuitbreaker.Window) func() func(int) {
	return func() func(int) {
		b := breaker(circuitbreaker.Config{FailureRate: 1, Window: w})
		fail := func(context.Context) (int, error) { return 0, errDown }
		return func(n int) {
			for i := range n {
				if i%1024 == 0 {
					circuitbreaker.Do(ctx, b, call)
				}
				circuitbreaker.Do(ctx, b, fail)
			}
		}
	}
}

// oursHalfOpen has as many probes in flight as are let through.
func oursHalfOpen(probes int) func() func(int) {
	return func() func(int) {
		b := breaker(circuitbreaker.Config{
			ConsecutiveFailures: 1, Probes: circuitbreaker.Probes{Concurrent: probes, Timeout: time.Hour},
		})
		b.Probe()
		for range probes {
			if _, err := b.Allow(); err != nil {
				panic(err)
			}
		}
		return calls(b)
	}
}

// oursGet gets a breaker of a full group, whose keys cannot leave.
func oursGet(key string) func() func(int) {
	return func() func(int) {
		g, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{Breaker: circuitbreaker.Config{Name: "bench"}, Max: 2})
		if err != nil {
			panic(err)
		}
		for _, k := range []string{"a", "b"} {
			g.Get(k).ForceOpen(errDown)
		}
		return func(n int) {
			for range n {
				g.Get(key)
			}
		}
	}
}

func gobreakers(s gobreaker.Settings) func() func(int) {
	return func() func(int) { return gobreakerCalls(gobreaker.NewCircuitBreaker[int](s)) }
}

func gobreakerCalls(b *gobreaker.CircuitBreaker[int]) func(int) {
	return func(n int) {
		for range n {
			b.Execute(callWithoutContext)
		}
	}
}

func gobreakerTwoStep() func(int) {
	b := gobreaker.NewTwoStepCircuitBreaker[int](gobreakerRolling)
	return func(n int) {
		for range n {
			done, err := b.Allow()
			if err != nil {
				panic(err)
			}
			done(nil)
		}
	}
}

func gobreakerRejecting() func(int) {
	b := gobreaker.NewCircuitBreaker[int](gobreaker.Settings{Timeout: time.Hour})
	for range 10 {
		b.Execute(func() (int, error) { return 0, errDown })
	}
	return gobreakerCalls(b)
}

func executors(make func() fscb.CircuitBreaker[int]) func() func(int) {
	return func() func(int) { return executorCalls(make()) }
}

func executorCalls(b fscb.CircuitBreaker[int]) func(int) {
	e := failsafe.With(b)
	return func(n int) {
		for range n {
			e.Get(callWithoutContext)
		}
	}
}

func failsafeStandalone() func(int) {
	b := failsafeRolling()
	return func(n int) {
		for range n {
			if !b.TryAcquirePermit() {
				panic("rejected")
			}
			b.RecordSuccess()
		}
	}
}

func failsafeRejecting() func(int) {
	b := fscb.NewBuilder[int]().WithDelay(time.Hour).Build()
	b.Open()
	return executorCalls(b)
}
