// SPDX-License-Identifier: MIT

package locktest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// history plays one random history against the model.
type history struct {
	*bench
	*model
	rnd   *rand.Rand
	used  []lock.StoreClaim // for repeating, extending and releasing
	spent map[string]bool   // ids that were granted
	log   []string

	results chan result // of claims that waited
}

func randomHistories(b *bench) {
	const seeds = 4
	space := b.space
	for seed := range uint64(seeds) {
		h := &history{
			bench: b, rnd: rand.New(rand.NewPCG(seed, 1)), spent: make(map[string]bool), results: make(chan result, 1000),
			model: &model{ended: make(map[string]ending), capacity: map[string]int{"a": 1, "b": 1, "c": 1, "double": 3, "hall": 10}},
		}
		b.space = fmt.Sprintf("%s-%d", space, seed)
		for range b.steps / seeds {
			h.step()
			h.settle()
		}
		h.leave()
	}
}

func (h *history) step() {
	switch n := h.rnd.IntN(100); {
	case n < 45:
		h.tryClaim(h.anyClaim())
	case n < 50:
		h.tryClaim(h.anyUsed())
	case n < 65:
		h.tryExtend()
	case n < 82:
		h.tryRelease()
	case n < 88:
		h.trySweep()
	case n < 91:
		h.tryHolds()
	case n < 93:
		h.tryTakeOver()
	default:
		h.pass()
	}
}

// disagree ends the case, showing the last steps.
func (h *history) disagree(format string, args ...any) {
	h.Helper()
	last := h.log[max(0, len(h.log)-40):]
	for _, line := range last {
		h.Log(line)
	}
	h.broken("step %d: "+format, append([]any{len(h.log)}, args...)...)
}

