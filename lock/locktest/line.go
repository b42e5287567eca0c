// SPDX-License-Identifier: MIT

package locktest

import (
	"context"
	"slices"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// modelWaiter is a claim that waits.
type modelWaiter struct {
	claim  lock.StoreClaim
	leaves bool // it releases the hold as soon as it is granted
	cancel context.CancelFunc
	done   chan struct{} // closed when its goroutine has ended
}

// result is what came of a wait.
type result struct {
	id    string
	grant lock.StoreGrant
	err   error
}

// serve grants to those who wait what they can have by now, in order of
// arrival, and returns them.
func (m *model) serve(now time.Time) (granted []*modelWaiter) {
	for i := 0; i < len(m.line); {
		w := m.line[i]
		if m.behind(w.claim.Resource, m.line[:i]) || !m.fits(w.claim.Resource) {
			i++
			continue
		}
		m.line = slices.Delete(m.line, i, i+1)
		granted = append(granted, w)
		if m.grant(w.claim, now); w.leaves {
			m.release(w.claim.StoreTicket, now)
		}
	}
	return granted
}

// behind reports whether a claim has to let one of those before it pass.
func (m *model) behind(r lock.Resource, before []*modelWaiter) bool {
	return slices.ContainsFunc(before, func(w *modelWaiter) bool { return exclude(w.claim.Resource, r) })
}

// exclude reports whether two resources overlap where not both are shared.
func exclude(a, b lock.Resource) bool {
	for p := range a.Parts() {
		for q := range b.Parts() {
			if p.Overlaps(q) && !(p.IsShared() && q.IsShared()) {
				return true
			}
		}
	}
	return false
}

// place is where a claim stands in line; the length of the line for one that
// does not wait.
func (m *model) place(id string) int {
	if i := slices.IndexFunc(m.line, func(w *modelWaiter) bool { return w.claim.ID == id }); i >= 0 {
		return i
	}
	return len(m.line)
}

// wait has a blocked claim, with its place, wait on a goroutine of its own.
func (h *history) wait(c lock.StoreClaim, g lock.StoreGrant) {
	for range 5 {
		if g.Place > 0 {
			break
		}
		ctx, cancel := context.WithTimeout(h.ctx, h.short)
		_, _ = h.store.Wait(ctx, c, g)
		cancel()
		g = h.blocked(c)
	}
	if g.Place == 0 {
		h.disagree("a claim that waits gets no place")
	}
	ctx, cancel := context.WithCancel(h.ctx)
	w := &modelWaiter{claim: c, leaves: h.rnd.IntN(6) == 0, cancel: cancel, done: make(chan struct{})}
	h.line = append(h.line, w)
	go func() {
		defer close(w.done)
		var err error
		for err == nil && g.Status == lock.StatusBlocked {
			if g, err = h.store.Wait(ctx, c, g); err == nil && g.Status == lock.StatusBlocked {
				g, err = h.store.Acquire(ctx, c)
			}
		}
		if ctx.Err() != nil && err != nil {
			return // it gave up
		}
		if err == nil && w.leaves {
			_, err = h.store.Release(ctx, []lock.StoreTicket{c.StoreTicket})
		} else if err == nil && g.Hold.Unconfirmed {
			_, err = h.store.Extend(ctx, []lock.StoreRenewal{{StoreTicket: c.StoreTicket, TTL: c.TTL, Confirm: true}})
		}
		h.results <- result{c.ID, g, err}
	}()
}

// giveUp ends the wait of a claim, if there is one.
func (h *history) giveUp(id string) {
	if i := h.place(id); i < len(h.line) {
		h.line[i].cancel()
		<-h.line[i].done
		h.line = slices.Delete(h.line, i, i+1)
	}
}

// settle checks that what has become free was granted to those who waited for
// it, to no others, and in order.
func (h *history) settle() {
	want := h.serve(h.now())
	if h.virtual {
		synctest.Wait()
	}
	patience := time.Nanosecond // in virtual time all has happened that will
	if !h.virtual {
		patience = 10 * time.Second
	}
	got := make(map[string]result)
	for len(got) < len(want) || len(h.results) > 0 {
		select {
		case r := <-h.results:
			got[r.id] = r
		case <-time.After(patience):
			h.disagree("%d of %d claims that waited were granted", len(got), len(want))
		}
	}
	for i, w := range want {
		c := w.claim
		r, found := got[c.ID]
		if !found || r.err != nil || r.grant.Status != lock.StatusGranted {
			h.disagree("%s waited for %s: granted %t, status %d, %v; want Granted", c.ID, c.Resource, found, r.grant.Status, r.err)
		}
		for _, before := range want[:i] {
			if exclude(before.claim.Resource, c.Resource) && got[before.claim.ID].grant.Hold.Fence >= r.grant.Hold.Fence {
				h.disagree("%s was granted after %s, want before: it waited longer", before.claim.ID, c.ID)
			}
		}
		h.note("granted %s %s, leaves %t", c.ID, c.Resource, w.leaves)
		h.spent[c.ID] = true
		h.fence = max(h.fence, r.grant.Hold.Fence)
		if mine := h.find(c.StoreTicket); mine != nil {
			mine.fence = r.grant.Hold.Fence
		}
		w.cancel()
		delete(got, c.ID)
	}
	for id, r := range got {
		h.disagree("%s was granted before its turn, with fence %d, %v", id, r.grant.Hold.Fence, r.err)
	}
}

// leave ends all waits at the end of a history.
func (h *history) leave() {
	for len(h.line) > 0 {
		c := h.line[0].claim
		h.giveUp(c.ID)
		h.bench.release(c.StoreTicket)
	}
}
