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

// A writer that was held up between reading the clock and counting must count
// in the window that its call belongs to, or not at all.
func TestALateWriterNeverSpoilsANewerBucket(t *testing.T) {
	const buckets = 3
	r := newRing(Window{Duration: 3 * time.Second, Buckets: buckets})
	for late, want := range map[uint64]uint64{0: 2, 1: 2, buckets - 1: 2, buckets: 1, buckets + 1: 1, 10 * buckets: 1} {
		row := make([]atomic.Uint64, buckets)
		now := uint64(100)
		r.add(&row[now%buckets], now)
		if late%buckets != 0 { // others moved the late writer's bucket on as well
			r.add(&row[(now-late)%buckets], now-late%buckets)
			want++
		}
		r.add(&row[(now-late)%buckets], now-late)
		if got := r.sum(row, now); got != want {
			t.Errorf("%d ticks late: the window holds %d, want %d", late, got, want)
		}
	}
}

func TestABucketCountsOnlyItsOwnTick(t *testing.T) {
	for buckets := range 5 {
		buckets++
		r := newRing(Window{Duration: time.Duration(buckets) * time.Second, Buckets: buckets})
		row := make([]atomic.Uint64, buckets)
		var ticks []uint64
		for tick := uint64(1); tick < 1000; tick += uint64(rand.IntN(4)) {
			r.add(&row[tick%uint64(r.n)], tick)
			ticks = append(ticks, tick)
			var want uint64
			for _, old := range ticks {
				if old+uint64(buckets) > tick {
					want++
				}
			}
			if got := r.sum(row, tick); got != want {
				t.Fatalf("%d buckets: at tick %d the window holds %d, want %d", buckets, tick, got, want)
			}
		}
	}
}

func TestTicksAndCountsHaveRoom(t *testing.T) {
	for _, width := range []time.Duration{time.Millisecond, time.Second, time.Minute, 24 * time.Hour, 365 * 24 * time.Hour} {
		r := newRing(Window{Duration: 10 * width, Buckets: 10})
		if last := r.tick(forever); last<<r.shift>>r.shift != last {
			t.Errorf("width %v: ticks wrap within 36 years", width)
		}
		if most := uint64(1)<<r.shift - 1; most/4 < uint64(width) {
			t.Errorf("width %v: a bucket overflows at %d", width, most)
		}
	}
}

func TestABucketMayBeAsLongAsADurationGoes(t *testing.T) {
	for buckets := 1; buckets <= 12; buckets++ {
		for _, d := range []time.Duration{math.MaxInt64, forever + 1, forever} {
			w := newTimeWindow(new(newRing(Window{Duration: d, Buckets: buckets})))
			for _, at := range []time.Duration{0, time.Second} {
				w.add(at, Success, false)
				w.add(at, Failure, false)
			}
			if got := w.counts(time.Hour); got.Success != 2 || got.Failure != 2 {
				t.Errorf("%v in %d buckets holds %+v, want two of each", d, buckets, got)
			}
		}
	}
}

func TestALateCallNeverOverwritesANewerOne(t *testing.T) {
	w := newCallWindow(2)
	times(4, func() { w.add(0, Failure, true) })
	w.last.Store(1) // as if call 2 were counted only now, two calls late
	w.add(0, Success, false)
	if got := w.counts(0); got.Failure != 2 || got.Slow != 2 || got.Success != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestTheRememberedPlaceIsUsedOnlyWithinItsBucket(t *testing.T) {
	const width = time.Second
	w := newTimeWindow(new(newRing(Window{Duration: 3 * width, Buckets: 3})))
	for _, at := range []time.Duration{0, 1, width - 1, width, width + 1, 2*width - 1, 2 * width, width - 1, 9 * width, 9*width - 1, 0, forever} {
		tick, bucket := w.place(at)
		if want := w.tick(at); tick != want || bucket != want%3 {
			t.Errorf("at %v: tick %d in bucket %d, want %d in %d", at, tick, bucket, want, want%3)
		}
	}
}

// Once cores have collided, windows and totals spread over stripes: no count
// may be lost or doubled on the way.
func TestCountsAreExactWhileTheySpread(t *testing.T) {
	const goroutines = 8
	per := long(20_000, 60)
	w := newTimeWindow(new(newRing(Window{Duration: time.Hour, Buckets: 3})))
	var c counter
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range per {
				w.add(time.Duration(i%2)*20*time.Minute, Success, false)
				if g == 0 && i == per/2 { // collisions are rare on few cores: make one happen
					w.spread()
					c.addWide()
				} else {
					c.add()
				}
			}
		})
	}
	wg.Wait()
	if want := uint64(goroutines * per); w.counts(20*time.Minute).Success != want || c.sum() != want {
		t.Errorf("window %d, total %d, want %d", w.counts(20*time.Minute).Success, c.sum(), want)
	}
}

