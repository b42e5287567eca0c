// SPDX-License-Identifier: MIT

package otel

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/metrics"
	"github.com/holdfast-go/holdfast/session"
)

const scope = "github.com/holdfast-go/holdfast/metrics/otel"

// Telemetry makes spans and metrics. Make it with [New], and set it as the
// Config.Observer and its method Trace as the Config.Trace of each breaker, manager
// and log. It is safe for concurrent use.
type Telemetry struct {
	metrics     *metrics.Metrics
	tracer      trace.Tracer
	instruments *instruments
}

var (
	_ circuitbreaker.Observer = (*Telemetry)(nil)
	_ lock.Observer           = (*Telemetry)(nil)
	_ session.Observer        = (*Telemetry)(nil)
	_ audit.Observer          = (*Telemetry)(nil)
)

// Option changes what [New] makes.
type Option func(*config)

type config struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
	metrics []metrics.Option
}

// WithTracerProvider makes the spans in p. The default is the global provider.
func WithTracerProvider(p trace.TracerProvider) Option { return func(c *config) { c.tracers = p } }

// WithMeterProvider makes the metrics in p. The default is the global provider.
func WithMeterProvider(p metric.MeterProvider) Option { return func(c *config) { c.meters = p } }

// WithMetrics adds options of [metrics.New], such as [metrics.WithGroupMembers].
// Those for the namespace, buckets and observed values have no effect on what
// OpenTelemetry gets: its views change names and buckets.
func WithMetrics(opts ...metrics.Option) Option {
	return func(c *config) { c.metrics = append(c.metrics, opts...) }
}

// New returns a Telemetry, or all that is wrong with the options. Nil options and
// providers are skipped.
func New(opts ...Option) (*Telemetry, error) {
	c := config{}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	if c.tracers == nil {
		c.tracers = otel.GetTracerProvider()
	}
	if c.meters == nil {
		c.meters = otel.GetMeterProvider()
	}
	t := &Telemetry{tracer: c.tracers.Tracer(scope), instruments: &instruments{}}
	var err error
	t.metrics, err = metrics.New(nil, append(c.metrics, metrics.WithNamespace(namespace), metrics.WithObserved(t.instruments.observe))...)
	if err != nil {
		return nil, err
	}
	if err := t.instruments.start(t.metrics, c.meters.Meter(scope)); err != nil {
		return nil, fmt.Errorf("otel: %w", err)
	}
	return t, nil
}

// Metrics returns what the metrics are read from: for its methods DB, AuditGaps
// and Retire, for [metrics.Redis], and for a registry where Prometheus scrapes,
// too.
func (t *Telemetry) Metrics() *metrics.Metrics { return t.metrics }

// Close ends the export of counters and gauges. Histograms and spans go on while
// there are events, and end with the providers, which the program shuts down.
func (t *Telemetry) Close() error { return t.instruments.callback.Unregister() }

// Trace begins a span: see the Config.Trace of the cores.
func (t *Telemetry) Trace(ctx context.Context, op, name string) (context.Context, func(error)) {
	within, span := t.tracer.Start(ctx, op, trace.WithAttributes(attribute.String("holdfast.name", name)))
	within = context.WithValue(within, operationKey{}, &operation{op, name, span, ctx})
	return within, func(err error) {
		if err != nil {
			kind, failed := classify(err)
			span.SetAttributes(attribute.String("error.type", kind))
			if failed {
				span.SetStatus(codes.Error, err.Error())
			}
		}
		span.End()
	}
}

// operation is what a context of Trace is in.
type operation struct {
	op     string
	name   string // of what it is an operation of
	span   trace.Span
	caller context.Context // that Trace was called with
}

type operationKey struct{}

// during returns the operation that ctx is in, if it is one of the ops of source.
func during(ctx context.Context, source interface{ Name() string }, ops ...string) *operation {
	o, _ := ctx.Value(operationKey{}).(*operation)
	if o == nil || o.name != source.Name() || !slices.Contains(ops, o.op) {
		return nil
	}
	return o
}

// kinds are the values of error.type for errors of the cores: the first that an
// error is.
var kinds = []struct {
	err    error
	kind   string
	answer bool // and no failure
}{
	{circuitbreaker.ErrOpen, "rejected", false},
	{lock.ErrUnavailable, "unavailable", false},
	{session.ErrUnavailable, "unavailable", false},
	{audit.ErrUnavailable, "unavailable", false},
	{context.DeadlineExceeded, "timeout", false},
	{context.Canceled, "canceled", false},
	{lock.ErrConflict, "conflict", true},
	{session.ErrConflict, "conflict", true},
	{session.ErrNotFound, "not_found", true},
	{session.ErrBusy, "busy", false},
	{session.ErrLeaseLost, "lease_lost", false},
	{session.ErrFull, "full", false},
	{session.ErrTooLarge, "too_large", false},
	{lock.ErrMaxReached, "max_reached", false},
	{lock.ErrNotHeld, "not_held", false},
	{lock.ErrLost, "lost", false},
	{lock.ErrAudit, "audit_failed", false},
	{circuitbreaker.ErrInvalid, "invalid", false},
	{lock.ErrInvalid, "invalid", false},
	{session.ErrInvalid, "invalid", false},
	{audit.ErrInvalid, "invalid", false},
	{lock.ErrClosed, "closed", false},
	{audit.ErrClosed, "closed", false},
}

// classify returns the error.type of an error, and whether the operation failed.
func classify(err error) (kind string, failed bool) {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.kind, !k.answer
		}
	}
	return fmt.Sprintf("%T", err), true
}
