// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// ForceRelease ends a hold of any holder, as [Manager.Holds] or a conflict
// returned it, in one round trip. [Holder] and [Reason] record who does it and
// why, in the audit trail. The former holder's lease ends at once if its process
// gets messages about it, as with [AutoRenew] after the first renewals, and else
// when the store next answers it; until then only the fence refuses its writes.
// [ErrNotHeld]: the hold had ended.
func (m *Manager) ForceRelease(ctx context.Context, h Hold, opts ...Option) (err error) {
	start := time.Now()
	m.gate.join() // until the outcome is recorded
	defer m.gate.leave()
	ctx, end := m.span(ctx, OpForceRelease)
	err = errAborted
	defer func() { end(err) }()
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
	if m.stopping.Err() != nil {
		return ErrClosed
	}
	group, err := m.group(h.Resource)
	if err != nil {
		return err
	}
	if h.ID == "" {
		return invalid("a hold without an id")
	}
	what := fmt.Sprintf("force-releasing %s", h.Resource)
	if ctx.Err() != nil {
		return fmt.Errorf("lock: %s: %w", what, ended(ctx))
	}
	g, err := m.release(ctx, StoreTicket{Space: m.cfg.Name, Group: group, ID: h.ID, Token: rand.Text(), Name: h.Resource.Name(), Fence: h.Fence, Force: true})
	if err != nil {
		return unavailable(ctx, what, err)
	}
	m.evict(h.ID)
	if g.Status != StatusGranted {
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
