// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/observe"
)

// sweeper reports holds that expired: it records and observes each, and then
// has the store forget it. A hold that could not be recorded stays listed in the
// store and is reported by a later sweep of any process.
//
// Acquires hint at groups where something has expired. One goroutine takes
// care of them while there is something to do.
type sweeper struct {
	m *Manager

	mu      sync.Mutex
	seen    map[string]struct{} // groups used here
	hinted  map[string]struct{} // of those, the ones to sweep next
	running bool
	rest    time.Time // hints are ignored until then: the last sweep failed
}

const (
	sweepBatch = 64
	sweepRest  = 5 * time.Second
	maxGroups  = 1024
)

func newSweeper(m *Manager) *sweeper {
	return &sweeper{m: m, seen: make(map[string]struct{}), hinted: make(map[string]struct{})}
}

// found takes the hint that something in the group has expired.
func (s *sweeper) found(group string, expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.seen[group]; !known {
		for old := range s.seen {
			if len(s.seen) < maxGroups {
				break
			}
			delete(s.seen, old)
		}
		s.seen[group] = struct{}{}
	}
	if !expired || time.Now().Before(s.rest) {
		return
	}
	s.hinted[group] = struct{}{}
	if !s.running {
		s.running = true
		s.m.spawn(s.run)
	}
}

func (s *sweeper) run() {
	done := false
	defer func() {
		if !done { // an observer ended the goroutine
			s.m.spawn(s.run)
		}
	}()
	for {
		group, ok := s.next()
		if !ok {
			done = true
			return
		}
		if _, err := s.sweep(s.m.stopping, group); err != nil {
			s.mu.Lock()
			s.rest = time.Now().Add(sweepRest)
			clear(s.hinted)
			s.mu.Unlock()
		}
	}
}

func (s *sweeper) next() (group string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for group = range s.hinted {
		delete(s.hinted, group)
		return group, true
	}
	s.running = false
	return "", false
}

// sweep reports everything that has expired in a group and returns how much
// that was. It goes on as long as some of it can be recorded and ctx lasts. Each
// call of the store has its own time limit, and what was recorded is forgotten
// there even after ctx has ended: else a recorder that takes its time would get
// the same holds again and again.
func (s *sweeper) sweep(ctx context.Context, group string) (n int, err error) {
	q := StoreQuery{Space: s.m.cfg.Name, Group: group, Limit: sweepBatch}
	var recorded []Hold
	for {
		ids := make([]string, len(recorded))
		for i, h := range recorded {
			ids[i] = h.ID
		}
		call := ctx
		if len(ids) > 0 {
			call = context.WithoutCancel(ctx)
		}
		call, cancel := context.WithTimeout(call, releaseTimeout)
		due, err := s.m.store.Sweep(call, q, ids)
		cancel()
		if err != nil {
			return n, unavailable(ctx, "sweeping "+s.m.cfg.Name, err)
		}
		n += len(recorded)
		observe.Each(recorded, func(h Hold) {
			s.m.observe(ctx, Event{
				Op: OpExpired, Resource: h.Resource, ID: h.ID, Holder: h.Holder, Fence: h.Fence, Held: h.ExpiresAt.Sub(h.AcquiredAt),
			})
		})
		if len(due) == 0 {
			return n, nil
		}
		if recorded, err = s.record(ctx, group, due); len(recorded) == 0 {
			return n, err
		}
	}
}

// record records each hold until ctx ends. It returns those that were, or else
// why none was.
func (s *sweeper) record(ctx context.Context, group string, due []Hold) (recorded []Hold, err error) {
	for _, h := range due {
		if ctx.Err() != nil {
			return recorded, fmt.Errorf("lock: sweeping %s: %w", s.m.cfg.Name, ended(ctx))
		}
		if s.m.trail.recorder == nil {
			return due, nil
		}
		e := entry("lock.expired", audit.Unknown, h.Resource, h.Holder,
			identity(h.ID, h.Fence), slog.Time("acquired", h.AcquiredAt), slog.Time("expired", h.ExpiresAt), slog.Int("extensions", h.Extensions))
		e.Reason = h.Reason
		if h.Unconfirmed {
			e.Reason = "unconfirmed"
		}
		e.Time = h.ExpiresAt.UTC().Truncate(time.Microsecond)
		e.ID = audit.DerivedID(h.ExpiresAt, fmt.Sprintf("%q %q %q %d", s.m.cfg.Name, group, h.ID, h.Fence))
		if failed := s.m.trail.record(ctx, 0, e); failed != nil {
			err = failed
			continue
		}
		recorded = append(recorded, h)
	}
	return recorded, err
}

// Sweep looks for expired holds now, in the groups that this manager has used
// (1024 of them at most; without Config.GroupBy there is only one), records and
// observes each as expired, and returns how many. Acquires do the same on the
// side for what they come across, so Sweep is for quiet times: once a minute
// is plenty. It is safe to run everywhere at once.
//
// When the recorder fails, holds stay listed and are reported later; the
// error is then [ErrAudit].
func (m *Manager) Sweep(ctx context.Context) (int, error) {
	if !m.enter() {
		return 0, ErrClosed
	}
	defer m.gate.leave()
	var errs []error
	total := 0
	for _, group := range m.sweeper.groups() {
		n, err := m.sweeper.sweep(ctx, group)
		total += n
		errs = append(errs, err)
	}
	return total, errors.Join(errs...)
}

func (s *sweeper) groups() []string {
	if s.m.cfg.GroupBy == nil {
		return []string{onlyGroup}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.seen))
}
