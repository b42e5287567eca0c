// SPDX-License-Identifier: MIT

package memlock

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// group is one conflict domain. The store's mutex guards it.
type group struct {
	live    map[string]*hold            // by id
	byName  map[string]map[string]*hold // the same, by each name they hold
	ends    ends                        // the same, the first to expire on top
	expired []*hold                     // and not recorded, the oldest first
	ended   map[string]ending           // by id: released, or given up, not long ago
	endings []string                    // their ids, the oldest first
	places  map[string]*waiter          // by id
	idle    map[string]*waiter          // those for which no call of Wait waits
	queue   map[string][]*waiter        // the same, by each name they want, in order
	seq     int                         // of the last waiter
	freed   map[string]bool             // names in which a waiter may fit now
	alarm   *time.Timer                 // looks at the group when something in it ends, or earlier
	due     time.Time                   // when it does; zero when it is not set
}

const (
	maxExpired = 1024
	maxAge     = 7 * 24 * time.Hour // of an expired hold
)

func newGroup() *group {
	return &group{
		live: make(map[string]*hold), byName: make(map[string]map[string]*hold), ended: make(map[string]ending),
		places: make(map[string]*waiter), idle: make(map[string]*waiter), queue: make(map[string][]*waiter), freed: make(map[string]bool),
	}
}

func (g *group) empty() bool {
	return len(g.live) == 0 && len(g.expired) == 0 && len(g.ended) == 0 && len(g.places) == 0
}

// ending is how a hold or a claim came to its end.
type ending struct {
	at    time.Time
	token string // of who ended it
	force bool
	held  bool // it was a hold
}

// release ends a hold, or recalls that it did, or gives a claim up.
func (g *group) release(k lock.StoreTicket, now time.Time) lock.StoreGrant {
	if !k.Force {
		g.leave(k.ID)
	}
	h := g.find(k)
	if e, known := g.ended[k.ID]; h == nil && (known || g.live[k.ID] != nil) {
		if known && e.held && e.force == k.Force && e.token == k.Token {
			return lock.StoreGrant{}
		}
		return lock.StoreGrant{Status: lock.StatusMissing}
	}
	if h == nil && (k.Force || k.Fence != 0) {
		return lock.StoreGrant{Status: lock.StatusMissing}
	}
	if h != nil && h.released && !k.Force {
		return lock.StoreGrant{Hold: h.view(now)}
	}
	g.endings = append(g.endings, k.ID)
	g.ended[k.ID] = ending{at: now, token: k.Token, force: k.Force, held: h != nil}
	switch {
	case h == nil:
		return lock.StoreGrant{Status: lock.StatusMissing}
	case h.keep.After(now) && !k.Force && k.Fence != 0:
		h.released, h.ExpiresAt = true, h.keep
		heap.Fix(&g.ends, h.index)
	default:
		g.remove(h)
	}
	return lock.StoreGrant{Hold: h.view(now)}
}

// forget drops the endings that are too old.
func (g *group) forget(now time.Time) {
	for len(g.endings) > 0 && now.Sub(g.ended[g.endings[0]].at) >= lock.StoreRememberFor {
		delete(g.ended, g.endings[0])
		g.endings = g.endings[1:]
	}
}

// add also forgets that a hold of the same id has expired: its claim was sent
// again.
func (g *group) add(h *hold) {
	g.settle([]string{h.ID})
	g.live[h.ID] = h
	heap.Push(&g.ends, h)
	for p := range h.Resource.Parts() {
		of := g.byName[p.Name()]
		if of == nil {
			of = make(map[string]*hold)
			g.byName[p.Name()] = of
		}
		of[h.ID] = h
	}
}

func (g *group) remove(h *hold) {
	delete(g.live, h.ID)
	heap.Remove(&g.ends, h.index)
	for p := range h.Resource.Parts() {
		of := g.byName[p.Name()]
		if delete(of, h.ID); len(of) == 0 {
			delete(g.byName, p.Name())
		}
	}
	g.free(h.Resource)
}

// find returns the live hold that the ticket gives a right to, or nil.
func (g *group) find(k lock.StoreTicket) *hold {
	if h := g.live[k.ID]; h != nil && h.owns(k) {
		return h
	}
	return nil
}

// expire sets aside what has expired by now, within bounds.
func (g *group) expire(now time.Time) {
	g.forget(now)
	for id, w := range g.idle {
		if !w.alive(now) {
			g.leave(id)
		}
	}
	for len(g.ends) > 0 && !g.ends[0].ExpiresAt.After(now) {
		h := g.ends[0]
		g.remove(h)
		if !h.released {
			g.expired = append(g.expired, h)
		}
	}
	drop := max(0, len(g.expired)-maxExpired)
	for drop < len(g.expired) && now.Sub(g.expired[drop].ExpiresAt) > maxAge {
		drop++
	}
	g.expired = slices.Delete(g.expired, 0, drop)
}

