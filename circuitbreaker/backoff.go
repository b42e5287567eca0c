// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Backoff configures how long a breaker stays open: Base the first time, Factor
// times longer at each attempt after that, at most Max, plus or minus Jitter.
// The zero Backoff is 5 s doubling to 60 s, ±20 %.
//
// Attempts are counted while the breaker opens again and again: they are
// forgotten once it has stayed closed at least as long as its next open time
// would have been (before jitter), or by [Breaker.Reset].
//
// An error can lengthen it: when the error that opens the breaker, or one that
// it wraps, has a method RetryAfter() time.Duration, the breaker stays open at
// least that long, up to Max.
type Backoff struct {
	Base   time.Duration // default 5 s
	Max    time.Duration // before jitter; default 60 s, or Base if that is more; negative: unlimited
	Factor float64       // at least 1; default 2
	Jitter float64       // share of the time, below 1; default 0.2; negative: none
}

// forever stands for no limit. It leaves room for jitter and for the time since
// the process began.
const forever = time.Duration(1 << 60) // 36 years

func (b *Backoff) withDefaults(p *configerr.Problems) {
	configerr.Default(&b.Base, 5*time.Second)
	configerr.Default(&b.Max, max(60*time.Second, b.Base))
	configerr.Default(&b.Factor, 2)
	configerr.Default(&b.Jitter, 0.2)
	b.Jitter = max(b.Jitter, 0)
	if b.Max < 0 {
		b.Max = forever
	}
	p.Want(b.Base > 0, "OpenFor.Base", b.Base, "more than 0")
	p.Want(b.Max >= b.Base, "OpenFor.Max", b.Max, fmt.Sprintf("at least Base (%v)", b.Base))
	b.Max = min(b.Max, forever)
	p.Want(b.Factor >= 1 && !math.IsInf(b.Factor, 1), "OpenFor.Factor", b.Factor, "at least 1")
	p.Want(b.Jitter < 1, "OpenFor.Jitter", b.Jitter, "less than 1")
}

// delay returns the open time of the given attempt, counted from 1, before
// jitter.
func (b Backoff) delay(attempt int) time.Duration {
	d := float64(b.Base) * math.Pow(b.Factor, float64(attempt-1))
	if d >= float64(b.Max) {
		return b.Max
	}
	return time.Duration(d)
}

// jittered spreads d evenly over d ± Jitter, so that a fleet of breakers that
// opened together does not probe together.
func (b Backoff) jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 + b.Jitter*(2*rand.Float64()-1)))
}
