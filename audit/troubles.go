// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"log/slog"
	"time"
)

// troubles is the observer that writes to [Config.Logger].
type troubles struct {
	logger *slog.Logger

	failures, dropped int // since the last line
	reason            DropReason
	err               error     // the last one
	next              time.Time // of the next line at the earliest
	failing           bool      // the last write failed
	announced         bool      // by a line
}

// ObserveAudit writes a line for the first trouble, and then at most one a
// minute.
func (t *troubles) ObserveAudit(ctx context.Context, a Activity) {
	switch {
	case a.Op == OpRecord:
		t.dropped += a.Events
		t.reason, t.err = a.Drop, a.Err
	case a.Op == OpWrite && a.Err != nil:
		t.failures++
		t.failing, t.err = true, a.Err
	case a.Op == OpWrite:
		if t.failing = false; t.announced {
			t.announced = false
			t.line(ctx, a, slog.LevelInfo, "audit: the sink stores again")
		}
	}
	if t.failures+t.dropped == 0 || a.Op != OpClosed && time.Now().Before(t.next) {
		return
	}
	t.next = time.Now().Add(time.Minute)
	t.announced = t.failing
	text := "audit: writing fails"
	if t.dropped > 0 {
		text = "audit: events are dropped"
	}
	t.line(ctx, a, slog.LevelWarn, text)
}

func (t *troubles) line(ctx context.Context, a Activity, level slog.Level, text string) {
	attrs := []slog.Attr{slog.String("log", a.Source.Name()), slog.Int("failed_writes", t.failures), slog.Int("dropped", t.dropped)}
	if t.dropped > 0 {
		level = slog.LevelError
		attrs = append(attrs, slog.String("reason", t.reason.String()))
	}
	if level != slog.LevelInfo {
		attrs = append(attrs, slog.Int("queued", a.Source.Stats().Queued), slog.Any("err", t.err))
	}
	t.failures, t.dropped = 0, 0
	l := t.logger
	if l == nil {
		l = slog.Default()
	}
	l.LogAttrs(ctx, level, text, attrs...)
}
