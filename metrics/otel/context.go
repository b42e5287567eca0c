// SPDX-License-Identifier: MIT

package otel

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-go/holdfast/audit"
)

// TraceID returns the trace id of the span that ctx is in, "" for none and for a
// trace that is not sampled: it is for [metrics.WithTraceID], whose exemplars
// should lead to a trace.
func TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
		return sc.TraceID().String()
	}
	return ""
}

// Enrich sets the trace id of an event that has none. It is an
// [audit.Config.Enrich].
func Enrich(ctx context.Context, e *audit.Event) {
	if sc := trace.SpanContextFromContext(ctx); e.TraceID == "" && sc.HasTraceID() {
		e.TraceID = sc.TraceID().String()
	}
}

// Handler returns a handler that adds trace_id and span_id to each line that is
// logged in the context of a span, and passes it to h. After WithGroup they are in
// the group.
func Handler(h slog.Handler) slog.Handler { return handler{h} }

type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
