// SPDX-License-Identifier: MIT

package metrics

import (
	"slices"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

// series is the place of a [Series] in the catalogue.
type series int

const (
	breakerState series = iota
	breakerCalls
	breakerSlow
	breakerStale
	breakerShadow
	breakerTransitions
	breakerStateSeconds
	breakerFailureRatio
	breakerProbes

	lockOps
	lockTook
	lockWait
	lockHold
	lockConflicts
	lockKeyConflicts
	lockLost
	lockExpired
	lockHeld
	lockRenewing
	lockWaiting
	lockAuditErrors

	sessionActive
	sessionLimit
	sessionBacklog
	sessionInterval
	sessionRunning
	sessionLastCleanup
	sessionOps
	sessionTook
	sessionBytes
	sessionCleanups
	sessionCleanupTook
	sessionEnded
	sessionCallbackErrors
	sessionGivenUp
	sessionUndecodable

	auditRecorded
	auditWritten
	auditDropped
	auditWrites
	auditRetries
	auditTook
	auditQueued
	auditCapacity
	auditQueuedBytes
	auditOldest
	auditLastSuccess
	auditGaps
	auditFindings
	auditVerified
	auditSpoolBytes
	auditSpoolLimit
	auditSpoolFailures

	sqlConnections
	sqlLimit
	sqlWaits
	sqlWaitSeconds

	redisConnections
	redisGets
	redisStale
	redisWaits
	redisWaitSeconds

	observerPanics
	labelOverflow
	buildInfo

	origBreakerState
	origLockOps
	origLockConflicts
	origLockExtensions
	origSessionActive
	origSessionCleanups
	origSessionExpirations
	origDBConnections
	origDBTimeouts

	numSeries
)

var (
	breaker = open("breaker")
	manager = open("manager")
	log     = open("log")
	db      = open("db")
	client  = open("client")

	inState          = closed("state", names(breakerStates)...)
	lockOperation    = closed("operation", operations(lockOutcomes)...)
	sessionOperation = closed("operation", operations(sessionOutcomes)...)
)

var catalog = [numSeries]Series{
	breakerState: gauge("circuitbreaker_state",
		"Breakers of this name that are in the state: 1 for the current state, 0 for the others. In shadow mode an open or half-open one counts as closed: it rejects nothing.", breaker, inState),
	breakerCalls: counter("circuitbreaker_calls_total",
		"Calls, by outcome; rejected calls did not reach the dependency.",
		breaker, closed("result", "success", "failure", "ignored", "rejected")),
	breakerSlow: counter("circuitbreaker_slow_calls_total",
		"Calls that took at least Config.SlowCall; they are also counted by outcome.", breaker),
	breakerStale: counter("circuitbreaker_stale_results_total",
		"Results of calls that began before the latest change of state; no rule counts them.", breaker),
	breakerShadow: counter("circuitbreaker_shadow_rejections_total",
		"Calls that a breaker in shadow mode let through and would have rejected.", breaker),
	breakerTransitions: counter("circuitbreaker_transitions_total",
		"Changes of state, by the new state.", breaker, closed("to", names(breakerStates)...)),
	breakerStateSeconds: counter("circuitbreaker_state_seconds_total",
		"Time spent in each state.", breaker, inState),
	breakerFailureRatio: gauge("circuitbreaker_failure_ratio",
		"Share of failures among the successes and failures of the current window; 0 when it has none.", breaker),
	breakerProbes: gauge("circuitbreaker_probes",
		"Probes in flight.", breaker),

	lockOps: counter("lock_operations_total",
		"Operations, by result. An acquire is one call, however long it waits; a renew is the watchdog's extend.",
		manager, lockOperation, closed("result", results(lockOutcomes)...)),
	lockTook: histogram(opBuckets, "lock_operation_duration_seconds",
		"Time that operations took, without waiting for a conflict to end.", manager, lockOperation),
	lockWait: histogram(waitBuckets, "lock_wait_duration_seconds",
		"Time that acquires waited for a conflict to end, granted or not; those that did not wait are left out.", manager),
	lockHold: histogram(holdBuckets, "lock_hold_duration_seconds",
		"Time from acquiring to the release or the loss.", manager),
	lockConflicts: counter("lock_conflicts_total",
		"Acquires whose first try met a conflict, granted later or not.", manager),
	lockKeyConflicts: counter("lock_key_conflicts_total",
		"Acquires whose first try met a conflict, by key, of all managers; keys beyond the limit are counted as _other.",
		open(defaultKeyLabel)).needs(needsKey),
	lockLost: counter("lock_lost_total",
		"Leases that were lost before their holder released them.", manager),
	lockExpired: counter("lock_expired_total",
		"Expired holds that this process found and reported.", manager),
	lockHeld: gauge("lock_held",
		"Leases of this process that have not ended.", manager),
	lockRenewing: gauge("lock_renewing",
		"Leases of this process that the watchdog renews.", manager),
	lockWaiting: gauge("lock_waiting",
		"Acquires of this process that wait for a conflict to end.", manager),
	lockAuditErrors: counter("lock_audit_errors_total",
		"Audit events that the recorder did not accept in time.", manager),

	sessionActive: gauge("session_active",
		"Sessions alive in the store, as counted by the latest cleanup cycle. Every process reports the same figure: aggregate with max.", manager),
	sessionLimit: gauge("session_limit",
		"Config.MaxSessions; 0 for none.", manager),
	sessionBacklog: gauge("session_backlog",
		"Expired sessions that the latest cleanup cycle of this process left for the next one.", manager),
	sessionInterval: gauge("session_cleanup_interval_seconds",
		"Config.CleanupInterval.", manager),
	sessionRunning: gauge("session_cleanup_running",
		"Cleanup loops of this process that run.", manager),
	sessionLastCleanup: gauge("session_cleanup_last_success_timestamp_seconds",
		"When the latest cleanup cycle that finished its work ended; before the first one, when the first manager of the name was made.", manager),
	sessionOps: counter("session_operations_total",
		"Operations, by result.", manager, sessionOperation, closed("result", results(sessionOutcomes)...)),
	sessionTook: histogram(opBuckets, "session_operation_duration_seconds",
		"Time that operations took, functions of the caller included, without waiting for other handlers of the session.", manager, sessionOperation),
	sessionBytes: histogram(byteBuckets, "session_size_bytes",
		"Size of encoded payloads as they were written.", manager),
	sessionCleanups: counter("session_cleanup_total",
		"Cleanup cycles, by result.", manager, closed("result", cleanupResults[:]...)),
	sessionCleanupTook: histogram(cleanupBuckets, "session_cleanup_duration_seconds",
		"Time that cleanup cycles took.", manager),
	sessionEnded: counter("session_ended_total",
		"Sessions that ended, by reason.", manager, closed("reason", names(session.EndReasons())...)),
	sessionCallbackErrors: counter("session_callback_errors_total",
		"Calls of Config.OnExpire that failed or panicked.", manager),
	sessionGivenUp: counter("session_given_up_total",
		"Expired sessions that were given up because OnExpire failed too often or no instance could decode them; they are also counted as ended.", manager),
	sessionUndecodable: counter("session_undecodable_total",
		"Reads of sessions that this instance cannot decode; the sessions stay as they are.", manager),

	auditRecorded: counter("audit_recorded_total",
		"Events that the log accepted.", log),
	auditWritten: counter("audit_written_total",
		"Events that the sink stored.", log),
	auditDropped: counter("audit_dropped_total",
		"Events that the sink does not have and will not get, by reason.", log, closed("reason", names(audit.DropReasons())...)),
	auditWrites: counter("audit_writes_total",
		"Attempts to write a batch, by result.", log, closed("result", writeResults[:]...)),
	auditRetries: counter("audit_retries_total",
		"Attempts to write a batch after an earlier one failed.", log),
	auditTook: histogram(opBuckets, "audit_write_duration_seconds",
		"Time that attempts to write a batch took.", log),
	auditQueued: gauge("audit_queue_length",
		"Events accepted and not yet in the sink.", log),
	auditCapacity: gauge("audit_queue_capacity",
		"Events that the queue can hold; 0 with a spool.", log),
	auditQueuedBytes: gauge("audit_queue_bytes",
		"Size of the events accepted and not yet in the sink.", log),
	auditOldest: gauge("audit_oldest_pending_seconds",
		"Age of the oldest event that is not yet in the sink; 0 for none.", log),
	auditLastSuccess: gauge("audit_last_success_timestamp_seconds",
		"When the sink last accepted a batch; before the first one, when the first log of the name was made.", log),
	auditGaps: gauge("audit_gaps",
		"Gaps in the stored trail, as last reported to Metrics.AuditGaps; 0 before.", log),
	auditFindings: gauge("audit_findings",
		"Findings of the last verification that Metrics.AuditVerified got; 0 before.", log),
	auditVerified: gauge("audit_verified_timestamp_seconds",
		"When a verification last came to a result; 0 before the first one was tried, then when the first log of the name was made.", log),
	auditSpoolBytes: gauge("audit_spool_bytes",
		"Size of the files of the spool; 0 without one.", log),
	auditSpoolLimit: gauge("audit_spool_limit_bytes",
		"Size that the spool may have; 0 without one.", log),
	auditSpoolFailures: counter("audit_spool_failures_total",
		"Writes and syncs of the spool that failed.", log),

	sqlConnections: gauge("sql_connections",
		"Open connections of the pool.", db, closed("state", "in_use", "idle")).needs(needsDB),
	sqlLimit: gauge("sql_connections_limit",
		"Connections that the pool may open; 0 for no limit.", db).needs(needsDB),
	sqlWaits: counter("sql_waits_total",
		"Times that a caller waited for a connection.", db).needs(needsDB),
	sqlWaitSeconds: counter("sql_wait_seconds_total",
		"Time that callers waited for a connection.", db).needs(needsDB),

	redisConnections: gauge("redis_connections",
		"Open connections of the pool.", client, closed("state", "in_use", "idle")).needs(needsRedis),
	redisGets: counter("redis_connection_requests_total",
		"Requests for a connection: hit, a free one was used; miss, a new one was opened; timeout, none became free in time. A request can be a miss and a timeout.",
		client, closed("result", "hit", "miss", "timeout")).needs(needsRedis),
	redisStale: counter("redis_stale_connections_total",
		"Connections that the pool closed because they were too old or broken.", client).needs(needsRedis),
	redisWaits: counter("redis_waits_total",
		"Times that a caller waited for a connection.", client).needs(needsRedis),
	redisWaitSeconds: counter("redis_wait_seconds_total",
		"Time that callers waited for a connection.", client).needs(needsRedis),

	observerPanics: counter("observer_panics_total",
		"Panics of observers that were contained, by component and the name of its breaker, manager or log.",
		closed("component", "circuitbreaker", "lock", "session", "audit"), open("name")),
	labelOverflow: counter("metrics_label_overflow_total",
		"Conflicts that were counted under the key _other.").needs(needsKey),
	buildInfo: gauge("build_info",
		"Always 1; the labels are the versions of holdfast and of Go.", open("version"), open("go_version")),

	origBreakerState: gauge("pms_circuit_breaker_state",
		"State of the breaker named pms: 0 closed or disabled, 1 half-open, 2 open.").needs(needsOriginal),
	origLockOps: counter("lock_operations_total",
		"Operations of all lock managers.",
		closed("operation", "acquire", "extend", "release"), closed("result", originalResults[:]...)).needs(needsOriginal),
	origLockConflicts: counter("lock_conflicts_total",
		"Acquires that met a conflict, of all lock managers; rooms beyond the limit are counted as _other.",
		open(defaultKeyLabel)).needs(needsOriginal),
	origLockExtensions: counter("lock_extensions_total",
		"Extensions by holders, of all lock managers.", closed("result", originalResults[:]...)).needs(needsOriginal),
	origSessionActive: gauge("session_active_total",
		"Sessions alive, as counted by the latest cleanup cycles of all session managers.").needs(needsOriginal),
	origSessionCleanups: counter("session_cleanup_total",
		"Cleanup cycles of all session managers.", closed("result", cleanupResults[:]...)).needs(needsOriginal),
	origSessionExpirations: counter("session_expirations_total",
		"Sessions that ended by themselves, of all session managers.", closed("reason", names(originalReasons)...)).needs(needsOriginal),
	origDBConnections: gauge("db_connections_active",
		"Connections in use, of all pools given to DB.").needs(needsOriginal),
	origDBTimeouts: counter("db_statement_timeouts_total",
		"Writes of audit batches that ran out of time.").needs(needsOriginal),
}

var (
	opBuckets      = []float64{.001, .005, .025, .1, .5, 2.5, 10}
	waitBuckets    = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	holdBuckets    = []float64{.1, .5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600}
	cleanupBuckets = []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 300}
	byteBuckets    = []float64{256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}
)