func (h *history) note(format string, args ...any) {
	h.log = append(h.log, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// now moves the model on.
func (h *history) now() time.Time {
	now := time.Now()
	h.expire(now)
	return now
}

// pass lets some time go by. In real time nothing may be about to expire while
// a step is under way, since it would not be clear which of the two is right,
// so there short TTLs are waited for at once and time does not pass otherwise.
//
// A store may notice an expiry only when it is asked, so it is asked at each.
func (h *history) pass() {
	if !h.virtual {
		return
	}
	for end := time.Now().Add(time.Duration(h.rnd.IntN(4000)) * time.Millisecond); ; {
		next, due := end, false
		for _, m := range h.live {
			if !m.expires.After(next) {
				next, due = m.expires, true
			}
		}
		if time.Sleep(time.Until(next)); due {
			h.sweep(64)
			h.settle()
		}
		if next.Equal(end) {
			return
		}
	}
}

func (h *history) anyPart() lock.Resource {
	name := []string{"a", "b", "c", "double", "hall"}[h.rnd.IntN(5)]
	from := int64(h.rnd.IntN(30) - 15)
	to := from + 1 + int64(h.rnd.IntN(6))
	midnight := time.Date(2026, 12, 12, 0, 0, 0, 0, time.UTC)
	var r lock.Resource
	switch h.rnd.IntN(14) {
	case 0, 12, 13:
		r = lock.Key(name)
	case 1, 2:
		r = lock.Nights(name, midnight.AddDate(0, 0, int(from)), midnight.AddDate(0, 0, int(to)))
	case 3:
		r = lock.Between(name, midnight.Add(time.Duration(from)*time.Hour), midnight.Add(time.Duration(to)*time.Hour))
	case 4:
		r = lock.Span(name, lock.MinBound+from+15, lock.MaxBound-15+from)
	default:
		r = lock.Span(name, from, to)
	}
	if h.rnd.IntN(6) == 0 {
		return r.Shared()
	}
	return r.Units(1 + h.rnd.IntN(h.capacity[name]))
}

// anyResource is one part, or several that do not overlap.
func (h *history) anyResource() lock.Resource {
	parts := []lock.Resource{h.anyPart()}
	for range max(0, h.rnd.IntN(6)-3) {
		if p := h.anyPart(); !slices.ContainsFunc(parts, p.Overlaps) {
			parts = append(parts, p)
		}
	}
	return lock.All(parts...)
}

func (h *history) anyClaim() lock.StoreClaim {
	c := h.claim(h.anyResource())
	c.Capacity = c.Capacity[:0]
	for p := range c.Resource.Parts() {
		c.Capacity = append(c.Capacity, h.capacity[p.Name()])
	}
	c.Limit = 1000
	if h.virtual {
		c.TTL = time.Duration(1+h.rnd.IntN(20_000)) * time.Millisecond
		c.MaxHold = time.Duration(h.rnd.IntN(2)*h.rnd.IntN(30_000)) * time.Millisecond
	} else if h.rnd.IntN(50) == 0 {
		c.TTL = h.short
	}
	c.Queue = c.TTL != h.short && len(h.line) < 20 && h.rnd.IntN(2) == 0
	if least := c.TTL; h.virtual && h.rnd.IntN(8) == 0 {
		if c.MaxHold > 0 {
			least = min(least, c.MaxHold)
		}
		c.KeepAtLeast = time.Duration(h.rnd.Int64N(1+least.Milliseconds())) * time.Millisecond
	}
	h.used = append(h.used, c)
	if len(h.used) > 60 {
		h.used = h.used[1:]
	}
	return c
}

func (h *history) anyUsed() lock.StoreClaim {
	if len(h.used) == 0 {
		return h.anyClaim()
	}
	return h.used[h.rnd.IntN(len(h.used))]
}

func (h *history) tryClaim(c lock.StoreClaim) {
	h.note("acquire %s %s for %s, at most %s, at least %s, queue %t", c.ID, c.Resource, c.TTL, c.MaxHold, c.KeepAtLeast, c.Queue)
	now := h.now()
	mine := h.find(c.StoreTicket)
	if h.spent[c.ID] && mine == nil {
		return // an ended hold's ticket is never used again
	}
	g := h.acquire(c)
	switch want, retry := h.conflicts(c, now); {
	case mine != nil && mine.released, mine == nil && h.recall(c.ID, now) != nil:
		if g.Status != lock.StatusMissing {
			h.disagree("a claim that was given up, or its hold released: status %d, want Missing", g.Status)
		}
	case mine != nil:
		if g.Status != lock.StatusGranted || g.Hold.Fence != mine.fence {
			h.disagree("a repeated claim: status %d with fence %d, want fence %d", g.Status, g.Hold.Fence, mine.fence)
		}
	case len(want) > 0 || c.Queue && h.behind(c.Resource, h.line[:h.place(c.ID)]):
		h.compareConflicts(g, want, retry)
		if c.Queue && h.place(c.ID) == len(h.line) {
			h.wait(c, g)
		}
	default:
		h.compareGrant(g, c, now)
	}
}

func (h *history) compareGrant(g lock.StoreGrant, c lock.StoreClaim, now time.Time) {
	h.Helper()
	if g.Status != lock.StatusGranted || g.Hold.Fence <= h.fence {
		h.disagree("status %d with fence %d after %d, want Granted and more; in the way: %v", g.Status, g.Hold.Fence, h.fence, g.Conflicts)
	}
	if g.Hold.Unconfirmed { // as a store may, in case that the answer gets lost
		if !c.Queue || g.Hold.Left > lock.StoreTrialTime {
			h.disagree("an unconfirmed grant to a claim with Queue %t for %s", c.Queue, g.Hold.Left)
		}
		g = h.confirm(c)
	}
	mine := h.grant(c, now)
	mine.fence, h.fence, h.spent[c.ID] = g.Hold.Fence, g.Hold.Fence, true
	if left := mine.expires.Sub(now); !h.about(g.Hold.Left, left) {
		h.disagree("%s left, want %s", g.Hold.Left, left)
	}
	if !h.virtual && c.TTL == h.short {
		h.outlast(h.short)
	}
}

func (h *history) compareConflicts(g lock.StoreGrant, want []string, retry time.Duration) {
	h.Helper()
	var got []string
	for _, c := range g.Conflicts {
		got = append(got, c.Wanted.String()+" by "+c.Hold.ID)
		for _, m := range h.live {
			if left := time.Until(m.expires); m.claim.ID == c.Hold.ID && !h.about(c.Hold.Left, left) {
				h.disagree("%s has %s left, want %s", c.Hold.ID, c.Hold.Left, left)
			}
		}
	}
	if g.Status != lock.StatusBlocked || !sameSet(got, want) {
		h.disagree("status %d, in the way: %q, want Blocked by %q", g.Status, got, want)
	}
	if !h.about(g.Retry, retry) {
		h.disagree("retry in %s, want %s", g.Retry, retry)
	}
}

func (h *history) tryExtend() {
	c := h.anyUsed()
	ttl := long
	if h.virtual {
		ttl = time.Duration(h.rnd.IntN(25_000)) * time.Millisecond
	}
	r := lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: ttl, MaxExtensions: 3, Count: h.rnd.IntN(2) == 0, Nonce: fmt.Sprint(h.rnd.IntN(3))}
	h.note("extend %s by %s, count %t, nonce %s", c.ID, ttl, r.Count, r.Nonce)
	now := h.now()
	g := h.extend(r)
	status, mine := h.model.extend(r, now)
	if g.Status != status {
		h.disagree("status %d, want %d", g.Status, status)
	}
	if mine != nil && (!h.about(g.Hold.Left, mine.expires.Sub(now)) || g.Hold.Extensions != mine.extensions) {
		h.disagree("%s left after %d extensions, want %s and %d", g.Hold.Left, g.Hold.Extensions, mine.expires.Sub(now), mine.extensions)
	}
}

// about compares times of two clocks, of which neither is ahead for sure.
func (h *history) about(got, want time.Duration) bool { return (got - want).Abs() <= h.slack }

// extend is the store's, since both embedded types have one.
func (h *history) extend(r lock.StoreRenewal) lock.StoreGrant { return h.bench.extend(r) }

func (h *history) tryRelease() {
	t := h.anyUsed().StoreTicket
	if t.Force = h.rnd.IntN(8) == 0; t.Force {
		t.Token = ""
	}
	now := h.now()
	if mine := h.find(t); mine != nil && h.rnd.IntN(2) == 0 {
		t.Fence = mine.fence // else it is a claim that is given up
		if !t.Force && h.rnd.IntN(2) == 0 {
			t.Until = mine.expires // so no one uses this ticket again
			h.used = slices.DeleteFunc(h.used, func(c lock.StoreClaim) bool { return c.ID == t.ID })
		}
	}
	h.note("release %s, fence %d, force %t, until %s", t.ID, t.Fence, t.Force, t.Until)
	if !t.Force {
		h.giveUp(t.ID)
	}
	want := h.model.release(t, now)
	if got := h.bench.release(t); got != want {
		h.disagree("status %d, want %d", got, want)
	}
}

// tryTakeOver changes the token of a used claim's hold.
func (h *history) tryTakeOver() {
	if len(h.used) == 0 {
		return
	}
	c := &h.used[h.rnd.IntN(len(h.used))]
	token := c.Token + "'"
	h.note("take over %s", c.ID)
	h.now()
	mine := h.find(c.StoreTicket)
	g := h.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TakeOver: token})
	if mine == nil || mine.released {
		if g.Status != lock.StatusMissing {
			h.disagree("status %d, want Missing", g.Status)
		}
		return
	}
	if g.Status != lock.StatusGranted || g.Hold.Fence <= h.fence {
		h.disagree("status %d with fence %d after %d, want Granted and more", g.Status, g.Hold.Fence, h.fence)
	}
	h.fence, mine.fence = g.Hold.Fence, g.Hold.Fence
	mine.claim.Token, c.Token = token, token
}

