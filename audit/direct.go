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

// Direct returns a [Recorder] without a queue: each Record is one write to
// sink, on the caller's goroutine and under its context. A nil error means that
// the event is stored; [ErrInvalid], [ErrTooLarge] and [ErrPermanent] mean that
// it was refused; after any other error it may or may not be stored. There is no
// retry: an event that is recorded again with the same [Event.ID] is stored once.
//
// A panic of the sink is returned as an error. A sink that ignores its context
// delays the caller. With a nil sink every Record returns [ErrInvalid].
func Direct(sink Sink) Recorder { return (*Log)(nil).Direct(sink) }

// Direct returns a recorder as [Direct] does, which applies the Enrich and Redact
// of the log's [Config] first. A nil log stands for none.
func (l *Log) Direct(sink Sink) Recorder { return direct{usable(sink, "Direct"), l} }

type direct struct {
	sink Sink
	log  *Log // for its Config; may be nil
}

func (d direct) Record(ctx context.Context, e Event) error {
	now := time.Now()
	if _, err := d.log.prepare(ctx, &e, now); err != nil {
		return err
	}
	if e.ID.IsZero() {
		e.ID, e.Stream, e.Seq = newID(now), ID{}, 0
	}
	if err := write(ctx, d.sink, []Event{e}); err != nil {
		return fmt.Errorf("audit: record %s: %w", e.Type, err)
	}
	return nil
}
