// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"
)

// Ignore marks err as neutral: neither success nor failure, whatever
// [Config.Classify] returns. Use it for errors that are the caller's fault, such
// as a bad request. errors.Is and errors.As see through the mark. Ignore(nil)
// is nil.
func Ignore(err error) error {
	if err == nil {
		return nil
	}
	return &ignoredError{err}
}

type ignoredError struct{ error }

func (e *ignoredError) Unwrap() error { return e.error }

// DefaultClassify is the Classify of a [Config] that has none. Your own can call
// it for the errors that it does not know:
//
//   - nil is a Success;
//   - an error marked by [Ignore], and the cancellation of ctx itself, are
//     Ignored: the caller gave up, which says nothing about the dependency;
//   - everything else is a Failure, including a deadline: only deadlines show
//     that a dependency hangs.
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

// isOwnCancel reports whether err is the cancellation of ctx, and not one that
// happened inside the dependency. A context that was cancelled because a
// deadline had passed (that of a lease, when its parent's has) counts as a
// deadline.
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

// ownClassify calls Config.Classify, except for errors marked by Ignore.
func (p *policy) ownClassify(ctx context.Context, err error) Outcome {
	if err != nil && isIgnored(err) {
		return Ignored
	}
	if o := p.classify(ctx, err); o <= Ignored {
		return o
	}
	return Failure
}
