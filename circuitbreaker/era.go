// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// era is one stay in one state: a header that never changes, and the counters
// that belong to the stay. The breaker points to the current one, and replaces
// it as a whole. So a state, its deadline and its counters are always read
// together, and a reset is a new era. A late result belongs to an era that is no
// longer read: it cannot move the breaker.
type era struct {
	*clocks
	breaker   *Breaker
	state     State
	plain     bool       // see policy.plain
	attempt   int32      // times opened without a stable stay in Closed
	rejection *OpenError // nil where every call passes

	streak atomic.Int64 // failures in a row
	window window       // Closed and Disabled, if a rule wants it
	probes *probes      // HalfOpen
}

// clocks are when an era began and the time spent in each state before it.
type clocks struct {
	since   time.Duration            // after Breaker.born
	openFor time.Duration            // Open only
	times   [numStates]time.Duration // spent in each state before this era
}

// firstClocks are those of every breaker's first era. Nothing writes to them.
var firstClocks clocks

// note counts an outcome in the era's streak and window and returns the
// streak. A healthy streak is only read.
func (e *era) note(now time.Duration, o Outcome, slow bool) (streak int) {
	switch {
	case o == Failure:
		streak = int(e.streak.Add(1))
	case e.streak.Load() != 0:
		e.streak.Store(0)
	}
	if e.window != nil {
		e.window.add(now, o, slow)
	}
	return streak
}

// change is what a transition is about.
type change struct {
	to     State
	reason Reason
	cause  error
}

// transition ends the era from, and reports whether it was this call that did.
// It is the only place where the state changes:
//
//	from      to          by
//	Closed    Open        a rule, after a bad outcome; Trip
//	Open      HalfOpen    the timer that transition itself starts
//	HalfOpen  Closed      the last probe needed
//	HalfOpen  Open        a failed or hung probe; Trip
//	other     ForcedOpen  ForceOpen
//	other     Disabled    Disable
//	any       Closed      Reset
//
// Calls and timers that want to end the same era race with one
// compare-and-swap, and exactly one wins. Timers are never stopped: a late one
// finds that its era is over, and loses.
//
// The mutex puts events in the order of the swaps, and keeps [Breaker.Stats] from
// reading a clock that is ahead of the swap. No user code runs while it is held.
func (b *Breaker) transition(ctx context.Context, from *era, c change) bool {
	next := b.follow(from, c)
	b.mu.Lock()
	b.begin(next, from, c)
	won := b.era.CompareAndSwap(from, next)
	if won && from.state != next.state {
		b.post(ctx, b.changed(from, next, c))
	}
	b.mu.Unlock()
	if !won {
		return false
	}
	if next.state == Open {
		time.AfterFunc(next.openFor, func() {
			b.transition(noContext, next, change{to: HalfOpen, reason: WaitedLongEnough})
		})
	}
	b.deliver()
	return true
}

// follow prepares the era that comes after from. It may run user code: the cause
// may have a method RetryAfter.
func (b *Breaker) follow(from *era, c change) *era {
	next := &era{breaker: b, state: c.to, plain: b.policy.plain(c.to), clocks: new(clocks)}
	switch c.to {
	case Closed, Disabled:
		next.window = b.policy.newWindow()
		if c.reason == ProbesPassed {
			next.attempt = from.attempt
		}
	case Open:
		next.attempt = b.policy.attempt(from, b.elapsed())
		next.openFor = b.policy.openTime(next.attempt, c.cause)
	case HalfOpen:
		next.attempt = from.attempt
		next.probes = newProbes(b.policy.probes.Concurrent)
	}
	return next
}

// begin sets what depends on the instant at which next begins; b.mu is held.
// The rejections of a half-open breaker keep the reason why it opened.
func (b *Breaker) begin(next, from *era, c change) {
	next.since = b.elapsed()
	next.times = from.times
	next.times[from.state] += next.since - from.since
	switch next.state {
	case Open:
		next.rejection = b.rejection(c, b.born.Add(next.since+next.openFor))
	case HalfOpen:
		next.rejection = b.rejection(change{HalfOpen, from.rejection.Reason, from.rejection.Cause}, time.Time{})
	case ForcedOpen:
		next.rejection = b.rejection(c, time.Time{})
	}
}

func (b *Breaker) rejection(c change, until time.Time) *OpenError {
	return &OpenError{Name: b.name, State: c.to, Reason: c.reason, Cause: c.cause, until: until}
}

// attempt counts openings, from 1 where the earlier ones are forgotten.
func (p *policy) attempt(from *era, now time.Duration) int32 {
	if p.forgotten(from, now) {
		return 1
	}
	return from.attempt + 1
}

// forgotten reports whether the stay in Closed has proved stable: it was at
// least as long as the next open time would be.
func (p *policy) forgotten(e *era, now time.Duration) bool {
	return e.attempt == 0 || e.state == Closed && now-e.since >= p.openFor.delay(int(e.attempt)+1)
}

// openTime is the back-off of the attempt, or what the cause asks for if that
// is more.
func (p *policy) openTime(attempt int32, cause error) time.Duration {
	d := p.openFor.jittered(p.openFor.delay(int(attempt)))
	if asked, ok := errors.AsType[retryAfter](cause); ok {
		d = max(d, min(asked.RetryAfter(), p.openFor.Max))
	}
	return d
}

// retryAfter is an error with the time after which the dependency may be called.
type retryAfter interface {
	error
	RetryAfter() time.Duration
}

// changed describes the transition for observers. It runs no user code.
func (b *Breaker) changed(from, next *era, c change) Event {
	e := Event{
		Op: OpChanged, Source: b, Time: b.born.Add(next.since), Shadow: b.policy.shadow,
		From: from.state, To: next.state, Reason: c.reason, Cause: c.cause,
		OpenFor: next.openFor, Before: b.stats(from, next.since),
	}
	if next.state != Closed {
		e.Attempt = int(next.attempt)
	}
	return e
}