// Calls go on while the window turns and spreads. Whenever they pause, it holds
// exactly those of its ticks.
func TestAWindowIsExactOverConcurrentRotations(t *testing.T) {
	const goroutines, rounds, calls = 8, 25, 100 // calls between two ticks
	per := long(800, 63)                         // 10^7 calls a window in full
	for buckets := int64(1); buckets <= 3; buckets++ {
		w := newTimeWindow(new(newRing(Window{Duration: time.Duration(buckets) * time.Second, Buckets: int(buckets)})))
		var clock atomic.Int64 // in ticks
		made := make([]map[int64]Counts, goroutines)
		for round := range rounds {
			var wg sync.WaitGroup
			for g := range goroutines {
				made[g] = make(map[int64]Counts)
				wg.Go(func() {
					for i := range per {
						tick := clock.Load()
						o, slow := Outcome(i%2), i%3 == 0
						w.add(time.Duration(tick)*time.Second, o, slow)
						c := made[g][tick]
						add(&c, o, slow)
						made[g][tick] = c
						if g == 0 && i%calls == 0 {
							clock.Add(1)
						}
					}
				})
			}
			wg.Wait()
			now := clock.Load()
			var want Counts
			for _, m := range made {
				for tick := now - buckets + 1; tick <= now; tick++ {
					want.Success += m[tick].Success
					want.Failure += m[tick].Failure
					want.Slow += m[tick].Slow
				}
			}
			if got := w.counts(time.Duration(now) * time.Second); got != want {
				t.Fatalf("%d buckets, round %d: holds %+v, want %+v", buckets, round, got, want)
			}
			clock.Add(buckets) // the next round begins with an empty window
			if round == rounds/2 {
				w.spread()
			}
		}
	}
}

// A single core never collides with itself, so this ends by itself too.
func TestACollisionSpreadsAWindow(t *testing.T) {
	w := newTimeWindow(new(newRing(Window{Duration: time.Hour, Buckets: 3})))
	var calls atomic.Uint64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := 0; n < 1_000_000 && w.wide.Load() == nil; n++ {
				w.add(0, Success, false)
				calls.Add(1)
			}
		})
	}
	wg.Wait()
	if got := w.counts(0).Success; got != calls.Load() {
		t.Errorf("counted %d of %d calls", got, calls.Load())
	}
}

func TestABreakerCountsOnWhenItsTotalsHaveSpread(t *testing.T) {
	b := mustNew(t, steady())
	call(b, nil)
	b.success.spread()
	call(b, nil)
	b.ForceOpen(nil)
	call(b, nil)
	b.rejected.spread()
	call(b, nil)
	if s := b.Stats(); s.Total.Success != 2 || s.Rejected != 2 {
		t.Errorf("counted %d calls and %d rejections, want 2 of each", s.Total.Success, s.Rejected)
	}
}

func TestAWindowForgetsOnAllStripes(t *testing.T) {
	w := newTimeWindow(new(newRing(Window{Duration: 3 * time.Second, Buckets: 3})))
	w.add(0, Success, true)
	w.spread()
	w.add(0, Success, true)
	if got := w.counts(2 * time.Second); got.Success != 2 || got.Slow != 2 {
		t.Errorf("got %+v", got)
	}
	if got := w.counts(3 * time.Second); got != (Counts{}) {
		t.Errorf("a window later: got %+v", got)
	}
}

func TestPickStaysInRange(t *testing.T) {
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if i := pick(maxStripes); i < 0 || i >= maxStripes {
				t.Errorf("picked %d", i)
			}
		})
	}
	wg.Wait()
	if n := stripes(); n < 1 || n > maxStripes || n&(n-1) != 0 {
		t.Errorf("%d stripes", n)
	}
}
