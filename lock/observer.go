// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// Observer receives an event for every operation of a [Manager], once, when
// its outcome is known. Events of one lease arrive in order, and without any
// lock held. ObserveLock runs on the goroutine of the operation, so it must be
// quick; renewals do not wait for it. It may call the manager, but must not wait for
// Close, which waits for the operation. A panic is contained and counted in
// [Stats.ObserverPanics].
type Observer interface {
	ObserveLock(ctx context.Context, e Event)
}

// Observers returns an observer that passes each event to each of list, in
// order; nils are skipped. The others receive it even if one panics.
func Observers(list ...Observer) Observer { return observers(observe.Present(list)) }

type observers []Observer

func (all observers) ObserveLock(ctx context.Context, e Event) {
	observe.Each(all, func(o Observer) { o.ObserveLock(ctx, e) })
}

// Source is what a reader of a manager's state, such as a metrics collector,
// sees of it. Both methods are cheap and do no I/O.
type Source interface {
	Name() string
	Stats() Stats
}

// Op is an operation of a manager or a lease.
type Op uint8

const (
	OpNew          Op = iota // sent by [New]
	OpAcquire                // TryAcquire, Acquire or Do: one event a call
	OpExtend                 // by the holder
	OpRenew                  // by the watchdog
	OpResume                 // a lease taken over from a Ref
	OpRelease                // by the holder
	OpForceRelease           // by another caller
	OpLost                   // the lease ended under its holder
	OpExpired                // an expired hold was found and recorded
	OpClosed                 // Close
)

// String returns the operation in lower case with underscores, such as
// "force_release".
func (o Op) String() string {
	return name(o, "created", "acquire", "extend", "renew", "resume", "release", "force_release", "lost", "expired", "closed")
}

// Result is how an operation ended.
type Result uint8

const (
	ResultOK          Result = iota
	ResultConflict           // another holder has an overlapping resource
	ResultMaxReached         // MaxExtensions or MaxHold is used up
	ResultNotHeld            // the lease is not there any more
	ResultTimedOut           // the deadline of ctx passed while waiting for a conflict to end
	ResultCanceled           // ctx was cancelled by the caller
	ResultInvalid            // the arguments make no sense; nothing was sent
	ResultUnavailable        // the store did not answer
	ResultAuditFailed        // AuditRequired, and the event could not be recorded
	ResultFailed             // anything else
)

// String returns "success" for OK, "error" for Failed, and the other results
// in lower case with underscores, such as "max_reached".
func (r Result) String() string {
	return name(r, "success", "conflict", "max_reached", "not_held", "timeout", "canceled", "invalid", "unavailable", "audit_failed", "error")
}

func name[T ~uint8](v T, names ...string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

// Event is one operation. More fields may be added.
type Event struct {
	Op                      Op
	Result                  Result
	Source                  Source
	Resource                Resource
	ID, Holder              string
	Fence                   uint64
	Blocked                 bool // the first try met a conflict, whether granted later or not
	Attempts                int
	Took, Waited, Held, TTL time.Duration // Took is without the audit trail's time
	Err                     error         // a [*ConflictError] names the holders
}

// Stats is a snapshot of a manager. The counters never fall.
type Stats struct {
	Held           int // leases of this manager that have not ended
	Renewing       int // those that the watchdog renews
	Waiting        int // calls of Acquire that wait for a conflict to end
	AuditErrors    uint64
	ObserverPanics uint64
}
