// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"fmt"
	"time"
)

// Discard is a [Recorder] that drops every event and returns nil.
var Discard Recorder = discard{}

type discard struct{}

func (discard) Record(context.Context, Event) error { return nil }

// Direct returns a [Recorder] without a queue: one event, one write to sink,
// on the caller's goroutine and under its context. A nil error means that the
// event is stored; any other that it is not, or that nobody knows
// ([ErrUnavailable]). There is no retry: record the event again with the same
// [Event.ID] and it is stored once.
//
// A sink that panics is an error here. A sink that ignores its context holds
// the caller up.
func Direct(sink Sink) Recorder { return direct{sink} }

type direct struct{ sink Sink }

func (d direct) Record(ctx context.Context, e Event) error {
	if d.sink == nil {
		return fmt.Errorf("%w: there is no sink to write to", ErrInvalid)
	}
	now := time.Now()
	if _, err := freeze(&e, now); err != nil {
		return err
	}
	if e.ID.IsZero() {
		e.ID = newID(now)
	}
	if err := write(ctx, d.sink, []Event{e}); err != nil {
		return fmt.Errorf("audit: record %s: %w", e.Type, err)
	}
	return nil
}

// write calls the sink and turns a panic into an error. The panic's value is
// left out, because it may quote what the event says.
func write(ctx context.Context, sink Sink, batch []Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: the sink panicked with a %T", ErrUnavailable, v)
		}
	}()
	return sink.Write(ctx, batch)
}
