// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Sink stores batches of events. Package gormsink has one for databases;
// package audittest checks one's own.
type Sink interface {
	// Write stores the batch and returns nil when all of it is as durable
	// as the sink makes things. It must be idempotent on [Event.ID], because
	// a batch whose answer was lost is written again, and must not keep
	// batch after it returns.
	//
	// An error that wraps [ErrPermanent] says that another try is useless. A
	// [*BatchError] says that everything but its Failed events is stored.
	// After any other error the whole batch may be tried again.
	Write(ctx context.Context, batch []Event) error
}

// invalid is a sink that was made from arguments that make no sense. [New]
// returns its error, and so does every write.
type invalid struct{ err error }

func (s invalid) Write(context.Context, []Event) error { return s.err }

// usable returns s, or an invalid sink that names user when s is nil.
func usable(s Sink, user string) Sink {
	if configerr.IsNil(s) {
		return invalid{fmt.Errorf("%w: %s needs a sink", ErrInvalid, user)}
	}
	return s
}

// write calls the sink and turns a panic into an error. The panic's value is
// left out, because it may quote the event.
func write(ctx context.Context, sink Sink, batch []Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: the sink panicked with a %T", ErrUnavailable, v)
		}
	}()
	return sink.Write(ctx, batch)
}
