// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"iter"
	"time"
)

// Hold is a lease as others see it. It never carries the secret token.
type Hold struct {
	ID             string
	Holder, Reason string
	Resource       Resource
	AcquiredAt     time.Time     // the store's time
	ExpiresAt      time.Time     // the store's time
	Left           time.Duration // until it expires, when the store answered; <= 0 when it has
	Extensions     int
	Fence          uint64
	Details        map[string]string
	Unconfirmed    bool // granted to a claim that waited, whose process has not confirmed it yet, or did not in time
}

// Conflict is one hold that is in the way, and the part of the wanted
// resource that it overlaps.
type Conflict struct {
	Wanted Resource
	Hold   Hold
}

// Holds yields the live holds that overlap r, in order of resource, as the
// store knows them while it is asked; an error is the last that it yields.
// The zero Resource stands for everything, as long as Config.GroupBy is nil.
func (m *Manager) Holds(ctx context.Context, r Resource) iter.Seq2[Hold, error] {
	q, err := m.query(r)
	return m.list(ctx, q, err)
}

func (m *Manager) list(ctx context.Context, q StoreQuery, err error) iter.Seq2[Hold, error] {
	return func(yield func(Hold, error) bool) {
		if err != nil {
			yield(Hold{}, err)
			return
		}
		if !m.enter() {
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

// HoldsAll yields the live holds of all groups of the manager's space, in no
// order of groups, for operators: on Redis it scans the whole keyspace of each
// master. An error is the last that it yields.
func (m *Manager) HoldsAll(ctx context.Context) iter.Seq2[Hold, error] {
	return m.list(ctx, StoreQuery{Space: m.cfg.Name, AllGroups: true}, nil)
}

func (m *Manager) query(r Resource) (StoreQuery, error) {
	if r.parts() == nil && r.reason == "" && m.cfg.GroupBy == nil {
		return StoreQuery{Space: m.cfg.Name, Group: onlyGroup}, nil
	}
	group, err := m.group(r)
	return StoreQuery{Space: m.cfg.Name, Group: group, Resource: r}, err
}
