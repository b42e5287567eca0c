// SPDX-License-Identifier: MIT

// Package metrics exports metrics of breakers, lock managers, session managers
// and audit logs to Prometheus.
//
//	m, err := metrics.New(prometheus.DefaultRegisterer)
//	if err != nil {
//		log.Fatal(err)
//	}
//	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: m})
//	if err != nil {
//		log.Fatal(err)
//	}
//	http.Handle("GET /metrics", promhttp.Handler()) // shows pms, and all else that m observes
//
// One [*Metrics] observes any number of them and is one
// [prometheus.Collector]:
//
//	breaker ---- created, changed, retired --->  +---------+
//	lock ------- one event per operation ----->  | Metrics |
//	session ---- one event per operation ----->  |         |  <-- scrape
//	audit log -- one event per batch --------->  +---------+
//	    ^                                             |
//	    +------------- Stats() at scrape ------------+
//
// What a source counts itself is read at each scrape: the state of a breaker is
// right without calls, and a call through it costs nothing more. Events are
// counted when they happen.
//
// # Guarantees
//
//   - Registration is one step: all series or none, and an error, not a panic.
//   - A scrape only reads memory. It sends nothing to Redis or a database, except
//     as [Redis] says of a Cluster, and waits for no one who does.
//   - Every counter exists at 0 from the creation of its source, so increase()
//     counts the first event. Only counters by key do not.
//   - Counters of a name never fall until it is retired. Sources of one name add
//     up, and when one closes, its last totals stay in the sum. Values
//     of the store, which all managers of a name report alike (session_active,
//     session_limit, intervals and timestamps), are not added: the highest counts.
//   - A source is held until it closes, its group drops it, or [Metrics.Retire].
//     The gauges of a name end when its last source closes; its counts stay, so
//     that the last scrape or push of a job has all of them. Retire ends them, too.
//   - Labels are bounded: they hold names from the configuration and closed
//     values, never an id, a holder or a subject. Lock keys are a label only with
//     [WithKeyLabel], and members of a group of breakers only with
//     [WithGroupMembers], each up to its limit.
//   - Nothing is global: two Metrics on two registries share nothing.
//
// # Not guaranteed
//
//   - session_active is as old as the latest cleanup cycle (see
//     session_cleanup_last_success_timestamp_seconds), and every process reports
//     the same value: aggregate it with max, not sum.
//
// # Series
//
// From the creation of the first breaker, manager or log of a name:
//
//	gauge holdfast_circuitbreaker_state{breaker, state=closed|half_open|open|forced_open|disabled}
//	    Breakers of this name that are in the state: 1 for the current state, 0 for the others. In shadow mode an open or half-open one counts as closed: it rejects nothing.
//	counter holdfast_circuitbreaker_calls_total{breaker, result=success|failure|ignored|rejected}
//	    Calls, by outcome; rejected calls did not reach the dependency.
//	counter holdfast_circuitbreaker_slow_calls_total{breaker}
//	    Calls that took at least Config.SlowCall; they are also counted by outcome.
//	counter holdfast_circuitbreaker_stale_results_total{breaker}
//	    Results of calls that began before the latest change of state; no rule counts them.
//	counter holdfast_circuitbreaker_shadow_rejections_total{breaker}
//	    Calls that a breaker in shadow mode let through and would have rejected.
//	counter holdfast_circuitbreaker_transitions_total{breaker, to=closed|half_open|open|forced_open|disabled}
//	    Changes of state, by the new state.
//	counter holdfast_circuitbreaker_state_seconds_total{breaker, state=closed|half_open|open|forced_open|disabled}
//	    Time spent in each state.
//	gauge holdfast_circuitbreaker_failure_ratio{breaker}
//	    Share of failures among the successes and failures of the current window; 0 when it has none.
//	gauge holdfast_circuitbreaker_probes{breaker}
//	    Probes in flight.
//	counter holdfast_lock_operations_total{manager, operation=acquire|extend|renew|resume|release|force_release, result=success|conflict|max_reached|not_held|timeout|canceled|invalid|unavailable|audit_failed|error}
//	    Operations, by result. An acquire is one call, however long it waits; a renew is the watchdog's extend.
//	histogram holdfast_lock_operation_duration_seconds{manager, operation=acquire|extend|renew|resume|release|force_release}
//	    Time that operations took, without waiting for a conflict to end. Buckets: 0.001 0.005 0.025 0.1 0.5 2.5 10.
//	histogram holdfast_lock_wait_duration_seconds{manager}
//	    Time that acquires waited for a conflict to end, granted or not; those that did not wait are left out. Buckets: 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30.
//	histogram holdfast_lock_hold_duration_seconds{manager}
//	    Time from acquiring to the release or the loss. Buckets: 0.1 0.5 1 5 15 30 60 120 300 600 1800 3600.
//	counter holdfast_lock_conflicts_total{manager}
//	    Acquires whose first try met a conflict, granted later or not.
//	counter holdfast_lock_lost_total{manager}
//	    Leases that were lost before their holder released them.
//	counter holdfast_lock_expired_total{manager}
//	    Expired holds that this process found and reported.
//	gauge holdfast_lock_held{manager}
//	    Leases of this process that have not ended.
//	gauge holdfast_lock_renewing{manager}
//	    Leases of this process that the watchdog renews.
//	gauge holdfast_lock_waiting{manager}
//	    Acquires of this process that wait for a conflict to end.
//	counter holdfast_lock_audit_errors_total{manager}
//	    Audit events that the recorder did not accept in time.
//	gauge holdfast_session_active{manager}
//	    Sessions alive in the store, as counted by the latest cleanup cycle. Every process reports the same figure: aggregate with max.
//	gauge holdfast_session_limit{manager}
//	    Config.MaxSessions; 0 for none.
//	gauge holdfast_session_backlog{manager}
//	    Expired sessions that the latest cleanup cycle of this process left for the next one.
//	gauge holdfast_session_cleanup_interval_seconds{manager}
//	    Config.CleanupInterval.
//	gauge holdfast_session_cleanup_running{manager}
//	    Cleanup loops of this process that run.
//	gauge holdfast_session_cleanup_last_success_timestamp_seconds{manager}
//	    When the latest cleanup cycle that finished its work ended; before the first one, when the first manager of the name was made.
//	counter holdfast_session_operations_total{manager, operation=create|open|get|peek|touch|save|update|exclusive|rotate|bind|delete, result=success|not_found|conflict|busy|too_large|full|corrupt|unavailable|canceled|lease_lost|function_error|invalid|error}
//	    Operations, by result.
//	histogram holdfast_session_operation_duration_seconds{manager, operation=create|open|get|peek|touch|save|update|exclusive|rotate|bind|delete}
//	    Time that operations took, functions of the caller included, without waiting for other handlers of the session. Buckets: 0.001 0.005 0.025 0.1 0.5 2.5 10.
//	histogram holdfast_session_size_bytes{manager}
//	    Size of encoded payloads as they were written. Buckets: 256 1024 4096 16384 65536 262144 1.048576e+06.
//	counter holdfast_session_cleanup_total{manager, result=success|error}
//	    Cleanup cycles, by result.
//	histogram holdfast_session_cleanup_duration_seconds{manager}
//	    Time that cleanup cycles took. Buckets: 0.01 0.05 0.1 0.5 1 5 10 30 60 300.
//	counter holdfast_session_ended_total{manager, reason=idle|absolute|deleted|evicted|rotated|vanished|corrupted|invalid_format}
//	    Sessions that ended, by reason.
//	counter holdfast_session_callback_errors_total{manager}
//	    Calls of Config.OnExpire that failed or panicked.
//	counter holdfast_session_given_up_total{manager}
//	    Expired sessions that were given up because OnExpire failed too often or no instance could decode them; they are also counted as ended.
//	counter holdfast_session_undecodable_total{manager}
//	    Reads of sessions that this instance cannot decode; the sessions stay as they are.
//	counter holdfast_audit_recorded_total{log}
//	    Events that the log accepted.
//	counter holdfast_audit_written_total{log}
//	    Events that the sink stored.
//	counter holdfast_audit_dropped_total{log, reason=queue_full|after_close|invalid|too_large|poisoned|retries_spent|spool_full|spool_failed}
//	    Events that the sink does not have and will not get, by reason.
//	counter holdfast_audit_writes_total{log, result=success|error|timeout}
//	    Attempts to write a batch, by result.
//	counter holdfast_audit_retries_total{log}
//	    Attempts to write a batch after an earlier one failed.
//	histogram holdfast_audit_write_duration_seconds{log}
//	    Time that attempts to write a batch took. Buckets: 0.001 0.005 0.025 0.1 0.5 2.5 10.
//	gauge holdfast_audit_queue_length{log}
//	    Events accepted and not yet in the sink.
//	gauge holdfast_audit_queue_capacity{log}
//	    Events that the queue can hold; 0 with a spool.
//	gauge holdfast_audit_queue_bytes{log}
//	    Size of the events accepted and not yet in the sink.
//	gauge holdfast_audit_oldest_pending_seconds{log}
//	    Age of the oldest event that is not yet in the sink; 0 for none.
//	gauge holdfast_audit_last_success_timestamp_seconds{log}
//	    When the sink last accepted a batch; before the first one, when the first log of the name was made.
//	gauge holdfast_audit_gaps{log}
//	    Gaps in the stored trail, as last reported to Metrics.AuditGaps; 0 before.
//	gauge holdfast_audit_findings{log}
//	    Findings of the last verification that Metrics.AuditVerified got; 0 before.
//	gauge holdfast_audit_verified_timestamp_seconds{log}
//	    When a verification last came to a result; 0 before the first one was tried, then when the first log of the name was made.
//	gauge holdfast_audit_spool_bytes{log}
//	    Size of the files of the spool; 0 without one.
//	gauge holdfast_audit_spool_limit_bytes{log}
//	    Size that the spool may have; 0 without one.
//	counter holdfast_audit_spool_failures_total{log}
//	    Writes and syncs of the spool that failed.
//	counter holdfast_observer_panics_total{component=circuitbreaker|lock|session|audit, name}
//	    Panics of observers that were contained, by component and the name of its breaker, manager or log.
//	gauge holdfast_build_info{version, go_version}
//	    Always 1; the labels are the versions of holdfast and of Go.
//
// With [Metrics.DB]:
//
//	gauge holdfast_sql_connections{db, state=in_use|idle}
//	    Open connections of the pool.
//	gauge holdfast_sql_connections_limit{db}
//	    Connections that the pool may open; 0 for no limit.
//	counter holdfast_sql_waits_total{db}
//	    Times that a caller waited for a connection.
//	counter holdfast_sql_wait_seconds_total{db}
//	    Time that callers waited for a connection.
//
// With [Redis]:
//
//	gauge holdfast_redis_connections{client, state=in_use|idle}
//	    Open connections of the pool.
//	counter holdfast_redis_connection_requests_total{client, result=hit|miss|timeout}
//	    Requests for a connection: hit, a free one was used; miss, a new one was opened; timeout, none became free in time. A request can be a miss and a timeout.
//	counter holdfast_redis_stale_connections_total{client}
//	    Connections that the pool closed because they were too old or broken.
//	counter holdfast_redis_waits_total{client}
//	    Times that a caller waited for a connection.
//	counter holdfast_redis_wait_seconds_total{client}
//	    Time that callers waited for a connection.
//
// With [WithKeyLabel], under the label that it names:
//
//	counter holdfast_lock_key_conflicts_total{room_id}
//	    Acquires whose first try met a conflict, by key, of all managers; keys beyond the limit are counted as _other.
//	counter holdfast_metrics_label_overflow_total
//	    Conflicts that were counted under the key _other.
//
// With [WithOriginalNames], without a namespace:
//
//	gauge pms_circuit_breaker_state
//	    State of the breaker named pms: 0 closed or disabled, 1 half-open, 2 open.
//	counter lock_operations_total{operation=acquire|extend|release, result=success|error|conflict|max_reached}
//	    Operations of all lock managers.
//	counter lock_conflicts_total{room_id}
//	    Acquires that met a conflict, of all lock managers; rooms beyond the limit are counted as _other.
//	counter lock_extensions_total{result=success|error|conflict|max_reached}
//	    Extensions by holders, of all lock managers.
//	gauge session_active_total
//	    Sessions alive, as counted by the latest cleanup cycles of all session managers.
//	counter session_cleanup_total{result=success|error}
//	    Cleanup cycles of all session managers.
//	counter session_expirations_total{reason=idle|absolute|evicted|vanished|corrupted|invalid_format}
//	    Sessions that ended by themselves, of all session managers.
//	gauge db_connections_active
//	    Connections in use, of all pools given to DB.
//	counter db_statement_timeouts_total
//	    Writes of audit batches that ran out of time.
package metrics
