// SPDX-License-Identifier: MIT

package locktest

import (
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var modelRules = []rule{
	{"RandomHistoriesAgreeWithTheModel", "The store and the plainest implementation disagree about this history.", randomHistories},
}

// model is the plainest store: a list of holds, all of it looked at each time.
type model struct {
	live     []*modelHold
	due      []*modelHold      // expired and not recorded, in order of expiry
	line     []*modelWaiter    // in order of arrival
	ended    map[string]ending // by id
	fence    uint64
	capacity map[string]int
}

// ending is when a hold was released, or a claim given up, and how.
type ending struct {
	at           time.Time
	held, forced bool
}

type modelHold struct {
	claim             lock.StoreClaim
	fence             uint64
	acquired, expires time.Time
	extensions        int
	nonce             string
	released          bool // it is only kept
}

// grant makes the hold of a claim.
func (m *model) grant(c lock.StoreClaim, now time.Time) *modelHold {
	ttl := c.TTL
	if c.MaxHold > 0 {
		ttl = min(ttl, c.MaxHold)
	}
	h := &modelHold{claim: c, acquired: now, expires: now.Add(ttl)}
	m.live = append(m.live, h)
	return h
}

// expire moves on to now.
func (m *model) expire(now time.Time) {
	slices.SortStableFunc(m.live, func(a, b *modelHold) int { return a.expires.Compare(b.expires) })
	for len(m.live) > 0 && !m.live[0].expires.After(now) {
		if !m.live[0].released {
			m.due = append(m.due, m.live[0])
		}
		m.live = m.live[1:]
	}
}

// release answers a release.
func (m *model) release(t lock.StoreTicket, now time.Time) lock.StoreStatus {
	mine, ended := m.find(t), m.recall(t.ID, now)
	switch {
	case mine != nil && mine.released && !t.Force:
		return lock.StatusGranted
	case mine != nil:
		m.ended[t.ID] = ending{now, true, t.Force}
		if keep := mine.acquired.Add(mine.claim.KeepAtLeast); keep.After(now) && !t.Force && t.Fence != 0 {
			mine.released, mine.expires = true, keep
			return lock.StatusGranted
		}
		m.live = slices.DeleteFunc(m.live, func(o *modelHold) bool { return o == mine })
		return lock.StatusGranted
	case ended != nil && ended.held && ended.forced == t.Force:
		return lock.StatusGranted
	case ended == nil && t.Fence == 0 && !t.Force:
		m.ended[t.ID] = ending{at: now}
		m.line = slices.DeleteFunc(m.line, func(w *modelWaiter) bool { return w.claim.ID == t.ID })
	}
	return lock.StatusMissing
}

func (m *model) recall(id string, now time.Time) *ending {
	if e, known := m.ended[id]; known && now.Sub(e.at) < lock.StoreRememberFor {
		return &e
	}
	return nil
}

func (m *model) find(t lock.StoreTicket) *modelHold {
	for _, h := range m.live {
		if h.claim.ID == t.ID && (h.claim.Token == t.Token || t.Force) {
			return h
		}
	}
	return nil
}

// peak is how many units are taken at the busiest point of a part: it tries
// each point where something begins. What is shared takes nothing from what is
// shared, and all from what is not.
func (m *model) peak(part lock.Resource) (most int) {
	from, to := part.Bounds()
	points := []int64{from}
	for _, h := range m.live {
		for p := range h.claim.Resource.Parts() {
			if start, _ := p.Bounds(); p.Name() == part.Name() && start > from && start < to {
				points = append(points, start)
			}
		}
	}
	for _, at := range points {
		taken := 0
		for _, h := range m.live {
			for p := range h.claim.Resource.Parts() {
				start, end := p.Bounds()
				switch {
				case p.Name() != part.Name() || p.Kind() == part.Kind() && (at < start || end <= at), p.IsShared() && part.IsShared():
				case p.IsShared() != part.IsShared():
					taken += m.capacity[part.Name()]
				default:
					taken += p.Size()
				}
			}
		}
		most = max(most, taken)
	}
	return most
}

// fits reports whether a resource can be granted beside what is held.
func (m *model) fits(r lock.Resource) bool {
	for part := range r.Parts() {
		if m.peak(part)+part.Size() > m.capacity[part.Name()] {
			return false
		}
	}
	return true
}

// conflicts names, as "part by id", who overlaps the parts that do not fit.
func (m *model) conflicts(c lock.StoreClaim, now time.Time) (names []string, retry time.Duration) {
	for part := range c.Resource.Parts() {
		if m.peak(part)+part.Size() <= m.capacity[part.Name()] {
			continue
		}
		for _, h := range m.live {
			if !exclude(h.claim.Resource, part) {
				continue
			}
			names = append(names, part.String()+" by "+h.claim.ID)
			if left := h.expires.Sub(now); retry == 0 || left < retry {
				retry = left
			}
		}
	}
	return names, retry
}

// extend answers a renewal.
func (m *model) extend(r lock.StoreRenewal, now time.Time) (lock.StoreStatus, *modelHold) {
	h := m.find(r.StoreTicket)
	if h == nil || h.released {
		return lock.StatusMissing, nil
	}
	if r.Count && r.Nonce != "" && r.Nonce == h.nonce {
		return lock.StatusGranted, h
	}
	if r.Count && r.MaxExtensions > 0 && h.extensions >= r.MaxExtensions {
		return lock.StatusCapped, h
	}
	until := now.Add(r.TTL)
	if h.claim.MaxHold > 0 && h.acquired.Add(h.claim.MaxHold).Before(until) {
		if until = h.acquired.Add(h.claim.MaxHold); !until.After(h.expires) {
			return lock.StatusCapped, h
		}
	}
	if until.After(h.expires) {
		h.expires = until
	}
	if r.Count {
		h.extensions++
		h.nonce = r.Nonce
	}
	return lock.StatusGranted, h
}
