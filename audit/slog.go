// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"encoding/json"
	"log/slog"
)

// NewSlog returns a [Sink] that passes every event to l's handler, as one record
// with the event's time and its type as the message, at level Info, or Warn when
// the outcome is [Failure]. The handler's own level is not asked. Empty fields
// are left out. A nil l stands for [slog.Default] at the time of the write.
//
// A handler does not look for ids, so an event that is written again is logged
// twice. After a handler's error the events before it count as stored; that one
// and the following are written again.
func NewSlog(l *slog.Logger) Sink { return slogSink{l} }

type slogSink struct{ logger *slog.Logger }

func (s slogSink) Write(ctx context.Context, batch []Event) error {
	l := s.logger
	if l == nil {
		l = slog.Default()
	}
	for i := range batch {
		if err := l.Handler().Handle(ctx, record(&batch[i])); err != nil {
			failed := make(map[ID]error)
			for _, e := range batch[i:] {
				failed[e.ID] = err
			}
			return &BatchError{Failed: failed}
		}
	}
	return nil
}

func record(e *Event) slog.Record {
	level := slog.LevelInfo
	if e.Outcome == Failure {
		level = slog.LevelWarn
	}
	r := slog.NewRecord(e.Time, level, e.Type, 0)
	r.AddAttrs(slog.String("id", e.ID.String()), slog.String("outcome", e.Outcome.String()))
	for _, f := range e.texts() {
		if *f.text != "" {
			r.AddAttrs(slog.String(f.name, *f.text))
		}
	}
	if !e.Details.IsZero() {
		r.AddAttrs(slog.Any("details", json.RawMessage(e.Details.text)))
	}
	return r
}
