// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"
	"time"
)

// Ignore marks err as neutral: neither success nor failure. Use it for errors
// that are the caller's fault, such as a bad request. Of errors that are joined,
// all must be marked: a real failure beside a marked one counts.
//
// The mark is for the breaker whose call returns the error: [Do] takes it off,
// so that a breaker around that one judges the error itself. errors.Is and
// errors.As see through the mark. Ignore(nil) is nil.
func Ignore(err error) error {
	if err == nil {
		return nil
	}
	return &ignoredError{err}
}

type ignoredError struct{ error }

func (e *ignoredError) Unwrap() error { return e.error }

// judgedError hides the marks inside an error that a breaker has judged.
type judgedError struct{ error }

func (e *judgedError) Unwrap() error { return e.error }

// isNeutral reports whether err is marked by Ignore, if marks count, or is a
// rejection by another breaker: then the dependency was not called. Of joined
// errors, all must be.
func isNeutral(err error, marks bool) bool {
	if err == ErrOpen {
		return true
	}
	switch e := err.(type) {
	case *ignoredError:
		return marks || isNeutral(e.error, false)
	case *judgedError:
		return isNeutral(e.error, false)
	case interface{ Unwrap() error }:
		return isNeutral(e.Unwrap(), marks)
	case interface{ Unwrap() []error }:
		for _, joined := range e.Unwrap() {
			if !isNeutral(joined, marks) {
				return false
			}
		}
		return len(e.Unwrap()) > 0
	}
	return false
}

// withoutMark takes the mark off an error that was ignored.
func withoutMark(err error) error {
	mark, ok := errors.AsType[*ignoredError](err)
	switch {
	case !ok:
		return err
	case err == error(mark):
		return withoutMark(mark.error)
	default:
		return &judgedError{err}
	}
}

// ending is how the context of a call ended.
type ending uint8

const (
	notEnded  ending = iota
	cancelled        // the caller gave up
	overdue          // its deadline passed
)

// endingOf returns how ctx ended. A context that was cancelled because a
// deadline had passed (that of a lease, when its parent's has) is overdue.
func endingOf(ctx context.Context) ending {
	switch {
	case ctx == nil || ctx.Err() == nil:
		return notEnded
	case errors.Is(ctx.Err(), context.Canceled) && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return cancelled
	default:
		return overdue
	}
}

// shortest is the least time that the deadline of a caller must leave a call, to
// say that the dependency does not answer.
const shortest = 10 * time.Millisecond

// judge returns the outcome of a call that returned an error. It settles the call
// itself if Classify panics, so that a probe's slot comes back all the same.
func (p Permit) judge(ctx context.Context, err error) Outcome {
	b := p.era.breaker
	cfg := b.config.Load()
	how := endingOf(ctx)
	switch {
	case isNeutral(err, true), how == cancelled, how == overdue && p.isTooShort(ctx):
		return Ignored
	case cfg.Classify == nil:
		return Failure
	}
	returned := false
	defer func() {
		if !returned {
			p.settle(ctx, Failure, err)
		}
	}()
	o := cfg.Classify(ctx, err)
	returned = true
	if o > Ignored {
		return Failure
	}
	return o
}

// isTooShort reports whether the deadline of ctx, which has passed, left the call
// less time than any dependency may take. The deadline may have no monotonic reading,
// so it is compared with the clock of now, not with that of the breaker's birth.
func (p Permit) isTooShort(ctx context.Context) bool {
	b := p.era.breaker
	least := shortest
	if slow := b.config.Load().SlowCall; slow > 0 {
		least = min(least, slow)
	}
	deadline, ok := ctx.Deadline()
	return ok && p.timed() && time.Until(deadline) < least-(b.elapsed()-p.start)
}
