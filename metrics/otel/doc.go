// SPDX-License-Identifier: MIT

// Package otel exports spans and metrics of breakers, lock managers, session
// managers and audit logs to OpenTelemetry.
//
//	t, err := otel.New() // with the global providers of OpenTelemetry
//	if err != nil {
//		log.Fatal(err)
//	}
//	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: t, Trace: t.Trace})
//	if err != nil {
//		log.Fatal(err)
//	}
//
// The configurations of lock, session and audit have the same two fields, and audit's
// Enrich takes [Enrich], which puts trace ids into events. One [*Telemetry] serves any
// number of them. The package is a module of its own:
// programs without OpenTelemetry do not download it.
//
// # Spans
//
// Each operation is a span of kind internal, with the attribute holdfast.name for
// the Name in the Config. What the operation calls, such as Redis or a database
// with an instrumentation of its own, is within the span.
//
//	circuitbreaker.call    a call or its rejection; an event circuitbreaker.state_changed where it changed the state
//	lock.acquire           with the event lock.conflict where others were in the way; also lock.extend, .resume, .release and .force_release
//	lock.hold              from the grant to the release or the loss, beside the lock.acquire or lock.release; none for a lease that was detached
//	session.get            and the other operations, under the names of their Op; session.cleanup for a cleanup cycle
//	audit.write            one try to write a batch; also audit.flush and audit.close
//
// A span whose operation failed has the status Error and the attribute error.type.
// A conflict and a session that is not there are answers, not failures: they have
// the attribute only. Spans of locks and sessions have the attribute
// holdfast.result, as the metrics have it, and those of locks
// holdfast.lock.resource, .id and .fence. No span has a holder, a subject, a token
// or a payload; the text of an error that a function of the program returned is
// the status of the span.
//
// # Metrics
//
// The metrics are those of package [metrics], under names by the semantic
// conventions: holdfast_lock_operation_duration_seconds is
// holdfast.lock.operation.duration in seconds, and
// holdfast_circuitbreaker_calls_total is holdfast.circuitbreaker.calls. Labels are
// attributes under the same names. When a Collector or Prometheus itself turns them
// back into names of Prometheus, they are those of package metrics, so that the
// shipped rules and dashboards work, except for
// holdfast_circuitbreaker_state_seconds_total, holdfast_sql_wait_seconds_total and
// holdfast_redis_wait_seconds_total, which end in _time_seconds_total.
// holdfast_build_info and the series of metrics.WithOriginalNames are left out.
//
// Exemplars are the SDK's own, with the span of the operation.
//
// # Trace ids elsewhere
//
// [Enrich] sets the trace id of audit events, [Handler] adds it to lines of slog,
// and [TraceID] is for metrics.WithTraceID, where Prometheus scrapes.
package otel
