// SPDX-License-Identifier: MIT

package memlock

import (
	"context"
	"crypto/subtle"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// Store is a [lock.Store] in memory. Make it with [New]. It is safe for
// concurrent use, by any number of managers.
type Store struct {
	mu     sync.Mutex
	fence  uint64 // the last one given out, in whatever group
	groups map[address]*group
}

type address struct{ space, group string }

var _ lock.Store = (*Store)(nil)

const (
	fewExpired = 16 // named by an Acquire on the side
	fewSwept   = 64 // named by a Sweep without a limit
)

// New returns an empty store.
func New() *Store { return &Store{groups: make(map[address]*group)} }

// enter locks the store and returns the ticket's group, with what has expired
// set aside. leave ends it.
func (s *Store) enter(space, name string, now time.Time) *group {
	s.mu.Lock()
	g := s.groups[address{space, name}]
	if g == nil {
		g = newGroup()
		s.groups[address{space, name}] = g
	}
	g.expire(now)
	s.serve(g, now)
	return g
}

// leave serves those who wait and unlocks the store. An empty group is
// forgotten: the fences are the store's.
func (s *Store) leave(space, name string, g *group) {
	now := time.Now()
	s.serve(g, now)
	if at, found := g.next(); found && (g.due.IsZero() || at.Before(g.due)) {
		if g.alarm != nil {
			g.alarm.Stop()
		}
		g.due = at
		g.alarm = time.AfterFunc(at.Sub(now), func() {
			g := s.enter(space, name, time.Now())
			g.due = time.Time{}
			s.leave(space, name, g)
		})
	}
	if g.empty() {
		if g.alarm != nil {
			g.alarm.Stop()
		}
		delete(s.groups, address{space, name})
	}
	s.mu.Unlock()
}

// Acquire implements [lock.Store].
func (s *Store) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	if err := ctx.Err(); err != nil {
		return lock.StoreGrant{}, err
	}
	if c.Resource.Name() == "" {
		return lock.StoreGrant{}, fmt.Errorf("memlock: acquire: %w: a claim of nothing", lock.ErrInvalid)
	}
	now := time.Now()
	g := s.enter(c.Space, c.Group, now)
	defer s.leave(c.Space, c.Group, g)
	if h := g.find(c.StoreTicket); h != nil && !h.released {
		return lock.StoreGrant{Hold: h.view(now), Expired: g.unrecorded(fewExpired, now)}, nil
	}
	if _, ended := g.ended[c.ID]; ended || g.live[c.ID] != nil { // given up, or another's id
		return lock.StoreGrant{Status: lock.StatusMissing}, nil
	}
	seq := 0
	if w := g.places[c.ID]; w != nil {
		seq = w.seq
	}
	conflicts := g.inTheWay(c, max(c.Limit, 1), now)
	if len(conflicts) > 0 || c.Queue && g.ahead(c.Resource, seq, now) {
		b := lock.StoreGrant{Status: lock.StatusBlocked, Conflicts: conflicts, Expired: g.unrecorded(fewExpired, now)}
		for _, c := range conflicts {
			if b.Retry == 0 || c.Hold.Left < b.Retry {
				b.Retry = c.Hold.Left
			}
		}
		if c.Queue {
			b.Place = g.enqueue(c, now)
			b.Full = b.Place == 0
		}
		return b, nil
	}
	h := s.grant(g, c, c.TTL, now)
	g.leave(c.ID)
	return lock.StoreGrant{Hold: h.view(now), Expired: g.unrecorded(fewExpired, now)}, nil
}

// grant makes the hold of a claim that nothing is in the way of.
func (s *Store) grant(g *group, c lock.StoreClaim, ttl time.Duration, now time.Time) *hold {
	if c.MaxHold > 0 {
		ttl = min(ttl, c.MaxHold)
	}
	h := &hold{
		Hold: lock.Hold{
			ID: c.ID, Holder: c.Holder, Reason: c.Reason, Resource: c.Resource, AcquiredAt: now, ExpiresAt: now.Add(ttl),
			Fence: s.rise(now), Details: maps.Clone(c.Details),
		},
		token: c.Token, maxHold: c.MaxHold, keep: now.Add(c.KeepAtLeast),
	}
	g.add(h)
	return h
}

// rise returns the next fence.
func (s *Store) rise(now time.Time) uint64 {
	s.fence = max(s.fence+1, uint64(now.UnixMicro()))
	return s.fence
}

