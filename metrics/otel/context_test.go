// SPDX-License-Identifier: MIT

package otel_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/metrics/otel"
)

func TestAuditEventsHaveTheTraceOfTheirOperation(t *testing.T) {
	r := newRig(t)
	stored := audit.NewMemory()
	trail, err := audit.New(stored, audit.Config{Enrich: otel.Enrich})
	if err != nil {
		t.Fatal(err)
	}
	m, err := lock.New(memlock.New(), lock.Config{Name: "rooms", Audit: trail, AuditTimeout: time.Minute, Trace: r.Trace})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.TryAcquire(r.ctx, lock.Key("room/101")); err != nil {
		t.Fatal(err)
	}
	_ = trail.Record(r.ctx, audit.Event{Type: "own", TraceID: "its own"})
	_ = trail.Record(t.Context(), audit.Event{Type: "none"})
	_ = m.Close(t.Context())
	if err := trail.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, e := range stored.Events() {
		got[e.Type] = e.TraceID
	}
	if trace := r.caller.SpanContext().TraceID().String(); got["lock.acquired"] != trace || got["own"] != "its own" || got["none"] != "" {
		t.Errorf("trace ids %v, want %s", got, trace)
	}
}

func TestLinesOfSlogHaveTheTraceAndTheSpan(t *testing.T) {
	r := newRig(t)
	var text bytes.Buffer
	logger := slog.New(otel.Handler(slog.NewTextHandler(&text, nil)))
	sc := r.caller.SpanContext()
	want := "trace_id=" + sc.TraceID().String() + " span_id=" + sc.SpanID().String()
	for name, log := range map[string]func(context.Context){
		"plain":           func(ctx context.Context) { logger.InfoContext(ctx, "booked") },
		"with attributes": func(ctx context.Context) { logger.With("room", 101).InfoContext(ctx, "booked", "night", 1) },
	} {
		text.Reset()
		if log(r.ctx); !strings.Contains(text.String(), want) {
			t.Errorf("%s: %s", name, text.String())
		}
		text.Reset()
		if log(t.Context()); strings.Contains(text.String(), "trace_id") {
			t.Errorf("%s, without a span: %s", name, text.String())
		}
	}
	text.Reset()
	if logger.WithGroup("g").InfoContext(r.ctx, "booked"); !strings.Contains(text.String(), "g.trace_id=") {
		t.Error(text.String())
	}
}

func TestATraceThatIsNotSampledIsNoExemplar(t *testing.T) {
	if got := otel.TraceID(t.Context()); got != "" {
		t.Errorf("%q", got)
	}
	if r := newRig(t); otel.TraceID(r.ctx) != r.caller.SpanContext().TraceID().String() {
		t.Errorf("%q", otel.TraceID(r.ctx))
	}
}
