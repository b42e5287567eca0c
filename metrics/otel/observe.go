// SPDX-License-Identifier: MIT

package otel

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

// ObserveBreaker implements [circuitbreaker.Observer].
func (t *Telemetry) ObserveBreaker(ctx context.Context, e circuitbreaker.Event) {
	t.metrics.ObserveBreaker(ctx, e)
	if o := during(ctx, e.Source, "circuitbreaker.call"); o != nil && e.Op == circuitbreaker.OpChanged {
		o.span.AddEvent("circuitbreaker.state_changed", trace.WithAttributes(
			attribute.String("holdfast.circuitbreaker.from", e.From.String()),
			attribute.String("holdfast.circuitbreaker.to", e.To.String()),
			attribute.String("holdfast.circuitbreaker.reason", e.Reason.String())))
	}
}

// ObserveLock implements [lock.Observer].
func (t *Telemetry) ObserveLock(ctx context.Context, e lock.Event) {
	t.metrics.ObserveLock(ctx, e)
	hold := []attribute.KeyValue{
		attribute.String("holdfast.lock.resource", e.Resource.String()),
		attribute.String("holdfast.lock.id", e.ID),
		attribute.Int64("holdfast.lock.fence", int64(e.Fence)),
	}
	if o := during(ctx, e.Source, "lock."+e.Op.String()); o != nil {
		o.span.SetAttributes(append(hold, attribute.String("holdfast.result", e.Result.String()))...)
		if e.Op == lock.OpAcquire {
			o.acquired(e)
		}
	}
	if e.Op == lock.OpLost || e.Op == lock.OpRelease && e.Result == lock.ResultOK {
		t.held(ctx, e, hold)
	}
}

// acquired adds what an acquire met.
func (o *operation) acquired(e lock.Event) {
	if !e.Blocked {
		return
	}
	var met []attribute.KeyValue
	if c, ok := errors.AsType[*lock.ConflictError](e.Err); ok {
		if first, ok := c.First(); ok {
			met = append(met, attribute.String("holdfast.lock.resource", first.Hold.Resource.String()), attribute.String("holdfast.lock.id", first.Hold.ID))
		}
	}
	o.span.SetAttributes(attribute.Int("holdfast.lock.attempts", e.Attempts), attribute.Float64("holdfast.lock.waited", e.Waited.Seconds()))
	o.span.AddEvent("lock.conflict", trace.WithTimestamp(time.Now().Add(-e.Waited)), trace.WithAttributes(met...))
}

// held makes the span of a hold that has ended, beside the span in whose context
// its end is reported.
func (t *Telemetry) held(ctx context.Context, e lock.Event, hold []attribute.KeyValue) {
	o := during(ctx, e.Source, "lock.acquire", "lock.resume", "lock.release")
	if o == nil {
		return
	}
	now := time.Now()
	_, span := t.tracer.Start(o.caller, "lock.hold", trace.WithTimestamp(now.Add(-e.Held)), trace.WithAttributes(hold...),
		trace.WithAttributes(attribute.String("holdfast.name", e.Source.Name()), attribute.String("holdfast.result", e.Result.String())))
	if e.Err != nil {
		kind, _ := classify(e.Err)
		span.SetAttributes(attribute.String("error.type", kind))
		span.SetStatus(codes.Error, e.Err.Error())
	}
	span.End(trace.WithTimestamp(now))
}

// ObserveSession implements [session.Observer].
func (t *Telemetry) ObserveSession(ctx context.Context, e session.Event) {
	t.metrics.ObserveSession(ctx, e)
	o := during(ctx, e.Source, "session."+e.Op.String())
	if o == nil {
		return
	}
	o.span.SetAttributes(attribute.String("holdfast.result", e.Result.String()))
	switch e.Op {
	case session.OpCleanup:
		o.span.SetAttributes(attribute.Int64("holdfast.session.active", e.Report.Active), attribute.Int64("holdfast.session.backlog", e.Report.Backlog))
		return
	case session.OpOpen, session.OpExclusive:
		o.span.SetAttributes(attribute.Bool("holdfast.session.fresh", e.Fresh), attribute.Float64("holdfast.session.waited", e.Waited.Seconds()))
	}
	o.span.SetAttributes(attribute.Int("holdfast.session.size", e.Bytes))
}

// ObserveAudit implements [audit.Observer].
func (t *Telemetry) ObserveAudit(ctx context.Context, a audit.Activity) {
	t.metrics.ObserveAudit(ctx, a)
}
