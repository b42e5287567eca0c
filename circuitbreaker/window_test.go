// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func newTimeWindow(width time.Duration, buckets int64) *timeWindow {
	return &timeWindow{width: width, buckets: buckets}
}

// put counts a call the way that a breaker does.
func put(w window, at time.Duration, o Outcome, slow bool) {
	if o == Success && !slow {
		w.success(at)
	} else {
		w.record(at, o, slow)
	}
}

func TestAWindowOfTimeHoldsTheCallsOfItsBuckets(t *testing.T) {
	for buckets := int64(1); buckets <= 5; buckets++ {
		w := newTimeWindow(time.Second, buckets)
		type past struct {
			bucket int64
			counts Counts
		}
		var all []past
		for bucket := int64(0); bucket < 1000; bucket += rand.Int64N(4) {
			o, slow := Outcome(rand.IntN(3)), rand.IntN(2) == 0
			put(w, time.Duration(bucket)*time.Second+time.Duration(rand.IntN(1e9)), o, slow)
			var c Counts
			add(&c, o, slow)
			all = append(all, past{bucket, c})
			var want Counts
			for _, p := range all {
				if p.bucket > bucket-buckets {
					want.Success += p.counts.Success
					want.Failure += p.counts.Failure
					want.Ignored += p.counts.Ignored
					want.Slow += p.counts.Slow
				}
			}
			if got := w.counts(time.Duration(bucket)*time.Second + 1e9 - 1); got != want {
				t.Fatalf("%d buckets: in bucket %d the window holds %+v, want %+v", buckets, bucket, got, want)
			}
		}
	}
}

// A goroutine may be held up between reading the clock and counting.
func TestACallThatIsCountedLateIsOneOfTheNewestBucketOrHasLeftTheWindow(t *testing.T) {
	w := newTimeWindow(time.Second, 3)
	put(w, 5*time.Second, Failure, false)
	put(w, time.Second, Failure, false)
	put(w, time.Second, Success, false)
	if got := w.counts(7 * time.Second); got.Failure != 2 || got.Success != 1 {
		t.Errorf("got %+v", got)
	}
	if got := w.counts(8 * time.Second); got != (Counts{}) {
		t.Errorf("a window later: got %+v", got)
	}
	put(w, time.Second, Success, false)
	put(w, 8*time.Second, Failure, false)
	if got := w.counts(8 * time.Second); got != (Counts{Failure: 1}) {
		t.Errorf("got %+v", got)
	}
}

func TestABucketMayBeAsLongAsADurationGoes(t *testing.T) {
	for buckets := range 12 {
		for _, d := range []time.Duration{math.MaxInt64, forever + 1, forever} {
			cfg := Config{FailureRate: 1, Window: Window{Duration: d, Buckets: buckets + 1}}
			w := cfg.newWindow()
			for _, at := range []time.Duration{0, time.Second, 0} {
				put(w, at, Success, false)
				put(w, at, Failure, false)
			}
			if got := w.counts(time.Hour); got.Success != 3 || got.Failure != 3 {
				t.Errorf("%v in %d buckets holds %+v, want three of each", d, buckets, got)
			}
		}
	}
}

func TestAWindowKeepsNoMoreMarksThanBuckets(t *testing.T) {
	w := newTimeWindow(time.Millisecond, 10)
	for i := range 100_000 {
		put(w, time.Duration(i)*time.Millisecond, Success, false)
		if len(w.marks) > 10 || cap(w.marks) > 32 {
			t.Fatalf("after %d buckets: %d marks of %d", i, len(w.marks), cap(w.marks))
		}
	}
}

