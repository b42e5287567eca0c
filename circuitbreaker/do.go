// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// Do calls fn if the breaker lets it through, and returns what fn returns, without
// the mark of [Ignore]. Otherwise fn does not run and the error is an
// [*OpenError], or [ErrInvalid] for a nil fn or breaker.
//
// A panic or runtime.Goexit in fn counts as a failure and goes on to the
// caller; there is no recover, so its stack trace is whole. Do adds no
// deadline: give ctx one, and let fn obey it.
//
// Do allocates nothing (a probe does). A closed breaker costs a few atomic
// operations, and a reading of the clock for each of these: a rule looks at a
// window, slow calls are counted, ctx has a deadline.
func Do[T any](ctx context.Context, b *Breaker, fn func(context.Context) (T, error)) (T, error) {
	var none T
	if fn == nil {
		return none, errNilFunc
	}
	p, err := b.admit(ctx)
	if err != nil {
		return none, err
	}
	v, _, err := run(ctx, p, fn)
	return v, err
}

// run makes a call that was let through, and returns its outcome, too.
func run[T any](ctx context.Context, p Permit, fn func(context.Context) (T, error)) (v T, o Outcome, err error) {
	b := p.era.breaker
	cfg := b.config.Load()
	if cfg.Trace != nil {
		var end func(error)
		ctx, end = observe.Span(ctx, &b.observerPanics, cfg.Trace, "circuitbreaker", "call", b.name)
		err = errNoReturn
		defer func() { end(err) }()
	}
	if cfg.SlowCall > 0 || hasDeadline(ctx) {
		p.start = b.elapsed()
	}
	returned := false
	defer func() {
		if !returned {
			p.settle(ctx, Failure, errNoReturn)
		}
	}()
	v, err = fn(ctx)
	returned = true
	if o = p.settle(ctx, unjudged, err); o == Ignored {
		err = withoutMark(err)
	}
	return v, o, err
}

func hasDeadline(ctx context.Context) (ok bool) {
	if ctx != nil {
		_, ok = ctx.Deadline()
	}
	return ok
}

// DoOr is [Do] with a fallback for a call that did not work: a rejection, also by
// a breaker inside fn, a failure, or a deadline that passed. The fallback gets
// that error, and its result is the result. It is not guarded: the breaker does
// not count it.
//
// The fallback does not run for an error that Classify calls a success, nor, before
// the deadline of ctx, for one that was ignored, such as a bad request or a
// cancellation by the caller. For a nil fn, fallback or breaker the error is
// [ErrInvalid] and the fallback does not run.
func DoOr[T any](ctx context.Context, b *Breaker, fn func(context.Context) (T, error), fallback func(context.Context, error) (T, error)) (T, error) {
	var v T
	if fn == nil || fallback == nil {
		return v, errNilFunc
	}
	p, err := b.admit(ctx)
	if err == errNotMade {
		return v, err
	}
	o := Ignored
	if err == nil {
		v, o, err = run(ctx, p, fn)
	}
	if err != nil && o != Success && (o == Failure || errors.Is(err, ErrOpen) || endingOf(ctx) == overdue) {
		return fallback(ctx, err)
	}
	return v, err
}

// Do is the function [Do] for calls that return only an error.
func (b *Breaker) Do(ctx context.Context, fn func(context.Context) error) error {
	if fn == nil {
		return errNilFunc
	}
	p, err := b.admit(ctx)
	if err != nil {
		return err
	}
	_, _, err = run(ctx, p, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}
