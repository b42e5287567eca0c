// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"time"
)

// noContext is for changes that no call caused.
var noContext = context.Background()

// Permit allows one call; [Breaker.Allow] returns it. Settle it exactly once,
// with Done, Success, Failure or Ignore, on any goroutine. Settling a probe
// twice has no effect; settling another call twice counts it twice. A permit
// that is never settled is a call that never ends: it has no effect, except
// that a probe keeps its slot until [Probes.Timeout].
//
// The zero Permit belongs to no call, and settling it does nothing.
type Permit struct {
	era   *era
	start time.Duration // of a slow call, or a probe's ticket
	slot  int           // of a probe, counted from 1
}

// Allow returns a permit for one call: the two-step form of [Breaker.Do] for
// code that cannot be a function. The error is an [*OpenError], or [ErrInvalid]
// for a nil breaker. Allow allocates nothing, except a timer for a probe.
func (b *Breaker) Allow() (Permit, error) {
	e := b.current()
	if e != nil && e.plain {
		return Permit{era: e}, nil
	}
	return b.allow(e)
}

// current returns the current era; nil if the breaker is nil or not made with
// [New] or by a [Group].
func (b *Breaker) current() *era {
	if b == nil {
		return nil
	}
	return b.era.Load()
}

// plain reports whether a successful call in the state is only counted: not
// rejected, not timed and not classified.
func (p *policy) plain(s State) bool {
	return (s == Closed || s == Disabled) && p.slowCall == 0 && p.classify == nil
}

// allow is the rest of Allow. It starts again when a half-open era ended
// meanwhile: a slot may have become free only because the breaker opened.
func (b *Breaker) allow(e *era) (Permit, error) {
	if e == nil {
		return Permit{}, errNotMade
	}
	if e.rejection == nil {
		return b.permit(e), nil
	}
	if e.state == HalfOpen {
		p, ok := b.admit(e)
		if b.era.Load() != e {
			return b.Allow()
		}
		if ok {
			return p, nil
		}
	}
	if b.policy.shadow {
		b.shadowRejected.Add(1)
		return b.permit(e), nil
	}
	if !b.rejected.tryAdd() {
		b.rejected.addWide()
	}
	return Permit{}, e.rejection
}

// permit reads the clock only if slow calls are counted.
func (b *Breaker) permit(e *era) Permit {
	if b.policy.slowCall == 0 {
		return Permit{era: e}
	}
	return Permit{era: e, start: b.elapsed()}
}

// Done settles the call with its error, which [Config.Classify] turns into an
// outcome. ctx is the context that the call was made with.
func (p Permit) Done(ctx context.Context, err error) {
	if err == nil && p.era != nil && p.era.plain {
		p.era.succeed()
		return
	}
	p.settle(ctx, unclassified, err)
}

// succeed does what settle does for a success, the common case.
func (e *era) succeed() {
	b := e.breaker
	var now time.Duration
	if b.policy.timed {
		now = b.elapsed()
	}
	if !b.success.tryAdd() {
		b.success.addWide()
	}
	if b.era.Load() == e {
		e.note(now, Success, false)
	} else {
		b.stale.Add(1)
	}
}

// Success settles the call as one that worked.
func (p Permit) Success() { p.settle(noContext, Success, nil) }

// Failure settles the call as one that did not work.
func (p Permit) Failure() { p.settle(noContext, Failure, nil) }

// Ignore settles the call as one that says nothing about the dependency.
func (p Permit) Ignore() { p.settle(noContext, Ignored, nil) }

// unclassified makes settle classify the error.
const unclassified Outcome = 255

// settle counts the outcome and checks the rules, unless the era that let the
// call through is over.
func (p Permit) settle(ctx context.Context, o Outcome, err error) {
	e := p.era
	if e == nil {
		return
	}
	b := e.breaker
	switch {
	case o != unclassified:
	case err == nil && b.policy.classify == nil:
		o = Success
	default:
		o = p.classify(ctx, err)
	}
	if p.slot != 0 && !e.probes.claim(p) {
		return
	}
	var now time.Duration
	slow := false
	if b.policy.timed {
		now = b.elapsed()
		slow = o != Ignored && b.policy.slowCall > 0 && now-p.start >= b.policy.slowCall
	}
	if o != Success || slow || !b.success.tryAdd() { // the common case without a call
		b.count(o, slow)
	}
	switch {
	case b.era.Load() != e:
		b.stale.Add(1)
	case p.slot != 0:
		b.settleProbe(ctx, p, o, slow, err)
	case e.rejection == nil && o != Ignored:
		streak := e.note(now, o, slow)
		if e.state == Closed && (o == Failure || slow) {
			b.ask(ctx, e, now, streak, err)
		}
	}
}

// classify settles the call itself if Classify panics, so that a probe's slot
// comes back all the same.
func (p Permit) classify(ctx context.Context, err error) Outcome {
	policy := p.era.breaker.policy
	if policy.classify == nil {
		return DefaultClassify(ctx, err)
	}
	returned := false
	defer func() {
		if !returned {
			p.settle(ctx, Failure, err)
		}
	}()
	o := policy.ownClassify(ctx, err)
	returned = true
	return o
}

// ask checks the rules after a bad outcome.
func (b *Breaker) ask(ctx context.Context, e *era, now time.Duration, streak int, err error) {
	if reason := b.policy.verdict(e, now, streak); reason != NoReason {
		b.transition(ctx, e, change{to: Open, reason: reason, cause: err})
	}
}

// settleProbe gives the slot back last: while the breaker decides, no further
// probe begins.
func (b *Breaker) settleProbe(ctx context.Context, p Permit, o Outcome, slow bool, err error) {
	e := p.era
	defer e.probes.release(p)
	switch {
	case o == Ignored:
	case o == Failure || slow && b.policy.slows.den != 0:
		b.transition(ctx, e, change{to: Open, reason: ProbeFailed, cause: err})
	case e.probes.successes.Add(1) >= int64(b.policy.probes.Successes):
		b.transition(ctx, e, change{to: Closed, reason: ProbesPassed})
	}
}
