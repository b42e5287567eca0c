// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

var (
	// ErrOpen is in the chain of every rejection; the rejection itself is an
	// [*OpenError]. Do not retry at once: wait for [OpenError.RetryAfter].
	ErrOpen = errors.New("circuitbreaker: open")

	// ErrInvalid is in the chain of every [*ConfigError], and of the error of a
	// call with a nil function, or through a breaker that is nil or was not made
	// with [New] or by a [Group].
	ErrInvalid = errors.New("circuitbreaker: invalid")

	errNilFunc       = fmt.Errorf("%w: the function is nil", ErrInvalid)
	errNotMade       = fmt.Errorf("%w: the breaker is nil, or not made with New or NewGroup", ErrInvalid)
	errNoGroup       = fmt.Errorf("%w: the group is nil, or not made with NewGroup", ErrInvalid)
	errNoReturn      = errors.New("circuitbreaker: the call panicked or ended its goroutine")
	errProbeTimedOut = errors.New("circuitbreaker: the probe timed out")
)

// OpenError is the error of a rejected call. One value serves all rejections of
// one stay in a state: do not change it.
type OpenError struct {
	Name   string // of the breaker
	State  State  // Open, HalfOpen (all probes are taken) or ForcedOpen
	Reason Reason // why it opened
	Cause  error  // the error that opened it; nil when there was none

	until time.Time // zero unless Open
}

// Error names the breaker, its state, why it opened and the cause.
func (e *OpenError) Error() string {
	s := fmt.Sprintf("circuitbreaker: %s is %s (%s)", e.Name, e.State, e.Reason)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns [ErrOpen]. Cause is not in the chain: it is the error of
// another call, and errors.Is is about the caller's own.
func (e *OpenError) Unwrap() error { return ErrOpen }

// unknownWait is what a rejection asks to wait for where it cannot know: a probe
// may end at any time, and a forced state ends by hand.
const unknownWait = time.Second

// RetryAfter returns how long to wait before the next try: the time left until
// the breaker lets a call through as a probe, 0 when that time has passed. In
// HalfOpen and ForcedOpen it is unknown, and RetryAfter returns a second.
func (e *OpenError) RetryAfter() time.Duration {
	if e.State != Open {
		return unknownWait
	}
	return max(time.Until(e.until), 0)
}

// ConfigError is one contradiction in a [Config] or [GroupConfig]. [New] and
// [NewGroup] join all of them into one error.
type ConfigError struct {
	Field string // of the Config, such as "Window.Duration", or "GroupConfig.Max"; in JSON, as it stands there
	Value any
	Why   string // what is wanted instead
}

func problem(field string, value any, want string) error {
	return &ConfigError{Field: field, Value: value, Why: want}
}

// Error names the field, its value and what is wanted instead.
func (e *ConfigError) Error() string {
	field := e.Field
	if !strings.HasPrefix(field, "GroupConfig.") {
		field = "Config." + field
	}
	return configerr.Text("circuitbreaker", field, e.Value, e.Why)
}

// Unwrap returns [ErrInvalid].
func (e *ConfigError) Unwrap() error { return ErrInvalid }