// Wait implements [lock.Store].
func (s *Store) Wait(ctx context.Context, c lock.StoreClaim, _ lock.StoreGrant) (lock.StoreGrant, error) {
	wait := func(n int) (lock.StoreGrant, <-chan struct{}) {
		now := time.Now()
		g := s.enter(c.Space, c.Group, now)
		defer s.leave(c.Space, c.Group, g)
		if w := g.places[c.ID]; w != nil {
			w.waiting += n
			w.until = now.Add(patience)
			if delete(g.idle, c.ID); w.waiting == 0 {
				g.idle[c.ID] = w
			}
			return lock.StoreGrant{Status: lock.StatusBlocked}, w.ready
		}
		if h := g.find(c.StoreTicket); h != nil && !h.released {
			return lock.StoreGrant{Hold: h.view(now), Since: now}, nil
		}
		return lock.StoreGrant{Status: lock.StatusBlocked}, nil
	}
	grant, ready := wait(1)
	if ready != nil {
		select {
		case <-ready:
		case <-ctx.Done():
		}
		grant, _ = wait(-1)
	}
	if grant.Status == lock.StatusGranted {
		return grant, nil
	}
	return grant, ctx.Err()
}

// Extend implements [lock.Store].
func (s *Store) Extend(ctx context.Context, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	grants := make([]lock.StoreGrant, len(rs))
	for i, r := range rs {
		now := time.Now()
		g := s.enter(r.Space, r.Group, now)
		var lost func()
		if h := g.live[r.ID]; h != nil && h.yields(r) {
			lost = h.lost
			h.lost, h.token, h.ref, h.Fence = nil, r.TakeOver, r.Token, s.rise(now)
		}
		grants[i] = g.extend(r, now)
		s.leave(r.Space, r.Group, g)
		if lost != nil {
			lost()
		}
	}
	return grants, nil
}

// Release implements [lock.Store].
func (s *Store) Release(ctx context.Context, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	grants := make([]lock.StoreGrant, len(ts))
	for i, t := range ts {
		now := time.Now()
		g := s.enter(t.Space, t.Group, now)
		var lost func()
		if h := g.live[t.ID]; h != nil && t.Force {
			lost = h.lost
		}
		grants[i] = g.release(t, now)
		s.leave(t.Space, t.Group, g)
		if lost != nil {
			lost()
		}
	}
	return grants, nil
}

// Holds implements [lock.Store]. It yields the holds as of the start of the
// loop.
func (s *Store) Holds(ctx context.Context, q lock.StoreQuery) iter.Seq2[lock.Hold, error] {
	return func(yield func(lock.Hold, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(lock.Hold{}, err)
			return
		}
		names := []string{q.Group}
		if q.AllGroups {
			names = s.groupsOf(q.Space)
			q.Resource = lock.Resource{}
		}
		for _, name := range names {
			now := time.Now()
			g := s.enter(q.Space, name, now)
			list := g.list(q, now)
			s.leave(q.Space, name, g)
			for _, h := range list {
				if !yield(h, nil) {
					return
				}
			}
		}
	}
}

func (s *Store) groupsOf(space string) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.groups {
		if at.space == space {
			names = append(names, at.group)
		}
	}
	slices.Sort(names)
	return names
}

// Sweep implements [lock.Store].
func (s *Store) Sweep(ctx context.Context, q lock.StoreQuery, recorded []string) ([]lock.Hold, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := time.Now()
	g := s.enter(q.Space, q.Group, now)
	defer s.leave(q.Space, q.Group, g)
	g.settle(recorded)
	if q.Limit <= 0 {
		q.Limit = fewSwept
	}
	return g.unrecorded(q.Limit, now), nil
}

// hold is a hold with what others must not see. Its times have a monotonic
// part, so a step of the wall clock moves no deadline.
type hold struct {
	lock.Hold
	token, ref string // by ref it was taken over, and may be again
	maxHold    time.Duration
	keep       time.Time // a release before that leaves it in place until then
	released   bool      // it is only kept
	nonce      string    // of the last counted extension
	lost       func()    // reports that another took it over or ended it
	index      int       // in the heap of its group
}

// owns reports whether the ticket gives the right to change h.
func (h *hold) owns(k lock.StoreTicket) bool {
	return k.Force || subtle.ConstantTimeCompare([]byte(h.token), []byte(k.Token)) == 1
}

// yields reports whether r takes h over, and has not done so before.
func (h *hold) yields(r lock.StoreRenewal) bool {
	return r.TakeOver != "" && h.token != r.TakeOver && !h.released && (h.token == r.Token || h.ref != "" && h.ref == r.Token)
}

// view is h as others see it: nothing of it is shared.
func (h *hold) view(now time.Time) lock.Hold {
	v := h.Hold
	v.Left = h.ExpiresAt.Sub(now)
	v.AcquiredAt = h.AcquiredAt.Round(0).UTC()
	v.ExpiresAt = h.ExpiresAt.Round(0).UTC()
	v.Details = maps.Clone(h.Details)
	return v
}
