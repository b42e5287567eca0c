// SPDX-License-Identifier: MIT

package audit

import (
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

var (
	// ErrClosed is returned by every call after [Log.Close].
	ErrClosed = errors.New("audit: closed")
	// ErrFull says that the event was not taken because the queue, or the spool,
	// is full.
	ErrFull = errors.New("audit: queue full")
	// ErrInvalid says that an event, an id, details, a sink or a [Config] makes
	// no sense.
	ErrInvalid = errors.New("audit: invalid")
	// ErrTooLarge says that the event is larger than the bound, even with its
	// texts cut.
	ErrTooLarge = errors.New("audit: too large")
	// ErrPermanent is wrapped by the error of a [Sink] that would refuse the
	// same events at every try.
	ErrPermanent = errors.New("audit: refused for good")
	// ErrUnavailable says that the sink failed or did not answer in time.
	ErrUnavailable = errors.New("audit: sink unavailable")
)

// BatchError is a [Sink]'s answer when it has stored all events of a batch but
// those in Failed. An error in Failed that wraps [ErrPermanent] says that this
// event would be refused at every try. A BatchError that names no event of the
// batch counts as a failure of the whole batch.
type BatchError struct{ Failed map[ID]error }

func (e *BatchError) Error() string {
	return fmt.Sprintf("audit: %d events of the batch were not stored", len(e.Failed))
}

// LossError names the accepted events that did not reach the sink. Its text
// has their number and the cause, and no value of an event.
type LossError struct {
	IDs []ID // oldest first
	// InDoubt is how many of IDs, from the first on, were being written when
	// [Log.Close] gave up: the sink may have stored those. The others never
	// left the queue.
	InDoubt int
	Cause   error // what ended the waiting, and the sink's last error
}

func (e *LossError) Error() string {
	text := fmt.Sprintf("audit: %d events lost", len(e.IDs))
	if e.InDoubt > 0 {
		text += fmt.Sprintf(", %d of them in doubt", e.InDoubt)
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *LossError) Unwrap() error { return e.Cause }

// ConfigError is one contradiction in a [Config]. It matches [ErrInvalid].
type ConfigError struct {
	Field string // such as "Retry.Base"
	Value any
	Why   string // what is wanted instead
}

func (e *ConfigError) Error() string {
	return configerr.Text("audit", "Config."+e.Field, e.Value, e.Why)
}

// Unwrap returns [ErrInvalid].
func (e *ConfigError) Unwrap() error { return ErrInvalid }