var breakerStates = []circuitbreaker.State{
	circuitbreaker.Closed, circuitbreaker.HalfOpen, circuitbreaker.Open, circuitbreaker.ForcedOpen, circuitbreaker.Disabled,
}

// outcomes are the results that an operation can have: they exist from the
// start, at 0. A result that is not listed is still counted, and appears when it
// happens.
type outcomes[O, R enum] struct {
	op      O
	results []R
}

type enum interface {
	~uint8
	String() string
}

var lockOutcomes = []outcomes[lock.Op, lock.Result]{
	{lock.OpAcquire, []lock.Result{lock.ResultOK, lock.ResultConflict, lock.ResultTimedOut, lock.ResultCanceled, lock.ResultInvalid, lock.ResultUnavailable, lock.ResultAuditFailed, lock.ResultFailed}},
	{lock.OpExtend, []lock.Result{lock.ResultOK, lock.ResultMaxReached, lock.ResultNotHeld, lock.ResultCanceled, lock.ResultInvalid, lock.ResultUnavailable, lock.ResultFailed}},
	{lock.OpRenew, []lock.Result{lock.ResultOK, lock.ResultMaxReached, lock.ResultNotHeld, lock.ResultUnavailable, lock.ResultFailed}},
	{lock.OpResume, []lock.Result{lock.ResultOK, lock.ResultNotHeld, lock.ResultCanceled, lock.ResultInvalid, lock.ResultUnavailable, lock.ResultFailed}},
	{lock.OpRelease, []lock.Result{lock.ResultOK, lock.ResultNotHeld, lock.ResultCanceled, lock.ResultUnavailable, lock.ResultFailed}},
	{lock.OpForceRelease, []lock.Result{lock.ResultOK, lock.ResultNotHeld, lock.ResultCanceled, lock.ResultInvalid, lock.ResultUnavailable, lock.ResultFailed}},
}

