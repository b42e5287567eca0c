// SPDX-License-Identifier: MIT

package memsession

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// Claim implements [session.Store]. Claims that ran out come first: they
// lapsed before anything that has not been claimed yet.
func (s *Store) Claim(ctx context.Context, c session.StoreClaim) (session.StoreClaimed, error) {
	sp, now, err := s.lock(ctx, c.Space)
	if err != nil {
		return session.StoreClaimed{}, err
	}
	defer s.unlock(sp)
	sp.settle(c.Settle, now)
	var got session.StoreClaimed
	for len(got.Due) < c.Max {
		e := sp.nextDue(now)
		if e == nil {
			break
		}
		got.Due = append(got.Due, sp.claim(e, c, now))
	}
	got.More = c.Max > 0 && sp.nextDue(now) != nil
	return got, nil
}

func (sp *space) nextDue(now time.Time) *entry {
	if e := sp.claims.due(now); e != nil {
		return e
	}
	return sp.expiry.due(now)
}

// claim hands e out. Unless it has to be kept until it is settled, this is its
// end.
func (sp *space) claim(e *entry, c session.StoreClaim, now time.Time) session.StoreDue {
	if e.damaged {
		sp.remove(e, c.Quarantine)
		return session.StoreDue{StoreRecord: session.StoreRecord{StoreHandle: e.StoreHandle}, Reason: session.ReasonCorrupted, Attempt: 1}
	}
	d := session.StoreDue{StoreRecord: copied(e.StoreRecord, c.Payload), Reason: session.ReasonIdle, Attempt: e.attempts + 1}
	if e.ExpiresAt.Equal(e.Deadline) {
		d.Reason = session.ReasonAbsolute
	}
	if !c.Payload {
		sp.remove(e, false)
		return d
	}
	e.attempts++
	sp.claims.put(e, now.Add(c.For))
	return d
}

// settle ends claims.
func (sp *space) settle(list []session.StoreSettle, now time.Time) {
	for _, done := range list {
		e := sp.claimOf(done)
		switch {
		case e == nil:
		case done.Retry > 0:
			sp.claims.put(e, now.Add(done.Retry))
		default:
			sp.remove(e, done.Quarantine)
		}
	}
}

// claimOf finds a claimed entry. One that a new session has replaced is in no
// map any more, only in the queue of claims.
func (sp *space) claimOf(done session.StoreSettle) *entry {
	if e := sp.byHash[done.Hash]; e != nil && e.Rev == done.Rev && e.claimed() {
		return e
	}
	for _, e := range sp.claims {
		if e.Hash == done.Hash && e.Rev == done.Rev {
			return e
		}
	}
	return nil
}

// Count implements [session.Store]. It costs O(backlog).
func (s *Store) Count(ctx context.Context, name string) (session.StoreCount, error) {
	sp, now, err := s.lock(ctx, name)
	if err != nil {
		return session.StoreCount{}, err
	}
	defer s.unlock(sp)
	lapsed := sp.expiry.countDue(now)
	c := session.StoreCount{
		Active:      int64(len(sp.expiry)) - lapsed,
		Backlog:     int64(len(sp.claims)) + lapsed,
		Quarantined: int64(len(sp.quarantine)),
	}
	if e := sp.expiry.due(now); e != nil {
		c.Oldest = now.Sub(e.ExpiresAt)
	}
	for _, e := range sp.claims {
		c.Oldest = max(c.Oldest, now.Sub(e.ExpiresAt))
	}
	return c, nil
}

// forget drops what was not claimed in time, a little with each Create, so
// that memory stays bounded where no cleanup runs.
func (sp *space) forget(now time.Time) {
	for range 2 {
		e := sp.expiry.due(now)
		if e == nil || now.Sub(e.ExpiresAt) < e.keep {
			return
		}
		sp.remove(e, false)
	}
}
