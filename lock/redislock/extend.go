// SPDX-License-Identifier: MIT

package redislock

import (
	"context"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/lock"
)

// Extend moves the deadlines of a batch, each on its own: one round trip for
// all, two when the server has forgotten the script.
func (s *Store) Extend(ctx context.Context, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
	type group struct{ space, name string }
	var calls []rediscall.Call
	var places [][]int // of a call's renewals in rs
	open := make(map[group]int)
	for i, r := range rs {
		g := group{r.Space, r.Group}
		n, found := open[g]
		if !found || len(places[n]) == batchSize {
			n = len(calls)
			open[g] = n
			calls = append(calls, rediscall.Call{Keys: s.keys(r.Space, r.Group)})
			places = append(places, nil)
		}
		what, nonce := "r", s.inbox.address()
		switch {
		case r.TakeOver != "":
			what, nonce = "t", r.TakeOver
		case r.Confirm:
			what, nonce = "c", ""
		case r.Count:
			what, nonce = "e", r.Nonce
		}
		if r.Lost != nil { // before it is sent: a release forgets it
			s.inbox.watch(r.ID, r.Lost, r.TTL)
		}
		calls[n].Args = append(calls[n].Args, r.ID, r.Token, millis(r.TTL), max(r.MaxExtensions, 0), what, nonce, r.Name)
		places[n] = append(places[n], i)
	}
	answers, err := s.caller.RunAll(ctx, extendScript, calls)
	if err != nil {
		return nil, failure("extend", err)
	}
	grants := make([]lock.StoreGrant, len(rs))
	for n, answer := range answers {
		if err := extended(answer, grants, places[n]); err != nil {
			return nil, failure("extend", err)
		}
	}
	for i, r := range rs {
		if grants[i].Status == lock.StatusMissing {
			s.inbox.unwatch(r.ID)
		}
	}
	return grants, nil
}

// extended reads the answer to one call into its places in grants.
func extended(answer any, grants []lock.StoreGrant, places []int) error {
	r := open(answer)
	r.clock()
	for _, i := range places {
		one := r.list()
		g := lock.StoreGrant{Status: one.status()}
		if g.Status != lock.StatusMissing {
			g.Hold, _ = one.hold(lock.Resource{})
		}
		grants[i] = g
		r.join(one)
	}
	return r.err()
}
