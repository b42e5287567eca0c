// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// window is what the rates look at: the recent outcomes of one era. Both
// methods may be called from any number of goroutines and take no lock. Times
// count from the breaker's start. Ignored outcomes are never added.
type window interface {
	add(at time.Duration, o Outcome, slow bool)
	counts(now time.Duration) Counts // Consecutive is left to the caller
}

// newWindow returns an empty window, or nil when no rule looks at one.
func (p *policy) newWindow() window {
	switch {
	case !p.windowed:
		return nil
	case p.calls > 0:
		return newCallWindow(int(p.calls))
	default:
		return newTimeWindow(&p.ring)
	}
}

// ring is the shape of a time window: n buckets of the given width, used in
// turn. Each bucket is one word that carries the tick that it counts in its
// upper bits and the count in its lower ones:
//
//	word = tick << shift | count
//
// So a bucket needs no clearing: a word of an older tick is overwritten by the
// first count of a newer one, and readers skip words whose tick has left the
// window. The halves are sized by the width: ticks last for 36 years, and a
// count overflows only beyond four calls per nanosecond. The ticks keep two
// bits even where a bucket is nearly that long.
type ring struct {
	width time.Duration
	n     uint32
	shift uint8
}

func newRing(w Window) ring {
	width := w.Duration / time.Duration(w.Buckets)
	return ring{width: width, n: uint32(w.Buckets), shift: uint8(min(bits.Len64(uint64(width))+3, 62))}
}

// tick numbers the bucket that t falls into. Ticks begin at 1: a word that was
// never written carries 0.
func (r *ring) tick(t time.Duration) uint64 { return uint64(t/r.width) + 1 }

// add counts one at tick in the word of its bucket, and reports whether another
// core got in the way.
//
// A word of a newer tick is at least n ticks newer: the caller was held up for
// a whole window between reading the clock and this line, and its outcome has
// left the window already.
func (r *ring) add(word *atomic.Uint64, tick uint64) (contended bool) {
	for {
		old := word.Load()
		next := old + 1
		switch written := old >> r.shift; {
		case written > tick:
			return contended
		case written < tick:
			next = tick<<r.shift | 1
		}
		if word.CompareAndSwap(old, next) {
			return contended
		}
		contended = true
	}
}

// sum counts the row's words within the window that ends with tick. Words that
// are newer than the reader's own clock belong to it too.
func (r *ring) sum(row []atomic.Uint64, tick uint64) uint64 {
	var sum uint64
	for i := range row {
		word := row[i].Load()
		if word>>r.shift+uint64(r.n) > tick {
			sum += word & (1<<r.shift - 1)
		}
	}
	return sum
}

// timeWindow is a sliding window of time. Successes, which are what healthy
// traffic is made of, begin as one row of words and get a few more per core when
// cores collide. Failures and slow calls have a row each once there is one.
type timeWindow struct {
	*ring
	successes []atomic.Uint64
	troubles  atomic.Pointer[[]atomic.Uint64] // a row of failures, then one of slow calls
	wide      atomic.Pointer[[]atomic.Uint64] // successes of contended cores; rows of stride words
	latest    atomic.Uint64                   // tick<<bucketBits | bucket of a recent call
}

const bucketBits = 12 // for maxBuckets

func newTimeWindow(r *ring) *timeWindow {
	return &timeWindow{ring: r, successes: make([]atomic.Uint64, r.n)}
}

// trouble returns the rows of failures and of slow calls, and makes them if
// need be.
func (w *timeWindow) trouble() (failures, slow []atomic.Uint64) {
	rows := w.troubles.Load()
	if rows == nil {
		fresh := make([]atomic.Uint64, 2*w.n)
		w.troubles.CompareAndSwap(nil, &fresh)
		rows = w.troubles.Load()
	}
	return (*rows)[:w.n], (*rows)[w.n:]
}

// stride is the length of a wide row: whole pairs of cache lines.
func (w *timeWindow) stride() int { return (int(w.n) + lineWords - 1) / lineWords * lineWords }

// place returns the tick of an instant and its bucket. Divisions are expensive,
// and all calls of a bucket have the same result, so the latest one is kept. It
// is one word, so a reader always gets a tick and the bucket of that tick; at
// first that is tick 0, which ended before the breaker was made.
func (w *timeWindow) place(at time.Duration) (tick, bucket uint64) {
	latest := w.latest.Load()
	tick = latest >> bucketBits
	if sinceTick := uint64(at) - (tick-1)*uint64(w.width); sinceTick < uint64(w.width) {
		return tick, latest & (1<<bucketBits - 1)
	}
	tick = w.tick(at)
	bucket = tick % uint64(w.n)
	w.latest.Store(tick<<bucketBits | bucket)
	return tick, bucket
}

func (w *timeWindow) add(at time.Duration, o Outcome, slow bool) {
	tick, bucket := w.place(at)
	if o == Success {
		if w.wide.Load() != nil {
			w.ring.add(w.stripe(bucket), tick)
		} else if w.ring.add(&w.successes[bucket], tick) {
			w.spread()
		}
	}
	if o == Failure || slow {
		w.addTrouble(tick, bucket, o == Failure, slow)
	}
}

func (w *timeWindow) addTrouble(tick, bucket uint64, failed, slow bool) {
	failures, slows := w.trouble()
	if failed {
		w.ring.add(&failures[bucket], tick)
	}
	if slow {
		w.ring.add(&slows[bucket], tick)
	}
}

// stripe is the word of a bucket in this core's wide row.
func (w *timeWindow) stripe(bucket uint64) *atomic.Uint64 {
	wide, stride := *w.wide.Load(), w.stride()
	return &wide[pick(len(wide)/stride)*stride+int(bucket)]
}

// spread makes the wide rows, unless another goroutine has. The narrow row stays
// and ages.
func (w *timeWindow) spread() {
	wide := make([]atomic.Uint64, stripes()*w.stride())
	w.wide.CompareAndSwap(nil, &wide)
}

func (w *timeWindow) counts(now time.Duration) Counts {
	tick := w.tick(now)
	c := Counts{Success: w.sum(w.successes, tick)}
	if wide := w.wide.Load(); wide != nil {
		c.Success += w.sum(*wide, tick)
	}
	if w.troubles.Load() != nil {
		failures, slow := w.trouble()
		c.Failure, c.Slow = w.sum(failures, tick), w.sum(slow, tick)
	}
	return c
}
