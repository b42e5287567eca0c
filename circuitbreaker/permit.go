// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// noContext is for changes that no call caused.
var noContext = context.Background()

// untraced is for a call whose context is not known.
var untraced context.Context

// Permit allows one call; [Breaker.Allow] returns it. Settle it exactly once,
// with Done, Success, Failure or Ignore, on any goroutine. Settling a probe
// twice has no effect; settling another call twice counts it twice. A permit
// that is never settled is a call that never ends: a probe keeps its slot until
// [Probes.Timeout], and a breaker keeps its place in its [Group].
//
// The zero Permit belongs to no call, and settling it does nothing.
type Permit struct {
	era   *era
	start time.Duration // after Breaker.born; see untimed
	probe *probe        // nil outside HalfOpen
}

// untimed is the start of a call that is not timed.
const untimed time.Duration = -1

func (p Permit) timed() bool { return p.start >= 0 }

// Allow returns a permit for one call: the two-step form of [Breaker.Do] for
// code that cannot be a function. The error is an [*OpenError], or [ErrInvalid]
// for a nil breaker. Allow reads the clock once and allocates nothing, except for
// a probe.
func (b *Breaker) Allow() (Permit, error) {
	p, err := b.admit(untraced)
	if err == nil {
		p.start = b.elapsed()
	}
	return p, err
}

// admit lets a call through, untimed, or rejects it. Without a ctx, the rejection
// is not traced.
func (b *Breaker) admit(ctx context.Context) (Permit, error) {
	if b == nil {
		return Permit{}, errNotMade
	}
	e := b.era.Load()
	if e == nil {
		return Permit{}, errNotMade
	}
	var one *probe
	if e.rejection != nil {
		if e.probes != nil {
			one = b.probe(e)
		}
		if one == nil {
			if cfg := b.config.Load(); !cfg.Shadow {
				if cfg.Trace != nil && ctx != nil {
					b.traceRejection(ctx, e.rejection)
				}
				b.rejected.add()
				return Permit{}, e.rejection
			}
			b.shadowRejected.Add(1)
		}
	}
	if b.grouped {
		b.admitted.add()
	}
	return Permit{era: e, start: untimed, probe: one}, nil
}

func (b *Breaker) traceRejection(ctx context.Context, err error) {
	_, end := observe.Span(ctx, &b.observerPanics, b.config.Load().Trace, "circuitbreaker", "call", b.name)
	end(err)
}

// Done settles the call with its error. ctx is the context that the call was
// made with. [Config.Classify] says which outcome that is. The mark of [Ignore]
// stays on err.
func (p Permit) Done(ctx context.Context, err error) { p.settle(ctx, unjudged, err) }

// Success settles the call as one that worked.
func (p Permit) Success() { p.settle(noContext, Success, nil) }

// Failure settles the call as one that did not work.
func (p Permit) Failure() { p.settle(noContext, Failure, nil) }

// Ignore settles the call as one that says nothing about the dependency.
func (p Permit) Ignore() { p.settle(noContext, Ignored, nil) }

// unjudged makes settle judge the error.
const unjudged Outcome = 255

// settle counts the outcome, and checks the rules unless the stay that let the
// call through is over. It returns the outcome.
func (p Permit) settle(ctx context.Context, o Outcome, err error) Outcome {
	e := p.era
	if e == nil {
		return o
	}
	if o == unjudged {
		if o = Success; err != nil {
			o = p.judge(ctx, err)
		}
	}
	b := e.breaker
	cfg := b.config.Load()
	var now time.Duration
	if e.window != nil || cfg.SlowCall > 0 {
		now = b.elapsed()
	}
	slow := cfg.SlowCall > 0 && p.timed() && now-p.start >= cfg.SlowCall &&
		(o != Ignored || endingOf(ctx) != notEnded) // a caller that gave up waited for the dependency
	if p.probe != nil {
		b.settleProbe(ctx, p, o, slow, err)
		return o
	}
	b.count(o, slow)
	switch {
	case b.era.Load() != e:
		b.stale.Add(1)
	case e.rejection != nil: // let through only because of Shadow
	case o == Success && !slow:
		if e.streak.Load() != 0 { // a line that all cores read is seldom written
			e.streak.Store(0)
		}
		if e.window != nil {
			e.window.success(now)
		}
	case o != Ignored || slow:
		e.record(ctx, now, o, slow, err)
	}
	return o
}

func (b *Breaker) settleProbe(ctx context.Context, p Permit, o Outcome, slow bool, err error) {
	probes := p.era.probes
	next, first, late := probes.settle(p.probe, o, slow)
	if !first {
		return
	}
	b.count(o, slow)
	if late || b.era.Load() != p.era {
		b.stale.Add(1)
	}
	c := change{to: Closed, reason: ProbesPassed}
	switch next {
	case HalfOpen:
		return
	case Open:
		c = change{to: Open, reason: ProbeFailed, cause: err}
	}
	ended := false
	defer func() {
		if !ended { // the error's RetryAfter panicked
			probes.reopen()
		}
	}()
	b.transition(ctx, p.era, c)
	ended = true
}
