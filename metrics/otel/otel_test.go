// SPDX-License-Identifier: MIT

package otel_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/metrics/otel"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var errDown = errors.New("down")

// rig is a Telemetry, what it exports, and the span that operations begin in.
type rig struct {
	*otel.Telemetry
	t      *testing.T
	reader *sdkmetric.ManualReader
	spans  *tracetest.SpanRecorder
	ctx    context.Context
	caller trace.Span
}

func newRig(t *testing.T, opts ...otel.Option) *rig {
	t.Helper()
	r := &rig{t: t, reader: sdkmetric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	var err error
	r.Telemetry, err = otel.New(append(opts, otel.WithTracerProvider(tracers), otel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))))...)
	if err != nil {
		t.Fatal(err)
	}
	r.ctx, r.caller = tracers.Tracer("caller").Start(t.Context(), "caller")
	return r
}

// span returns the one ended span of a name, and wants it to be a child of the
// caller's.
func (r *rig) span(name string) sdktrace.ReadOnlySpan {
	r.t.Helper()
	var found []sdktrace.ReadOnlySpan
	for _, s := range r.spans.Ended() {
		if s.Name() == name {
			found = append(found, s)
		}
	}
	r.spans.Reset()
	if len(found) != 1 {
		r.t.Fatalf("%d spans %s, want 1", len(found), name)
	}
	if found[0].Parent().SpanID() != r.caller.SpanContext().SpanID() {
		r.t.Errorf("span %s is not a child of its caller's", name)
	}
	return found[0]
}

// want compares attributes by their text, and the status.
func (r *rig) want(s sdktrace.ReadOnlySpan, status codes.Code, attributes map[string]string) {
	r.t.Helper()
	got := texts(s.Attributes())
	for key, want := range attributes {
		if got[key] != want {
			r.t.Errorf("span %s: %s is %q, want %q, among %v", s.Name(), key, got[key], want, got)
		}
	}
	if s.Status().Code != status {
		r.t.Errorf("span %s: status %v, want %v", s.Name(), s.Status(), status)
	}
	if _, ok := got["error.type"]; ok != (attributes["error.type"] != "") {
		r.t.Errorf("span %s: error.type is %q", s.Name(), got["error.type"])
	}
}

// event wants one event of a name with these attributes.
func (r *rig) event(s sdktrace.ReadOnlySpan, name string, attributes map[string]string) {
	r.t.Helper()
	if all := s.Events(); len(all) != 1 || all[0].Name != name {
		r.t.Fatalf("span %s: events %v, want one %s", s.Name(), all, name)
	}
	got := texts(s.Events()[0].Attributes)
	for key, want := range attributes {
		if got[key] != want {
			r.t.Errorf("event %s: %s is %q, want %q", name, key, got[key], want)
		}
	}
}

func texts(list []attribute.KeyValue) map[string]string {
	m := make(map[string]string)
	for _, a := range list {
		m[string(a.Key)] = a.Value.Emit()
	}
	return m
}

// collect returns the metrics by name.
func (r *rig) collect() map[string]metricdata.Metrics {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(r.t.Context(), &all); err != nil {
		r.t.Fatal(err)
	}
	byName := make(map[string]metricdata.Metrics)
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			byName[m.Name] = m
		}
	}
	return byName
}
