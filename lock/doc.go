// SPDX-License-Identifier: MIT

// Package lock leases names, and ranges of names, to one holder at a time
// across processes: room 101 from the 12th to the 15th, a number, a span of
// time. Whoever is refused learns who holds what, and for how long still.
//
// # What a lease does not guarantee
//
// A lease is a belief with a deadline. No lock service can keep a holder from
// acting after its lease has ended: a process may be stopped between the
// moment it looks at its lease and the moment its write arrives.
//
//	guest A   lease, fence 33 ──── stopped (GC, VM, SIGSTOP) ──────────── writes with 33
//	store     ├──── A's hold ────┤ expires ├──── B's hold, fence 34 ────┤
//	guest B                                  lease, fence 34 ─ writes with 34
//	hotel                                                     34 stored   33 refused
//
// The fence closes the gap. Each lease has a number greater than that of every
// lease granted before in its group. Send [Lease.Fence] with each change, and
// have whatever keeps the result refuse a number lower than one that it has
// seen:
//
//	UPDATE rooms SET guest = ?, fence = ? WHERE id = ? AND fence <= ?
//
// Where the result is a table of stays, an exclusion constraint of the database
// (in PostgreSQL EXCLUDE USING gist) is the better last line. What cannot check
// a fence is protected as well as clocks and networks behave, and no better.
// Two more things can end a hold early: a store that loses its data, and
// [Manager.ForceRelease]. Fences rise through both, as long as the store's
// clock is not set back by more than the time between two grants.
//
// # What it does guarantee
//
//   - Overlapping resources are never held at once in one store. Ranges are
//     half open, [from, to): a departure day is free for an arrival.
//   - [All] takes everything or nothing, in one round trip. Capacity and Units
//     count the busiest point of a range.
//   - The holder stops believing first. A lease ends on its own clock before
//     the store ends the hold: [Lease.Deadline] counts from before the request
//     was sent, less 1 % and 2 ms, and [Lease.Context] ends then whether or not
//     the store can be reached.
//   - Repeating a request is harmless: ids and tokens are made here, so a client
//     that sends twice holds, counts and releases once.
//   - An expired hold is told as "lock.expired" in the audit trail until it was
//     recorded, and stored there once.
//   - Audit and observers harm nothing: what fails is counted, what panics is
//     contained, and a recorder that hangs costs Config.AuditTimeout.
//
// There is no reentrancy: the same [Holder] conflicts with itself. Waiting
// while holding another lease of the same group can deadlock; use [All].
//
// # A lease
//
//	TryAcquire, Acquire, Resume
//	            │
//	            ▼         Extend, watchdog: later deadline
//	        ┌────────┐ ◄──┐
//	        │  held  ├────┘
//	        └─┬──┬─┬─┘
//	          │  │ └── Release, Detach, Close ─────────────────────► ErrReleased
//	          │  └──── deadline, MaxHold or MaxExtensions used up ─► ErrMaxReached
//	          └─────── deadline, or the hold is gone ──────────────► ErrLost
//
// The right-hand side is what [Lease.Err] and the cause of [Lease.Context] say.
// An ended lease never comes back; an answer that arrives too late revives
// nothing, and what it granted is given back.
//
// [AutoRenew] and [Manager.Do] have a watchdog renew the lease at a third of
// its TTL. One goroutine renews all leases of a manager, in batches.
//
// # Errors
//
//	error           cause                                      again?                HTTP
//	ErrConflict     somebody else holds an overlap             after RetryAfter()    409
//	ErrMaxReached   MaxExtensions or MaxHold is used up        no: acquire anew      409
//	ErrNotHeld      the hold ended, or is another's            no: acquire anew      410
//	ErrLost         the lease ended under its holder           no: check what ran    409
//	ErrReleased     the lease was given up here                no                    500, a bug
//	ErrInvalid      arguments or configuration                 no                    400
//	ErrUnavailable  the store did not answer; may be either    yes, with back-off    503
//	ErrAudit        AuditRequired, and nothing was recorded    yes, with back-off    503
//	ErrClosed       the manager is closed                      elsewhere             503
//	Canceled,       the caller's ctx ended; while waiting,     as the caller likes   499, 504
//	DeadlineExceeded  together with ErrConflict
//
// All are found with [errors.Is], and [*ConflictError] and [*ConfigError] with
// [errors.AsType]. None of them holds a token.
//
// # Time limits
//
// Each call is bounded by its ctx. Without a deadline in ctx, the store's
// client decides how long a dead server is waited for, so set its timeouts.
// Release has five seconds of its own, whatever its ctx says.
//
// # Stores
//
// Package redislock keeps holds in Redis, package memlock in the process, and
// package locktest checks a [Store] of your own.
package lock
