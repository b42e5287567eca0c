// SPDX-License-Identifier: MIT

package circuitbreaker

import "context"

// Do calls fn if the breaker lets it through, and returns what fn returns.
// Otherwise fn does not run and the error is an [*OpenError], or [ErrInvalid]
// for a nil fn or breaker.
//
// A panic or runtime.Goexit in fn counts as a failure and goes on to the
// caller; there is no recover, so its stack trace is whole. Do adds no
// deadline: give ctx one, and let fn obey it.
//
// Do allocates nothing (a probe does). A closed breaker costs a few atomic
// operations, and one reading of the clock if a rule looks at a window of time,
// two if it looks at slow calls.
func Do[T any](ctx context.Context, b *Breaker, fn func(context.Context) (T, error)) (v T, err error) {
	if fn == nil {
		return v, errNilFunc
	}
	p := Permit{era: b.current()} // as Allow, which is too large to be inlined
	if p.era == nil || !p.era.plain {
		if p, err = b.allow(p.era); err != nil {
			return v, err
		}
	}
	returned := false
	defer func() {
		if !returned {
			p.settle(ctx, Failure, errNoReturn)
		}
	}()
	v, err = fn(ctx)
	returned = true
	p.Done(ctx, err)
	return v, err
}

// DoOr is [Do] with a fallback for every error of a call: a rejection, or what
// fn returned. The fallback gets that error, and its result is the result. It
// is not guarded: the breaker does not count it. For a nil fn, fallback or
// breaker the error is [ErrInvalid] and the fallback does not run.
func DoOr[T any](ctx context.Context, b *Breaker, fn func(context.Context) (T, error), fallback func(context.Context, error) (T, error)) (v T, err error) {
	if fallback == nil {
		return v, errNilFunc
	}
	v, err = Do(ctx, b, fn)
	if err == nil || err == errNilFunc || err == errNotMade {
		return v, err
	}
	return fallback(ctx, err)
}

// Do is the function [Do] for calls that return only an error.
func (b *Breaker) Do(ctx context.Context, fn func(context.Context) error) error {
	if fn == nil {
		return errNilFunc
	}
	_, err := Do(ctx, b, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}
