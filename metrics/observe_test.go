// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

func TestABreakersFiguresAreReadWhenScraped(t *testing.T) {
	m, reg := newMetrics(t)
	b := named[circuitbreaker.Stats]("pms")
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: b})
	b.set(func(s *circuitbreaker.Stats) {
		s.State = circuitbreaker.HalfOpen
		s.Total = circuitbreaker.Counts{Success: 1, Failure: 2, Ignored: 3, Slow: 4}
		s.Window = circuitbreaker.Counts{Success: 3, Failure: 1}
		s.Rejected, s.Stale, s.ShadowRejected, s.ObserverPanics, s.Probing = 5, 6, 7, 8, 2
	})
	expect(t, reg, map[string]float64{
		`holdfast_circuitbreaker_state{breaker="pms",state="closed"}`:               0,
		`holdfast_circuitbreaker_state{breaker="pms",state="half_open"}`:            1,
		`holdfast_circuitbreaker_state{breaker="pms",state="open"}`:                 0,
		`holdfast_circuitbreaker_calls_total{breaker="pms",result="success"}`:       1,
		`holdfast_circuitbreaker_calls_total{breaker="pms",result="failure"}`:       2,
		`holdfast_circuitbreaker_calls_total{breaker="pms",result="ignored"}`:       3,
		`holdfast_circuitbreaker_calls_total{breaker="pms",result="rejected"}`:      5,
		`holdfast_circuitbreaker_slow_calls_total{breaker="pms"}`:                   4,
		`holdfast_circuitbreaker_stale_results_total{breaker="pms"}`:                6,
		`holdfast_circuitbreaker_shadow_rejections_total{breaker="pms"}`:            7,
		`holdfast_circuitbreaker_failure_ratio{breaker="pms"}`:                      0.25,
		`holdfast_circuitbreaker_probes{breaker="pms"}`:                             2,
		`holdfast_observer_panics_total{component="circuitbreaker",name="pms"}`:     8,
		`holdfast_circuitbreaker_state_seconds_total{breaker="pms",state="open"}`:   0,
		`holdfast_circuitbreaker_transitions_total{breaker="pms",to="half_open"}`:   0,
		`holdfast_circuitbreaker_transitions_total{breaker="pms",to="forced_open"}`: 0,
	})
}

func TestAHistogramHasTheBucketsThatWereChosenForItInAnyNamespace(t *testing.T) {
	bounds := []float64{1, 60}
	m, reg := newMetrics(t, WithNamespace("hotel"), WithBuckets("holdfast_lock_wait_duration_seconds", bounds...))
	bounds[0] = 100 // it is the caller's to change
	m.ObserveLock(background, lock.Event{Op: lock.OpNew, Source: named[lock.Stats]("rooms")})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	histograms := 0
	for _, f := range families {
		for _, series := range f.GetMetric() {
			if series.GetHistogram() == nil {
				continue
			}
			histograms++
			var bounds []float64
			for _, b := range series.GetHistogram().GetBucket() {
				bounds = append(bounds, b.GetUpperBound())
			}
			if chosen := slices.Equal(bounds, []float64{1, 60}); chosen != (f.GetName() == "hotel_lock_wait_duration_seconds") {
				t.Errorf("%s has the buckets %v", f.GetName(), bounds)
			}
		}
	}
	if histograms < 2 {
		t.Errorf("found %d histograms, want that of waits and another one", histograms)
	}
}

