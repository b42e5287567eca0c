// SPDX-License-Identifier: MIT

package grantmodel

// request sends a request of a claimant.
func (s *state) request(m *model, i int8, k kind) {
	c := &s.claimants[i]
	c.call, c.sent = k, 0
	x := message{kind: k, who: uint8(i), latest: never}
	if k == tryRequest && c.pair {
		x.latest = m.seconds(5)
	}
	x.noted = k == releaseRequest && c.copied
	s.send(m, x)
}

// dropCall gives up the call under way: no one waits for its answer any more.
func (s *state) dropCall(i int8) {
	for k := range s.messages {
		switch x := &s.messages[k]; {
		case x.who != uint8(i):
		case x.kind >= tryRequest && x.kind <= releaseRequest:
			x.orphan = true
		case x.kind == answer:
			*x = message{}
		}
	}
	c := &s.claimants[i]
	c.copied = c.copied || c.call == tryRequest
	c.call = 0
}

// ask is rule 7: one try at a time.
func (s *state) ask(m *model, i int8) {
	if c := &s.claimants[i]; c.call != 0 {
		c.again = true
	} else {
		c.again = false
		s.request(m, i, tryRequest)
	}
}

// leave is rule 12.
func (s *state) leave(m *model, i int8) {
	s.dropCall(i)
	c := &s.claimants[i]
	*c = claimant{phase: leaves, rank: c.rank, copied: c.phase == waits || c.copied && m.rules.copies}
	s.request(m, i, releaseRequest)
}

func (s *state) finish(i int8) { s.claimants[i] = claimant{phase: ended, rank: s.claimants[i].rank} }

// believe makes a claimant a holder until the deadline.
func (s *state) believe(m *model, i, deadline int8, provisional bool, fence uint8) {
	s.dropCall(i)
	c := &s.claimants[i]
	*c = claimant{phase: holds, confirmed: !provisional, deadline: deadline, fence: fence, rank: c.rank, copied: c.copied}
	switch {
	case fence > s.top:
	case len(m.steps) == 0:
		s.broken = fenceFell
	default:
		s.turned = true
	}
	for j := range m.process {
		o := &s.claimants[j]
		if int8(j) == i || o.phase != holds || s.processes[m.process[j]].mode == dead {
			continue
		}
		both := min(deadline, o.deadline)
		if s.step == 2 && min(fence, o.fence) <= s.mark {
			s.overlapBefore = max(s.overlapBefore, both)
		} else {
			s.overlap = max(s.overlap, both)
		}
	}
	s.top = max(s.top, fence)
	if provisional {
		s.request(m, i, confirmRequest)
	}
}

// hear is rule 9: a claimant learns of a grant that ends at the server at end.
func (s *state) hear(m *model, i, end int8, pair bool, offset int8, fence uint8) {
	if s.claimants[i].phase != waits {
		return // rules 10 and 13
	}
	deadline := min(end+offset, m.ttl, m.seconds(2))
	if pair && deadline > 0 {
		s.believe(m, i, deadline, true, fence)
		return
	}
	s.ask(m, i)
}

// receive is what a process does on a message.
func (s *state) receive(m *model, x message) {
	switch x.kind {
	case pingAnswer:
		s.pinged(m, int8(x.who), x)
	case grantMessage:
		c := &s.claimants[x.who]
		s.hear(m, int8(x.who), x.end, c.pair, c.offset, x.fence)
	default:
		s.answered(m, int8(x.who), x)
	}
}

// pinged is rule 8, and rule 9 for the grant that the answer names.
func (s *state) pinged(m *model, p int8, x message) {
	s.processes[p].pinging = false
	named := func(j int) bool { return x.provisional && int(x.status) == j }
	expected := uint8(0)
	for j := range m.process {
		if c := &s.claimants[j]; m.process[j] == p && c.phase == waits && c.counted && !named(j) {
			expected++
		}
	}
	if m.rules.count && expected > x.places {
		for j := range m.process {
			if m.process[j] == p && s.claimants[j].phase == waits && !named(j) {
				s.ask(m, int8(j))
			}
		}
	}
	if x.provisional {
		s.hear(m, int8(x.status), x.end, true, s.processes[p].sent-x.now, x.fence)
	}
}

// answered is what a claimant does on the answer to its call.
func (s *state) answered(m *model, i int8, x message) {
	c := &s.claimants[i]
	offset := c.sent - x.now
	c.call = 0
	switch {
	case c.phase == leaves:
		s.finish(i)
	case x.to == confirmRequest && c.phase == holds:
		if x.status != granted {
			s.finish(i)
			return
		}
		c.confirmed, c.deadline = true, x.end+offset
		if c.deadline <= 0 {
			s.finish(i)
		}
	case x.to == tryRequest && c.phase == waits:
		c.pair, c.offset = true, offset
		c.place = m.rules.count && x.status == blocked && !x.noPlace
		switch {
		case x.status == granted && x.end+offset > 0:
			s.believe(m, i, x.end+offset, x.provisional, x.fence)
		case x.status != blocked || x.noPlace || c.again:
			s.ask(m, i)
		default:
			c.poll = never
			if m.polls {
				c.poll = max(x.end, 1)
			}
		}
	}
}

// timers does what is due in a process that runs.
func (s *state) timers(m *model, p int8) {
	waiters := false
	for j := range m.process {
		i, c := int8(j), &s.claimants[j]
		if m.process[j] != p {
			continue
		}
		late := c.call != 0 && -c.sent > m.second
		switch {
		case c.phase == waits && (late || c.call == 0 && c.poll <= 0):
			s.dropCall(i)
			c.poll, c.again = never, false
			s.request(m, i, tryRequest)
		case c.phase == holds && late && c.call == confirmRequest:
			s.dropCall(i)
			s.request(m, i, confirmRequest)
		case c.phase == leaves && late && !m.rules.repeat:
			s.dropCall(i)
			s.finish(i)
		case c.phase == leaves && (late || c.call == 0):
			s.dropCall(i)
			s.request(m, i, releaseRequest)
		}
		waiters = waiters || c.phase == waits
	}
	s.ping(m, p, waiters)
}

// ping sends one each second while the process has waiters.
func (s *state) ping(m *model, p int8, waiters bool) {
	pr := &s.processes[p]
	if pr.pinging && -pr.sent > m.second {
		pr.pinging = false
		for k := range s.messages {
			switch x := &s.messages[k]; {
			case x.who != uint8(p):
			case x.kind == pingRequest:
				x.orphan = true
			case x.kind == pingAnswer:
				*x = message{}
			}
		}
	}
	switch {
	case !waiters:
		pr.due = never
	case pr.due <= 0 && !pr.pinging:
		pr.due, pr.pinging, pr.sent = m.second, true, 0
		for j := range m.process {
			if m.process[j] == p {
				s.claimants[j].counted = s.claimants[j].place
			}
		}
		s.send(m, message{kind: pingRequest, who: uint8(p)})
	case pr.due == never:
		pr.due = m.second
	}
}
