// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// Resume goes on with a lease that was detached, here or in another process.
// It changes nothing in the store: the deadline stays, and so do the holder,
// the reason and the details. [TTL] is what [AutoRenew] and Extend(ctx, 0) go
// by from now on. One round trip.
//
// [ErrNotHeld]: it has ended, or the Ref was altered. [ErrInvalid]: the Ref is
// of another space, or not one at all.
func (m *Manager) Resume(ctx context.Context, ref Ref, opts ...Option) (*Lease, error) {
	start := time.Now()
	l, err := m.resume(ctx, ref, opts, start)
	if err != nil {
		m.observe(ctx, Event{Op: OpResume, ID: ref.id, Took: time.Since(start), Result: result(err), Err: err})
		return nil, err
	}
	l.outbox.Drain()
	return l, nil
}

func (m *Manager) resume(ctx context.Context, ref Ref, opts []Option, start time.Time) (*Lease, error) {
	if !m.gate.enter() {
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
	sent := time.Now()
	grants, err := m.store.Extend(ctx, []Renewal{{Ticket: t}})
	if err == nil && len(grants) != 1 {
		err = errAnswers
	}
	if err != nil {
		return nil, unavailable(ctx, "resuming "+ref.String(), err)
	}
	if grants[0].Status != Granted {
		return nil, fmt.Errorf("lock: resuming %s: %w", ref, ErrNotHeld)
	}
	l := m.newLease(t, grants[0].Hold, sent, w)
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

// Holds yields the live holds that overlap r, in order of resource, as the
// store knows them while it is asked; an error is the last that it yields.
// The zero Resource stands for everything, as long as Config.GroupBy is nil.
func (m *Manager) Holds(ctx context.Context, r Resource) iter.Seq2[Hold, error] {
	return func(yield func(Hold, error) bool) {
		q, err := m.query(r)
		if err != nil {
			yield(Hold{}, err)
			return
		}
		if !m.gate.enter() {
			yield(Hold{}, ErrClosed)
			return
		}
		m.gate.leave() // the caller's loop may take its time: Close does not wait for it
		for h, err := range m.store.Holds(ctx, q) {
			if err != nil {
				yield(Hold{}, unavailable(ctx, "listing holds", err))
				return
			}
			if !yield(h, nil) {
				return
			}
		}
	}
}

func (m *Manager) query(r Resource) (Query, error) {
	if r.parts() == nil && r.reason == "" && m.cfg.GroupBy == nil {
		return Query{Space: m.cfg.Name, Group: onlyGroup}, nil
	}
	group, err := m.group(r)
	return Query{Space: m.cfg.Name, Group: group, Resource: r}, err
}

// ForceRelease ends somebody else's hold, as [Manager.Holds] or a conflict
// showed it, in one round trip. [Holder] and [Reason] are who does it and why,
// for the audit trail. The former holder is not asked; its lease ends when it
// next hears from the store, and until then only the fence keeps its work
// out. [ErrNotHeld]: the hold had ended.
func (m *Manager) ForceRelease(ctx context.Context, h Hold, opts ...Option) error {
	start := time.Now()
	w, err := m.wish(opts)
	if err == nil {
		err = m.forceRelease(ctx, h)
	}
	took := time.Since(start)
	if err == nil && m.trail.recorder != nil {
		e := entry("lock.force_released", audit.Success, h.Resource, w.holder, identity(h.ID, h.Fence), slog.String("held_by", h.Holder), given(w.details))
		e.Reason = w.reason
		_ = m.trail.record(ctx, 0, e)
	}
	m.observe(ctx, Event{
		Op: OpForceRelease, Resource: h.Resource, ID: h.ID, Holder: w.holder, Fence: h.Fence,
		Took: took, Result: result(err), Err: err,
	})
	return err
}

func (m *Manager) forceRelease(ctx context.Context, h Hold) error {
	if !m.gate.enter() {
		return ErrClosed
	}
	defer m.gate.leave()
	group, err := m.group(h.Resource)
	if err != nil {
		return err
	}
	if !isID(h.ID) {
		return invalid("a hold without an id")
	}
	what := fmt.Sprintf("force-releasing %s", h.Resource)
	if ctx.Err() != nil {
		return fmt.Errorf("lock: %s: %w", what, ended(ctx))
	}
	g, err := m.store.Release(ctx, Ticket{Space: m.cfg.Name, Group: group, ID: h.ID, Token: rand.Text(), Fence: h.Fence, Force: true})
	if err != nil {
		return unavailable(ctx, what, err)
	}
	m.evict(h.ID)
	if g.Status != Granted {
		return fmt.Errorf("lock: %s: %w", what, ErrNotHeld)
	}
	return nil
}

// evict ends this process's lease of a hold that is gone.
func (m *Manager) evict(id string) {
	m.mu.Lock()
	var mine []*Lease
	for l := range m.leases {
		if l.ticket.ID == id {
			mine = append(mine, l)
		}
	}
	m.mu.Unlock()
	for _, l := range mine {
		l.mu.Lock()
		if l.cause == nil {
			l.endLost(ErrLost, "force_released")
		}
		l.mu.Unlock()
	}
}