func TestLockEventsAreCounted(t *testing.T) {
	m, reg := newMetrics(t)
	src := named[lock.Stats]("rooms")
	src.set(func(s *lock.Stats) {
		*s = lock.Stats{Held: 1, Renewing: 2, Waiting: 3, AuditErrors: 4, ObserverPanics: 5}
	})
	for _, e := range []lock.Event{
		{Op: lock.OpNew},
		{Op: lock.OpAcquire, Took: ms(3)},
		{Op: lock.OpAcquire, Took: ms(2010), Waited: 2 * time.Second, Blocked: true},
		{Op: lock.OpAcquire, Result: lock.ResultConflict, Blocked: true, Took: ms(2)},
		{Op: lock.OpAcquire, Result: lock.ResultInvalid},
		{Op: lock.OpExtend, Result: lock.ResultMaxReached, Took: ms(1)},
		{Op: lock.OpRenew, Took: ms(1)},
		{Op: lock.OpRelease, Held: 40 * time.Second, Took: ms(1), Waited: 2 * time.Second}, // repeats the acquire's
		{Op: lock.OpRelease, Result: lock.ResultNotHeld, Held: 50 * time.Second, Took: ms(1)},
		{Op: lock.OpLost, Held: 60 * time.Second},
		{Op: lock.OpExpired, Held: time.Hour},
	} {
		e.Source = src
		m.ObserveLock(background, e)
	}
	expect(t, reg, map[string]float64{
		`holdfast_lock_operations_total{manager="rooms",operation="acquire",result="success"}`:    2,
		`holdfast_lock_operations_total{manager="rooms",operation="acquire",result="conflict"}`:   1,
		`holdfast_lock_operations_total{manager="rooms",operation="acquire",result="invalid"}`:    1,
		`holdfast_lock_operations_total{manager="rooms",operation="extend",result="max_reached"}`: 1,
		`holdfast_lock_operations_total{manager="rooms",operation="renew",result="success"}`:      1,
		`holdfast_lock_operations_total{manager="rooms",operation="release",result="not_held"}`:   1,
		`holdfast_lock_operation_duration_seconds_count{manager="rooms",operation="acquire"}`:     3,
		`holdfast_lock_operation_duration_seconds_sum{manager="rooms",operation="acquire"}`:       0.015,
		`holdfast_lock_operation_duration_seconds_sum{manager="rooms",operation="release"}`:       0.002,
		`holdfast_lock_wait_duration_seconds_count{manager="rooms"}`:                              1,
		`holdfast_lock_wait_duration_seconds_sum{manager="rooms"}`:                                2,
		`holdfast_lock_hold_duration_seconds_count{manager="rooms"}`:                              2,
		`holdfast_lock_hold_duration_seconds_sum{manager="rooms"}`:                                100,
		`holdfast_lock_conflicts_total{manager="rooms"}`:                                          2,
		`holdfast_lock_lost_total{manager="rooms"}`:                                               1,
		`holdfast_lock_expired_total{manager="rooms"}`:                                            1,
		`holdfast_lock_held{manager="rooms"}`:                                                     1,
		`holdfast_lock_renewing{manager="rooms"}`:                                                 2,
		`holdfast_lock_waiting{manager="rooms"}`:                                                  3,
		`holdfast_lock_audit_errors_total{manager="rooms"}`:                                       4,
		`holdfast_observer_panics_total{component="lock",name="rooms"}`:                           5,
	})
}

func TestSessionEventsAreCounted(t *testing.T) {
	m, reg := newMetrics(t)
	src := named[session.Stats]("chats")
	src.set(func(s *session.Stats) { s.ObserverPanics = 1 })
	for _, e := range []session.Event{
		{Op: session.OpNew},
		{Op: session.OpCreate, Bytes: 1000, Took: ms(2)},
		{Op: session.OpGet, Bytes: 1000, Took: ms(2)},
		{Op: session.OpSave, Result: session.ResultTooLarge, Bytes: 1 << 20},
		{Op: session.OpSave, Result: session.ResultConflict, Bytes: 100},
		{Op: session.OpGet, Result: session.ResultNotFound},
		{Op: session.OpExclusive, Took: ms(150), Waited: ms(100)},
		{Op: session.OpEnded, Reason: session.ReasonIdle},
		{Op: session.OpEnded, Reason: session.ReasonInvalidFormat},
		{Op: session.OpUndecodable},
		{Op: session.OpCleanup, Took: time.Second, Report: session.Report{Backlog: 7, CallbackErrors: 2, Dead: 1}},
		{Op: session.OpCleanup, Result: session.ResultUnavailable, Took: time.Second, Report: session.Report{Backlog: 6}},
	} {
		e.Source = src
		m.ObserveSession(background, e)
	}
	expect(t, reg, map[string]float64{
		`holdfast_session_operations_total{manager="chats",operation="create",result="success"}`: 1,
		`holdfast_session_operations_total{manager="chats",operation="save",result="too_large"}`: 1,
		`holdfast_session_operations_total{manager="chats",operation="save",result="conflict"}`:  1,
		`holdfast_session_operations_total{manager="chats",operation="get",result="not_found"}`:  1,
		`holdfast_session_operation_duration_seconds_sum{manager="chats",operation="exclusive"}`: 0.05,
		`holdfast_session_size_bytes_count{manager="chats"}`:                                     1,
		`holdfast_session_size_bytes_sum{manager="chats"}`:                                       1000,
		`holdfast_session_ended_total{manager="chats",reason="idle"}`:                            1,
		`holdfast_session_ended_total{manager="chats",reason="invalid_format"}`:                  1,
		`holdfast_session_cleanup_total{manager="chats",result="success"}`:                       1,
		`holdfast_session_cleanup_total{manager="chats",result="error"}`:                         1,
		`holdfast_session_cleanup_duration_seconds_count{manager="chats"}`:                       2,
		`holdfast_session_backlog{manager="chats"}`:                                              6,
		`holdfast_session_given_up_total{manager="chats"}`:                                       1,
		`holdfast_session_undecodable_total{manager="chats"}`:                                    1,
		`holdfast_session_callback_errors_total{manager="chats"}`:                                2,
		`holdfast_observer_panics_total{component="session",name="chats"}`:                       1,
	})
}

