// SPDX-License-Identifier: MIT

package grantmodel

import "slices"

// watch measures what has to be over in time, once a tick.
func (m *model) watch(s *state) {
	measure := func(v *int8, lasts bool, most int8, broken violation) {
		if *v = min(*v+1, 60); !lasts {
			*v = 0
		}
		if most > 0 && *v > most {
			s.broken = broken
		}
	}
	confirmed := s.held() && !s.provisional
	measure(&s.free, m.waiter >= 0 && s.waitsInVain(m) && s.believers(m) == 0 && !confirmed, m.maxFree, waitedTooLong)

	// A claimant that had a place before it died counts, unless it believed once.
	idle := s.held() && s.claimants[s.hold].phase != holds &&
		(s.processes[m.process[s.hold]].mode == runs || s.claimants[s.hold].rank > 0 && s.top < s.holdFence)
	measure(&s.idle, idle, m.maxIdle, heldByNoOne)

	left := slices.ContainsFunc(s.queue[:], func(id int8) bool {
		return id != none && s.present(m, id) && s.claimants[id].phase == ended
	})
	measure(&s.left, left, m.maxLeft, somethingStays)

	if m.maxLost > 0 {
		lost := false
		for j := range m.process {
			lost = lost || s.isLost(m, int8(j))
		}
		measure(&s.lost, lost, m.maxLost, withoutPlace)
	}

	over := s.messages == [slots]message{}
	for j := range m.process {
		over = over && s.claimants[j].phase == ended
	}
	if measure(&s.quiet, over, 0, 0); s.quiet > max(m.ttl, m.seconds(3))+6 {
		seen := slices.ContainsFunc(s.seen[:], func(since int8) bool { return since < m.seconds(3) })
		if s.held() || seen {
			s.broken = somethingStays
		}
	}
}

// waitsInVain reports whether the claimant that is measured waits and runs.
func (s *state) waitsInVain(m *model) bool {
	c := s.claimants[m.waiter]
	return s.processes[m.process[m.waiter]].mode == runs && c.phase == waits && c.rank > 0
}

// isLost reports whether a claimant waits for what will not come.
func (s *state) isLost(m *model, i int8) bool {
	c := s.claimants[i]
	return c.phase == waits && c.rank > 0 && c.call == 0 && s.processes[m.process[i]].mode == runs &&
		s.hold != i && !slices.Contains(s.queue[:], i)
}
