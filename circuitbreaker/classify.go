// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"
)

// Ignore marks err as neutral: neither success nor failure, whatever
// [Config.Classify] says. Use it for errors that are the caller's own, such as
// a bad request. The mark is transparent to errors.Is and errors.As. Ignore(nil)
// is nil.
func Ignore(err error) error {
	if err == nil {
		return nil
	}
	return &ignoredError{err}
}

type ignoredError struct{ error }

func (e *ignoredError) Unwrap() error { return e.error }

// DefaultClassify is the Classify of a [Config] that has none, for own ones to
// fall back on:
//
//   - nil is a Success;
//   - what [Ignore] marked, and the cancellation of ctx itself, are Ignored:
//     the caller gave up, which says nothing about the dependency;
//   - everything else is a Failure, also a deadline: a dependency that hangs is
//     seen only through deadlines.
func DefaultClassify(ctx context.Context, err error) Outcome {
	switch {
	case err == nil:
		return Success
	case isIgnored(err) || isOwnCancel(ctx, err):
		return Ignored
	default:
		return Failure
	}
}

func isIgnored(err error) bool {
	_, ok := errors.AsType[*ignoredError](err)
	return ok
}

// isOwnCancel tells the caller's cancellation from one that happened inside
// the dependency: only the former is ctx's own. A context that was cancelled
// because a deadline had passed, as that of a lease is when its parent's has,
// ended by that deadline.
func isOwnCancel(ctx context.Context, err error) bool {
	if ctx == nil || !errors.Is(ctx.Err(), context.Canceled) {
		return false
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return false
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, cause)
}

// ownClassify asks Config.Classify about what is not marked as ignored.
func (p *policy) ownClassify(ctx context.Context, err error) Outcome {
	if err != nil && isIgnored(err) {
		return Ignored
	}
	if o := p.classify(ctx, err); o <= Ignored {
		return o
	}
	return Failure
}
