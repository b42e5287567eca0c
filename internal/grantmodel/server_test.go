// SPDX-License-Identifier: MIT

package grantmodel

import "slices"

func (s *state) unqueue(id int8) bool {
	k := slices.Index(s.queue[:], id)
	if k < 0 {
		return false
	}
	copy(s.queue[k:], s.queue[k+1:])
	s.queue[claimants-1] = none
	return true
}

func (s *state) places(m *model, p int8) (n uint8) {
	for _, id := range s.queue {
		if id != none && m.process[id] == p {
			n++
		}
	}
	return n
}

// present reports whether the inbox of a claimant counts.
func (s *state) present(m *model, id int8) bool { return s.seen[m.process[id]] < m.seconds(3) }

// grant records a hold.
func (s *state) grant(m *model, id int8, provisional bool) {
	s.fence++
	s.hold, s.provisional, s.holdFence, s.end = id, provisional, s.fence, m.ttl
	if provisional {
		s.end = min(m.ttl, m.seconds(2))
	}
	mine := s.claimants[id].rank
	for j := range m.process {
		c, p := &s.claimants[j], &s.processes[m.process[j]]
		if len(m.steps) == 0 && int8(j) != id && c.phase == waits && c.rank > 0 && (mine == 0 || c.rank < mine) && p.mode == runs && !p.touched {
			s.broken = outOfTurn
		}
	}
}

// sweep removes a hold that has lapsed.
func (s *state) sweep(m *model) {
	if s.hold == none || s.end > 0 {
		return
	}
	if s.provisional && m.rules.drop {
		for id := range m.process {
			if m.process[id] == m.process[s.hold] {
				s.unqueue(int8(id))
			}
		}
		s.seen[m.process[s.hold]] = never
	}
	s.hold, s.provisional, s.holdFence, s.end = none, false, 0, 0
}

// passOn is rule 1.
func (s *state) passOn(m *model) {
	s.sweep(m)
	for s.hold == none && s.queue[0] != none {
		id := s.queue[0]
		s.unqueue(id)
		if s.present(m, id) {
			s.grant(m, id, true)
			s.send(m, message{kind: grantMessage, who: uint8(id), end: s.end, fence: s.holdFence})
		}
	}
}

// script is what the server does on a request, in one step: rules 2 to 5.
func (s *state) script(m *model, x message) {
	a := message{kind: answer, who: x.who, to: x.kind, status: missing, orphan: x.orphan}
	id := int8(x.who)
	own := s.hold == id && s.held()
	switch x.kind {
	case tryRequest:
		switch {
		case own:
			a.status = granted
		case s.endings[id] > 0 || m.rules.limit && x.latest <= 0:
		default:
			a.status, a.noPlace = s.try(m, id, x.latest)
		}
		s.passOn(m)
		a.end, a.fence, a.provisional = s.end, s.holdFence, s.provisional
	case confirmRequest:
		if own {
			a.status, s.provisional, s.end = granted, false, max(s.end, m.ttl)
		}
		a.end, a.fence = s.end, s.holdFence
	case releaseRequest:
		s.unqueue(id)
		if own {
			s.hold, s.provisional, s.holdFence, s.end = none, false, 0, 0
		}
		if x.noted {
			s.endings[id] = m.seconds(5)
		}
		a.status = granted
		s.passOn(m)
	case pingRequest:
		a.kind = pingAnswer
		s.seen[id] = 0
		s.passOn(m)
		if m.rules.count {
			a.places = s.places(m, id)
		}
		if s.hold != none && m.process[s.hold] == id && s.provisional && m.rules.tell {
			a.provisional, a.fence, a.end, a.status = true, s.holdFence, s.end, status(s.hold)
		}
	}
	if !x.orphan {
		s.send(m, a)
	}
}

// try is what a try does that was not answered yet.
func (s *state) try(m *model, id, latest int8) (answer status, noPlace bool) {
	s.sweep(m)
	for s.hold == none && s.queue[0] != none && s.queue[0] != id && !s.present(m, s.queue[0]) {
		s.unqueue(s.queue[0])
	}
	if s.hold == none && (s.queue[0] == none || s.queue[0] == id) {
		had := s.unqueue(id) || latest < never
		s.grant(m, id, had && m.rules.again)
		return granted, false
	}
	queued := slices.Contains(s.queue[:], id)
	if !queued && m.rules.limit && latest == never {
		return blocked, true
	}
	if !queued {
		s.queue[slices.Index(s.queue[:], none)] = id
		if c := &s.claimants[id]; c.phase != waits || c.rank == 0 { // one that lost its place keeps its rank
			s.arrived++
			c.rank = s.arrived
		}
	}
	s.seen[m.process[id]] = 0
	return blocked, false
}
