// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"fmt"
	"time"
)

// Resume goes on with a lease that was detached, here or in another process.
// The deadline stays, and so do the holder, the reason and the details; the
// fence is a higher one. [TTL] is what [AutoRenew] and Extend(ctx, 0) go by from
// now on. One round trip.
//
// A Ref may be resumed again, such as when the process that did so has died. That
// takes the hold over: the lease resumed before, and a Ref that it was detached
// into, are of no more use. A Ref is of no more use itself once a later one of the
// same hold was resumed.
//
// [ErrNotHeld]: it has ended, or the Ref was altered. [ErrInvalid]: the Ref is
// of another space, or not one at all.
func (m *Manager) Resume(ctx context.Context, ref Ref, opts ...Option) (*Lease, error) {
	start := time.Now()
	ctx, end := m.span(ctx, OpResume)
	l, err := m.resume(ctx, ref, opts, start)
	defer end(err)
	if err != nil {
		m.observe(ctx, Event{Op: OpResume, ID: ref.id, Took: time.Since(start), Result: result(err), Err: err})
		return nil, err
	}
	l.outbox.Drain()
	return l, nil
}

func (m *Manager) resume(ctx context.Context, ref Ref, opts []Option, start time.Time) (*Lease, error) {
	if !m.enter() {
		return nil, ErrClosed
	}
	defer m.gate.leave()
	w, err := m.wish(opts)
	if err != nil {
		return nil, err
	}
	t, err := ref.ticket()
	if err != nil {
		return nil, err
	}
	if t.Space != m.cfg.Name {
		return nil, invalid("a Ref of %s, not of %s", t.Space, m.cfg.Name)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("lock: resuming %s: %w", ref, ended(ctx))
	}
	sent, secret := time.Now(), secret()
	g, err := m.extend(ctx, StoreRenewal{StoreTicket: t, TakeOver: digest(secret)})
	if err != nil {
		return nil, unavailable(ctx, "resuming "+ref.String(), err)
	}
	if g.Status != StatusGranted {
		return nil, fmt.Errorf("lock: resuming %s: %w", ref, ErrNotHeld)
	}
	t.Token = digest(secret)
	l := m.newLease(t, secret, g.Hold, sent, w)
	l.origin = ctx
	e := l.event(OpResume)
	e.Took = time.Since(start)
	l.outbox.Put(ctx, e)
	if !l.start() {
		if m.stopping.Err() != nil {
			return nil, ErrClosed
		}
		return nil, fmt.Errorf("lock: resuming %s: %w", ref, ErrNotHeld)
	}
	return l, nil
}
