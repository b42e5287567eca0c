// SPDX-License-Identifier: MIT

// Package lock leases names, and ranges of names, to one holder at a time
// across processes: room 101 from the 12th to the 15th, a range of numbers, a
// span of time. A refused caller learns who holds what, and for how long.
//
//	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms"}) // or redislock.New(client)
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer rooms.Close(ctx) // releases what is held
//
//	stay := lock.Nights("room/101", arrival, departure)
//	err = rooms.TryDo(ctx, stay, func(ctx context.Context, _ *lock.Lease) error {
//		return book(ctx, stay) // ctx ends when the lease is lost
//	}, lock.Holder("ana"))
//	if conflict, ok := errors.AsType[*lock.ConflictError](err); ok {
//		fmt.Println(conflict) // another holder has an overlapping stay
//	}
//
// # What a lease does not guarantee
//
// A lease is a belief with a deadline. No lock service can keep a holder from
// acting after its lease has ended: a process may be stopped between its last
// look at the lease and the moment its write arrives.
//
//	guest A   lease, fence 33 ──── stopped (GC, VM, SIGSTOP) ──────────── writes with 33
//	store     ├──── A's hold ────┤ expires ├──── B's hold, fence 34 ────┤
//	guest B                                  lease, fence 34 ─ writes with 34
//	hotel                                                     34 stored   33 refused
//
// The fence closes the gap. Each lease has a number greater than that of every
// lease granted before in its group. Send [Lease.Fence] with each change, and
// have the database refuse a number lower than the one that it has stored. For
// a lease on the whole room, Key("room/101"):
//
//	UPDATE rooms SET guest = $2, fence = $3 WHERE id = $1 AND fence <= $3;
//
// The row that stores the fence must be the thing that was locked. Leases on
// different [Nights] of a room are alive at the same time, and one fence for
// the whole room would refuse the rightful write of the older one. Nights need
// a row per night, or an exclusion constraint on a table of stays (in
// PostgreSQL EXCLUDE USING gist), which needs no fence. docs/fencing.md has the
// statements for both.
//
// A system that cannot check a fence is protected only as well as clocks and
// networks behave. Two more things can end a hold early: a store that loses its
// data, and [Manager.ForceRelease]. Fences rise through both, as long as the
// store's clock is not set back by more than the time between two grants.
//
// # What it does guarantee
//
//   - Overlapping resources are never held at once in one store. Ranges are
//     half open, [from, to): a departure day is free for an arrival.
//   - [All] takes everything or nothing, in one round trip. Capacity and Units
//     count the busiest point of a range.
//   - The holder's lease ends before the store's hold: [Lease.Deadline] counts
//     from before the request was sent, less 1 % and 2 ms, and [Lease.Context]
//     ends then whether or not the store can be reached.
//   - Repeating a request is harmless: the manager makes ids and tokens, so a
//     client that sends twice holds, counts and releases once.
//   - An expired hold is reported as "lock.expired" in the audit trail until
//     the report is recorded, and stored there once.
//   - A failing audit trail or observer changes no outcome: failures and panics
//     are counted, and a recorder that hangs costs Config.AuditTimeout.
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
// The right-hand side is what [Lease.Err] and the cause of [Lease.Context]
// return. An ended lease never comes back: an answer that arrives too late is
// ignored, and the store's hold is released.
//
// [AutoRenew] and [Manager.Do] have a watchdog renew the lease at a third of
// its TTL. One goroutine renews all leases of a manager, in batches.
//
// # Waiting
//
// Callers of [Manager.Acquire] and [Manager.Do] that want overlapping resources
// are served in order of arrival, in all processes. What frees a resource grants
// it to the next caller in the same step. Such a grant lasts two seconds, or the
// TTL if that is less, until the manager has confirmed it, which it does on its
// own: a grant that does not arrive passes to the next caller then, and the lost
// one is reported as "lock.expired" with the reason "unconfirmed". A process
// that waits and dies costs the others three seconds.
//
// A step of the store's clock forward by d ends the leases granted before by d
// too early in the store, and their holders see it only at the deadline. A grant on
// its way is believed too long by d or by its delay, whichever is less, until it is
// confirmed. The fence covers both.
//
// [Wait] limits the waiting. [Resource.Shared] lets readers share a resource.
//
// # Work that one process does
//
// [Manager.Do] waits for its turn: three processes that call it for the same
// resource run the function three times, one after the other. For a job that
// one of them does and the others skip, name the run, such as
// Key("report/2026-12-01"), and call [Manager.TryDo] with [KeepAtLeast] and a
// time longer than the processes' schedules differ.
//
// # Errors
//
//	error           cause                                      again?                HTTP
//	ErrConflict     another holder has an overlap              after RetryAfter()    409
//	ErrMaxReached   MaxExtensions or MaxHold is used up        no: acquire anew      409
//	ErrNotHeld      the hold ended, or is another's            no: acquire anew      410
//	ErrLost         the lease ended under its holder           no: check what ran    409
//	ErrReleased     the lease was given up here                no                    500, a bug
//	ErrInvalid      arguments or configuration                 no                    400
//	ErrUnavailable  the store did not answer; may be either    yes, with back-off    503
//	ErrPermanent    with ErrUnavailable: waiting is no use     no                    500, a bug
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
// Each call is bounded by its ctx. Without a deadline in ctx or [Wait], [Manager.Acquire]
// and [Manager.Do] wait for a server that is down until it is back. The store's client
// decides how long the other calls do, so set its timeouts. Release has five seconds of
// its own, whatever its ctx is.
//
// # Stores
//
// Package redislock keeps holds in Redis, package memlock in the process, and
// package locktest checks any other [Store].
package lock