func TestAuditActivitiesAreCounted(t *testing.T) {
	m, reg := newMetrics(t)
	src := named[audit.Stats]("trail")
	src.set(func(s *audit.Stats) {
		*s = audit.Stats{Queued: 1, Capacity: 2, QueuedBytes: 3, Recorded: 4, Written: 5, Retries: 6, ObserverPanics: 7,
			Dropped: map[audit.DropReason]uint64{audit.QueueFull: 8}, OldestPending: 9 * time.Second, LastSuccess: time.Unix(10, 0),
			SpoolBytes: 11, SpoolLimit: 12, SpoolFailures: 13}
	})
	for _, a := range []audit.Activity{
		{Op: audit.OpNew},
		{Op: audit.OpWrite, Events: 10, Took: ms(20)},
		{Op: audit.OpWrite, Took: ms(30), Err: errors.New("refused")},
		{Op: audit.OpWrite, Took: ms(50), Err: fmt.Errorf("write: %w", context.DeadlineExceeded)},
		{Op: audit.OpFlush, Took: time.Second},
		{Op: audit.OpRecord, Drop: audit.QueueFull},
	} {
		a.Source = src
		m.ObserveAudit(background, a)
	}
	m.AuditGaps("trail", 2)
	m.AuditGaps("unknown", 3)
	(*Metrics)(nil).AuditGaps("trail", 4)
	m.AuditVerified("unknown", 3, nil)
	(*Metrics)(nil).AuditVerified("trail", 4, nil)
	expect(t, reg, map[string]float64{
		`holdfast_audit_writes_total{log="trail",result="success"}`:        1,
		`holdfast_audit_writes_total{log="trail",result="error"}`:          1,
		`holdfast_audit_writes_total{log="trail",result="timeout"}`:        1,
		`holdfast_audit_write_duration_seconds_count{log="trail"}`:         3,
		`holdfast_audit_queue_length{log="trail"}`:                         1,
		`holdfast_audit_queue_capacity{log="trail"}`:                       2,
		`holdfast_audit_queue_bytes{log="trail"}`:                          3,
		`holdfast_audit_recorded_total{log="trail"}`:                       4,
		`holdfast_audit_written_total{log="trail"}`:                        5,
		`holdfast_audit_retries_total{log="trail"}`:                        6,
		`holdfast_observer_panics_total{component="audit",name="trail"}`:   7,
		`holdfast_audit_dropped_total{log="trail",reason="queue_full"}`:    8,
		`holdfast_audit_dropped_total{log="trail",reason="retries_spent"}`: 0,
		`holdfast_audit_oldest_pending_seconds{log="trail"}`:               9,
		`holdfast_audit_last_success_timestamp_seconds{log="trail"}`:       10,
		`holdfast_audit_gaps{log="trail"}`:                                 2,
		`holdfast_audit_findings{log="trail"}`:                             0,
		`holdfast_audit_verified_timestamp_seconds{log="trail"}`:           0,
		`holdfast_audit_spool_bytes{log="trail"}`:                          11,
		`holdfast_audit_spool_limit_bytes{log="trail"}`:                    12,
		`holdfast_audit_spool_failures_total{log="trail"}`:                 13,
	})
}

