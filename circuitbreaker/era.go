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
	breaker   *Breaker
	state     State
	attempt   int32         // times opened without a stable stay in Closed
	since     time.Duration // after Breaker.born
	openFor   time.Duration // Open only
	rejection *OpenError    // nil where every call passes

	streak atomic.Int64 // failures in a row
	window window       // Closed and Disabled, if a rule looks at it
	probes *probes      // HalfOpen
}

// record counts a failure or a slow call, and checks the rules of a closed era.
func (e *era) record(ctx context.Context, now time.Duration, o Outcome, slow bool, err error) {
	var c Counts
	if e.window != nil {
		c = e.window.record(now, o, slow)
	}
	switch o {
	case Success:
		e.streak.Store(0)
	case Failure:
		c.Consecutive = int(e.streak.Add(1))
	case Ignored:
		c.Consecutive = int(e.streak.Load())
	}
	if e.state != Closed {
		return
	}
	if reason := e.breaker.config.Load().broken(c); reason != NoReason {
		e.breaker.transition(ctx, e, change{to: Open, reason: reason, cause: err})
	}
}

// change is what a transition is about.
type change struct {
	to      State
	reason  Reason
	cause   error
	openFor time.Duration // asked for by hand
}

// transition ends the era from, and reports whether it was this call that did.
// It is the only place where the state changes:
//
//	from      to          by
//	Closed    Open        a rule, after a failure or a slow call; Trip
//	Open      HalfOpen    a timer
//	HalfOpen  Closed      enough successful probes
//	HalfOpen  Open        too many failed or hung probes; Trip
//	other     HalfOpen    Probe
//	other     ForcedOpen  ForceOpen
//	other     Disabled    Disable
//	any       Closed      Reset
//
// Of the calls and timers that want to end the same era, exactly one does. The
// mutex puts events in the order of the changes, and keeps [Breaker.Stats] from
// reading a clock that is ahead of the change. No user code runs while it is
// held.
func (b *Breaker) transition(ctx context.Context, from *era, c change) bool {
	cfg := b.config.Load()
	next := b.follow(cfg, from, c)
	b.mu.Lock()
	if b.config.Load() != cfg { // next is as an earlier configuration has it
		b.mu.Unlock()
		return b.transition(ctx, from, c)
	}
	if b.era.Load() != from {
		b.mu.Unlock()
		return false
	}
	e := b.begin(next, from, c)
	if from.state != next.state {
		b.post(ctx, e)
	}
	b.mu.Unlock()
	b.deliver()
	return true
}

// follow prepares the era that comes after from. It may run user code: the cause
// may have a method RetryAfter.
func (b *Breaker) follow(cfg *Config, from *era, c change) *era {
	next := &era{breaker: b, state: c.to}
	switch c.to {
	case Closed, Disabled:
		next.window = cfg.newWindow()
		if c.reason == ProbesPassed {
			next.attempt = from.attempt
		}
	case Open:
		next.attempt = cfg.attempt(from, b.elapsed())
		if from.state != Open { // otherwise it is a new open time for the same opening
			next.attempt++
		}
		next.openFor = min(c.openFor, forever)
		if c.openFor <= 0 {
			next.openFor = cfg.openTime(next.attempt, c.cause)
		}
	case HalfOpen:
		next.attempt = cfg.attempt(from, b.elapsed())
		next.probes = newProbes(cfg)
	}
	return next
}

// begin makes next the current era and returns the event; b.mu is held. The
// rejections of a half-open breaker keep the reason why it opened.
func (b *Breaker) begin(next, from *era, c change) (e Event) {
	now := b.elapsed()
	if b.outbox != nil {
		e = Event{
			Op: OpChanged, Time: time.Now(), Shadow: b.config.Load().Shadow,
			From: from.state, To: next.state, Reason: c.reason, Cause: c.cause,
			OpenFor: next.openFor, Before: b.stats(from, now),
		}
		if next.state != Closed {
			e.Attempt = int(next.attempt)
		}
	}
	b.times[from.state] += now - from.since
	next.since = now
	switch next.state {
	case HalfOpen:
		if from.rejection != nil {
			c.reason, c.cause = from.rejection.Reason, from.rejection.Cause
		}
		fallthrough
	case Open, ForcedOpen:
		next.rejection = &OpenError{Name: b.name, State: next.state, Reason: c.reason, Cause: c.cause, until: b.born.Add(now + next.openFor)}
	}
	b.era.Store(next)
	if next.state == Open {
		b.wakeAt(now + next.openFor)
	}
	return e
}

// wakeAt makes a timer call wake at that time, unless one will sooner: wake looks
// at what there is by then, and comes back if it is early. b.mu is held.
//
// Timers are never stopped, because that would end a program in which a breaker
// was tripped inside a bubble of testing/synctest and reset outside of it. But a
// new one starts only if it is the soonest, so that few are left behind however
// often a breaker is tripped and reset.
func (b *Breaker) wakeAt(at time.Duration) {
	now, n := b.elapsed(), len(b.alarms)
	for n > 0 && b.alarms[n-1] <= now { // has fired
		n--
	}
	b.alarms = b.alarms[:n]
	if n == 0 || at < b.alarms[n-1] {
		b.alarms = append(b.alarms, at)
		time.AfterFunc(at-now, b.wake)
	}
}

// wake does what is due: it ends the open time, or gives up hung probes.
func (b *Breaker) wake() {
	e, now := b.era.Load(), b.elapsed()
	c, due := change{to: e.state}, time.Duration(0)
	switch e.state {
	case Open:
		c, due = change{to: HalfOpen, reason: WaitedLongEnough}, e.since+e.openFor
	case HalfOpen:
		c = change{reason: ProbeTimedOut, cause: errProbeTimedOut}
		c.to, due = e.probes.expire(now)
	}
	if due > now {
		b.mu.Lock()
		b.wakeAt(due)
		b.mu.Unlock()
	} else if c.to != e.state {
		b.transition(noContext, e, c)
	}
}

// attempt returns how many openings before now are not forgotten.
func (cfg *Config) attempt(from *era, now time.Duration) int32 {
	if from.state == Closed && now-from.since >= cfg.OpenFor.delay(int(from.attempt)+1) {
		return 0
	}
	return from.attempt
}

// openTime is the back-off of the attempt, or what the cause asks for if that
// is more.
func (cfg *Config) openTime(attempt int32, cause error) time.Duration {
	d := cfg.OpenFor.jittered(cfg.OpenFor.delay(int(attempt)))
	if asked, ok := errors.AsType[retryAfter](cause); ok {
		d = max(d, min(asked.RetryAfter(), cfg.OpenFor.Max))
	}
	return d
}

// retryAfter is an error with the time after which the dependency may be called.
type retryAfter interface {
	error
	RetryAfter() time.Duration
}