var sessionOutcomes = []outcomes[session.Op, session.Result]{
	{session.OpCreate, []session.Result{session.ResultOK, session.ResultTooLarge, session.ResultFull, session.ResultUnavailable, session.ResultCanceled, session.ResultInvalid, session.ResultFailed}},
	{session.OpOpen, []session.Result{session.ResultOK, session.ResultTooLarge, session.ResultFull, session.ResultCorrupt, session.ResultUnavailable, session.ResultCanceled, session.ResultInvalid, session.ResultFailed}},
	{session.OpGet, []session.Result{session.ResultOK, session.ResultNotFound, session.ResultCorrupt, session.ResultUnavailable, session.ResultCanceled, session.ResultFailed}},
	{session.OpPeek, []session.Result{session.ResultOK, session.ResultNotFound, session.ResultCorrupt, session.ResultUnavailable, session.ResultCanceled, session.ResultFailed}},
	{session.OpTouch, []session.Result{session.ResultOK, session.ResultNotFound, session.ResultCorrupt, session.ResultUnavailable, session.ResultCanceled, session.ResultFailed}},
	{session.OpSave, []session.Result{session.ResultOK, session.ResultNotFound, session.ResultConflict, session.ResultTooLarge, session.ResultCorrupt, session.ResultUnavailable, session.ResultCanceled, session.ResultFailed}},
	{session.OpUpdate, []session.Result{session.ResultOK, session.ResultNotFound, session.ResultConflict, session.ResultBusy, session.ResultTooLarge, session.ResultCorrupt, session.ResultUnavailable, session.ResultCanceled, session.ResultLeaseLost, session.ResultFuncFailed, session.ResultInvalid, session.ResultFailed}},
	{session.OpExclusive, []session.Result{session.ResultOK, session.ResultNotFound, session.ResultConflict, session.ResultBusy, session.ResultTooLarge, session.ResultFull, session.ResultCorrupt, session.ResultUnavailable, session.ResultCanceled, session.ResultLeaseLost, session.ResultFuncFailed, session.ResultInvalid, session.ResultFailed}},
	{session.OpRotate, []session.Result{session.ResultOK, session.ResultNotFound, session.ResultConflict, session.ResultUnavailable, session.ResultCanceled, session.ResultFailed}},
	{session.OpBind, []session.Result{session.ResultOK, session.ResultNotFound, session.ResultConflict, session.ResultFull, session.ResultUnavailable, session.ResultCanceled, session.ResultInvalid, session.ResultFailed}},
	{session.OpDelete, []session.Result{session.ResultOK, session.ResultNotFound, session.ResultUnavailable, session.ResultCanceled, session.ResultFailed}},
}

func operations[O, R enum](table []outcomes[O, R]) []string {
	var ops []O
	for _, o := range table {
		ops = append(ops, o.op)
	}
	return names(ops)
}

// results lists the results of all operations in the order of their values.
func results[O, R enum](table []outcomes[O, R]) []string {
	var all []R
	for _, o := range table {
		all = append(all, o.results...)
	}
	slices.Sort(all)
	return names(slices.Compact(all))
}

func names[T enum](values []T) []string {
	var text []string
	for _, v := range values {
		text = append(text, v.String())
	}
	return text
}