// A timestamp of 0 would look overdue by decades at every start; one that
// stays put at the start shows a loop that never ran.
func TestWhatNeverHappenedCountsFromTheBeginning(t *testing.T) {
	before := float64(time.Now().UnixNano()) / 1e9
	_, reg := everything(t)
	got := scrape(t, reg)
	for _, name := range []string{
		`holdfast_session_cleanup_last_success_timestamp_seconds{manager="chats"}`,
		`holdfast_audit_last_success_timestamp_seconds{log="trail"}`,
	} {
		if v := got[name]; v < before || v > before+60 {
			t.Errorf("%s = %v, want about %v", name, v, before)
		}
		if again := scrape(t, reg)[name]; again != got[name] {
			t.Errorf("%s moved from %v to %v", name, got[name], again)
		}
	}
}

func TestNoEventAllocates(t *testing.T) {
	m, _ := everything(t, WithOriginalNames())
	var (
		b circuitbreaker.Source = named[circuitbreaker.Stats]("pms")
		l lock.Source           = named[lock.Stats]("rooms")
		s session.Source        = named[session.Stats]("chats")
		a audit.Source          = named[audit.Stats]("trail")

		room = lock.Key("room/101")
		busy = fmt.Errorf("tried: %w", &lock.ConflictError{Conflicts: []lock.Conflict{{Wanted: room}}})
		late = fmt.Errorf("write: %w", context.DeadlineExceeded)
	)
	m.ObserveLock(background, conflictOn(l, room)) // a key is new once
	for name, f := range map[string]func(){
		"breaker": func() { m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpChanged, Source: b}) },
		"lock": func() {
			m.ObserveLock(background, lock.Event{Op: lock.OpAcquire, Source: l, Took: 1, Waited: 1, Resource: room})
		},
		"lock conflict": func() { m.ObserveLock(background, conflictOn(l, room)) },
		"lock, who": func() {
			m.ObserveLock(background, lock.Event{Op: lock.OpAcquire, Result: lock.ResultConflict, Source: l, Err: busy})
		},
		"lock release":    func() { m.ObserveLock(background, lock.Event{Op: lock.OpRelease, Source: l, Held: 1}) },
		"session":         func() { m.ObserveSession(background, session.Event{Op: session.OpSave, Source: s, Bytes: 100}) },
		"session ended":   func() { m.ObserveSession(background, session.Event{Op: session.OpEnded, Source: s}) },
		"session cleanup": func() { m.ObserveSession(background, session.Event{Op: session.OpCleanup, Source: s}) },
		"audit":           func() { m.ObserveAudit(background, audit.Activity{Op: audit.OpWrite, Source: a}) },
		"audit timeout":   func() { m.ObserveAudit(background, audit.Activity{Op: audit.OpWrite, Source: a, Err: late}) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestWhatAHistogramObservesGoesToTheFunctionOfWithObserved(t *testing.T) {
	var got []string
	m, err := New(nil, WithNamespace("acme"), WithName(func(name string) string { return "the " + name }),
		WithObserved(func(ctx context.Context, name string, value float64, labels ...string) {
			got = append(got, fmt.Sprint(ctx.Value(traced{}), " ", name, labels, " ", value))
		}))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(background, traced{}, "trace")
	rooms := named[lock.Stats]("rooms")
	for _, e := range []lock.Event{{Op: lock.OpNew}, {Op: lock.OpAcquire, Took: ms(2500), Waited: ms(500)}, {Op: lock.OpLost, Held: ms(-1)}} {
		e.Source = rooms
		m.ObserveLock(ctx, e)
	}
	want := []string{
		"trace holdfast_lock_wait_duration_seconds[the rooms] 0.5",
		"trace holdfast_lock_operation_duration_seconds[the rooms acquire] 2",
		"trace holdfast_lock_hold_duration_seconds[the rooms] 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("observed\n%q, want\n%q", got, want)
	}
}

type traced struct{}
