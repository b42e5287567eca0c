// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/observe"
)

// Lease is a hold as its holder sees it. It ends once, for one reason, and
// never comes back. It is safe for concurrent use.
type Lease struct {
	m        *Manager
	ticket   Ticket
	resource Resource
	holder   string
	ttl      time.Duration
	renew    bool
	waited   time.Duration
	since    time.Time       // when the grant was known here
	ctx      context.Context // ends with the lease, its cause says why
	cancel   context.CancelCauseFunc
	outbox   *observe.Outbox[Event]

	mu       sync.Mutex
	cause    error     // why it ended; nil while held
	deadline time.Time // monotonic: until when it is surely held
	wall     time.Time // the same on the wall clock, which goes on while a machine is suspended
	capped   bool      // a limit, and not a fault, is why it will end
	unsent   bool      // it was released here, and the store does not know yet
	timer    *time.Timer

	watch watch // the watchdog's
}

// newLease makes a lease of a grant whose request was sent at that time.
func (m *Manager) newLease(t Ticket, h Hold, sent time.Time, w wish) *Lease {
	t.Fence = h.Fence
	l := &Lease{m: m, ticket: t, resource: h.Resource, holder: h.Holder, ttl: w.ttl, renew: w.renew, since: time.Now()}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.outbox = observe.NewOutbox(m.observe)
	l.postpone(h, sent)
	return l
}

// start makes the lease live, after the event that tells of it is queued. It
// reports false when the lease has ended before it began, or the manager is
// closed.
func (l *Lease) start() bool {
	if !l.m.add(l) {
		return false
	}
	l.mu.Lock()
	live := l.cause == nil && !l.past(time.Now())
	if live {
		l.timer = time.AfterFunc(time.Until(l.deadline), l.expire)
	} else if l.cause == nil {
		l.end(ErrLost)
	}
	l.mu.Unlock()
	if !live {
		l.m.forget(l)
		return false
	}
	if l.renew {
		l.m.watchdog.add(l)
	}
	return true
}

// drift is what the local deadline is earlier than the store's, for clocks
// that do not run at the same rate: 1 % and 2 ms, at most half.
func drift(left time.Duration) time.Duration {
	return min(left/100+2*time.Millisecond, left/2)
}

// postpone moves the local deadline to what a grant gives, never back. The
// store counted h.Left from some moment after sent, so sent + h.Left is never
// later than the store's own deadline. l.mu is held or l is new.
func (l *Lease) postpone(h Hold, sent time.Time) {
	deadline := sent.Add(h.Left - drift(h.Left))
	if deadline.After(l.deadline) {
		l.deadline = deadline
		l.wall = deadline.Round(0)
	}
	limit := l.m.cfg.MaxHold
	l.capped = limit > 0 && h.ExpiresAt.Sub(h.AcquiredAt) >= limit-time.Millisecond
}

// past reports whether the lease has run out by either clock. l.mu is held.
func (l *Lease) past(now time.Time) bool {
	return !now.Before(l.deadline) || !now.Round(0).Before(l.wall)
}

// ID names the hold in public: in conflicts, events and the audit trail.
func (l *Lease) ID() string { return l.ticket.ID }

// Fence returns the lease's number: greater than that of every lease granted
// before in the same group. Send it with each change that the lease protects,
// and have the other side refuse numbers lower than the highest that it has
// seen for the same resource: with [Nights], for the same night.
func (l *Lease) Fence() uint64 { return l.ticket.Fence }

// Resource returns what is locked.
func (l *Lease) Resource() Resource { return l.resource }

// Deadline returns until when the lease is surely held: the time before the
// last granted request was sent, plus what was granted, less 1 % and 2 ms.
func (l *Lease) Deadline() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deadline
}

// Waited returns how long [Manager.Acquire] waited for others; 0 when it did
// not need to.
func (l *Lease) Waited() time.Duration { return l.waited }

// String names the lease without its secret.
func (l *Lease) String() string {
	if l == nil {
		return "no lease"
	}
	return fmt.Sprintf("lease %s of %s", l.ticket.ID, l.resource)
}

// GoString is String, so that %#v does not show the secret either.
func (l *Lease) GoString() string { return l.String() }

// Err returns nil while the lease is held, and then why it ended:
// [ErrReleased] (released or detached here), [ErrMaxReached] (it ran out
// because MaxHold or MaxExtensions was used up), or [ErrLost]. It does no I/O.
// A nil answer is true until [Lease.Deadline], as far as clocks can be
// trusted; see the package comment for what that is worth.
func (l *Lease) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.check()
	return l.cause
}

// check ends a lease that has run out. l.mu is held.
func (l *Lease) check() {
	if l.cause == nil && l.past(time.Now()) {
		cause := ErrLost
		if l.capped {
			cause = ErrMaxReached
		}
		l.endLost(cause, "expired")
	}
}

// expire is the timer's. The deadline may have moved since it was set.
func (l *Lease) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.check(); l.cause == nil {
		l.timer.Reset(time.Until(l.deadline))
	}
}

// end ends a live lease. Its contexts are cancelled before l.mu, which is
// held, is given back: nobody sees an ended lease with a live context.
func (l *Lease) end(cause error) {
	l.cause = cause
	if l.timer != nil {
		l.timer.Stop()
	}
	l.cancel(cause)
}

// endLost ends a live lease that its holder did not give up, and has that
// told in the background. l.mu is held.
func (l *Lease) endLost(cause error, why string) {
	l.end(cause)
	e := l.event(OpLost)
	e.Result, e.Err = NotHeld, cause
	if cause == ErrMaxReached {
		e.Result = MaxReached
	}
	l.outbox.Put(context.Background(), e)
	l.m.spawn(func() {
		l.m.forget(l)
		l.outbox.Drain()
		l.recordLost(cause, why)
	})
}

func (l *Lease) recordLost(cause error, why string) {
	kind, outcome := "lock.lost", audit.Failure
	if cause == ErrMaxReached {
		kind, outcome, why = "lock.max_reached", audit.Denied, "max_hold"
	}
	_ = l.record(context.Background(), kind, outcome, why)
}

func (l *Lease) notHeld(what string, cause error) error {
	return fmt.Errorf("lock: %s %s: %w: %w", what, l.resource, ErrNotHeld, cause)
}

// Detach lets go of the lease in this process without releasing it: its
// contexts end with [ErrReleased], the watchdog and Close leave it alone. The
// Ref takes it up elsewhere, through [Manager.Resume], before its deadline.
// Detaching an ended lease returns a Ref that resumes nothing.
func (l *Lease) Detach() Ref {
	if l == nil {
		return Ref{}
	}
	l.mu.Lock()
	if l.cause == nil {
		l.end(ErrReleased)
	}
	l.mu.Unlock()
	l.m.forget(l)
	return refOf(l.ticket)
}

func (l *Lease) event(op Op) Event {
	return Event{
		Op: op, Resource: l.resource, ID: l.ticket.ID, Holder: l.holder, Fence: l.ticket.Fence,
		TTL: l.ttl, Held: time.Since(l.since), Waited: l.waited,
	}
}

func (l *Lease) tell(ctx context.Context, e Event) {
	l.outbox.Put(ctx, e)
	l.outbox.Drain()
}

func (l *Lease) record(ctx context.Context, kind string, outcome audit.Outcome, reason string, fields ...slog.Attr) error {
	if l.m.trail.recorder == nil {
		return nil
	}
	e := entry(kind, outcome, l.resource, l.holder, append(fields, identity(l.ticket.ID, l.ticket.Fence))...)
	e.Reason = reason
	return l.m.trail.record(ctx, 0, e)
}
