// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// One error for each question that callers ask, all found with [errors.Is].
var (
	// ErrConflict: another holder has an overlapping resource. The error is
	// a [*ConflictError].
	ErrConflict = errors.New("lock: conflict")

	// ErrMaxReached: MaxExtensions or MaxHold is used up.
	ErrMaxReached = errors.New("lock: limit of extensions or holding time reached")

	// ErrNotHeld: the hold has ended, or belongs to another holder.
	ErrNotHeld = errors.New("lock: not held")

	// ErrLost: the lease ended under its holder.
	ErrLost = errors.New("lock: lease lost")

	// ErrReleased: the lease was released, or detached from this process.
	ErrReleased = errors.New("lock: lease released")

	// ErrInvalid: the arguments or the configuration make no sense; nothing
	// was sent.
	ErrInvalid = errors.New("lock: invalid")

	// ErrUnavailable: the store did not answer. The outcome may be either.
	ErrUnavailable = errors.New("lock: store unavailable")

	// ErrPermanent marks errors of a [Store] that no waiting mends, such as a
	// wrong password, a missing right or a closed client. Calls that wait end
	// with them at once.
	ErrPermanent = errors.New("lock: the store will not answer otherwise")

	// ErrAudit: Config.AuditRequired is set and the event could not be
	// recorded. The acquired lease has been given back.
	ErrAudit = errors.New("lock: audit event not recorded")

	// ErrClosed: the manager is closed.
	ErrClosed = errors.New("lock: manager closed")
)

// ConfigError is one field of a [Config] that makes no sense. It is
// [ErrInvalid] too.
type ConfigError struct {
	Field string
	Value any
	Why   string // what is wanted instead
}

func (e *ConfigError) Error() string {
	return configerr.Text("lock", "Config."+e.Field, e.Value, e.Why)
}

// Unwrap returns [ErrInvalid].
func (e *ConfigError) Unwrap() error { return ErrInvalid }

// ConflictError names the holds that were in the way when the store was last asked:
// for a wait that may be when it began. Its text says of the first what it is of and
// when it ends; holders are in Conflicts only.
type ConflictError struct {
	Resource  Resource   // what was wanted
	Conflicts []Conflict // up to eight, in the order of the wanted parts; none when Acquire only waited for its turn
	QueueFull bool       // too many wait for one of the names already, so Acquire did not
	retry     time.Duration
}

func (e *ConflictError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "lock: %s: others are first in the queue", e.Resource)
	if c, ok := e.First(); ok {
		b.Reset()
		fmt.Fprintf(&b, "lock: %s is taken by a hold of %s that ends in %s", e.Resource, c.Hold.Resource, c.Hold.Left.Round(time.Millisecond))
	}
	if n := len(e.Conflicts); n > 1 {
		fmt.Fprintf(&b, ", and by %d more", n-1)
	}
	if e.QueueFull {
		b.WriteString("; its queue is full")
	}
	return b.String()
}

// First returns the first of Conflicts, and false when there is none: Acquire
// was refused only because others wait before it.
func (e *ConflictError) First() (Conflict, bool) {
	if len(e.Conflicts) == 0 {
		return Conflict{}, false
	}
	return e.Conflicts[0], true
}

// RetryAfter returns how long after the store's answer the first hold in the way
// ends, unless it is extended; at least a millisecond. Trying again earlier helps
// only if a holder releases.
func (e *ConflictError) RetryAfter() time.Duration { return max(e.retry, time.Millisecond) }

// Unwrap returns [ErrConflict].
func (e *ConflictError) Unwrap() error { return ErrConflict }

// invalid makes an [ErrInvalid] with its reason.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// unavailable wraps a store's error with what was attempted. When ctx has
// ended, its error and cause are included, whatever the store's is. A cancelled call, and
// a request that the store refused as [ErrInvalid], say nothing about the
// store's availability.
func unavailable(ctx context.Context, what string, err error) error {
	if errors.Is(err, ErrInvalid) {
		return fmt.Errorf("lock: %s: %w", what, err)
	}
	if ctx.Err() != nil && !(errors.Is(err, ctx.Err()) && errors.Is(err, context.Cause(ctx))) {
		err = errors.Join(err, ended(ctx))
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("lock: %s: %w", what, err)
	}
	return fmt.Errorf("lock: %s: %w: %w", what, ErrUnavailable, err)
}

// result names an operation's outcome for observers. That of a cancelled call does
// not depend on the cause, which may be any error.
func result(err error) Result {
	for _, known := range []struct {
		err    error
		result Result
	}{
		{nil, ResultOK},
		{ErrAudit, ResultAuditFailed},
		{context.Canceled, ResultCanceled},
		{ErrInvalid, ResultInvalid},
		{ErrMaxReached, ResultMaxReached},
		{ErrNotHeld, ResultNotHeld},
		{ErrClosed, ResultCanceled},
		{ErrUnavailable, ResultUnavailable},
		{context.DeadlineExceeded, ResultTimedOut},
		{ErrConflict, ResultConflict},
	} {
		if errors.Is(err, known.err) {
			return known.result
		}
	}
	return ResultFailed
}