func TestAWindowOfCallsHoldsTheLastOnes(t *testing.T) {
	for size := 1; size <= 4; size++ {
		w := &callWindow{calls: make([]pastCall, size)}
		var all []Counts
		for range 1000 {
			o, slow := Outcome(rand.IntN(3)), rand.IntN(2) == 0
			put(w, 0, o, slow)
			var c, want Counts
			add(&c, o, slow)
			all = append(all, c)
			for _, c := range all[max(len(all)-size, 0):] {
				want.Success += c.Success
				want.Failure += c.Failure
				want.Ignored += c.Ignored
				want.Slow += c.Slow
			}
			if got := w.counts(0); got != want {
				t.Fatalf("the last %d: got %+v, want %+v", size, got, want)
			}
		}
	}
}

// Once cores have collided, counters spread over stripes: no count may be lost or
// doubled on the way.
func TestCountsAreExactWhileTheySpread(t *testing.T) {
	const goroutines = 8
	per := long(20_000, 60)
	var c counter
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range per {
				if g == 0 && i == per/2 { // collisions are rare on few cores
					c.spread()
				}
				c.add()
			}
		})
	}
	wg.Wait()
	if want := uint64(goroutines * per); c.sum() != want {
		t.Errorf("%d, want %d", c.sum(), want)
	}
}

// Calls go on while the window turns. Whenever they pause, none is lost or
// doubled, and none stays.
func TestAWindowIsExactOverConcurrentRotations(t *testing.T) {
	const goroutines, rounds, buckets = 8, 25, 60
	per := long(800, 63)
	for name, w := range map[string]window{
		"time":  newTimeWindow(time.Second, buckets),
		"calls": &callWindow{calls: make([]pastCall, goroutines*per)},
	} {
		var clock atomic.Int64 // in buckets
		for round := range rounds {
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() {
					for i := range per {
						put(w, time.Duration(clock.Load())*time.Second, Outcome(i%2), i%4 == 0)
						if g == 0 && i%(per/50) == 0 {
							clock.Add(1)
						}
					}
				})
			}
			wg.Wait()
			half := uint64(goroutines * per / 2)
			now := time.Duration(clock.Load()) * time.Second
			if got, want := w.counts(now), (Counts{Success: half, Failure: half, Slow: half / 2}); got != want {
				t.Fatalf("%s, round %d: holds %+v, want %+v", name, round, got, want)
			}
			clock.Add(buckets) // the next round begins with an empty window
			if got := w.counts(now + buckets*time.Second); name == "time" && got != (Counts{}) {
				t.Fatalf("round %d: a window later it holds %+v", round, got)
			}
		}
	}
}

// best is the shortest time that one call of f took, in groups of a hundred.
func best(f func()) time.Duration {
	least := time.Hour
	for range 500 {
		start := time.Now()
		times(100, f)
		least = min(least, time.Since(start)/100)
	}
	return least
}

// The limits are wide: each of these took 40 times as long as by default, and more.
func TestTheCostOfACallDoesNotDependOnTheConfiguration(t *testing.T) {
	fail := func(cfg Config) time.Duration {
		cfg.Name, cfg.FailureRate, cfg.MinCalls = "pms", 1, 1<<16
		b := mustNew(t, cfg)
		times(1000, func() { call(b, nil) })
		return best(func() { call(b, errDown) })
	}
	normal := fail(Config{})
	for name, got := range map[string]time.Duration{
		"4096 buckets": fail(Config{Window: Window{Duration: time.Hour, Buckets: 4096}}),
		"65536 calls":  fail(Config{Window: Window{Calls: 1 << 16}}),
	} {
		if got > 10*normal {
			t.Errorf("a failure takes %v with %s, %v by default", got, name, normal)
		}
	}

	reject := func(concurrent int) time.Duration {
		b := mustNew(t, Config{Name: "pms", Probes: Probes{Concurrent: concurrent}})
		b.Probe()
		defer b.Reset()
		times(concurrent, func() { mustAllow(t, b) })
		return best(func() { b.Allow() })
	}
	if one, many := reject(1), reject(1024); many > 10*one {
		t.Errorf("a rejection beside 1024 probes takes %v, beside one %v", many, one)
	}
}
