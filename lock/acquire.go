// SPDX-License-Identifier: MIT

package lock

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

const (
	maxConflicts = 8    // named in a ConflictError
	maxParts     = 1024 // of one resource
	onlyGroup    = "all"
)

// TryAcquire asks for r once, in one round trip. When another hold is in the
// way, the error is a [*ConflictError]. Give ctx a deadline: without one, only
// the store's client limits how long the call waits for a store that does not
// answer.
//
// When the error is [ErrUnavailable] or ctx ended, the hold may have been
// granted all the same; it is then given back in the background.
func (m *Manager) TryAcquire(ctx context.Context, r Resource, opts ...Option) (*Lease, error) {
	return m.acquire(ctx, r, false, opts)
}

// Acquire asks for r until it is granted or ctx ends; [Wait] limits the time
// spent waiting by itself. Callers that wait for overlapping resources are
// served in order of arrival, in all processes; only [Manager.TryAcquire] may
// come between. What frees a resource grants it to the next caller in the same
// step, so a turn costs one round trip, however many wait.
//
// A store that does not answer, fails over or is overloaded is waited out. When
// ctx ends, the error wraps ctx's and a [*ConflictError] that names the holds
// that were in the way when the store was last asked; after a try that failed otherwise,
// [ErrUnavailable] too. Errors that waiting cannot mend are returned at once.
//
// Do not wait while holding another lease of the same group: two callers that
// do may wait for each other. Ask for both with [All]. Waiting inside a context
// of [Lease.Context] for what that lease holds is [ErrInvalid], also through
// another manager of the same Name and store.
func (m *Manager) Acquire(ctx context.Context, r Resource, opts ...Option) (*Lease, error) {
	return m.acquire(ctx, r, true, opts)
}

func (m *Manager) acquire(ctx context.Context, r Resource, patient bool, opts []Option) (l *Lease, err error) {
	ctx, end := m.span(ctx, OpAcquire)
	err = errAborted
	defer func() { end(err) }()
	a := attempt{m: m, patient: patient, start: time.Now(), event: Event{Op: OpAcquire, Resource: r}}
	l, err = a.run(ctx, r, opts)
	if err != nil {
		a.event.Took, a.event.Result, a.event.Err = time.Since(a.start)-a.recording, result(err), err
		m.observe(ctx, a.event)
		return nil, err
	}
	l.outbox.Drain()
	return l, nil
}

// errAborted is the outcome of an operation in which a function of the Config
// panicked or ended its goroutine.
var errAborted = errors.New("lock: a function of the Config did not return")

// attempt is one call of Acquire or TryAcquire.
type attempt struct {
	m       *Manager
	patient bool
	start   time.Time
	waited  time.Duration
	event   Event

	recording time.Duration // the recorder's share of the time
	wish      wish
	secret    string
	claim     StoreClaim
	sent      bool           // not refused as ErrInvalid each time
	copied    bool           // the claim may arrive again
	conflict  *ConflictError // the last one
	last      []Conflict     // that were named
}

func (a *attempt) run(ctx context.Context, r Resource, opts []Option) (*Lease, error) {
	if !a.m.enter() {
		return nil, ErrClosed
	}
	defer a.m.gate.leave()
	var err error
	if a.wish, err = a.m.wish(opts); err != nil {
		return nil, err
	}
	a.event.Holder, a.event.TTL = a.wish.holder, a.wish.ttl
	if err = a.prepare(r); err != nil {
		return nil, err
	}
	a.event.ID = a.claim.ID
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("lock: acquiring %s: %w", r, ended(ctx))
	}
	if a.patient {
		if err := a.waitsForItself(ctx); err != nil {
			return nil, err
		}
		return a.insist(ctx)
	}
	g, sent, err := a.ask(ctx)
	switch {
	case err != nil:
		a.giveUp()
	case g.Status == StatusGranted:
		return a.granted(ctx, g.Hold, sent)
	case g.Status == StatusBlocked:
		return nil, a.blocked(ctx, g)
	default:
		err = errAnswers
	}
	return nil, unavailable(ctx, "acquiring "+r.String(), err)
}

// ended is why ctx ended: always its error, and its cause when that says more.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// giveUp undoes the claim, unless nothing was sent.
func (a *attempt) giveUp() {
	if a.sent {
		a.m.undo(a.claim.StoreTicket)
	}
}

// ask sends the claim once.
func (a *attempt) ask(ctx context.Context) (g StoreGrant, sent time.Time, err error) {
	a.event.Attempts++
	sent = time.Now()
	g, err = a.m.store.Acquire(ctx, a.claim)
	a.sent = a.sent || !errors.Is(err, ErrInvalid)
	a.copied = a.copied || err != nil || !g.Once
	if err == nil {
		a.m.sweeper.found(a.claim.Group, len(g.Expired) > 0)
	}
	return g, sent, err
}

