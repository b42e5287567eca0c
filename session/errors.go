// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Each answers one question of callers through [errors.Is]; the errors that
// carry them say more. None ever holds a token, a subject or a payload.
var (
	// ErrNotFound: there is no such session. Errors about expired sessions and
	// damaged ones, which are removed, match it, too, so starting a new session is
	// right in all cases. An undecodable session still exists, and does not match.
	ErrNotFound = errors.New("session: not found")
	// ErrExpired: a timeout has passed, and the cleanup has not taken the
	// session away yet.
	ErrExpired error = expiredError{}
	// ErrConflict: another caller saved first. See [ConflictError].
	ErrConflict = errors.New("session: conflict")
	// ErrBusy: another caller handles the session exclusively.
	ErrBusy = errors.New("session: busy")
	// ErrLeaseLost: exclusive handling took longer than its lease could be
	// renewed for. Another caller may be handling it; nothing was saved.
	ErrLeaseLost = errors.New("session: lease lost")
	// ErrReadOnly: the id is from before a login, and only shows the data from then.
	// See [Manager.Bind].
	ErrReadOnly = errors.New("session: read only")
	// ErrTooLarge: the encoded data is over Config.MaxBytes.
	ErrTooLarge = errors.New("session: too large")
	// ErrFull: the subject has Config.MaxPerSubject sessions.
	ErrFull = errors.New("session: subject has too many sessions")
	// ErrIncomplete: the store may have lost the places of some of the subject's
	// sessions in its index, as Redis does when it evicts keys, so that they were
	// not found. Those that are used are found again, and the others expire; until
	// then, [Manager.All] finds them.
	ErrIncomplete = errors.New("session: the subject may have more sessions")
	// ErrInvalid: the arguments or the configuration make no sense; nothing
	// is written.
	ErrInvalid = errors.New("session: invalid")
	// ErrUnavailable: the store did not answer. A write may have happened or
	// not.
	ErrUnavailable = errors.New("session: store unavailable")
	// ErrClosed: the store's client has been closed. A store says so in its
	// error, which then matches ErrUnavailable, too.
	ErrClosed = errors.New("session: closed")
)

type expiredError struct{}

func (expiredError) Error() string { return "session: expired" }
func (expiredError) Unwrap() error { return ErrNotFound }

// ConflictError says that another caller has saved a session since it was
// read. It matches [ErrConflict].
type ConflictError[T any] struct {
	Current *Session[T] // as it is now, to merge with and save
}

func (*ConflictError[T]) Error() string { return "session: conflict: another caller saved first" }

// Unwrap returns [ErrConflict].
func (*ConflictError[T]) Unwrap() error { return ErrConflict }

// CorruptError says that the stored record could not be read. One whose bytes
// are damaged has been removed already, as [Config.OnCorrupt] says, and the error
// matches [ErrNotFound]. One that is [ReasonUndecodable] stays: starting a new session
// would log its user out, although another instance can read it.
type CorruptError struct {
	Reason EndReason // Corrupted, InvalidFormat or Undecodable
}

func (e *CorruptError) Error() string {
	if e.Reason == ReasonUndecodable {
		return "session: this instance cannot decode the stored record, which stays as it is"
	}
	return fmt.Sprintf("session: the stored record was damaged (%v) and has been removed", e.Reason)
}

// Unwrap returns [ErrNotFound], or nil for an undecodable session.
func (e *CorruptError) Unwrap() error {
	if e.Reason == ReasonUndecodable {
		return nil
	}
	return ErrNotFound
}

// ConfigError is one contradiction in a [Config]. [New] joins all it finds. It
// matches [ErrInvalid].
type ConfigError struct {
	Field string
	Value any
	Why   string // what is wanted instead
}

func (e *ConfigError) Error() string {
	return configerr.Text("session", "Config."+e.Field, e.Value, e.Why)
}

// Unwrap returns [ErrInvalid].
func (*ConfigError) Unwrap() error { return ErrInvalid }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// refusedError is what a store answers that cannot work at all, such as one without a
// client. It matches ErrInvalid, and is no mistake in the call.
type refusedError struct{ error }

func (e refusedError) Unwrap() error { return e.error }

// errNoFunction refuses a call before anything is asked of the store.
var errNoFunction = invalid("a nil function")

// resultOf classifies the outcome of an operation for its event. An error of the
// caller's own function says nothing about the store.
func resultOf(inFunction bool, err error) Result {
	_, corrupt := errors.AsType[*CorruptError](err)
	_, store := errors.AsType[refusedError](err)
	switch {
	case err == nil:
		return ResultOK
	case errors.Is(err, ErrLeaseLost):
		return ResultLeaseLost
	case errors.Is(err, context.Canceled):
		return ResultCanceled
	case inFunction:
		return ResultFuncFailed
	case errors.Is(err, ErrBusy):
		return ResultBusy
	case errors.Is(err, ErrUnavailable):
		return ResultUnavailable
	case errors.Is(err, ErrConflict), errors.Is(err, ErrReadOnly):
		return ResultConflict
	case errors.Is(err, ErrTooLarge):
		return ResultTooLarge
	case errors.Is(err, ErrFull):
		return ResultFull
	case corrupt:
		return ResultCorrupt
	case errors.Is(err, ErrNotFound):
		return ResultNotFound
	case errors.Is(err, ErrInvalid) && !store:
		return ResultInvalid
	}
	return ResultFailed
}
