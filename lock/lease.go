// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/observe"
)

// Lease is a hold as its holder sees it. It ends once, for one reason, and
// never comes back. It is safe for concurrent use.
type Lease struct {
	m        *Manager
	ticket   StoreTicket
	secret   string // of which ticket.Token is the digest
	resource Resource
	holder   string
	details  map[string]string
	ttl      time.Duration
	renew    bool
	once     bool // the claim cannot arrive again
	waited   time.Duration
	origin   context.Context // of the call that took it; its values are for reports of the end
	since    time.Time       // when the grant was known here
	ctx      context.Context // ends with the lease, its cause says why
	cancel   context.CancelCauseFunc
	outbox   *observe.Outbox[Event]

	mu          sync.Mutex
	unconfirmed bool // the grant lapses unless the store hears of this lease soon

	cause    error     // why it ended; nil while held
	deadline time.Time // monotonic: until when it is surely held
	wall     time.Time // the same on the wall clock, which goes on while a machine is suspended
	until    time.Time // the end by the store's clock, as far as is known
	capped   bool      // a limit, and not a fault, is why it will end
	unsent   bool      // it was released here, and the store does not know yet
	timer    *time.Timer

	watch watch // the watchdog's
}

// newLease makes a lease of a grant that counts from since.
func (m *Manager) newLease(t StoreTicket, secret string, h Hold, since time.Time, w wish) *Lease {
	t.Fence = h.Fence
	l := &Lease{
		m: m, ticket: t, secret: secret, resource: h.Resource, holder: h.Holder, details: h.Details,
		ttl: w.ttl, renew: w.renew, since: time.Now(), unconfirmed: h.Unconfirmed,
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.outbox = observe.NewOutbox(m.observe)
	l.postpone(h, since)
	return l
}

// start makes the lease live, after its event is queued. It reports false when
// the lease has ended before it began, or the manager is closed.
func (l *Lease) start() bool {
	if !l.m.add(l) {
		return false
	}
	l.mu.Lock()
	live := l.cause == nil && !l.past(time.Now())
	unconfirmed := l.unconfirmed
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
	if l.renew || unconfirmed {
		l.m.watchdog.add(l)
	}
	return true
}

// drift is what the local deadline is earlier than the store's, for clocks
// that do not run at the same rate: 1 % and 2 ms, at most half.
func drift(left time.Duration) time.Duration {
	return min(left/100+2*time.Millisecond, left/2)
}

// sureUntil is the local deadline of a hold that counts from since.
func sureUntil(h Hold, since time.Time) time.Time { return since.Add(h.Left - drift(h.Left)) }

// over reports whether a hold that counts from since has run out by either
// clock.
func over(h Hold, since time.Time) bool {
	now, deadline := time.Now(), sureUntil(h, since)
	return !now.Before(deadline) || !now.Round(0).Before(deadline.Round(0))
}

// postpone moves the local deadline to what a grant gives, never back. The
// store counted h.Left from some moment after sent, so sent + h.Left is never
// later than the store's own deadline. l.mu is held or l is new.
func (l *Lease) postpone(h Hold, sent time.Time) {
	deadline := sureUntil(h, sent)
	if h.ExpiresAt.After(l.until) {
		limit := l.m.cfg.MaxHold
		l.capped = limit > 0 && h.ExpiresAt.Sub(h.AcquiredAt) >= limit-time.Millisecond
	}
	if deadline.After(l.deadline) {
		l.deadline = deadline
		l.wall, l.until = deadline.Round(0), h.ExpiresAt
	}
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

// Holder returns the holder that the lease was asked for with.
func (l *Lease) Holder() string { return l.holder }

// Details returns what [Detail] added, as a copy.
func (l *Lease) Details() map[string]string { return maps.Clone(l.details) }

// TTL returns how long each renewal lasts.
func (l *Lease) TTL() time.Duration { return l.ttl }

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

// Format writes String for every verb, so that none shows the secret.
func (l *Lease) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.String()) }

