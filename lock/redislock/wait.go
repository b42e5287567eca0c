// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"maps"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// Wait returns the grant of c when it comes in, or StatusBlocked when c has to be
// sent again: the first time, when it has opened the inbox; and when the hold
// in the way was to end and few wait before c, when places were lost, or when
// the server lets no script publish. Without an inbox that is once a second.
func (s *Store) Wait(ctx context.Context, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
	again := lock.StoreGrant{Status: lock.StatusBlocked}
	start, ready, pause := time.Now(), s.inbox.ready(c.ID), time.Duration(0)
	switch {
	case ready == nil && !g.Full && s.inbox.open(ctx) == nil:
		return again, ctx.Err()
	case ready == nil:
		pause = max(pulse-time.Since(start), apart)
	case g.Retry > 0 && g.Place <= askers:
		pause = g.Retry + time.Duration(g.Place-1)*apart
	}
	var due <-chan time.Time
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		due = t.C
	}
	select {
	case won := <-ready:
		if won.Status == lock.StatusGranted {
			s.inbox.leave(c.ID)
			h := &won.Hold
			h.Resource, h.Holder, h.Reason, h.Details = c.Resource, c.Holder, c.Reason, maps.Clone(c.Details)
		}
		return won, nil
	case <-due:
		return again, nil
	case <-ctx.Done():
		return again, ctx.Err()
	}
}

// ready is where the grant of a claim with a place comes in; nil without one.
func (b *inbox) ready(id string) <-chan lock.StoreGrant {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.waiting[id]; w != nil {
		return w.ready
	}
	return nil
}