func (a *attempt) granted(ctx context.Context, h Hold, sent time.Time) (*Lease, error) {
	l := a.m.newLease(a.claim.StoreTicket, a.secret, h, sent, a.wish)
	l.once = !a.copied
	l.origin, l.waited, a.event.Waited = ctx, a.waited, a.waited
	a.event.Took = time.Since(a.start)

	// No longer than half of what is left: a recorder that hangs must not
	// turn a granted lease into an expired one.
	began := time.Now()
	err := a.recordAcquired(ctx, l, max(time.Until(l.deadline)/2, time.Nanosecond))
	a.recording = time.Since(began)
	if err != nil && a.m.cfg.AuditRequired {
		a.takeBack(ctx, l)
		return nil, err
	}
	e := a.event
	e.Fence = l.ticket.Fence
	l.outbox.Put(ctx, e)
	if !l.start() {
		a.takeBack(ctx, l)
		if a.m.stopping.Err() != nil {
			return nil, ErrClosed
		}
		return nil, fmt.Errorf("lock: acquiring %s: %w: %w", l.resource, ErrUnavailable, errLate)
	}
	return l, nil
}

// takeBack undoes a grant that no one will get, in the store and, since its
// beginning may be there, in the trail.
func (a *attempt) takeBack(ctx context.Context, l *Lease) {
	t := l.ticket
	t.Fence = 0 // no one held it, so KeepAtLeast keeps nothing
	a.m.undo(t)
	a.m.spawn(func() { _ = l.record(ctx, "lock.released", audit.Success, "undone") })
}

func (a *attempt) recordAcquired(ctx context.Context, l *Lease, limit time.Duration) error {
	if a.m.trail.recorder == nil {
		return nil
	}
	e := entry("lock.acquired", audit.Success, l.resource, l.holder,
		identity(l.ticket.ID, l.ticket.Fence), slog.Duration("ttl", l.ttl), slog.Duration("waited", l.waited), given(a.wish.details))
	e.Reason = a.wish.reason
	return a.m.trail.record(ctx, limit, e)
}

// blocked makes the error of a conflict, and records the first one of a call:
// that of a call that waits, on the side.
func (a *attempt) blocked(ctx context.Context, g StoreGrant) error {
	slices.SortFunc(g.Conflicts, func(a, b Conflict) int {
		return cmp.Or(a.Wanted.compare(b.Wanted), a.Hold.Resource.compare(b.Hold.Resource), cmp.Compare(a.Hold.Fence, b.Hold.Fence))
	})
	if len(g.Conflicts) > 0 {
		a.last = g.Conflicts // else only other waiters are in the way
	}
	a.conflict = &ConflictError{Resource: a.claim.Resource, Conflicts: a.last, QueueFull: g.Full, retry: g.Retry}
	if !a.event.Blocked && a.m.trail.recorder != nil {
		e := entry("lock.conflict", audit.Denied, a.claim.Resource, a.wish.holder, inTheWay(a.last), given(a.wish.details))
		e.Reason = a.wish.reason
		if a.patient {
			a.m.spawn(func() { _ = a.m.trail.record(ctx, 0, e) })
		} else {
			began := time.Now()
			_ = a.m.trail.record(ctx, 0, e)
			a.recording = time.Since(began)
		}
	}
	a.event.Blocked = true
	return a.conflict
}

// prepare checks what is wanted and makes the request for it, with a fresh id
// and token.
func (a *attempt) prepare(r Resource) error {
	m, w := a.m, a.wish
	group, err := m.group(r)
	if err != nil {
		return err
	}
	capacity, err := m.capacity(r)
	if err != nil {
		return err
	}
	a.secret = secret()
	a.claim = StoreClaim{
		StoreTicket: StoreTicket{Space: m.cfg.Name, Group: group, ID: rand.Text()[:12], Token: digest(a.secret), Name: r.Name()},
		Resource:    r, Capacity: capacity, TTL: w.ttl, MaxHold: m.cfg.MaxHold, KeepAtLeast: w.keep,
		Holder: w.holder, Reason: w.reason, Details: w.details, Queue: a.patient, Limit: maxConflicts,
	}
	return nil
}

// secret makes the proof of the right to a hold, of 96 random bits.
func secret() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// digest is the token that stores see: a reader of the store, its log or its
// backup learns no secret that [Manager.Resume] would take.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// group returns the conflict domain that all parts of r belong to.
func (m *Manager) group(r Resource) (string, error) {
	if err := r.check(); err != nil {
		return "", err
	}
	if n := len(r.parts()); n > maxParts {
		return "", invalid("%d parts, more than %d", n, maxParts)
	}
	if m.cfg.GroupBy == nil {
		return onlyGroup, nil
	}
	var group string
	for i, p := range r.parts() {
		g := m.cfg.GroupBy(p.name)
		switch {
		case g == "" || !isText(g, MaxName):
			return "", invalid("GroupBy(%q) is %.300q, want 1 to %d bytes of UTF-8 without NUL", p.name, g, MaxName)
		case i > 0 && g != group:
			return "", invalid("resources of two groups, %q and %q, in one All", group, g)
		}
		group = g
	}
	return group, nil
}

func (m *Manager) capacity(r Resource) ([]int, error) {
	var list []int
	for _, p := range r.parts() {
		most := 1
		if m.cfg.Capacity != nil {
			most = m.cfg.Capacity(p.name)
		}
		most = min(most, math.MaxInt32)
		if p.units > most {
			return nil, invalid("%s wants %d units of %d", p, p.units, most)
		}
		list = append(list, most)
	}
	return list, nil
}
