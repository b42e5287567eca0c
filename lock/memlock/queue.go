// SPDX-License-Identifier: MIT

package memlock

import (
	"cmp"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// waiter has a place in the queue of its group. It keeps the place while a call
// of Wait waits for it, and some time longer, to send its claim again.
type waiter struct {
	lock.StoreClaim
	seq     int // rises in order of arrival
	waiting int // calls of Wait
	until   time.Time
	ready   chan struct{} // closed when the claim was granted or has to be sent again
}

const (
	patience  = 3 * time.Second
	mostOfOne = 4096 // places of one name
)

func (w *waiter) alive(now time.Time) bool { return w.waiting > 0 || w.until.After(now) }

// enqueue gives a claim its place, or keeps it, and returns it, from 1; 0 when
// a name has no place left.
func (g *group) enqueue(c lock.StoreClaim, now time.Time) int {
	w := g.places[c.ID]
	if w == nil {
		for p := range c.Resource.Parts() {
			if len(g.queue[p.Name()]) >= mostOfOne {
				return 0
			}
		}
		g.seq++
		w = &waiter{StoreClaim: c, seq: g.seq, ready: make(chan struct{})}
		g.places[c.ID], g.idle[c.ID] = w, w
		for p := range c.Resource.Parts() {
			if line := g.queue[p.Name()]; len(line) == 0 || line[len(line)-1] != w {
				g.queue[p.Name()] = append(line, w)
			}
		}
	}
	w.until = now.Add(patience)
	place := 1
	for p := range c.Resource.Parts() {
		n, _ := slices.BinarySearchFunc(g.queue[p.Name()], w.seq, func(w *waiter, seq int) int { return cmp.Compare(w.seq, seq) })
		place = max(place, n+1)
	}
	return place
}

// leave takes a claim out of the queue. What it stood before is freed.
func (g *group) leave(id string) {
	w := g.places[id]
	if w == nil {
		return
	}
	delete(g.places, id)
	delete(g.idle, id)
	for p := range w.Resource.Parts() {
		line := slices.DeleteFunc(g.queue[p.Name()], func(o *waiter) bool { return o == w })
		if g.queue[p.Name()] = line; len(line) == 0 {
			delete(g.queue, p.Name())
		}
	}
	close(w.ready)
	g.free(w.Resource)
}

// free notes names in which a waiter may fit now.
func (g *group) free(r lock.Resource) {
	for p := range r.Parts() {
		if len(g.queue[p.Name()]) > 0 {
			g.freed[p.Name()] = true
		}
	}
}

// ahead reports whether a claim has to let another waiter pass: one before seq,
// or any if that is 0.
func (g *group) ahead(r lock.Resource, seq int, now time.Time) bool {
	for p := range r.Parts() {
		for _, w := range g.queue[p.Name()] {
			if seq > 0 && w.seq >= seq {
				break
			}
			if w.alive(now) && excludes(w.Resource, p) {
				return true
			}
		}
	}
	return false
}

// excludes reports whether any part of r overlaps p and not both are shared.
func excludes(r, p lock.Resource) bool {
	for part := range r.Parts() {
		if part.Overlaps(p) && !(part.IsShared() && p.IsShared()) {
			return true
		}
	}
	return false
}

// serve grants what was freed to those who wait for it, in order of arrival. A
// grant lasts for [lock.StoreTrialTime] at most until it is confirmed.
func (s *Store) serve(g *group, now time.Time) {
	for len(g.freed) > 0 {
		var name string
		for name = range g.freed {
			break
		}
		delete(g.freed, name)
		for _, w := range slices.Clone(g.queue[name]) {
			if g.places[w.ID] != w {
				continue // left meanwhile
			}
			if !w.alive(now) {
				g.leave(w.ID)
				continue
			}
			if !g.ahead(w.Resource, w.seq, now) && len(g.inTheWay(w.StoreClaim, 1, now)) == 0 {
				s.grant(g, w.StoreClaim, min(w.TTL, lock.StoreTrialTime), now).Unconfirmed = true
				g.leave(w.ID)
			} else if p := only(w.Resource); p.Kind() == lock.Whole && !p.IsShared() {
				break // all behind it wait for it
			}
		}
	}
}

// only returns the resource if it has one part, else the zero Resource.
func only(r lock.Resource) lock.Resource {
	n := 0
	for range r.Parts() {
		n++
	}
	if n > 1 {
		return lock.Of(lock.Numbers, "", 0, 0)
	}
	return r
}

// next returns when something in the group ends by itself that a waiter may
// wait for, or when nothing is left of a group without waiters; and false when
// there is no such time.
func (g *group) next() (at time.Time, found bool) {
	if len(g.places) == 0 {
		if n := len(g.endings); n > 0 && len(g.live) == 0 && len(g.expired) == 0 {
			return g.ended[g.endings[n-1]].at.Add(lock.StoreRememberFor), true
		}
		return at, false
	}
	if len(g.ends) > 0 {
		at, found = g.ends[0].ExpiresAt, true
	}
	for _, w := range g.idle {
		if !found || w.until.Before(at) {
			at, found = w.until, true
		}
	}
	return at, found
}
