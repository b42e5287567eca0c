// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"strconv"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/lock"
)

// Release ends holds, or gives claims up, in one round trip.
func (s *Store) Release(ctx context.Context, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	calls := make([]rediscall.Call, len(ts))
	for i, t := range ts {
		if !t.Force { // else its holder may be of this store, and gets a message
			s.inbox.leave(t.ID)
		}
		tries, until := new(rediscall.Tries), ""
		if t.Again {
			tries.Sent++
		}
		if !t.Until.IsZero() {
			until = strconv.FormatInt(t.Until.UnixMilli(), 10)
		}
		calls[i] = rediscall.Call{Keys: s.keys(t.Space, t.Group), Args: []any{t.ID, t.Token, t.Force, t.Fence == 0 && !t.Force, until, tries, t.Name}}
	}
	answers, err := s.caller.RunAll(ctx, releaseScript, calls)
	if err != nil {
		return nil, failure("release", err)
	}
	grants := make([]lock.StoreGrant, len(ts))
	for i, answer := range answers {
		if grants[i], err = released(answer); err != nil {
			return nil, failure("release", err)
		}
	}
	return grants, nil
}

// released reads the answer to one release.
func released(answer any) (lock.StoreGrant, error) {
	if answer == int64(lock.StatusGranted) {
		return lock.StoreGrant{}, nil
	}
	r := open(answer)
	g := lock.StoreGrant{Status: r.status()}
	if g.Status == lock.StatusGranted && r.more() {
		r.clock()
		one := r.list()
		g.Hold, _ = one.hold(lock.Resource{})
		r.join(one)
	}
	return g, r.err()
}