func (g *group) unrecorded(limit int, now time.Time) []lock.Hold {
	var list []lock.Hold
	for _, h := range g.expired[:min(limit, len(g.expired))] {
		list = append(list, h.view(now))
	}
	return list
}

func (g *group) settle(recorded []string) {
	if len(recorded) > 0 {
		g.expired = slices.DeleteFunc(g.expired, func(h *hold) bool { return slices.Contains(recorded, h.ID) })
	}
}

// extend answers one renewal.
func (g *group) extend(r lock.StoreRenewal, now time.Time) lock.StoreGrant {
	if r.TakeOver != "" {
		r.Token = r.TakeOver // which it has by now, if it may
	}
	h := g.find(r.StoreTicket)
	switch {
	case h == nil || h.released:
		return lock.StoreGrant{Status: lock.StatusMissing}
	case r.TTL == 0:
		return lock.StoreGrant{Hold: h.view(now)}
	case r.Count && r.Nonce != "" && r.Nonce == h.nonce: // the same one again
		return lock.StoreGrant{Hold: h.view(now)}
	case r.Count && r.MaxExtensions > 0 && h.Extensions >= r.MaxExtensions:
		return lock.StoreGrant{Status: lock.StatusCapped, Hold: h.view(now)}
	}
	until, cut := now.Add(r.TTL), false
	if end := h.AcquiredAt.Add(h.maxHold); h.maxHold > 0 && until.After(end) {
		until, cut = end, true
	}
	if r.Lost != nil {
		h.lost = r.Lost
	}
	if cut && !until.After(h.ExpiresAt) && !r.Confirm {
		return lock.StoreGrant{Status: lock.StatusCapped, Hold: h.view(now)}
	}
	if until.After(h.ExpiresAt) {
		h.ExpiresAt = until
		heap.Fix(&g.ends, h.index)
	}
	h.Unconfirmed = false
	if r.Count {
		h.Extensions++
		h.nonce = r.Nonce
	}
	return lock.StoreGrant{Hold: h.view(now)}
}

// inTheWay returns up to limit live holds that overlap parts of the claim that
// do not fit.
func (g *group) inTheWay(c lock.StoreClaim, limit int, now time.Time) (conflicts []lock.Conflict) {
	i := 0
	for part := range c.Resource.Parts() {
		most := c.Capacity[i]
		i++
		holders, busiest := g.overlapping(part, most)
		if busiest+int64(part.Size()) <= int64(most) {
			continue
		}
		for _, h := range holders {
			if len(conflicts) < limit {
				conflicts = append(conflicts, lock.Conflict{Wanted: part, Hold: h.view(now)})
			}
		}
	}
	return conflicts
}

// overlapping returns the live holds that overlap a part and count for it, and
// how many units they take at its busiest point. Those of another kind count
// everywhere; a shared one and one that is not take all from each other.
func (g *group) overlapping(part lock.Resource, most int) (holders []*hold, busiest int64) {
	type edge struct{ at, units int64 }
	var edges []edge
	var everywhere int64
	from, _ := part.Bounds()
	for _, h := range g.byName[part.Name()] {
		hit := false
		for p := range h.Resource.Parts() {
			size := int64(p.Size())
			if p.IsShared() != part.IsShared() {
				size = int64(most)
			}
			switch {
			case !p.Overlaps(part), p.IsShared() && part.IsShared():
				continue
			case p.Kind() != part.Kind():
				everywhere += size
			default:
				start, end := p.Bounds()
				edges = append(edges, edge{max(start, from), size}, edge{end, -size})
			}
			hit = true
		}
		if hit {
			holders = append(holders, h)
		}
	}
	// What ends at a point makes room before what begins there: [from, to).
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.units, b.units)) })
	var taken int64
	for _, e := range edges {
		taken += e.units
		busiest = max(busiest, taken)
	}
	return holders, everywhere + busiest
}

// list returns the live holds that overlap the query, in order.
func (g *group) list(q lock.StoreQuery, now time.Time) []lock.Hold {
	var list []lock.Hold
	all := q.Resource.Name() == ""
	for _, h := range g.live {
		if all || h.Resource.Overlaps(q.Resource) {
			list = append(list, h.view(now))
		}
	}
	slices.SortFunc(list, func(a, b lock.Hold) int {
		af, _ := a.Resource.Bounds()
		bf, _ := b.Resource.Bounds()
		return cmp.Or(cmp.Compare(a.Resource.Name(), b.Resource.Name()), cmp.Compare(a.Resource.Kind(), b.Resource.Kind()),
			cmp.Compare(af, bf), cmp.Compare(a.Fence, b.Fence))
	})
	if q.Limit > 0 && len(list) > q.Limit {
		list = list[:q.Limit]
	}
	return list
}

// ends is a heap of holds by expiry.
type ends []*hold

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].ExpiresAt.Before(e[j].ExpiresAt) }

func (e ends) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}

func (e *ends) Push(x any) {
	h := x.(*hold)
	h.index = len(*e)
	*e = append(*e, h)
}

func (e *ends) Pop() any {
	last := len(*e) - 1
	h := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return h
}
