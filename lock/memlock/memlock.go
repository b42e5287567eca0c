// SPDX-License-Identifier: MIT

// Package memlock keeps the holds of package lock in the memory of one
// process: for tests, for examples, and for programs that run as one process.
// It behaves like a shared store, which package locktest checks, but its holds
// end with the process.
//
// It starts no goroutine. A claim costs time in proportion to the live holds
// of the names it wants; every other call is logarithmic in the holds of the
// group. Expired holds stay listed until they are recorded: up to 1024 a group,
// for up to seven days.
package memlock

import (
	"context"
	"crypto/subtle"
	"fmt"
	"iter"
	"maps"
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
	return g
}

// leave unlocks the store. An empty group is forgotten: the fences are the
// store's.
func (s *Store) leave(space, name string, g *group) {
	if g.empty() {
		delete(s.groups, address{space, name})
	}
	s.mu.Unlock()
}

// Acquire implements [lock.Store].
func (s *Store) Acquire(ctx context.Context, c lock.Claim) (lock.Grant, error) {
	if err := ctx.Err(); err != nil {
		return lock.Grant{}, err
	}
	if c.Resource.Name() == "" {
		return lock.Grant{}, fmt.Errorf("memlock: acquire: %w: a claim of nothing", lock.ErrInvalid)
	}
	now := time.Now()
	g := s.enter(c.Space, c.Group, now)
	defer s.leave(c.Space, c.Group, g)
	if h := g.find(c.Ticket); h != nil {
		return lock.Grant{Hold: h.view(now), Expired: g.untold(fewExpired, now)}, nil
	}
	if _, ended := g.ended[c.ID]; ended || g.live[c.ID] != nil { // given up, or another's id
		return lock.Grant{Status: lock.Missing}, nil
	}
	if in := g.inTheWay(c, now); in.retry > 0 {
		b := lock.Grant{Status: lock.Blocked, Conflicts: in.conflicts, Retry: in.retry, Expired: g.untold(fewExpired, now)}
		if c.Queue {
			b.Place = g.enqueue(c, now)
		}
		return b, nil
	}
	g.leave(c.ID)
	s.fence = max(s.fence+1, uint64(now.UnixMicro()))
	ttl := c.TTL
	if c.MaxHold > 0 {
		ttl = min(ttl, c.MaxHold)
	}
	h := &hold{
		Hold: lock.Hold{
			ID: c.ID, Holder: c.Holder, Reason: c.Reason, Resource: c.Resource, AcquiredAt: now, ExpiresAt: now.Add(ttl),
			Fence: s.fence, Details: maps.Clone(c.Details),
		},
		token: c.Token, maxHold: c.MaxHold,
	}
	g.add(h)
	return lock.Grant{Hold: h.view(now), Expired: g.untold(fewExpired, now)}, nil
}

// Wait implements [lock.Store]. It returns when the claim would be granted.
func (s *Store) Wait(ctx context.Context, c lock.Claim, _ lock.Grant) error {
	for {
		now := time.Now()
		g := s.enter(c.Space, c.Group, now)
		in := g.inTheWay(c, now)
		if ctx.Err() != nil {
			g.leave(c.ID)
		} else {
			g.stay(c.ID, now, in.retry > 0)
		}
		freed := g.freed
		s.leave(c.Space, c.Group, g)
		if ctx.Err() != nil || in.retry == 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(in.retry)
		select {
		case <-freed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// Extend implements [lock.Store].
func (s *Store) Extend(ctx context.Context, rs []lock.Renewal) ([]lock.Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := time.Now()
	grants := make([]lock.Grant, len(rs))
	for i, r := range rs {
		g := s.enter(r.Space, r.Group, now)
		grants[i] = g.extend(r, now)
		s.leave(r.Space, r.Group, g)
	}
	return grants, nil
}

// Release implements [lock.Store].
func (s *Store) Release(ctx context.Context, k lock.Ticket) (lock.Grant, error) {
	if err := ctx.Err(); err != nil {
		return lock.Grant{}, err
	}
	now := time.Now()
	g := s.enter(k.Space, k.Group, now)
	defer s.leave(k.Space, k.Group, g)
	return g.release(k, now), nil
}

// Holds implements [lock.Store]. It yields the holds as of the start of the
// loop.
func (s *Store) Holds(ctx context.Context, q lock.Query) iter.Seq2[lock.Hold, error] {
	return func(yield func(lock.Hold, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(lock.Hold{}, err)
			return
		}
		now := time.Now()
		g := s.enter(q.Space, q.Group, now)
		list := g.list(q, now)
		s.leave(q.Space, q.Group, g)
		for _, h := range list {
			if !yield(h, nil) {
				return
			}
		}
	}
}

// Sweep implements [lock.Store].
func (s *Store) Sweep(ctx context.Context, q lock.Query, recorded []string) ([]lock.Hold, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := time.Now()
	g := s.enter(q.Space, q.Group, now)
	defer s.leave(q.Space, q.Group, g)
	g.tell(recorded)
	if q.Limit <= 0 {
		q.Limit = fewSwept
	}
	return g.untold(q.Limit, now), nil
}

// hold is a hold with what others must not see. Its times have a monotonic
// part, so a step of the wall clock moves no deadline.
type hold struct {
	lock.Hold
	token   string
	maxHold time.Duration
	nonce   string // of the last counted extension
	index   int    // in the heap of its group
}

// owns reports whether the ticket gives the right to change h.
func (h *hold) owns(k lock.Ticket) bool {
	return k.Force || subtle.ConstantTimeCompare([]byte(h.token), []byte(k.Token)) == 1
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
