// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestOpenTimeGrowsToItsCap(t *testing.T) {
	for _, tc := range []struct {
		name string
		give Backoff
		want []time.Duration
	}{
		{"by default", Backoff{Jitter: -1}, []time.Duration{5e9, 10e9, 20e9, 40e9, 60e9, 60e9}},
		{"constant", Backoff{Base: time.Second, Factor: 1, Jitter: -1}, []time.Duration{1e9, 1e9, 1e9}},
		{"a long base", Backoff{Base: 2 * time.Minute, Jitter: -1}, []time.Duration{120e9, 120e9}},
		{"without a cap", Backoff{Base: time.Hour, Max: -1, Factor: 10, Jitter: -1}, []time.Duration{time.Hour, 10 * time.Hour, 100 * time.Hour}},
	} {
		cfg := steady()
		cfg.OpenFor = tc.give
		b := mustNew(t, cfg)
		for i, want := range tc.want {
			if got := b.config.Load().openTime(int32(i+1), nil); got != want {
				t.Errorf("%s: attempt %d opens for %v, want %v", tc.name, i+1, got, want)
			}
		}
		for _, attempt := range []int32{1000, math.MaxInt32} {
			if got := b.config.Load().openTime(attempt, nil); got <= 0 || got > forever {
				t.Errorf("%s: attempt %d opens for %v", tc.name, attempt, got)
			}
		}
	}
}

func TestAnAttemptIsForgottenOnlyAfterAStableStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.Observer = seen
		b := mustNew(t, cfg)
		var got []string
		trip := func(closedFor time.Duration) {
			time.Sleep(closedFor)
			b.Trip(nil)
			e := seen.last()
			got = append(got, fmt.Sprint(e.Attempt, e.OpenFor))
			time.Sleep(e.OpenFor)
			synctest.Wait()
			call(b, nil)
			wantState(t, b, Closed)
			if e := seen.last(); e.Attempt != 0 {
				t.Errorf("attempt %d in Closed", e.Attempt)
			}
		}
		trip(0)
		trip(20*time.Second - 1) // flapping
		trip(40*time.Second - 1)
		trip(60 * time.Second) // stable: 60 s is the next open time
		trip(time.Second)
		b.Reset()
		trip(time.Second)
		time.Sleep(time.Hour) // stable
		b.Probe()
		trip(0)
		b.Probe()
		trip(0)
		if want := "[1 10s 2 20s 3 40s 1 10s 2 20s 1 10s 1 10s 2 20s]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestFailedProbesCountAsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.Observer = seen
		b := mustNew(t, cfg)
		b.Trip(nil)
		for _, want := range []time.Duration{10, 20, 40, 60, 60} {
			if got := seen.last().OpenFor; got != want*time.Second {
				t.Errorf("open for %v, want %vs", got, int(want))
			}
			time.Sleep(want * time.Second)
			synctest.Wait()
			call(b, errDown)
		}
	})
}

type overloaded time.Duration

func (o overloaded) Error() string             { return "overloaded" }
func (o overloaded) RetryAfter() time.Duration { return time.Duration(o) }

func TestAnErrorMayAskForALongerOpenTime(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		-time.Hour: 10 * time.Second, time.Second: 10 * time.Second, 30 * time.Second: 30 * time.Second, time.Hour: 60 * time.Second,
	} {
		seen := new(events)
		cfg := steady()
		cfg.ConsecutiveFailures, cfg.Observer = 1, seen
		call(mustNew(t, cfg), fmt.Errorf("find rooms: %w", overloaded(asked)))
		if got := seen.last().OpenFor; got != want {
			t.Errorf("asked for %v: open for %v, want %v", asked, got, want)
		}
	}
}
