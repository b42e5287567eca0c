// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"math"
	"time"
)

// verdict checks the rules of a closed era after a bad outcome. The first
// one that is met wins. It may run user code (TripWhen) and holds no lock.
func (p *policy) verdict(e *era, now time.Duration, streak int) Reason {
	if p.inARow > 0 && streak >= int(p.inARow) {
		return TooManyInARow
	}
	if e.window == nil {
		return NoReason
	}
	c := e.window.counts(now)
	c.Consecutive = streak
	calls := c.Success + c.Failure
	enough := calls >= uint64(p.minCalls)
	switch {
	case enough && p.failures.reached(c.Failure, calls):
		return TooManyFailures
	case enough && p.slows.reached(c.Slow, calls):
		return TooManySlow
	case p.tripWhen != nil && p.tripWhen(c):
		return OwnRule
	}
	return NoReason
}

// fraction is a rate as num/den, so that thresholds are compared in integers:
// 57 of 100 reaches 0.57, and 2 of 3 reaches 2.0/3. The zero fraction is a rule
// that is off.
type fraction struct{ num, den uint32 }

// maxDen keeps den*count within 64 bits for more than 10^13 calls.
const maxDen = 1 << 20

// newFraction returns the simplest fraction that the float64 rate stands for:
// the first convergent of its continued fraction that divides to the same
// float64. Where none has a small enough denominator, it returns the last one
// that has, which is closer than 1/maxDen; it is never 0.
func newFraction(rate float64) fraction {
	if rate <= 0 {
		return fraction{}
	}
	f, last, x := fraction{1, 0}, fraction{0, 1}, rate // both parts stay within maxDen, as rates do within 1
	for {
		whole := math.Floor(x)
		if whole > maxDen {
			break
		}
		den := uint64(whole)*uint64(f.den) + uint64(last.den)
		if den > maxDen {
			break
		}
		next := fraction{uint32(whole)*f.num + last.num, uint32(den)}
		f, last = next, f
		if float64(f.num)/float64(f.den) == rate {
			break
		}
		x = 1 / (x - whole)
	}
	if f.num == 0 { // less than 1/maxDen
		return fraction{1, maxDen}
	}
	return f
}

// reached reports whether part of all is at least the fraction.
func (f fraction) reached(part, all uint64) bool {
	return f.den != 0 && part*uint64(f.den) >= uint64(f.num)*all
}