// trySweep records some of what the last sweep found.
func (h *history) trySweep() {
	limit := 1 + h.rnd.IntN(20)
	h.note("sweep %d", limit)
	h.now()
	h.compareSweep(h.sweep(limit), limit)
	n := h.rnd.IntN(1 + min(limit, len(h.due)))
	var recorded []string
	for _, d := range h.due[:n] {
		recorded = append(recorded, d.claim.ID)
	}
	h.due = h.due[n:]
	h.compareSweep(h.sweep(limit, recorded...), limit)
}

func (h *history) compareSweep(got []lock.Hold, limit int) {
	h.Helper()
	want := h.due[:min(limit, len(h.due))]
	if len(got) != len(want) {
		h.disagree("%d expired holds, want %d", len(got), len(want))
	}
	for i, g := range got {
		// Holds that expired together may come in any order.
		if j := slices.IndexFunc(h.due, func(d *modelHold) bool { return d.claim.ID == g.ID }); j < 0 || !h.due[j].expires.Equal(want[i].expires) {
			h.disagree("expired hold %d is %s, want %s", i, g.ID, want[i].claim.ID)
		}
	}
}

func (h *history) tryHolds() {
	r := h.anyResource()
	if h.rnd.IntN(3) == 0 {
		r = lock.Resource{}
	}
	h.note("holds of %s", r)
	h.now()
	var want []string
	for _, m := range h.live {
		if r.Name() == "" || m.claim.Resource.Overlaps(r) {
			want = append(want, m.claim.ID)
		}
	}
	if got := ids(h.holds(r)); !sameSet(got, want) {
		h.disagree("%v are held, want %v", got, want)
	}
}