// Err returns nil while the lease is held, and then why it ended:
// [ErrReleased] (released or detached here, with [ErrClosed] if by
// [Manager.Close]), [ErrMaxReached] (it ran out
// because MaxHold or MaxExtensions was used up), or [ErrLost]. It does no I/O.
// A nil answer is true until [Lease.Deadline], as far as clocks can be
// trusted; see the package comment for what that is worth.
func (l *Lease) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.check()
	return l.cause
}

// Check asks the store, in one round trip, whether the lease is still held, and
// ends it if not: [ErrNotHeld], and Err says why. Use it before a step that
// cannot be fenced. [ErrUnavailable]: the store did not answer.
func (l *Lease) Check(ctx context.Context) error {
	l.m.gate.join()
	defer l.m.gate.leave()
	if err := l.Err(); err != nil {
		return l.notHeld("checking", err)
	}
	sent := time.Now()
	g, err := l.m.extend(ctx, StoreRenewal{StoreTicket: l.ticket})
	if err != nil {
		return unavailable(ctx, "checking "+l.resource.String(), err)
	}
	return l.apply("checking", g, sent)
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
// held, is given back: no one sees an ended lease with a live context.
func (l *Lease) end(cause error) {
	l.cause = cause
	if l.timer != nil {
		l.timer.Stop()
	}
	l.cancel(cause)
}

// endLost ends a live lease that its holder did not give up, and has that
// reported in the background. The store may have taken the confirmation of a
// grant all the same, so that is given up. l.mu is held.
func (l *Lease) endLost(cause error, why string) {
	l.end(cause)
	if l.unconfirmed {
		l.m.undo(l.ticket)
	}
	e := l.event(OpLost)
	e.Result, e.Err = ResultNotHeld, cause
	if cause == ErrMaxReached {
		e.Result = ResultMaxReached
	}
	l.outbox.Put(l.reporting(), e)
	l.m.spawn(func() {
		l.m.forget(l)
		defer l.recordLost(cause, why) // though an observer ends the goroutine
		l.outbox.Drain()
	})
}

// taken ends the lease when the store reports that another took the hold over
// or ended it.
func (l *Lease) taken() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.endLost(ErrLost, "taken")
	}
}

func (l *Lease) recordLost(cause error, why string) {
	kind, outcome := "lock.lost", audit.Failure
	if cause == ErrMaxReached {
		kind, outcome, why = "lock.max_reached", audit.Denied, "max_reached"
	}
	_ = l.record(l.reporting(), kind, outcome, why)
}

// reporting is the context of reports that no call of the holder makes: it has
// the values of the call that took the lease, such as its trace.
func (l *Lease) reporting() context.Context { return context.WithoutCancel(l.origin) }

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
		if l.unconfirmed {
			l.m.spawn(l.confirm)
		}
	}
	l.mu.Unlock()
	l.m.forget(l)
	return Ref{space: l.ticket.Space, group: l.ticket.Group, name: l.ticket.Name, id: l.ticket.ID, secret: &l.secret}
}

// confirm has the store keep a grant for its TTL, for a lease that the watchdog
// does not see any more. One that is resumed meanwhile is confirmed there.
func (l *Lease) confirm() {
	ctx, cancel := context.WithTimeout(context.Background(), StoreTrialTime)
	defer cancel()
	for {
		try, cancel := context.WithTimeout(ctx, StoreTrialTime/4)
		_, err := l.m.extend(try, StoreRenewal{StoreTicket: l.ticket, TTL: l.ttl, Confirm: true})
		cancel()
		if err == nil || errors.Is(err, ErrPermanent) || !sleep(ctx, firstPause) {
			return
		}
	}
}

func (l *Lease) event(op Op) Event {
	return Event{
		Op: op, Resource: l.resource, ID: l.ticket.ID, Holder: l.holder, Fence: l.ticket.Fence,
		TTL: l.ttl, Held: time.Since(l.since), Waited: l.waited,
	}
}

func (l *Lease) report(ctx context.Context, e Event) {
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
